"""Expressions with one thing changed."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from sluice.core.cel.syntax import FALSE, TRUE, Kind, Node, constant, text, value_of

Mutation = tuple[str, Node, Node]
"""What was changed, the node where it was, and what stands there instead."""

_SWAPS = {
    "_&&_": ("_||_",),
    "_||_": ("_&&_",),
    "_==_": ("_!=_",),
    "_!=_": ("_==_",),
    "_<_": ("_<=_", "_>=_"),
    "_<=_": ("_<_", "_>_"),
    "_>_": ("_>=_", "_<=_"),
    "_>=_": ("_>_", "_<_"),
    "_*_": ("_+_",),
    "_-_": ("_+_",),
}
_SIDES = ("_&&_", "_||_", "_+_")
_TRUTHS = frozenset({"@in", "contains", "endsWith", "matches", "startsWith", "isInteger"})
_FIELDS = ("_?._",)
_LOGICAL = {"_&&_": "_||_", "_||_": "_&&_"}
_LARGEST = {"int": (1 << 63) - 1, "uint": (1 << 64) - 1}


def mutated(node: Node) -> Iterator[Mutation]:
    """Each mutant of a tree, as the whole tree with one thing changed."""
    for change, instead in _own(node):
        yield change, node, instead
    for index, part in _parts(node):
        for change, at, instead in mutated(part):
            operands = (*node.operands[:index], instead, *node.operands[index + 1 :])
            yield change, at, replace(node, operands=operands)
    if node.kind is Kind.COMPREHENSION:
        yield from _loop(node)


def _parts(node: Node) -> Iterator[tuple[int, Node]]:
    """The operands whose change means something; of a loop only what it runs over."""
    for index, part in enumerate(node.operands):
        name_of_field = node.name in _FIELDS and index > 0
        of_list = node.kind is Kind.LIST and part.kind is Kind.CONSTANT
        machinery = node.kind is Kind.COMPREHENSION and index > 0
        if not (name_of_field or of_list or machinery):
            yield index, part


def _own(node: Node) -> Iterator[tuple[str, Node]]:
    read = _READERS.get(node.kind)
    if read:
        yield from read(node)


def _select(node: Node) -> Iterator[tuple[str, Node]]:
    if node.test:
        yield "has() negated", _negated(node)


def _call(node: Node) -> Iterator[tuple[str, Node]]:
    for other in _SWAPS.get(node.name, ()):
        yield f"{_sign(node.name)} becomes {_sign(other)}", replace(node, name=other)
    if node.name in _SIDES and len(node.operands) == len(("left", "right")):
        yield f"without what is right of {_sign(node.name)}", node.operands[0]
        yield f"without what is left of {_sign(node.name)}", node.operands[1]
    elif node.name == "!_":
        yield "without the negation", node.operands[0]
    elif node.name == "_?_:_":
        yield "always the first branch", node.operands[1]
        yield "always the second branch", node.operands[2]
    elif node.name in _TRUTHS:
        yield f"{_sign(node.name)} negated", _negated(node)


def _list(node: Node) -> Iterator[tuple[str, Node]]:
    if node.optional:
        return
    for index, part in enumerate(node.operands):
        left = node.operands[:index] + node.operands[index + 1 :]
        yield f"without {_shown(part) or f'element {index + 1}'}", replace(node, operands=left)


def _constant(node: Node) -> Iterator[tuple[str, Node]]:
    kind, value = value_of(node)
    if kind == "bool":
        truth = "false" if value else "true"
        yield f"{truth} instead", _with_value(node, kind, value=not value)
    elif kind in _LARGEST:
        other = value - 1 if value == _LARGEST[kind] else value + 1
        yield f"{other} instead", _with_value(node, kind, other)
    elif kind == "string":
        longer = f"{value}~"
        yield f"{longer!r} instead", _with_value(node, kind, longer)


def _with_value(node: Node, kind: str, value: bool | int | str) -> Node:  # noqa: FBT001  # of CEL
    return replace(node, constant=constant(kind, value).constant)


def _loop(node: Node) -> Iterator[Mutation]:
    """What a loop asks of each element; `all` and `exists` for each other."""
    step = node.operands[3]
    if step.name in _LOGICAL:
        name = "exists" if step.name == "_&&_" else "all"
        yield f"{name} instead", node, _quantified(node)
        yield from _inside(node, step, 1)
    elif step.name == "_?_:_":
        yield "without the filter", node, _stepping(node, step.operands[1])
        yield from _inside(node, step, 0)
        for change, at, added in _made(step.operands[1]):
            kept = (step.operands[0], added, step.operands[2])
            yield change, at, _stepping(node, replace(step, operands=kept))
    else:
        for change, at, added in _made(step):
            yield change, at, _stepping(node, added)


def _made(step: Node) -> Iterator[Mutation]:
    """What `map` makes of an element."""
    if step.name == "_+_" and step.operands[1].kind is Kind.LIST:
        result, element = step.operands
        for change, at, instead in mutated(element.operands[0]):
            made = replace(element, operands=(instead,))
            yield change, at, replace(step, operands=(result, made))


def _inside(loop: Node, step: Node, index: int) -> Iterator[Mutation]:
    for change, at, instead in mutated(step.operands[index]):
        operands = (*step.operands[:index], instead, *step.operands[index + 1 :])
        yield change, at, _stepping(loop, replace(step, operands=operands))


def _stepping(loop: Node, step: Node) -> Node:
    return replace(loop, operands=(*loop.operands[:3], step, loop.operands[4]))


def _quantified(loop: Node) -> Node:
    """`exists` for `all`, and the other way round."""
    rounds, _, condition, step, result = loop.operands
    accumulator = Node(Kind.IDENT, name=loop.accumulator)
    every = step.name == "_||_"
    going = accumulator if every else _negated(accumulator)
    return replace(
        loop,
        operands=(
            rounds,
            TRUE if every else FALSE,
            replace(condition, operands=(going,)),
            replace(step, name=_LOGICAL[step.name]),
            result,
        ),
    )


def _negated(node: Node) -> Node:
    return Node(Kind.CALL, name="!_", operands=(node,))


def _shown(node: Node) -> str:
    value = text(node) if node.kind is Kind.CONSTANT else None
    return repr(value) if value is not None else ""


def _sign(name: str) -> str:
    return name.strip("_@")


_READERS: dict[Kind, Callable[[Node], Iterator[tuple[str, Node]]]] = {
    Kind.CALL: _call,
    Kind.CONSTANT: _constant,
    Kind.LIST: _list,
    Kind.SELECT: _select,
}
