"""What a semantic rule is, what it is given and what it yields."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sluice.core.finding import Severity

Pointer = tuple[str | int, ...]
Object = Mapping[str, Any]

ERROR, WARNING, NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE


class Rule(NamedTuple):
    """One rule: what is wrong when it speaks, and what to do about it.

    An error is what the API server (or the webhook of the kind's own controller) refuses, or what
    can never run; a warning is accepted and does not do what it says.
    """

    title: str
    help: str
    severity: Severity = ERROR


class Fault(NamedTuple):
    """A problem inside one object; the pointer counts from where the rule was asked."""

    rule: str
    pointer: Pointer
    message: str


class Problem(NamedTuple):
    """A problem of one of the objects that were handed in.

    `position` is the object's place in that sequence, since one file may hold several objects.
    """

    path: str
    position: int
    rule: str
    pointer: Pointer
    message: str
    help: str
    severity: Severity


@dataclass(frozen=True, slots=True)
class Context:
    """What a rule may know besides the part of the object that it looks at."""

    version: tuple[int, int]
    root: Object
    old: Object | None = None
    zones: frozenset[str] = frozenset()

    @property
    def kind(self) -> str:
        """The kind of the whole object."""
        kind = self.root.get("kind")
        return kind if isinstance(kind, str) else ""


Faults = Iterator[Fault]

_NOTHING: dict[str, Any] = {}
_SHOWN = 60
_HUGE = 10**18


def show(value: object) -> str:
    """A value for a message: short, and never a whole tree."""
    if isinstance(value, str):
        return repr(value if len(value) <= _SHOWN else f"{value[:_SHOWN]}…")
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if isinstance(value, int):
        return str(value) if abs(value) < _HUGE else "a number of many digits"
    return repr(value) if isinstance(value, float) else f"a {type(value).__name__}"


def version_of(written: str) -> tuple[int, int]:
    """A version of Kubernetes such as `1.34` or `v1.34.2`, as numbers that can be compared."""
    major, _, minor = written.removeprefix("v").partition(".")
    return int(major), int(minor.partition(".")[0])


def mapping(value: object, *keys: str) -> dict[str, Any]:
    """The mapping at the end of a path; an empty one where there is none."""
    for key in keys:
        if not isinstance(value, dict):
            return _NOTHING
        value = value.get(key)
    return value if isinstance(value, dict) else _NOTHING


def mappings(value: object, key: str) -> list[tuple[int, dict[str, Any]]]:
    """The mappings in a list below a key, each with its index; null is one without fields."""
    items = value.get(key) if isinstance(value, dict) else None
    if not items or not isinstance(items, list):
        return []
    if None in items:
        items = [_NOTHING if item is None else item for item in items]
    return [pair for pair in enumerate(items) if isinstance(pair[1], dict)]


def texts(value: object, key: str) -> list[tuple[int, str]]:
    """The strings in a list below a key, each with its index."""
    items = value.get(key) if isinstance(value, dict) else None
    if not isinstance(items, list):
        return []
    return [(index, item) for index, item in enumerate(items) if isinstance(item, str)]


def text(value: object, key: str) -> str:
    """The string below a key, or nothing."""
    item = value.get(key) if isinstance(value, dict) else None
    return item if isinstance(item, str) else ""


def whole(value: object, key: str) -> int | None:
    """The whole number below a key; None for anything else."""
    item = value.get(key) if isinstance(value, dict) else None
    return item if isinstance(item, int) and not isinstance(item, bool) else None
