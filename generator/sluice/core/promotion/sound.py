"""Which specs of a base revision can be worked with when something is wrong in others."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sluice.core import layout
from sluice.core.finding import Finding, FindingsError, failed
from sluice.core.layout import Key
from sluice.core.pipeline import Specs
from sluice.core.unforeseen import RULE

_TOLD = 3


class Sound(NamedTuple):
    """The specs in which nothing is wrong; the others, by release or environment, and why."""

    specs: Specs
    broken: Mapping[str, tuple[str, ...]]


def sound(specs: Specs, findings: Sequence[Finding]) -> Sound:
    """Leave out what has an error: a release, or an environment with all its releases.

    Raises:
        FindingsError: when something is wrong that all have in common.
    """
    broken: dict[str, list[Finding]] = {}
    for finding in findings:
        if failed([finding]):
            owner = _owner(finding.place.file)
            if owner is None:
                raise FindingsError(findings)
            broken.setdefault(owner, []).append(finding)
    out = [key for key in specs.releases if str(key) in broken or key.environment in broken]
    reasons = {name: _reasons(found) for name, found in sorted(broken.items())}
    # What is counted for all anew whenever it changes must not meet again what nobody can count.
    if any(finding.rule == RULE for finding in findings):
        return Sound(specs.apart(specs.releases.keys() - set(out)), reasons)
    return Sound(specs.without(out), reasons)


def _owner(path: str) -> str | None:
    """The release or environment that a file belongs to, if it is that of one."""
    parts = path.split("/")
    if parts[0] != layout.ENVIRONMENTS or len(parts) <= 2:  # noqa: PLR2004  # of no environment
        return None
    inside = len(parts) > len(Key._fields) + 1
    return str(Key(*parts[1:4])) if inside else parts[1]


def _reasons(findings: Sequence[Finding]) -> tuple[str, ...]:
    told = [f"{finding.place}: {finding.message}" for finding in findings[:_TOLD]]
    more = len(findings) - len(told)
    return (*told, *([f"and {more} more"] if more else []))
