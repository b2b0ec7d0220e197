"""Expressions that loop more often than the engine lets them, up to the API server's budget.

The engine stops after ten thousand rounds, the API server after a cost of a million. What lies
between is run loop by loop: the rounds of the outermost loop here, what is inside in the engine.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sluice.core.cel.cost import LIMIT, extent, steps
from sluice.core.cel.runtime import Failed, Value
from sluice.core.cel.syntax import Kind, Node
from sluice.core.policy.plan import Compiled

Outcome = Value | Failed | type[object]

EXCEEDED = "cost limit exceeded: it loops more often than a cluster allows"


@dataclass
class Stepper:
    """Runs one expression; what it spent is left in `spent`."""

    compiled: Compiled
    data: Mapping[str, Any]
    limit: int = LIMIT
    spent: int = 0

    def __post_init__(self) -> None:
        self._size = max(1, extent(self.data)[0])

    def run(self) -> Outcome:
        """The value, or that it would cost too much."""
        return self._run(self.compiled.root, {})

    def _run(self, node: Node, bound: Mapping[str, Any]) -> Outcome:
        data = {**self.data, **bound}
        self.spent += steps(node, self._size) if bound else 1
        if self.spent > self.limit:
            return Failed(EXCEEDED)
        program = self.compiled.part(node)
        outcome = program.run(self.compiled.engine.activation(data))
        if not (isinstance(outcome, Failed) and outcome.over_budget):
            return outcome
        return self._split(node, bound)

    def _split(self, node: Node, bound: Mapping[str, Any]) -> Outcome:
        variable = self.compiled.variable(node.name) if node.kind is Kind.IDENT else None
        if variable:
            return self._run(variable, {})
        if node.kind is Kind.COMPREHENSION:
            return self._loop(node, bound)
        if node.name in ("_&&_", "_||_"):
            return self._logical(node, bound)
        if node.name in ("!_", "_?_:_"):
            return self._branch(node, bound)
        return Failed(EXCEEDED)

    def _branch(self, node: Node, bound: Mapping[str, Any]) -> Outcome:
        first = self._run(node.operands[0], bound)
        if not isinstance(first, bool):
            return first
        if node.name == "!_":
            return not first
        return self._run(node.operands[1 if first else 2], bound)

    def _logical(self, node: Node, bound: Mapping[str, Any]) -> Outcome:
        """The first operand that decides wins over one that fails, as in CEL."""
        deciding = node.name == "_||_"
        failed: Outcome = not deciding
        for operand in node.operands:
            outcome = self._run(operand, bound)
            if outcome is deciding:
                return outcome
            if not isinstance(outcome, bool):
                failed = outcome
        return failed

    def _loop(self, node: Node, bound: Mapping[str, Any]) -> Outcome:
        rounds, first, condition, step, result = node.operands
        items = self._items(rounds, bound)
        if isinstance(items, Failed):
            return items
        total = self._run(first, bound)
        if not isinstance(total, bool | int):
            return Failed(EXCEEDED)
        for index, item in enumerate(items):
            names = {node.name: index, node.second: item} if node.second else {node.name: item}
            inner = {**bound, **names, node.accumulator: total}
            if self._run(condition, inner) is False:
                break
            outcome = self._run(step, inner)
            if not isinstance(outcome, bool | int):
                return outcome
            total = outcome
        return self._run(result, {**bound, node.accumulator: total})

    def _items(self, node: Node, bound: Mapping[str, Any]) -> list[Any] | Failed:
        activation = self.compiled.engine.activation({**self.data, **bound})
        return self.compiled.part(node).items(activation)
