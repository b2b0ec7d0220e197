"""The smallest part of an object that made an expression false."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sluice.core.cel.syntax import Kind, Node
from sluice.core.documents.source import Pointer
from sluice.core.policy.compiled import Compiled
from sluice.core.policy.locate import Located, Locator, Scope

_LOGICAL = ("_&&_", "_||_")


def blame(compiled: Compiled, data: Mapping[str, Any]) -> Pointer:
    """A pointer into `object`.

    Conjunctions are split, loops followed to the element that broke them, and of what is left the
    deepest field that the object has is taken. Where nothing of the object took part, the pointer
    leads to the whole object.
    """
    return _Blamer(compiled, Locator(compiled, data)).run()


@dataclass(frozen=True)
class _Blamer:
    compiled: Compiled
    locator: Locator

    def run(self) -> Pointer:
        return self._explain(self.compiled.root, {}, outcome=False) or ()

    def _explain(self, node: Node, scope: Scope, *, outcome: bool) -> Pointer | None:
        """What made the node come out as it did; an error counts as false."""
        if self.locator.tired:
            return None
        if node.kind is Kind.IDENT and (tree := self.compiled.variable(node.name)):
            return self._explain(tree, {}, outcome=outcome)
        if node.kind is Kind.COMPREHENSION:
            return self._loop(node, scope, outcome=outcome)
        if node.name in _LOGICAL:
            return self._logical(node, scope, outcome=outcome)
        if node.name in ("!_", "_?_:_"):
            return self._branch(node, scope, outcome=outcome)
        return _deepest(self._paths(node, scope))

    def _logical(self, node: Node, scope: Scope, *, outcome: bool) -> Pointer | None:
        one_decides = (node.name == "_||_") is outcome
        if one_decides:
            for operand in node.operands:
                if self.locator.truth(operand, scope) is outcome:
                    return self._explain(operand, scope, outcome=outcome)
        return _deepest(self._explain(part, scope, outcome=outcome) for part in node.operands)

    def _branch(self, node: Node, scope: Scope, *, outcome: bool) -> Pointer | None:
        if node.name == "!_":
            return self._explain(node.operands[0], scope, outcome=not outcome)
        condition, yes, no = node.operands
        chosen = self.locator.truth(condition, scope)
        branch = yes if chosen else no
        if branch.kind is Kind.CONSTANT:
            return self._explain(condition, scope, outcome=chosen)
        return self._explain(branch, scope, outcome=outcome)

    def _loop(self, node: Node, scope: Scope, *, outcome: bool) -> Pointer | None:
        rounds, step = node.operands[0], node.operands[3]
        everything = _deepest(self._paths(rounds, scope))
        if step.name not in _LOGICAL:
            return everything
        if (step.name == "_||_") is not outcome:
            return everything
        predicate = step.operands[1]
        for index, item in enumerate(self.locator.items(rounds, scope) or ()):
            inner = self.locator.bound(node, scope, index, item)
            if self.locator.truth(predicate, inner) is outcome:
                return self._explain(predicate, inner, outcome=outcome) or item.pointer
        return everything

    def _paths(self, node: Node, scope: Scope) -> Iterator[Pointer | None]:
        """The places of all fields that a node reads, the outermost of each chain."""
        if self.locator.tired:
            return
        located = self.locator.locate(node, scope)
        if isinstance(located, Located):
            yield located.pointer
        elif isinstance(located, list):
            yield from (item.pointer for item in located)
        elif node.kind is Kind.COMPREHENSION:
            yield from self._paths(node.operands[0], scope)
        else:
            if node.kind is Kind.IDENT and (tree := self.compiled.variable(node.name)):
                yield from self._paths(tree, {})
            for operand in node.operands:
                yield from self._paths(operand, scope)


def _deepest(pointers: Iterator[Pointer | None]) -> Pointer | None:
    """The longest; the first of several."""
    found = [pointer for pointer in pointers if pointer is not None]
    return max(found, key=len) if found else None
