"""APIs and fields that a cluster's version, or one of the next two, no longer serves.

What was deprecated and removed when is data: catalog/deprecations.yaml.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sluice.core.finding import Severity
from sluice.core.kubernetes.rules.problem import (
    ERROR,
    NOTE,
    WARNING,
    Pointer,
    Problem,
    Rule,
    text,
    version_of,
)
from sluice.core.kubernetes.rules.world import templates_of

RULES = {
    "DEP001": Rule("an API that the cluster no longer serves", "use its successor", ERROR),
    "DEP002": Rule("an API that goes within two versions", "use its successor", WARNING),
    "DEP003": Rule("an API that is deprecated, or soon will be", "use its successor", WARNING),
    "DEP004": Rule("a field that is deprecated, or no longer works", "use its successor", WARNING),
}

AHEAD = 2
Version = tuple[int, int]


class Deprecation(NamedTuple):
    """One thing that was deprecated: when, when it goes, and what follows it."""

    deprecated: Version
    removed: Version | None
    successor: str
    since: Version | None


class Field(NamedTuple):
    """Where a deprecated field stands: in which kinds (none: in all), in them or in their pods."""

    kinds: frozenset[str]
    of_pods: bool
    path: tuple[str, ...]
    deprecation: Deprecation


class Deprecations(NamedTuple):
    """The table, ready to be asked."""

    apis: Mapping[tuple[str, str], Deprecation]
    fields: tuple[Field, ...]


def deprecations(data: Mapping[str, Any]) -> Deprecations:
    """The parsed catalog/deprecations.yaml as a table."""
    apis = {
        (entry["api"], kind): _deprecation(entry)
        for entry in data["apis"]
        for kind in entry["kinds"]
    }
    fields = tuple(
        Field(
            frozenset(entry.get("kinds", ())),
            entry["in"] == "template",
            tuple(entry["path"]),
            _deprecation(entry),
        )
        for entry in data["fields"]
    )
    return Deprecations(apis, fields)


def deprecation_problems(
    objects: Sequence[tuple[str, object]], version: str, table: Deprecations
) -> Iterator[Problem]:
    """What is gone from this version of Kubernetes on, or will be two versions later."""
    target = version_of(version)
    for at, (path, data) in enumerate(objects):
        if not isinstance(data, dict):
            continue
        api, kind = text(data, "apiVersion"), text(data, "kind")
        entry = table.apis.get((api, kind))
        if entry is not None:
            yield from _of_api(path, at, f"{api} {kind}", entry, target)
        for field in table.fields:
            if not field.kinds or kind in field.kinds:
                yield from _of_field(path, at, data, field, target)


def _deprecation(entry: Mapping[str, Any]) -> Deprecation:
    removed, since = entry.get("removed"), entry.get("since")
    return Deprecation(
        version_of(entry["deprecated"]),
        version_of(removed) if removed else None,
        entry.get("successor", ""),
        version_of(since) if since else None,
    )


def _of_api(
    path: str, at: int, name: str, entry: Deprecation, target: Version
) -> Iterator[Problem]:
    soon = (target[0], target[1] + AHEAD)
    if entry.removed is not None and entry.removed <= soon:
        gone = entry.removed <= target
        message = f"Kubernetes {_said(entry.removed)} {'removed' if gone else 'removes'} {name}"
        rule = "DEP001" if gone else "DEP002"
        yield _problem(path, at, rule, ("apiVersion",), message, entry, target)
    elif entry.deprecated <= soon:
        severity = WARNING if entry.deprecated <= target else NOTE
        message = f"{name} is deprecated since Kubernetes {_said(entry.deprecated)}"
        yield _problem(path, at, "DEP003", ("apiVersion",), message, entry, target, severity)


def _of_field(
    path: str, at: int, data: dict[str, Any], field: Field, target: Version
) -> Iterator[Problem]:
    entry = field.deprecation
    soon = (target[0], target[1] + AHEAD)
    if entry.deprecated > soon:
        return
    bases = templates_of(data) if field.of_pods else (((), data),)
    for base, part in bases:
        for pointer in _places(part, field.path, ()):
            gone = entry.removed is not None and entry.removed <= target
            since = entry.removed if gone and entry.removed else entry.deprecated
            what = "does nothing" if gone else "is deprecated"
            message = f"{field.path[-1]} {what} since Kubernetes {_said(since)}"
            severity = ERROR if gone else WARNING if entry.deprecated <= target else NOTE
            where = (*base, *pointer)
            yield _problem(path, at, "DEP004", where, message, entry, target, severity)


def _places(value: object, path: tuple[str, ...], here: Pointer) -> Iterator[Pointer]:
    if not path:
        if value is not None:
            yield here
    elif path[0] == "*":
        for index, item in enumerate(value) if isinstance(value, list) else ():
            yield from _places(item, path[1:], (*here, index))
    elif isinstance(value, dict) and path[0] in value:
        yield from _places(value[path[0]], path[1:], (*here, path[0]))


def _said(version: Version) -> str:
    return f"{version[0]}.{version[1]}"


def _help(entry: Deprecation, target: Version) -> str:
    if not entry.successor:
        return "there is no successor: remove the object"
    if entry.since is not None and entry.since > target:
        return f"use {entry.successor}, from Kubernetes {_said(entry.since)} on"
    return f"use {entry.successor}"


def _problem(
    path: str,
    at: int,
    rule: str,
    pointer: Pointer,
    message: str,
    entry: Deprecation,
    target: Version,
    severity: Severity | None = None,
) -> Problem:
    given = severity or RULES[rule].severity
    return Problem(path, at, rule, pointer, message, _help(entry, target), given)
