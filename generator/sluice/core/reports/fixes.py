"""Files with those remedies applied that take no judgement."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sluice.core import layout
from sluice.core.documents.edit import write_at
from sluice.core.finding import Finding, Severity
from sluice.core.specs.remedies import fixable_by

_ROUNDS = 5
_LAYERS = {"YAM": 0, "SCH": 1}
"""Which layer looks first; the others look when these find nothing."""

Check = Callable[[bytes], Iterable[Finding]]
"""What is wrong with a file if it had this text."""


@dataclass(frozen=True)
class Fixed:
    """One value that was changed."""

    finding: Finding
    before: str
    after: str


def fix_file(path: str, raw: bytes, check: Check) -> tuple[bytes, list[Fixed]]:
    """The text with every remedy after which there is less to find.

    A layer that finds nothing lets the next one look, so that a remedy may lead to further ones.
    """
    fixed: list[Fixed] = []
    for _ in range(_ROUNDS):
        changed, some = _once(path, raw, check)
        if changed == raw:
            break
        raw = changed
        fixed += some
    return raw, fixed


def _once(path: str, raw: bytes, check: Check) -> tuple[bytes, list[Fixed]]:
    """From the end of the file to its beginning, so that places stay what they are."""
    fixed: list[Fixed] = []
    findings = _own(path, check(raw))
    for finding in sorted(findings, key=lambda one: one.place, reverse=True):
        changed = _mended(path, raw, finding, check) if fixable_by(finding) else None
        if changed is not None and _better(path, finding, check(raw), check(changed)):
            fixed.append(Fixed(finding, _line(raw, finding), _line(changed, finding)))
            raw = changed
    return raw, fixed[::-1]


def _better(
    path: str, finding: Finding, before: Iterable[Finding], after: Iterable[Finding]
) -> bool:
    """Whether its place is clean, and less is found by its own layer and those before it."""
    found, left = _own(path, before), _own(path, after)
    reached = _LAYERS.get(finding.rule[:3], len(_LAYERS))
    clean = all(one.place != finding.place for one in left)
    return clean and _within(left, reached) < _within(found, reached)


def _within(findings: Iterable[Finding], layer: int) -> int:
    return sum(_LAYERS.get(one.rule[:3], len(_LAYERS)) <= layer for one in findings)


def may_be_fixed(path: str) -> bool:
    """Whether people write the file; what the reconciler writes is never touched."""
    key = layout.release_of(path)
    spec = bool(key) and path == layout.release_path(key) if key else False
    return spec or layout.environment_of(path) is not None


def _mended(path: str, raw: bytes, finding: Finding, check: Check) -> bytes | None:
    """The text after the remedy, and after those that it makes possible at the same place."""
    current: Finding | None = finding
    changed: bytes | None = None
    for _ in range(_ROUNDS):
        fix = fixable_by(current) if current else None
        if current is None or fix is None:
            break
        try:
            changed = write_at(changed or raw, *current.place[1:], fix.write, literal=fix.literal)
        except ValueError:
            return changed
        here = [one for one in _own(path, check(changed)) if one.place == finding.place]
        current = here[0] if here else None
    return changed


def _own(path: str, findings: Iterable[Finding]) -> list[Finding]:
    return [f for f in findings if f.place.file == path and f.severity is Severity.ERROR]


def _line(raw: bytes, finding: Finding) -> str:
    return raw.split(b"\n")[finding.place.line - 1].decode(errors="replace").strip()
