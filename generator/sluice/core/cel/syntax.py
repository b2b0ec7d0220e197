"""Syntax trees of CEL."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sluice.core.cel.messages import message_class


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
    `constant` is a constant as the engine wrote it: `value_of` reads it, `constant` makes one.
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


# Written out, since the library that would write them takes its time to load.
DYN = b"\x0a\x00"
"""The type that may be any, as the engine writes it."""
TRUE = Node(Kind.CONSTANT, constant=b"\x10\x01")
FALSE = Node(Kind.CONSTANT, constant=b"\x10\x00")
NULL = Node(Kind.CONSTANT, constant=b"\x08\x00")


def constant(kind: str, value: bool | int | str) -> Node:  # noqa: FBT001  # a value of CEL
    """A constant of one of the kinds of `messages`, such as `int` or `string`."""
    message = message_class("Constant")(**{kind: value})
    return Node(Kind.CONSTANT, constant=message.SerializeToString())


def value_of(node: Node) -> tuple[str, Any]:
    """The kind and the value of a constant; the kind is empty for any other node."""
    message = message_class("Constant").FromString(node.constant)
    kind = message.WhichOneof("kind") or ""
    return kind, getattr(message, kind) if kind else None


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
    kind, value = value_of(node)
    return value if kind == "string" else None


def integer(node: Node) -> int | None:
    """The value of an integer constant."""
    kind, value = value_of(node)
    return value if kind in ("int", "uint") else None


def rebuild(node: Node, operands: tuple[Node, ...]) -> Node:
    """The node with other operands; itself where they are the same."""
    return node if operands == node.operands else replace(node, operands=operands)
