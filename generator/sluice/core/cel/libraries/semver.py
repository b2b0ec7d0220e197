"""Semantic versions (from 1.33 on)."""

import re
from collections.abc import Mapping
from typing import Any

from sluice.core.cel.libraries.declaration import Overload, tagged, untagged

_NUMBER = r"(0|[1-9]\d*)"
_VERSION = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-([0-9A-Za-z.-]+))?(?:\+([0-9A-Za-z.-]+))?", re.ASCII
)
_UINT64 = 1 << 64

Value = Mapping[str, Any]
Key = tuple[int, int, int, int, tuple[tuple[int, int, str], ...]]


def parse_semver(text: str, normalize: bool = False) -> str:  # noqa: FBT001, FBT002  # as CEL has it
    """The version without its build metadata, which no comparison sees.

    Raises:
        ValueError: when the text is no version.
    """
    match = _VERSION.fullmatch(_normalized(text) if normalize else text)
    if not match or any(int(match[index]) >= _UINT64 for index in (1, 2, 3)):
        raise ValueError(f"{text[:40]!r} is not a semantic version")
    parts = (match[4] or "").split(".") if match[4] is not None else []
    numeric_zero = any(part.isdigit() and len(part) > 1 and part[0] == "0" for part in parts)
    build = match[5].split(".") if match[5] is not None else []
    if numeric_zero or "" in parts or "" in build:
        raise ValueError(f"{text[:40]!r} is not a semantic version")
    return f"{match[1]}.{match[2]}.{match[3]}" + (f"-{match[4]}" if parts else "")


def _normalized(text: str) -> str:
    parts = text.removeprefix("v").split(".", 2)
    parts = [part if len(part) <= 1 else _without_zeros(part) for part in parts]
    if len(parts) < 3 and any(mark in parts[-1] for mark in "+-"):  # noqa: PLR2004  # major.minor.patch
        raise ValueError("a short version cannot have pre-release or build metadata")
    return ".".join([*parts, "0", "0"][: max(3, len(parts))])


def _without_zeros(part: str) -> str:
    rest = part.lstrip("0")
    return rest if rest[:1].isdigit() else f"0{rest}"


def _is_semver(text: str, normalize: bool = False) -> bool:  # noqa: FBT001, FBT002  # as CEL has it
    try:
        parse_semver(text, normalize)
    except ValueError:
        return False
    return True


def _key(value: Value) -> Key:
    version, _, pre = untagged("semver", value).partition("-")
    major, minor, patch = (int(part) for part in version.split("."))
    parts = pre.split(".") if pre else []
    order = tuple((0, int(p), "") if p.isdigit() else (1, 0, p) for p in parts)
    return major, minor, patch, not pre, order


def compare(one: Value, other: Value) -> int:
    """-1, 0 or 1."""
    left, right = _key(one), _key(other)
    return (left > right) - (left < right)


def _semver(text: str, normalize: bool = False) -> dict[str, str]:  # noqa: FBT001, FBT002  # as CEL has it
    return tagged("semver", parse_semver(text, normalize))


OVERLOADS = (
    Overload("semver", "string -> semver", _semver, member=False),
    Overload("semver", "string, bool -> semver", _semver, member=False),
    Overload("isSemver", "string -> bool", _is_semver, member=False),
    Overload("isSemver", "string, bool -> bool", _is_semver, member=False),
    Overload("isGreaterThan", "semver, semver -> bool", lambda a, b: compare(a, b) > 0),
    Overload("isLessThan", "semver, semver -> bool", lambda a, b: compare(a, b) < 0),
    Overload("compareTo", "semver, semver -> int", compare),
    Overload("major", "semver -> int", lambda v: _key(v)[0]),
    Overload("minor", "semver -> int", lambda v: _key(v)[1]),
    Overload("patch", "semver -> int", lambda v: _key(v)[2]),
)
