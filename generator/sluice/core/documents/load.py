"""Bytes to data with positions, or to findings.

The fast reader sees every file. The slow one, which knows lines and columns, is asked only when a
place is needed or when the text holds something that specs must not use.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import yaml_rs

from sluice.core.finding import Finding, FindingsError, Place
from sluice.core.unforeseen import UnforeseenError, finding, isolated

if TYPE_CHECKING:
    from sluice.core.documents.positions import Marks

SIZE_LIMIT = 1 << 20
"""Bytes; a spec is a page or two, and whatever is larger was not meant for us."""

Pointer = tuple[str | int, ...]

_MARKERS = re.compile(
    rb"(?:^|[\s\[{,:-])[&*!]"  # anchors, aliases, tags
    rb"|^%|<<"  # directives, merge keys
    rb"|\t"  # tabs indent nothing
    rb"|\\u[dD][89A-Fa-f]",  # halves of characters, which YAML does not join
    re.MULTILINE,
)
_WITHOUT_MARKERS = bytes(set(range(256)) - set(b"&*!%<\t\\"))
"""What a file consists of in which no marker can be: asked first, since it takes no time."""
_AMBIGUOUS = re.compile(
    rb"[\s\[{,:](?=[-+yYnNoO~=0-9])(?:"
    rb"[yYnN]|[yY]es|YES|[nN]o|NO|[oO]n|ON|[oO]ff|OFF|~|=|"  # read as booleans by some
    rb"[-+]?0[0-9_]+|0[obx][0-9A-Fa-f_]+|[-+]?[0-9][0-9_]*_[0-9_.]*|"  # numbers in other bases
    rb"[-+]?[0-9]+(?::[0-5]?[0-9])+|[-+]?[0-9.]+[eE][-+]?[0-9]+|"  # sexagesimals, exponents
    rb"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}\S*)\s*(?:$|[,}\]#:\n])",  # dates
    re.MULTILINE,
)

_LARGEST_NUMBER = 1 << 63  # what the cluster stores, and what anything can be calculated with
_MAY_BE_ODD = (dict, list, float, int)
_NESTED = re.compile(rb"[-?:][ \t](?:[ \t]*[-?:][ \t]){31}|\n {64}")
_CONTROL = re.compile(
    "\r(?!\n)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]"
)


class Source(Protocol):
    """One object of a file, and the places of its parts; a `Document` is one."""

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


@dataclass(frozen=True)
class Document:
    """One YAML file: its mapping, and the place of each of its parts on demand."""

    path: str
    raw: bytes
    data: Mapping[str, Any]
    root: Pointer = ()
    """Where in the file the data is, when it is a part of it."""

    @cached_property
    def _marks(self) -> "Marks":
        from sluice.core.documents.positions import marks_of  # noqa: PLC0415  # slow, and seldom wanted

        return marks_of(self.raw)

    def place(self, pointer: Pointer = (), *, key: bool = False) -> Place:
        """The place of a value (or of its key), or of the nearest ancestor that exists."""
        pointer = (*self.root, *pointer)
        for end in range(len(pointer), -1, -1):
            mark = self._marks.get(pointer[:end])
            if mark is not None:
                line, column = mark.key if key or end < len(pointer) else mark.value
                return Place(self.path, line, column)
        return Place(self.path)


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
    if _NESTED.search(raw):  # before the fast reader, whose stack has an end
        _refuse_oddities(path, raw)
    try:
        data = yaml_rs.loads(text, parse_datetime=False)
    except (yaml_rs.YAMLDecodeError, RecursionError) as error:
        _refuse_oddities(path, raw)
        raise FindingsError([_syntax(path, str(error))]) from None
    if isinstance(data, list) and (second := _second_document(raw)) is not None:
        raise FindingsError(
            [
                Finding(
                    Place(path, *second),
                    "YAML004",
                    "a second document begins here, where one is expected",
                    "put it into a file of its own",
                )
            ]
        )
    if _is_suspicious(raw):
        _refuse_oddities(path, raw)
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
    if found := list(_odd_parts(Document(path, raw, {}), data, ())):
        raise FindingsError(found)
    return data


def _is_suspicious(raw: bytes) -> bool:
    """Whether the text may hold what specs must not use."""
    marked = raw.translate(None, _WITHOUT_MARKERS) and _MARKERS.search(raw)
    return bool(marked or _AMBIGUOUS.search(raw))


def _odd_parts(document: Document, data: object, pointer: Pointer) -> Iterator[Finding]:
    """Keys that are no text, and numbers that JSON or the cluster does not have."""
    if isinstance(data, dict):
        for key, value in data.items():
            if not isinstance(key, str):
                place = document.place((*pointer, str(key)), key=True)
                yield Finding(place, "YAML010", f"the key {key!r} is not text", "put it in quotes")
            elif isinstance(value, _MAY_BE_ODD):
                yield from _odd_parts(document, value, (*pointer, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            if isinstance(value, _MAY_BE_ODD):
                yield from _odd_parts(document, value, (*pointer, index))
    elif isinstance(data, float) and not math.isfinite(data):
        message = "a number without a finite value"
        yield Finding(document.place(pointer), "YAML011", message, "write a decimal number")
    elif isinstance(data, float | int) and not -_LARGEST_NUMBER <= data < _LARGEST_NUMBER:
        message = "a number that does not fit into 64 bits"
        yield Finding(document.place(pointer), "YAML011", message, "write a smaller number")


def _text(path: str, raw: bytes) -> str:
    if len(raw) > SIZE_LIMIT:
        raise FindingsError(
            [
                Finding(
                    Place(path),
                    "YAML001",
                    f"the file has {len(raw):,} bytes; a spec may have {SIZE_LIMIT:,}",
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


def _second_document(raw: bytes) -> tuple[int, int] | None:
    from sluice.core.documents.positions import second_document  # noqa: PLC0415  # slow, and seldom wanted

    return second_document(raw)


def _syntax(path: str, message: str) -> Finding:
    """In the fast reader's own words, where the slow one sees nothing wrong."""
    found = re.search(r"line (\d+), column (\d+)", message)
    line, column = (int(found[1]), int(found[2])) if found else (1, 1)
    said = message.strip().splitlines()[-1] if message.strip() else "not YAML"
    return Finding(Place(path, line, column), "YAML003", said, "correct the YAML")


def _refuse_oddities(path: str, raw: bytes) -> None:
    from sluice.core.documents.positions import ambiguous, oddities  # noqa: PLC0415  # slow, seldom wanted

    problems = list(oddities(raw)) or list(ambiguous(raw))
    if problems:
        raise FindingsError(
            Finding(Place(path, p.line, p.column), p.rule, p.message, p.help) for p in problems
        )


def _kind(data: object) -> str:
    if data is None:
        return "nothing"
    return "a list" if isinstance(data, list) else f"the value {str(data)[:40]!r}"
