"""What an evaluation cost at least, as the API server counts it.

The server counts a step for each name, field and call, and for functions on texts a tenth of a step
a character. The engine counts nothing; but of an expression that came to a certain value much of
what was evaluated is certain as well: `all` that is true has looked at every element.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from sluice.core.cel.syntax import Kind, Node

_FACTOR = 0.1
_BY_TEXT = {
    "endsWith": _FACTOR,
    "lowerAscii": _FACTOR,
    "replace": 2 * _FACTOR,
    "split": 2 * _FACTOR,
    "startsWith": _FACTOR,
    "substring": _FACTOR,
    "trim": _FACTOR,
    "upperAscii": _FACTOR,
    "url": _FACTOR,
}
"""Functions whose cost is that of going through their first operand."""
_CHEAP = frozenset({"_+_", "_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_", "@in", "contains", "find"})
_CHEAP |= {"findAll", "isSorted", "join", "matches", "max", "min", "sum", "indexOf", "lastIndexOf"}
"""Functions that may cost nothing where what they are given is empty."""

Size = Callable[[Node], int]
"""The elements or characters of a value that is the same in every round; 0 of any other."""


@dataclass(frozen=True)
class Spending:
    """Counts for one expression; `size` evaluates its parts."""

    size: Size

    def least(self, node: Node, outcome: object = None) -> int:
        """The cost of a node that came to this outcome; None where that is not known."""
        match node.kind:
            case Kind.CONSTANT:
                return 0
            case Kind.IDENT:
                return 1
            case Kind.SELECT:
                return self.least(node.operands[0]) + (not node.test)
            case Kind.COMPREHENSION:
                return self._least_of_loop(node, outcome)
            case Kind.CALL:
                return self._least_of_call(node, outcome)
        return sum(map(self.least, node.operands))

    def _least_of_call(self, node: Node, outcome: object) -> int:
        name, operands = node.name, node.operands
        if name in ("_&&_", "_||_"):
            return self._least_of_logic(node, outcome)
        if name == "_?_:_":
            return self.least(operands[0]) + min(map(self.least, operands[1:]))
        if name == "!_":
            inner = not outcome if isinstance(outcome, bool) else None
            return 1 + self.least(operands[0], inner)
        return sum(map(self.least, operands)) + self._least_of_function(node)

    def _least_of_function(self, node: Node) -> int:
        if node.name in _BY_TEXT:
            return ceil(self.size(node.operands[0]) * _BY_TEXT[node.name])
        if node.name in _CHEAP:
            return 0
        return 1

    def _least_of_logic(self, node: Node, outcome: object) -> int:
        """All operands of a conjunction that is true were looked at, and else one of them."""
        everything = node.name == "_&&_"
        if outcome is everything:
            return sum(self.least(part, outcome) for part in node.operands)
        return min(self.least(part, outcome) for part in node.operands)

    def _least_of_loop(self, node: Node, outcome: object) -> int:
        rounds, first, condition, step, result = node.operands
        around = self.least(rounds) + self.least(first) + self.least(result)
        if step.name in ("_&&_", "_||_"):
            if outcome is not (step.name == "_&&_"):
                return around
            each_round = self.least(condition) + self.least(step, outcome)
        else:
            each_round = self.least(condition) + self.least(step)
        return around + self._rounds(rounds) * each_round

    def _rounds(self, node: Node) -> int:
        if node.kind is Kind.LIST and not node.optional:
            return len(node.operands)
        return self.size(node)


@dataclass(frozen=True)
class Bounds:
    """How large values are at most.

    Args:
        elements: of the lists that loops run over, where they are not written out.
        characters: of the texts that functions go through.
    """

    elements: int
    characters: int

    def most(self, node: Node) -> int:
        """The cost of a node at most."""
        match node.kind:
            case Kind.CONSTANT:
                return 0
            case Kind.COMPREHENSION:
                return self._most_of_loop(node)
            case Kind.LIST:
                return 10 + sum(map(self.most, node.operands))
            case Kind.STRUCT:
                return 40 + sum(map(self.most, node.operands))
        operands = sum(map(self.most, node.operands))
        if node.name in ("_&&_", "_||_", "_?_:_"):
            return operands
        return operands + 1 + ceil(_BY_TEXT.get(node.name, 0) * self.characters)

    def _most_of_loop(self, node: Node) -> int:
        rounds, *others = node.operands
        first, condition, step, result = map(self.most, others)
        written = rounds.kind is Kind.LIST
        times = len(rounds.operands) if written else self.elements
        # A list of constants is made once.
        constant = written and all(part.kind is Kind.CONSTANT for part in rounds.operands)
        making = 0 if constant else self.most(rounds)
        return making + first + result + times * (condition + step)
