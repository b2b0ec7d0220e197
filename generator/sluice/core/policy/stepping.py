"""Expressions that loop more often than the engine lets them, up to the API server's budget.

The engine stops after ten thousand rounds, the API server after a cost of a million. What lies
between is run loop by loop: the rounds of the outermost loop here, what is inside in the engine.
Two sums are kept, of what that costs at most and at least, since the engine itself counts nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sluice.core.cel.cost import LIMIT, extent
from sluice.core.cel.runtime import EXCEEDED, Failed, Value
from sluice.core.cel.spending import Bounds, Spending
from sluice.core.cel.syntax import Kind, Node
from sluice.core.policy.compiled import Compiled

Outcome = Value | Failed | type[object]

_ROOTS = ("object", "oldObject", "request", "namespaceObject", "params")
_DOUBT = 3
"""How many times the limit it may cost at most before what it does at least is not waited for."""


def least_cost(compiled: Compiled, data: Mapping[str, Any], outcome: Outcome) -> int:
    """What an expression that came to this outcome cost at least."""
    return Spending(_Sizes(compiled, data).size).least(compiled.root, outcome)


class _Sizes:
    """The sizes of values, each found out once."""

    def __init__(self, compiled: Compiled, data: Mapping[str, Any]) -> None:
        self._compiled = compiled
        self._activation = compiled.engine.activation(data)
        self._sizes: dict[int, int] = {}

    def size(self, node: Node) -> int:
        """The elements or characters of a value outside of loops; 0 for anything else."""
        if id(node) not in self._sizes:
            self._sizes[id(node)] = self._evaluate(node) if self._is_outside(node) else 0
        return self._sizes[id(node)]

    def _is_outside(self, node: Node) -> bool:
        """Whether a value has no part that differs from round to round of a loop."""
        names = [one.name for one in node.walk() if one.kind is Kind.IDENT]
        return all(name in _ROOTS or self._compiled.variable(name) for name in names)

    def _evaluate(self, node: Node) -> int:
        counting = Node(Kind.CALL, name="size", operands=(node,))
        count = self._compiled.part(counting).run(self._activation)
        return count if isinstance(count, int) else 0


@dataclass
class Stepper:
    """Runs one expression; what it spent at most is left in `spent`."""

    compiled: Compiled
    data: Mapping[str, Any]
    limit: int = LIMIT
    spent: int = 0

    def __post_init__(self) -> None:
        elements, characters = extent(self.data)
        texts = min(max(characters, self.compiled.longest_text), LIMIT)
        self._bounds = Bounds(max(1, elements), texts)
        self._spending = Spending(_Sizes(self.compiled, self.data).size)
        self._least = 0

    def run(self) -> Outcome:
        """The value, or that it would cost too much."""
        outcome = self._run(self.compiled.root, {})
        return Failed(EXCEEDED) if self._is_in_doubt() else outcome

    def _is_in_doubt(self) -> bool:
        return self._least <= self.limit < self.spent

    def _run(self, node: Node, bound: Mapping[str, Any]) -> Outcome:
        if self._least > self.limit:
            return Failed(EXCEEDED, certain=True)
        if self.spent > _DOUBT * self.limit:
            return Failed(EXCEEDED)
        program = self.compiled.part(node)
        outcome = program.run(self.compiled.engine.activation({**self.data, **bound}))
        if isinstance(outcome, Failed) and outcome.over_budget:
            self.spent += 1
            return self._split(node, bound)
        self.spent += self._bounds.most(node) if bound else 1
        if not isinstance(outcome, Failed):
            self._least += self._spending.least(node, outcome)
        return outcome

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
