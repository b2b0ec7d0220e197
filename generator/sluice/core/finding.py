"""One problem with a place: what every layer of validation produces."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Severity(StrEnum):
    """How much a finding matters: only an error fails a check."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Place(NamedTuple):
    """Where in a file, counted from 1; the path is relative to the repository's root."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Rendered(NamedTuple):
    """Where in a rendered manifest a problem shows itself: its file, and the value's pointer."""

    file: str
    pointer: tuple[str | int, ...] = ()
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Fix(NamedTuple):
    """What to write instead of the single value or key at a finding's place.

    As text, in quotes where YAML needs them; `literal` for a number or a truth; nothing for the
    value's own spelling, as text.
    """

    write: str = ""
    literal: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem.

    `rule` is a stable id (a prefix for the layer and a number), `message` says what is wrong,
    `help` what to do about it; `rendered` is where it shows in a manifest, when it is about one.
    `waived` is who answers for it and until when, of one that somebody does. `fix` is there when
    the remedy takes no judgement.
    """

    place: Place
    rule: str
    message: str
    help: str = ""
    severity: Severity = Severity.ERROR
    rendered: Rendered | None = None
    waived: str = ""
    fix: Fix | None = None


class FindingsError(Exception):
    """Input that cannot be worked with, as findings; raised where no partial answer makes sense."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = in_order(findings)
        super().__init__("; ".join(f"{f.place}: {f.message}" for f in self.findings))


class UsageError(Exception):
    """A wrong call, a missing tool or an unreachable server: one clear line and exit code 2."""


class SilentError(UsageError):
    """A server that does not answer at all: to ask it for more now only takes time."""


def dotted(pointer: Iterable[str | int]) -> str:
    """A pointer as people write it, `spec.containers[0].image` for instance."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in pointer)
    return text.removeprefix(".")


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings without repetitions, ordered by place and rule."""
    return sorted(set(findings), key=_order)


def _order(finding: Finding) -> tuple[object, ...]:
    f = finding
    return (f.place, f.rule, f.message, f.help, f.severity, str(f.rendered))


def failed(findings: Iterable[Finding]) -> bool:
    """Whether any finding is an error that nobody answers for."""
    return any(f.severity is Severity.ERROR and not f.waived for f in findings)
