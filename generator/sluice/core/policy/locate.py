"""Where in the object the value of an expression stands."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sluice.core.cel.runtime import Failed
from sluice.core.cel.syntax import Kind, Node, integer, text
from sluice.core.documents.source import Pointer
from sluice.core.policy.compiled import Compiled


@dataclass(frozen=True)
class Located:
    """A value and its place; the place of the nearest ancestor where it is missing."""

    value: Any
    pointer: Pointer | None
    missing: bool = False


Scope = Mapping[str, Located]
Place = Located | list[Located] | None

_SELECTS = ("_?._", "_[_]", "_[?_]")
_WRAPPERS = ("optional.of", "optional.ofNonZeroValue", "value", "hasValue", "dyn")
_FILTER = 3
_EFFORT = 2_000
"""Looks at single nodes: variables that use each other twice would multiply without end."""


@dataclass(frozen=True)
class Locator:
    """Follows paths; conditions on the way are asked of the engine."""

    compiled: Compiled
    data: Mapping[str, Any]
    spent: list[None] = field(default_factory=list, compare=False)

    @property
    def tired(self) -> bool:
        """Whether it has looked at enough; what is found by then is good enough."""
        self.spent.append(None)
        return len(self.spent) > _EFFORT

    def truth(self, node: Node, scope: Scope) -> bool:
        """Whether a node is true; an error is false."""
        bound = {name: located.value for name, located in scope.items()}
        activation = self.compiled.engine.activation({**self.data, **bound})
        return self.compiled.part(node).run(activation) is True

    def locate(self, node: Node, scope: Scope) -> Place:
        """The value of a path, the values of a computed list, or nothing for anything else."""
        read = _READERS.get(node.kind)
        return None if read is None or self.tired else read(self, node, scope)

    def items(self, node: Node, scope: Scope) -> list[Located] | None:
        """The elements of a list or the keys of a map, each with its place."""
        place = self.locate(node, scope)
        if not isinstance(place, Located):
            return place
        at = place.pointer
        if isinstance(place.value, list):
            return [Located(v, _below(at, i)) for i, v in enumerate(place.value)]
        if isinstance(place.value, Mapping):
            return [Located(key, _below(at, key)) for key in place.value]
        return None

    def bound(self, loop: Node, scope: Scope, index: int, item: Located) -> Scope:
        """The scope inside a loop."""
        if not loop.second:
            return {**scope, loop.name: item}
        whole = self.locate(loop.operands[0], scope)
        if isinstance(whole, Located) and isinstance(whole.value, Mapping):
            value = Located(whole.value[item.value], item.pointer)
            return {**scope, loop.name: item, loop.second: value}
        return {**scope, loop.name: Located(index, item.pointer), loop.second: item}

    def _ident(self, node: Node, scope: Scope) -> Place:
        if node.name in scope:
            return scope[node.name]
        if node.name == "object" and self.data.get("object") is not None:
            return Located(self.data["object"], ())
        tree = self.compiled.variable(node.name)
        return self.locate(tree, {}) if tree else None

    def _select(self, node: Node, scope: Scope) -> Place:
        return _child(self.locate(node.operands[0], scope), node.name)

    def _call(self, node: Node, scope: Scope) -> Place:
        operands = node.operands
        if node.name in _SELECTS:
            return _child(self.locate(operands[0], scope), self._key(operands[1], scope))
        if node.name in _WRAPPERS:
            return self.locate(operands[0], scope)
        if node.name == "orValue":
            return self._either(operands[0], operands[1], scope)
        if node.name == "_?_:_":
            return self.locate(operands[1 if self.truth(operands[0], scope) else 2], scope)
        if node.name == "_+_":
            return self._joined(operands[0], operands[1], scope)
        return None

    def _either(self, first: Node, second: Node, scope: Scope) -> Place:
        place = self.locate(first, scope)
        if isinstance(place, Located) and place.missing:
            other = self.locate(second, scope)
            return place if other in (None, []) else other
        return place

    def _joined(self, first: Node, second: Node, scope: Scope) -> Place:
        parts = [self.items(operand, scope) for operand in (first, second)]
        if all(part is None for part in parts):
            return None
        return [item for part in parts for item in part or ()]

    def _key(self, node: Node, scope: Scope) -> str | int | None:
        constant = text(node) if node.kind is Kind.CONSTANT else None
        if constant is not None or node.kind is Kind.CONSTANT:
            return constant if constant is not None else integer(node)
        bound = {name: located.value for name, located in scope.items()}
        activation = self.compiled.engine.activation({**self.data, **bound})
        value = self.compiled.part(node).run(activation)
        return value if isinstance(value, str | int) and not isinstance(value, Failed) else None

    def _elements(self, node: Node, scope: Scope) -> Place:
        found = [self.locate(operand, scope) for operand in node.operands]
        return [one for one in found if isinstance(one, Located) and not one.missing]

    def _computed(self, node: Node, scope: Scope) -> Place:
        """What `filter` and `map` give of a list whose elements have places."""
        if node.operands[1].kind is not Kind.LIST:
            return None
        items = self.items(node.operands[0], scope)
        if items is None:
            return None
        found: list[Located] = []
        for index, item in enumerate(items):
            inner = self.bound(node, scope, index, item)
            step = node.operands[3]
            if len(step.operands) == _FILTER:
                if not self.truth(step.operands[0], inner):
                    continue
                step = step.operands[1]
            place = self.locate(step.operands[1].operands[0], inner)
            if not isinstance(place, Located):
                return None
            found.append(place)
        return found


_READERS: Mapping[Kind, Callable[[Locator, Node, Scope], Place]] = {
    Kind.IDENT: Locator._ident,  # noqa: SLF001  # the class's own table
    Kind.SELECT: Locator._select,  # noqa: SLF001  # the class's own table
    Kind.LIST: Locator._elements,  # noqa: SLF001  # the class's own table
    Kind.COMPREHENSION: Locator._computed,  # noqa: SLF001  # the class's own table
    Kind.CALL: Locator._call,  # noqa: SLF001  # the class's own table
}


def _child(place: Place, key: str | int | None) -> Place:
    if key is None or place is None:
        return None
    if isinstance(place, list):
        return place[key] if isinstance(key, int) and 0 <= key < len(place) else None
    value = place.value
    if isinstance(value, Mapping) and key in value:
        return Located(value[key], _below(place.pointer, key))
    if isinstance(value, list) and isinstance(key, int) and 0 <= key < len(value):
        return Located(value[key], _below(place.pointer, key))
    return Located(None, place.pointer, missing=True)


def _below(pointer: Pointer | None, step: str | int) -> Pointer | None:
    return None if pointer is None else (*pointer, step)
