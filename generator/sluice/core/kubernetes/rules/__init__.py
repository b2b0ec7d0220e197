"""Semantic rules: what the API server refuses, or runs in vain, and strict schemas accept."""

from sluice.core.kubernetes.rules.evaluate import semantic_problems
from sluice.core.kubernetes.rules.problem import Problem, Rule
from sluice.core.kubernetes.rules.rule_texts import Rules

__all__ = ["Problem", "Rule", "Rules", "semantic_problems"]
