"""An object of a file and the places of its parts: what finds a mistake needs to know no more."""

import re
from collections.abc import Mapping
from typing import Any, Protocol

from sluice.core.finding import Place

Pointer = tuple[str | int, ...]
"""The keys and numbers that lead to a part of a document."""


class Source(Protocol):
    """One object of a file, and the places of its parts."""

    @property
    def path(self) -> str:
        """The file."""

    @property
    def raw(self) -> bytes:
        """Its text."""

    @property
    def data(self) -> Mapping[str, Any]:
        """The object."""

    def place(self, pointer: Pointer = (), *, key: bool = False) -> Place:
        """Where a part of it begins."""


def place_inside(source: Source, pointer: Pointer, value: str, line: int, column: int) -> Place:
    """The place in the file of a position inside a scalar.

    Args:
        source: where the scalar stands.
        pointer: the scalar.
        value: its value.
        line: counted from 1, inside the value.
        column: likewise.
    """
    start = source.place(pointer)
    lines = value.split("\n")
    wanted = sum(len(text) + 1 for text in lines[: line - 1]) + column - 1
    text = source.raw.decode("utf-8-sig", "replace")
    begin = sum(len(one) for one in text.splitlines(keepends=True)[: start.line - 1])
    offset = _align(text, begin + start.column - 1, value[: wanted + 1])
    before = text[:offset]
    return Place(source.path, before.count("\n") + 1, offset - before.rfind("\n"))


def _align(text: str, offset: int, value: str) -> int:
    """Walk through the file's text and the value side by side, past folds, indents and escapes."""
    if header := re.compile(r"[|>][-+0-9]*[^\n]*\n").match(text, offset):
        offset = header.end()
    reached = offset
    for character in value:
        if character.isspace():
            continue
        at = text.find(character, offset)
        if at < 0:
            break
        reached, offset = at, at + 1
    return reached
