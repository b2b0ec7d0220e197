"""Syntax trees read from the engine's serialised form, and given back to it."""

from collections.abc import Iterator
from dataclasses import replace

from sluice.core.cel.syntax import Kind, Node, Tree, ident
from sluice.core.cel.wire import double, field, fields

LEVEL_LIMIT = 76
"""Messages inside messages: the engine reads a hundred, and some are put around an expression."""


def read(serialized: bytes) -> Tree:
    """The tree in an engine's serialised expression."""
    checked = next(value for number, value in fields(serialized) if number == 2)  # noqa: PLR2004  # Any.value
    types: dict[int, bytes] = {}
    names: dict[int, str] = {}
    offsets: dict[int, int] = {}
    root = b""
    for number, value in fields(_message(checked)):
        match number:
            case 2:
                key, reference = _entry(value)
                names[key] = next((_text(v) for n, v in fields(reference) if n == 1), "")
            case 3:
                key, type_ = _entry(value)
                types[key] = type_
            case 4:
                root = _message(value)
            case 5:
                offsets = dict(_offsets(_message(value)))
    return Tree(_node(root, names), types, offsets)


def write(node: Node) -> bytes:
    """A serialised expression that the engine resolves when it runs."""
    parsed = field(2, _encode(node, _Counter()))
    return field(1, "type.googleapis.com/cel.expr.ParsedExpr") + field(2, parsed)


def levels(node: Node) -> int:
    """How deep the messages nest in which a tree is written."""
    own = 3 if node.kind is Kind.STRUCT else 2  # an entry of a map is a message too
    return own + max(map(levels, node.operands), default=0)


def _message(value: int | bytes) -> bytes:
    return value if isinstance(value, bytes) else b""


def _text(value: int | bytes) -> str:
    return _message(value).decode("utf-8", "surrogatepass")


def _entry(value: int | bytes) -> tuple[int, bytes]:
    key, content = 0, b""
    for number, part in fields(_message(value)):
        if isinstance(part, int):
            key = part if number == 1 else key
        else:
            content = part
    return key, content


def _offsets(info: bytes) -> Iterator[tuple[int, int]]:
    for number, value in fields(info):
        if number == 4:  # noqa: PLR2004  # SourceInfo.positions
            parts = dict(fields(_message(value)))
            yield int(parts.get(1, 0)), int(parts.get(2, 0))


def _node(raw: bytes, names: dict[int, str]) -> Node:
    identity = 0
    result = Node(Kind.CONSTANT)
    for number, value in fields(raw):
        if isinstance(value, int):
            identity = value
        else:
            result = _READERS[number](value, names)
    resolved = names.get(identity, "")
    if result.kind in (Kind.IDENT, Kind.SELECT) and "." in resolved:
        result = replace(ident(resolved), test=result.test)
    return replace(result, identity=identity)


def _constant(raw: bytes, _names: dict[int, str]) -> Node:
    return Node(Kind.CONSTANT, constant=raw)


def _ident(raw: bytes, _names: dict[int, str]) -> Node:
    return ident(next((_text(value) for _, value in fields(raw)), ""))


def _select(raw: bytes, names: dict[int, str]) -> Node:
    parts = dict(fields(raw))
    operand = (_node(_message(parts[1]), names),)
    return Node(Kind.SELECT, name=_text(parts[2]), operands=operand, test=bool(parts.get(3)))


def _call(raw: bytes, names: dict[int, str]) -> Node:
    parts = list(fields(raw))
    target = [_node(_message(value), names) for number, value in parts if number == 1]
    arguments = [_node(_message(value), names) for number, value in parts if number == 3]  # noqa: PLR2004  # Call.args
    name = next(_text(value) for number, value in parts if number == 2)  # noqa: PLR2004  # Call.function
    return Node(Kind.CALL, name=name, operands=(*target, *arguments), member=bool(target))


def _list(raw: bytes, names: dict[int, str]) -> Node:
    parts = list(fields(raw))
    elements = tuple(_node(_message(value), names) for number, value in parts if number == 1)
    optional: list[int] = []
    for number, value in parts:
        if number == 2:  # noqa: PLR2004  # CreateList.optional_indices, packed
            optional += [value] if isinstance(value, int) else list(value)
    return Node(Kind.LIST, operands=elements, optional=tuple(optional))


def _struct(raw: bytes, names: dict[int, str]) -> Node:
    operands: list[Node] = []
    optional: list[int] = []
    name = ""
    for number, value in fields(raw):
        if number == 1:
            name = _text(value)
            continue
        parts = dict(fields(_message(value)))
        if parts.get(5):
            optional.append(len(operands) // 2)
        key = _message(parts.get(3, b""))
        operands += [_node(key, names), _node(_message(parts[4]), names)]
    return Node(Kind.STRUCT, name=name, operands=tuple(operands), optional=tuple(optional))


def _comprehension(raw: bytes, names: dict[int, str]) -> Node:
    parts = dict(fields(raw))
    return Node(
        Kind.COMPREHENSION,
        name=_text(parts.get(1, b"")),
        second=_text(parts.get(8, b"")),
        accumulator=_text(parts.get(3, b"")),
        operands=tuple(_node(_message(parts[number]), names) for number in (2, 4, 5, 6, 7)),
    )


_READERS = {
    3: _constant,
    4: _ident,
    5: _select,
    6: _call,
    7: _list,
    8: _struct,
    9: _comprehension,
}


class _Counter:
    def __init__(self) -> None:
        self.last = 0

    def next(self) -> int:
        self.last += 1
        return self.last


def _encode(node: Node, counter: _Counter) -> bytes:
    return field(2, counter.next()) + _WRITERS[node.kind](node, counter)


def _write_constant(node: Node, _counter: _Counter) -> bytes:
    return field(3, b"".join(_again(number, value) for number, value in fields(node.constant)))


def _again(number: int, value: int | bytes) -> bytes:
    floating = number == 5 and isinstance(value, bytes)  # noqa: PLR2004  # Constant.double_value
    return double(number, _message(value)) if floating else field(number, value)


def _write_ident(node: Node, _counter: _Counter) -> bytes:
    return field(4, field(1, node.name))


def _write_select(node: Node, counter: _Counter) -> bytes:
    test = field(3, 1) if node.test else b""
    return field(5, field(1, _encode(node.operands[0], counter)) + field(2, node.name) + test)


def _write_call(node: Node, counter: _Counter) -> bytes:
    numbers = [1 if node.member and not index else 3 for index in range(len(node.operands))]
    parts = [field(n, _encode(o, counter)) for n, o in zip(numbers, node.operands, strict=True)]
    return field(6, b"".join(parts) + field(2, node.name))


def _write_list(node: Node, counter: _Counter) -> bytes:
    elements = b"".join(field(1, _encode(operand, counter)) for operand in node.operands)
    return field(7, elements + b"".join(field(2, index) for index in node.optional))


def _write_struct(node: Node, counter: _Counter) -> bytes:
    content = field(1, node.name) if node.name else b""
    for index in range(0, len(node.operands), 2):
        key, value = (_encode(operand, counter) for operand in node.operands[index : index + 2])
        entry = field(1, counter.next()) + field(3, key) + field(4, value)
        content += field(2, entry + (field(5, 1) if index // 2 in node.optional else b""))
    return field(8, content)


def _write_comprehension(node: Node, counter: _Counter) -> bytes:
    names = field(1, node.name) + field(3, node.accumulator)
    if node.second:
        names += field(8, node.second)
    parts = zip((2, 4, 5, 6, 7), node.operands, strict=True)
    return field(9, names + b"".join(field(n, _encode(operand, counter)) for n, operand in parts))


_WRITERS = {
    Kind.CONSTANT: _write_constant,
    Kind.IDENT: _write_ident,
    Kind.SELECT: _write_select,
    Kind.CALL: _write_call,
    Kind.LIST: _write_list,
    Kind.STRUCT: _write_struct,
    Kind.COMPREHENSION: _write_comprehension,
}
