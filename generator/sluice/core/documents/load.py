"""Specs: bytes to data with places, or to findings.

There is one language: the grammar of YAML with tabs that separate and never indent, the core schema
of YAML 1.2, and no part of it that one value could have two meanings or two places by (anchors,
tags, directives, explicit keys, keys that stand twice, values that YAML 1.1 takes otherwise).

The fast reader sees texts that no two readers take differently; every other text is read by the one
that knows lines and columns, which is also asked when a place is wanted, and by whom specs are
edited.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import yaml_rs

from sluice.core.documents.limits import SPEC
from sluice.core.documents.source import Pointer
from sluice.core.finding import Finding, FindingsError, Place
from sluice.core.unforeseen import UnforeseenError, finding, isolated

if TYPE_CHECKING:
    from yaml.nodes import Node

_MARKERS = re.compile(
    rb"(?:^|[\s\[{,:-])[&*!?]"  # anchors, aliases, tags, explicit keys
    rb"|^%|<<"  # directives, merge keys
    rb"|\t"  # tabs indent nothing
    rb"|\\u[dD][89A-Fa-f]",  # halves of characters, which YAML does not join
    re.MULTILINE,
)
_WITHOUT_MARKERS = bytes(set(range(256)) - set(b"&*!?%<\t\\"))
"""What a file consists of in which no marker can be: asked first, since it takes no time."""
_LONELY = re.compile(rb":(?:[}\],]|(?<=[\s{\[,]:)\s)")
"""Colons without a key before them or without a value before what ends it."""
_BLOCK_IN_BRACKETS = re.compile(rb"[|>][^\n]*[\]}]")
_AMBIGUOUS = re.compile(
    rb"[\s\[{,:](?=[-+yYnNoO~=0-9])(?:"
    rb"[yYnN]|[yY]es|YES|[nN]o|NO|[oO]n|ON|[oO]ff|OFF|~|=|"  # read as booleans by some
    rb"[-+]?0[0-9_]+|0[obx][0-9A-Fa-f_]+|[-+]?[0-9][0-9_]*_[0-9_.]*|"  # numbers in other bases
    rb"[-+]?[0-9]+(?::[0-5]?[0-9])+|[-+]?[0-9._]+[eE][-+]?[0-9_]+|"  # sexagesimals, exponents
    rb"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}\S*)\s*(?:$|[,}\]#:\n])",  # dates
    re.MULTILINE,
)

_LARGEST_NUMBER = 1 << 63  # what the cluster stores, and what anything can be calculated with
_UNREAD = object()
_MAY_BE_ODD = (dict, list, float, int)
_COMPACT = re.compile(rb"- +- +- ")
_DEEP_INDENT = b"\n" + b" " * 64
_END = b"\n..."
_CONTROL = re.compile(
    "\r(?!\n)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]"
)


@dataclass(frozen=True)
class Document:
    """One YAML file: its mapping, and the place of each of its parts on demand."""

    path: str
    raw: bytes
    data: Mapping[str, Any]
    root: Pointer = ()
    """Where in the file the data is, when it is a part of it."""

    @cached_property
    def _root(self) -> "Node | None":
        from sluice.core.documents.positions import compose_root  # noqa: PLC0415  # slow, and seldom wanted

        return compose_root(self.raw)

    def place(self, pointer: Pointer = (), *, key: bool = False) -> Place:
        """The place of a value (or of its key), or of the nearest ancestor that exists."""
        if self._root is None:
            return Place(self.path)
        from sluice.core.documents.positions import find, spell  # noqa: PLC0415  # as above

        spot = find(self._root, (*self.root, *pointer), spell)
        return Place(self.path, *(spot.key if key or not spot.is_there else spot.value))


def load(path: str, raw: bytes) -> Document:
    """Read one YAML document that holds a mapping.

    Raises:
        FindingsError: with everything that is wrong with the text, each with its place.
    """
    return Document(path, raw, _mapping(path, raw))


def load_each(files: Mapping[str, bytes], findings: list[Finding]) -> Iterator[Document]:
    """The documents of those files that can be read; what is wrong with the others is collected."""
    for path in sorted(files):
        try:
            with isolated("reading a file"):
                document = load(path, files[path])
            yield document
        except FindingsError as error:
            findings.extend(error.findings)
        except UnforeseenError as error:
            findings.append(finding(Place(path), error))


def _mapping(path: str, raw: bytes) -> Mapping[str, Any]:
    text = _text(path, raw)
    data = _read_fast(text) if _is_simple(raw) else _UNREAD
    if data is _UNREAD:
        data = _read_with_places(path, text)
    if not isinstance(data, dict):
        raise FindingsError(
            [
                Finding(
                    Place(path),
                    "YAML007",
                    f"expected a mapping, found {_kind(data)}",
                    "begin with `apiVersion:` and `kind:`",
                )
            ]
        )
    if odd := list(_odd_parts(Document(path, raw, {}), data, ())):
        raise FindingsError(odd)
    return data


def _read_fast(text: str) -> object:
    """The data of a simple text; _UNREAD where the other reader is to say what is wrong."""
    try:
        data = yaml_rs.loads(text, parse_datetime=False)
    except (yaml_rs.YAMLDecodeError, RecursionError, TypeError):
        return _UNREAD
    return _UNREAD if isinstance(data, list) else data  # several documents are a list, too


def _read_with_places(path: str, text: str) -> object:
    from sluice.core.documents.problems import read  # noqa: PLC0415  # slow, and seldom wanted

    data, problems = read(text)
    if problems:
        raise FindingsError(
            Finding(Place(path, p.line, p.column), p.rule, p.message, p.help) for p in problems
        )
    return data


def _is_simple(raw: bytes) -> bool:
    """Whether all readers take the text for the same, and none meets the end of its stack."""
    if raw.translate(None, _WITHOUT_MARKERS) and _MARKERS.search(raw):
        return False
    if _END in raw or raw.startswith((b"...", b" " * 64)) or _DEEP_INDENT in raw:
        return False
    if (b"{" in raw or b"[" in raw) and (
        _BLOCK_IN_BRACKETS.search(raw) or any(map(_is_unbalanced, raw.split(b"\n")))
    ):
        return False
    return not (_LONELY.search(raw) or _COMPACT.search(raw) or _AMBIGUOUS.search(raw))


def _is_unbalanced(line: bytes) -> bool:
    """Whether brackets may reach over several lines: keys there are not the same to all readers."""
    return line.count(b"{") + line.count(b"[") != line.count(b"}") + line.count(b"]")


def _odd_parts(document: Document, data: object, pointer: Pointer) -> Iterator[Finding]:
    """What is too deep, keys that are no text, and numbers that the cluster does not have."""
    if not isinstance(data, dict | list):
        yield from _odd_number(document, data, pointer)
    elif len(pointer) >= SPEC.depth:
        message = f"nested more than {SPEC.depth} levels deep"
        yield Finding(document.place(pointer), "YAML009", message, "flatten it")
    elif isinstance(data, dict):
        for key, value in data.items():
            if not isinstance(key, str):
                place = document.place((*pointer, str(key)), key=True)
                yield Finding(place, "YAML010", f"the key {key!r} is not text", "put it in quotes")
            elif isinstance(value, _MAY_BE_ODD):
                yield from _odd_parts(document, value, (*pointer, key))
    else:
        for index, value in enumerate(data):
            if isinstance(value, _MAY_BE_ODD):
                yield from _odd_parts(document, value, (*pointer, index))


def _odd_number(document: Document, data: object, pointer: Pointer) -> Iterator[Finding]:
    if isinstance(data, float) and not math.isfinite(data):
        message = "a number without a finite value"
        yield Finding(document.place(pointer), "YAML011", message, "write a decimal number")
    elif isinstance(data, float | int) and not -_LARGEST_NUMBER <= data < _LARGEST_NUMBER:
        message = "a number that does not fit into 64 bits"
        yield Finding(document.place(pointer), "YAML011", message, "write a smaller number")


def _text(path: str, raw: bytes) -> str:
    if len(raw) > SPEC.size:
        raise FindingsError(
            [
                Finding(
                    Place(path),
                    "YAML001",
                    f"the file has {len(raw):,} bytes; a spec may have {SPEC.size:,}",
                    "is this really a spec? Move it out of environments/",
                )
            ]
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = _place(path, raw[: error.start].decode())
        message = f"byte 0x{raw[error.start]:02x} is not UTF-8"
        raise FindingsError([Finding(place, "YAML002", message, "save as UTF-8")]) from None
    if control := _CONTROL.search(text):
        message = f"the character U+{ord(control[0]):04X} is invisible or a line break to some"
        remedy = "remove it, or write it as an escape in double quotes"
        place = _place(path, text[: control.start()])
        raise FindingsError([Finding(place, "YAML002", message, remedy)])
    return text


def _place(path: str, before: str) -> Place:
    """The place after this beginning of a file."""
    return Place(path, before.count("\n") + 1, len(before) - before.rfind("\n"))


def _kind(data: object) -> str:
    if data is None:
        return "nothing"
    return "a list" if isinstance(data, list) else f"the value {str(data)[:40]!r}"
