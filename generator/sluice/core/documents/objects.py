"""YAML files of the world: any number of objects, read as the cluster's own tools read them.

kubectl, Argo CD and the API server cut a file at its `---`, write anchors and merge keys out, and
take plain values by the words of YAML 1.1 (see `scalars.read_cluster`). Lists of objects are taken
apart. The fast reader makes the values of a document in which it cannot differ from them; the one
that knows lines and columns reads the others, and this very document when a place is wanted.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import yaml
import yaml_rs
from yaml.nodes import Node

from sluice.core.documents.depth import first_deeper
from sluice.core.documents.limits import OBJECTS, Limits
from sluice.core.documents.nodes import compose_all, describe
from sluice.core.documents.positions import Spot, find
from sluice.core.documents.source import Pointer
from sluice.core.documents.values import Builder, RefusedError, spell
from sluice.core.finding import Finding, FindingsError, Place

_ITEMS = "items"
_UNREAD = object()
_SEPARATOR = re.compile(r"^---(?=\s|\Z)", re.MULTILINE)
_ORDINARY = bytes(set(range(0x20, 0x100)) - {0x7F}) + b"\n"
_CONTROL = re.compile("[\x80-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_MARKS = bytes(set(range(256)) - set(b"&*!?%<\t\\"))
"""What a document consists of in which no anchor, alias, tag, directive or merge key can be."""
_MARKERS = re.compile(
    r"(?:^|[\s\[{,:-])[&*!?]|^%|<<|\t|\\u[dD][89A-Fa-f]",
    re.MULTILINE,
)
_LONELY = re.compile(r":(?:[}\],]|(?<=[\s{\[,]:)\s)")
_OTHERWISE = re.compile(
    r"[\s\[{,:](?=[-+.yYnNoO0-9])(?:"
    r"[yYnN]|[yY]es|YES|[nN]o|NO|[oO]n|ON|[oO]ff|OFF|"  # truths
    r"[-+]?0[0-9A-Za-z_]+|[-+]?[0-9][0-9.]*_[0-9_.]*|"  # other bases
    r"[-+]?[0-9]{16,}[0-9.]*|[-+]?[0-9.]+[eE][-+]?[0-9]{3,}|"  # more than a number holds
    r"[-+]?\.(?:inf|Inf|INF|nan|NaN|NAN))\s*(?:$|[,}\]#:\n])",
    re.MULTILINE,
)
"""Plain values that YAML 1.1 and 1.2 read differently, or that JSON cannot say."""
_COMPACT = re.compile(r"(?:[-?:][ \t]+){32}")
_DEEP_INDENT = " " * 128


@dataclass(frozen=True)
class _Cut:
    """The text of one document, cut out of its file; of several where they cannot be told apart."""

    text: str | bytes
    line: int = 0
    """How many lines of the file stand before it."""

    @cached_property
    def nodes(self) -> list[Node]:
        """The trees of what could be read of it."""
        nodes: list[Node] = []
        with suppress(yaml.YAMLError):
            for node in compose_all(self.text):
                nodes.append(node)  # noqa: PERF402  # those before what cannot be read stay
        return nodes

    def place(self, path: str, position: tuple[int, int]) -> Place:
        """A position of the document in its file."""
        return Place(path, position[0] + self.line, position[1])


@dataclass(frozen=True)
class Part:
    """One object of a file that may hold several."""

    path: str
    raw: bytes
    data: Any
    cut: _Cut
    index: int = 0
    """Which of the documents of the cut."""
    prefix: Pointer = ()
    """Where in its document the object stands."""

    def place(self, pointer: Pointer = (), *, key: bool = False) -> Place:
        """The place of a value (or of its key), or of the nearest ancestor that exists."""
        spot = self._find(pointer)
        return self.cut.place(self.path, spot.key if key and spot.is_there else spot.value)

    def place_of_line(self, pointer: Pointer = ()) -> Place:
        """The place of a value: of its key where it is a mapping or a list."""
        spot = self._find(pointer)
        return self.cut.place(self.path, spot.value if spot.is_single else spot.key)

    def _find(self, pointer: Pointer) -> Spot:
        nodes = self.cut.nodes
        if self.index >= len(nodes):
            return Spot((1, 1), (1, 1), is_there=False, is_single=True)
        return find(nodes[self.index], (*self.prefix, *pointer), spell)


def read_all(path: str, raw: bytes, limit: int = OBJECTS.size) -> list[Part]:
    """Every object of a file; a `List` gives its items.

    Args:
        path: the file.
        raw: its text.
        limit: bytes that it may have.

    Raises:
        FindingsError: when the text cannot be read.
    """
    findings: list[Finding] = []
    parts: list[Part] = []
    for document in read_documents(path, raw, findings, replace(OBJECTS, size=limit)):
        for part in take_apart(document):
            if isinstance(part.data, dict):
                parts.append(part)
            elif part.data is not None or part.prefix:
                message = "expected a mapping with apiVersion and kind"
                findings.append(Finding(part.place(), "YAML007", message))
    if findings:
        raise FindingsError([replace(findings[0], rule="POL001")])
    return parts


def read_documents(
    path: str, raw: bytes, findings: list[Finding], limits: Limits = OBJECTS
) -> Iterator[Part]:
    """The data of each document of a file, as far as it can be read.

    Args:
        path: the file.
        raw: its text.
        findings: where to add what is wrong with it.
        limits: what it may hold.
    """
    if len(raw) > limits.size:
        message = f"the file has more than {limits.size:,} bytes, so it is not read"
        findings.append(Finding(Place(path), "YAML001", message, "split it"))
        return
    cut = _Cut("")
    try:
        for cut in _cut(raw):
            data = _read_fast(cut.text, limits) if isinstance(cut.text, str) else _UNREAD
            if data is not _UNREAD:
                yield Part(path, raw, data, cut)
                continue
            builder = Builder(limits)
            for index, built in enumerate(_read_slowly(cut, builder)):
                findings.extend(_name(path, cut, problem) for problem in builder.take_duplicates())
                yield Part(path, raw, built, cut, index)
    except RefusedError as error:
        findings.append(_name(path, cut, error))
    except yaml.YAMLError as error:
        position, words = describe(error, cut.text if isinstance(cut.text, str) else "")
        place = cut.place(path, position)
        findings.append(Finding(place, "YAML003", words, "correct the YAML"))


def take_apart(part: Part) -> Iterator[Part]:
    """The items of a list of objects, or the object itself.

    An item of a `DeploymentList` need not say that it is a Deployment.
    """
    data = part.data if isinstance(part.data, dict) else {}
    items, kind = data.get(_ITEMS), data.get("kind")
    if not (isinstance(kind, str) and kind.endswith("List") and isinstance(items, list)):
        yield part
        return
    typed = {} if kind == "List" else {**data, "kind": kind.removesuffix("List")}
    shared = {key: typed[key] for key in ("apiVersion", "kind") if key in typed}
    for number, item in enumerate(items):
        whole = {**shared, **item} if isinstance(item, dict) else item
        yield replace(part, data=whole, prefix=(_ITEMS, number))


def _cut(raw: bytes) -> Iterator[_Cut]:
    """The documents of a file, each with its `---`."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:  # another encoding of Unicode, or none
        yield _Cut(raw)
        return
    if "\n---" not in text or text.startswith("%") or "\n%" in text:
        yield _Cut(text)
        return
    starts = [match.start() for match in _SEPARATOR.finditer(text)]
    ends = [start for start in starts if start > 0] + [len(text)]
    begin = line = 0
    for end in ends:
        yield _Cut(text[begin:end], line)
        line += text.count("\n", begin, end)
        begin = end


def _read_fast(text: str, limits: Limits) -> object:
    """The data of one simple document; _UNREAD where the other reader is to see it."""
    if not _is_simple(text) or len(text) > limits.values:
        return _UNREAD
    try:
        data = yaml_rs.loads(text, parse_datetime=False)
    except (yaml_rs.YAMLDecodeError, RecursionError, TypeError):
        return _UNREAD
    return data if isinstance(data, dict) and _is_sound(data, limits.depth) else _UNREAD


def _is_simple(text: str) -> bool:
    """Whether all readers take the text for the same, and none meets the end of its stack."""
    raw = text.encode()
    controls = raw.translate(None, _ORDINARY)
    if controls and (controls.strip(b"\r") or raw.count(b"\r") != raw.count(b"\r\n")):
        return False
    if not text.isascii() and _CONTROL.search(text):
        return False
    if raw.translate(None, _MARKS) and _MARKERS.search(text):
        return False
    if text.startswith("...") or "\n..." in text or _may_end_the_stack(text):
        return False
    return not (_LONELY.search(text) or _OTHERWISE.search(text))


def _may_end_the_stack(text: str | bytes) -> bool:
    """Whether mappings and lists without brackets may be nested hundreds of levels deep."""
    if isinstance(text, bytes):
        return True
    return _DEEP_INDENT in text or bool(_COMPACT.search(text))


def _is_sound(data: dict[Any, Any], depth: int) -> bool:
    """Whether all keys are text, and nothing is nested deeper than this."""
    level: list[Any] = [data]
    for _ in range(depth):
        below: list[Any] = []
        for collection in level:
            if type(collection) is dict:
                if any(type(key) is not str for key in collection):
                    return False
                collection = collection.values()  # noqa: PLW2901  # its values, as of a list
            below += [value for value in collection if type(value) is dict or type(value) is list]
        if not below:
            return True
        level = below
    return False


def _read_slowly(cut: _Cut, builder: Builder) -> Iterator[object]:
    """The data of each document of a text.

    Raises:
        RefusedError: when there is too much of it, or what JSON cannot say.
        yaml.YAMLError: when the rest is not YAML.
    """
    depth = builder.limits.depth
    text = cut.text
    is_flat = not _may_end_the_stack(text)
    if not is_flat or _count_brackets(text) > depth:
        deeper = first_deeper(text, depth)
        if deeper:
            raise RefusedError(
                deeper, "YAML009", f"nested more than {depth} levels deep", "flatten it"
            )
    for node in compose_all(text):
        yield builder.build(node)


def _count_brackets(text: str | bytes) -> int:
    if isinstance(text, bytes):
        return len(text)
    return text.count("[") + text.count("{")


def _name(path: str, cut: _Cut, error: RefusedError) -> Finding:
    return Finding(cut.place(path, error.position), error.rule, error.message, error.remedy)
