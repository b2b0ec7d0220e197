"""Syntax trees read from the engine's serialised form, and given back to it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import count
from typing import Any

from sluice.core.cel.messages import message_class
from sluice.core.cel.syntax import Kind, Node, Tree, ident

LEVEL_LIMIT = 76
"""Messages inside messages: the engine reads a hundred, and some are put around an expression."""

_TYPE_URL = "type.googleapis.com/cel.expr.ParsedExpr"
_OPERANDS = ("rounds", "first", "condition", "step", "result")

Message = Any
"""One of `messages`, whose classes have no types."""
Names = Mapping[int, str]
"""What the checker resolved identifiers to, by the number of their node."""


def read(serialized: bytes) -> Tree:
    """The tree in an engine's serialised expression."""
    wrapped = message_class("Any").FromString(serialized)
    checked = message_class("CheckedExpr").FromString(wrapped.value)
    names = {one.id: one.variable.name for one in checked.references}
    types = {one.id: one.value for one in checked.types}
    offsets = {one.id: one.offset for one in checked.source.positions}
    return Tree(_read_node(checked.root, names), types, offsets)


def write(node: Node) -> bytes:
    """A serialised expression that the engine resolves when it runs."""
    parsed = message_class("ParsedExpr")(root=_Writer().write(node))
    wrapped = message_class("Any")(type_url=_TYPE_URL, value=parsed.SerializeToString())
    serialized: bytes = wrapped.SerializeToString()
    return serialized


def levels(node: Node) -> int:
    """How deep the messages nest in which a tree is written."""
    around = 3 if node.kind is Kind.STRUCT else 2  # an entry of a map is a message too
    return around + max(map(levels, node.operands), default=0)


def _read_node(raw: bytes, names: Names) -> Node:
    message = message_class("Expr").FromString(raw)
    kind = message.WhichOneof("kind")
    if kind is None:  # the key of a field in a message that is written out
        return Node(Kind.CONSTANT, message.id)
    node = _READERS[kind](getattr(message, kind), message.id, names)
    resolved = names.get(message.id, "")
    if node.kind in (Kind.IDENT, Kind.SELECT) and "." in resolved:
        return replace(ident(resolved), identity=message.id, test=node.test)
    return node


def _read_constant(raw: bytes, identity: int, _names: Names) -> Node:
    return Node(Kind.CONSTANT, identity, constant=raw)


def _read_ident(message: Message, identity: int, _names: Names) -> Node:
    return Node(Kind.IDENT, identity, message.name)


def _read_select(message: Message, identity: int, names: Names) -> Node:
    operand = _read_node(message.operand, names)
    return Node(Kind.SELECT, identity, message.field, (operand,), test=message.test)


def _read_call(message: Message, identity: int, names: Names) -> Node:
    member = message.HasField("target")
    operands = [_read_node(one, names) for one in message.arguments]
    if member:
        operands.insert(0, _read_node(message.target, names))
    return Node(Kind.CALL, identity, message.function, tuple(operands), member=member)


def _read_list(message: Message, identity: int, names: Names) -> Node:
    operands = tuple(_read_node(one, names) for one in message.elements)
    return Node(Kind.LIST, identity, operands=operands, optional=tuple(message.optional))


def _read_struct(message: Message, identity: int, names: Names) -> Node:
    operands: list[Node] = []
    optional: list[int] = []
    for index, entry in enumerate(message.entries):
        operands += [_read_node(entry.key, names), _read_node(entry.value, names)]
        if entry.optional:
            optional.append(index)
    return Node(Kind.STRUCT, identity, message.name, tuple(operands), optional=tuple(optional))


def _read_comprehension(message: Message, identity: int, names: Names) -> Node:
    return Node(
        Kind.COMPREHENSION,
        identity,
        message.name,
        tuple(_read_node(getattr(message, name), names) for name in _OPERANDS),
        second=message.second,
        accumulator=message.accumulator,
    )


_READERS: dict[str, Callable[[Message, int, Names], Node]] = {
    "constant": _read_constant,
    "ident": _read_ident,
    "select": _read_select,
    "call": _read_call,
    "list": _read_list,
    "struct": _read_struct,
    "comprehension": _read_comprehension,
}


class _Writer:
    """Writes one tree, whose nodes it numbers."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def write(self, node: Node) -> bytes:
        content = _WRITERS[node.kind](self, node)
        message = message_class("Expr")(id=next(self._numbers), **{node.kind: content})
        serialized: bytes = message.SerializeToString()
        return serialized

    def constant(self, node: Node) -> bytes:
        return node.constant

    def ident(self, node: Node) -> Message:
        return message_class("Ident")(name=node.name)

    def select(self, node: Node) -> Message:
        operand = self.write(node.operands[0])
        return message_class("Select")(operand=operand, field=node.name, test=node.test)

    def call(self, node: Node) -> Message:
        operands = [self.write(one) for one in node.operands]
        message = message_class("Call")(function=node.name)
        if node.member:
            message.target = operands.pop(0)
        message.arguments.extend(operands)
        return message

    def list(self, node: Node) -> Message:
        elements = [self.write(one) for one in node.operands]
        return message_class("List")(elements=elements, optional=node.optional)

    def struct(self, node: Node) -> Message:
        message = message_class("Struct")(name=node.name)
        pairs = zip(node.operands[::2], node.operands[1::2], strict=True)
        for index, (key, value) in enumerate(pairs):
            message.entries.add(
                id=next(self._numbers),
                key=self.write(key),
                value=self.write(value),
                optional=index in node.optional,
            )
        return message

    def comprehension(self, node: Node) -> Message:
        parts = zip(_OPERANDS, node.operands, strict=True)
        return message_class("Comprehension")(
            name=node.name,
            second=node.second,
            accumulator=node.accumulator,
            **{name: self.write(operand) for name, operand in parts},
        )


_WRITERS: dict[Kind, Callable[[_Writer, Node], Message]] = {
    Kind.CONSTANT: _Writer.constant,
    Kind.IDENT: _Writer.ident,
    Kind.SELECT: _Writer.select,
    Kind.CALL: _Writer.call,
    Kind.LIST: _Writer.list,
    Kind.STRUCT: _Writer.struct,
    Kind.COMPREHENSION: _Writer.comprehension,
}
