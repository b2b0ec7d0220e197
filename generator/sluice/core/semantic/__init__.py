"""Semantic rules: what the API server refuses, or runs in vain, and strict schemas accept."""

from sluice.core.semantic.evaluate import semantic_problems
from sluice.core.semantic.problem import Problem, Rule
from sluice.core.semantic.rule_texts import Rules

__all__ = ["Problem", "Rule", "Rules", "semantic_problems"]
