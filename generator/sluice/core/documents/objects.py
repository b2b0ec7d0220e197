"""YAML files of the world: any number of documents, read as kubectl reads them, with places."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from sluice.core.documents.depth import first_deeper
from sluice.core.documents.load import Pointer, Source
from sluice.core.finding import Finding, FindingsError, Place

SIZE_LIMIT = 8 << 20
"""Bytes; the largest bundles of the world have about five million, and each value takes memory."""

_ITEMS = "items"
_NO_OBJECT = "expected a mapping with apiVersion and kind"
_DEPTH_LIMIT = 200
_NODE_LIMIT = 1_000_000
"""Values of a file with every alias written out: a few lines can stand for more than fits."""


class _Loader(yaml.CSafeLoader):
    """Dates stay text, as in JSON, and a key may stand once."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in some if tag != "tag:yaml.org,2002:timestamp"]
    for first, some in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def _unique(loader: _Loader, node: MappingNode) -> dict[str, Any]:
    seen: set[str] = set()
    for key, _ in node.value:
        if isinstance(key, ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
            if key.value in seen:
                problem = f"the key {key.value!r} stands twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(key.value)
    loader.flatten_mapping(node)
    return {_key(key): loader.construct_object(value, deep=True) for key, value in node.value}


def _key(node: Node) -> str:
    if not isinstance(node, ScalarNode):
        raise yaml.constructor.ConstructorError(None, None, "a key is not text", node.start_mark)
    return str(node.value)


def _refuse(loader: _Loader, node: Node) -> None:
    del loader
    tag = node.tag.rpartition(":")[2]
    problem = f"a value of the type {tag}, which JSON does not have: write it as text"
    raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


_Loader.add_constructor("tag:yaml.org,2002:map", _unique)
for _foreign in ("binary", "omap", "pairs", "set", "timestamp"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_foreign}", _refuse)


@dataclass(frozen=True)
class Part:
    """One object of a file that may hold several."""

    path: str
    raw: bytes
    data: Mapping[str, Any]
    document: int = 0
    prefix: Pointer = ()

    @cached_property
    def _root(self) -> Node | None:
        for index, node in enumerate(yaml.compose_all(self.raw, Loader=_Loader)):
            if index == self.document:
                return node
        return None

    def place(self, pointer: Pointer = (), *, key: bool = False) -> Place:
        """The place of a value (or of its key), or of the nearest ancestor that exists."""
        node = self._root
        mark = node.start_mark if node else None
        whole = (*self.prefix, *pointer)
        for depth, step in enumerate(whole):
            found = _child(node, step)
            if found is None or node is None:
                break
            name, node = found
            last_key = key and depth == len(whole) - 1
            mark = name.start_mark if last_key else node.start_mark
        return Place(self.path, mark.line + 1, mark.column + 1) if mark else Place(self.path)


def read_all(path: str, raw: bytes, limit: int = SIZE_LIMIT) -> list[Part]:
    """Every object of a file; a `List` gives its items.

    Args:
        path: the file.
        raw: its text.
        limit: bytes that it may have.

    Raises:
        FindingsError: when the text cannot be read.
    """
    if len(raw) > limit:
        message = f"the file has more than {limit:,} bytes, so it is not read"
        raise FindingsError([Finding(Place(path), "POL001", message, "split it")])
    try:
        if deep := first_deeper(raw, _DEPTH_LIMIT):
            message = f"nested more than {_DEPTH_LIMIT} levels deep"
            raise FindingsError([Finding(Place(path, *deep), "POL001", message)])
        documents = list(_documents(path, raw))
    except (yaml.YAMLError, UnicodeError, ValueError, RecursionError) as error:
        raise FindingsError([_unreadable(path, error)]) from None
    parts: list[Part] = []
    for index, data in enumerate(documents):
        parts += _parts(path, raw, index, data)
    return parts


def _documents(path: str, raw: bytes) -> Iterator[object]:
    """The data of each document.

    Raises:
        FindingsError: when aliases multiply it beyond measure.
    """
    loader = _Loader(raw)
    try:
        left = _NODE_LIMIT
        while loader.check_node() and (node := loader.get_node()) is not None:
            left -= _written_out(node, {})
            if left < 0:
                message = f"aliases make more than {_NODE_LIMIT:,} values of it"
                place = _marked(path, node.start_mark)
                raise FindingsError([Finding(place, "POL001", message, "write the values out")])
            yield loader.construct_document(node)
    finally:
        loader.dispose()


def _written_out(node: Node, known: dict[int, int]) -> int:
    """The values that a node stands for when every alias in it is written out."""
    if id(node) not in known:
        known[id(node)] = 1  # what holds itself is refused when it is made
        parts: list[Node] = []
        if isinstance(node, MappingNode):
            parts = [part for pair in node.value for part in pair]
        elif isinstance(node, SequenceNode):
            parts = node.value
        known[id(node)] = 1 + sum(_written_out(part, known) for part in parts)
    return known[id(node)]


def inside(source: Source, pointer: Pointer, value: str, line: int, column: int) -> Place:
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
    offset = _aligned(text, begin + start.column - 1, value[: wanted + 1])
    before = text[:offset]
    return Place(source.path, before.count("\n") + 1, offset - before.rfind("\n"))


def _aligned(text: str, offset: int, value: str) -> int:
    """Walk through the file's text and the value side by side, past folds, indents and escapes."""
    if header := re.compile(r"[|>][-+0-9]*[^\n]*\n").match(text, offset):
        offset = header.end()
    found = offset
    for character in value:
        if character.isspace():
            continue
        position = text.find(character, offset)
        if position < 0:
            break
        found, offset = position, position + 1
    return found


def _child(node: Node | None, step: str | int) -> tuple[Node, Node] | None:
    if isinstance(node, MappingNode):
        return next(((k, v) for k, v in node.value if getattr(k, "value", None) == str(step)), None)
    if isinstance(node, SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step]
    return None


def _parts(path: str, raw: bytes, index: int, data: object) -> Iterator[Part]:
    if data is None:
        return
    if not isinstance(data, dict):
        raise FindingsError([Finding(Place(path), "POL001", _NO_OBJECT)])
    items = data.get(_ITEMS)
    kind = str(data.get("kind", ""))
    if not kind.endswith("List") or not isinstance(items, list):
        yield Part(path, raw, data, index)
        return
    whole = Part(path, raw, data, index)
    typed = {} if kind == "List" else {**data, "kind": kind.removesuffix("List")}
    shared = {key: typed[key] for key in ("apiVersion", "kind") if key in typed}
    for number, item in enumerate(items):
        if not isinstance(item, dict):
            raise FindingsError([Finding(whole.place((_ITEMS, number)), "POL001", _NO_OBJECT)])
        yield Part(path, raw, {**shared, **item}, index, (_ITEMS, number))


def _unreadable(path: str, error: Exception) -> Finding:
    if isinstance(error, yaml.MarkedYAMLError):
        place = _marked(path, error.problem_mark or error.context_mark)
        return Finding(place, "POL001", error.problem or "not YAML", "correct the YAML")
    message = str(error).splitlines()[0] if str(error) else "not YAML"
    return Finding(Place(path), "POL001", message, "correct the YAML")


def _marked(path: str, mark: Any) -> Place:  # noqa: ANN401  # either of PyYAML's two classes
    return Place(path, mark.line + 1, mark.column + 1) if mark else Place(path)
