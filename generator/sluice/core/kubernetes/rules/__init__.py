"""Semantic rules: what the API server refuses, or runs in vain, and strict schemas accept."""

from sluice.core.kubernetes.rules.evaluate import semantic_problems
from sluice.core.kubernetes.rules.kinds import RULES
from sluice.core.kubernetes.rules.problem import Problem, Rule

__all__ = ["RULES", "Problem", "Rule", "semantic_problems"]
