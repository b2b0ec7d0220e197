"""Syntax trees of CEL."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from sluice.core.cel.wire import field, fields, signed


class Kind(StrEnum):
    """What a node is; operands stand in the order of the language definition."""

    CONSTANT = "constant"
    IDENT = "ident"
    SELECT = "select"
    CALL = "call"
    LIST = "list"
    STRUCT = "struct"
    COMPREHENSION = "comprehension"


@dataclass(frozen=True, slots=True)
class Node:
    """One node.

    `name` is an identifier, a field, a function, a message type or a loop variable; `operands` are
    for a call its receiver (if `member`) and arguments, for a struct keys and values in turn, for a
    comprehension the range, the accumulator's first value, the condition, the step and the result.
    `constant` is a constant as the engine wrote it.
    """

    kind: Kind
    identity: int = 0
    name: str = ""
    operands: tuple["Node", ...] = ()
    constant: bytes = b""
    member: bool = False
    test: bool = False
    second: str = ""
    accumulator: str = ""
    optional: tuple[int, ...] = ()

    def walk(self) -> Iterator["Node"]:
        """This node and all below it."""
        yield self
        for operand in self.operands:
            yield from operand.walk()


@dataclass(frozen=True)
class Tree:
    """A checked expression: its nodes, their types as the engine wrote them, and their offsets."""

    root: Node
    types: dict[int, bytes]
    offsets: dict[int, int]


DYN = field(1, b"")
TRUE = Node(Kind.CONSTANT, constant=field(2, 1))
FALSE = Node(Kind.CONSTANT, constant=field(2, 0))
NULL = Node(Kind.CONSTANT, constant=field(1, 0))


def integer_constant(value: int) -> Node:
    """A whole number."""
    return Node(Kind.CONSTANT, constant=field(3, value))


def ident(name: str) -> Node:
    """A reference to a variable."""
    return Node(Kind.IDENT, name=name)


def block(values: tuple[Node, ...], body: Node) -> Node:
    """A body that may refer to values by `slot`; each is evaluated once, where it is first used."""
    if not values:
        return body
    return Node(Kind.CALL, name="cel.@block", operands=(Node(Kind.LIST, operands=values), body))


def slot(index: int) -> Node:
    """A reference to a value of the enclosing block."""
    return ident(f"@index{index}")


def text(node: Node) -> str | None:
    """The value of a string constant."""
    for number, value in fields(node.constant):
        if number == 6 and isinstance(value, bytes):  # noqa: PLR2004  # Constant.string_value
            return value.decode("utf-8", "surrogatepass")
    return None


def integer(node: Node) -> int | None:
    """The value of an integer constant."""
    for number, value in fields(node.constant):
        if number in (3, 4) and isinstance(value, int):
            return signed(value) if number == 3 else value  # noqa: PLR2004  # Constant.int64_value
    return None


def rebuild(node: Node, operands: tuple[Node, ...]) -> Node:
    """The node with other operands; itself where they are the same."""
    return node if operands == node.operands else replace(node, operands=operands)
