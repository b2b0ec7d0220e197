"""Keeps optionals away from functions written in Python: the engine crashes when it hands one over.

Only policies in which an optional can become a value like others are rewritten.
"""

from collections.abc import Callable, Iterable

from sluice.core.cel.syntax import FALSE, NULL, TRUE, Kind, Node, constant, ident

_TAKES_OFF = frozenset({"hasValue", "or", "orValue", "value"})
_STEPS = frozenset({"_?._", "_[?_]"})
_MAKES = frozenset({"optional.none", "optional.of", "optional.ofNonZeroValue"})
_ITEM, _INDEX, _FOUND = "@item", "@index", "@found"
_VALUE, _LIST = "@value", "@list"
_SCALARS = ("bool", "bytes", "double", "int", "string", "uint")
_PLAIN = (*_SCALARS, "list", "map", "null_type", "google.protobuf.Duration")


def may_escape(trees: Iterable[Node]) -> bool:
    """Whether an optional can be what something other than the functions on optionals is given."""
    return any(_escapes(tree, taken_off=False) for tree in trees)


def _escapes(node: Node, *, taken_off: bool) -> bool:
    if node.kind is Kind.CALL and node.name in _STEPS | _MAKES and not taken_off:
        return True
    takes = node.kind is Kind.CALL and node.name in _TAKES_OFF | _STEPS
    selects = node.kind is Kind.SELECT
    return any(
        _escapes(operand, taken_off=(takes or selects) and index == 0)
        for index, operand in enumerate(node.operands)
    )


def guarded(node: Node) -> Node:
    """The call without an optional in it: its answer where the API server has one, else an error.

    An optional inside a map that is handed over is not looked for.
    """
    rewrite = _REWRITES.get(node.name) if node.kind is Kind.CALL else None
    return rewrite(node) if rewrite else node


def _first_index(node: Node) -> Node:
    """`indexOf` as a loop of the engine's own, which compares optionals as it should."""
    return _search(node, keep_first=True)


def _last_index(node: Node) -> Node:
    return _search(node, keep_first=False)


def _search(node: Node, *, keep_first: bool) -> Node:
    items, wanted = node.operands
    same = _call("_==_", ident(_ITEM), ident(_VALUE))
    goes_on = _call("_<_", ident(_FOUND), constant("int", 0)) if keep_first else TRUE
    loop = Node(
        Kind.COMPREHENSION,
        name=_INDEX,
        second=_ITEM,
        accumulator=_FOUND,
        operands=(
            items,
            constant("int", -1),
            goes_on,
            _call("_?_:_", same, ident(_INDEX), ident(_FOUND)),
            ident(_FOUND),
        ),
    )
    return _bound(_VALUE, wanted, loop)


def _includes(node: Node) -> Node:
    target, wanted = node.operands
    inside = _call("@in", ident(_VALUE), ident(_LIST))
    same = _call("_==_", ident(_LIST), ident(_VALUE))
    chosen = _call("_?_:_", _is_of(ident(_LIST), ("list",)), inside, same)
    return _bound(_LIST, target, _bound(_VALUE, wanted, chosen))


def _on_scalars(node: Node) -> Node:
    """The function on a list in which null, which it refuses, stands for all that it would."""
    (items,) = node.operands
    item = _call("_?_:_", _is_of(ident(_ITEM), _SCALARS), ident(_ITEM), NULL)
    listed = Node(
        Kind.COMPREHENSION,
        name=_ITEM,
        accumulator=_FOUND,
        operands=(
            items,
            Node(Kind.LIST),
            TRUE,
            _call("_+_", ident(_FOUND), Node(Kind.LIST, operands=(item,))),
            ident(_FOUND),
        ),
    )
    return _call(node.name, listed, member=True)


def _inserted(node: Node) -> Node:
    *first, value = node.operands
    plain = _call("_?_:_", _is_of(ident(_VALUE), _PLAIN), ident(_VALUE), _unknown(ident(_VALUE)))
    return _bound(_VALUE, value, _call(node.name, *first, plain))


def _unknown(node: Node) -> Node:
    """An error: no function takes a list of this for a number."""
    return _call("int", Node(Kind.LIST, operands=(node,)))


def _is_of(node: Node, types: Iterable[str]) -> Node:
    names = Node(Kind.LIST, operands=tuple(ident(name) for name in types))
    return _call("@in", _call("type", node), names)


def _bound(name: str, value: Node, body: Node) -> Node:
    """The body with a name for a value that is evaluated once."""
    operands = (Node(Kind.LIST), value, FALSE, ident(name), body)
    return Node(Kind.COMPREHENSION, name="@never", accumulator=name, operands=operands)


def _call(name: str, *operands: Node, member: bool = False) -> Node:
    return Node(Kind.CALL, name=name, operands=operands, member=member)


_REWRITES: dict[str, Callable[[Node], Node]] = {
    "indexOf": _first_index,
    "lastIndexOf": _last_index,
    "includes": _includes,
    "isSorted": _on_scalars,
    "max": _on_scalars,
    "min": _on_scalars,
    "sum": _on_scalars,
    "cel.@mapInsert": _inserted,
}
