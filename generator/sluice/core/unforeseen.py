"""A boundary around one thing among many: whatever nobody foresaw is the failure of that one alone.

What is caught is written to the log with its trace once, and each time counted by its place. What
is foreseen passes as it is, and so does what ends a process.
"""

import logging
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from sluice.core.finding import Finding, FindingsError, Place, UsageError

LOG = logging.getLogger("sluice.unforeseen")
LOG.setLevel(logging.DEBUG)
RULE = "SYS001"
_FRAMES = 12
"""So many calls of a trace are told, the innermost ones."""
_LONGEST = 200
_FINDINGS = 3
_PLACES = 1000
_told: set[str] = set()


class UnforeseenError(UsageError):
    """What nobody foresaw, as the failure of the one thing that it happened to.

    It says which kind of error it was and where, never its text: that may quote anything.
    """

    cause = "unforeseen error"


@contextmanager
def isolated(place: str, *passing: type[Exception]) -> Iterator[None]:
    """Turn whatever is not foreseen inside into an UnforeseenError.

    Args:
        place: what is dealt with, in a few words that name nobody: they are a metric's label.
        passing: errors that are not failures and pass as they are.

    Raises:
        UnforeseenError: for every exception that is not foreseen, too deep recursion and too little
            memory included.
    """
    foreseen: tuple[type[Exception], ...] = (UsageError, FindingsError, *passing)
    try:
        yield
    except foreseen:
        raise
    except Exception as error:  # noqa: BLE001  # a boundary: anything is the outcome of this one thing
        raise noted(place, error) from None


class BrokenSpecsError(UnforeseenError):
    """Specs that cannot be worked with, as the failure of the one thing that they belong to."""

    cause = "broken specs"


@contextmanager
def apart(place: str, *passing: type[Exception]) -> Iterator[None]:
    """As `isolated`, around one of many: specs that cannot be worked with end that one alone.

    Args:
        place: as for `isolated`.
        passing: as for `isolated`.

    Raises:
        UnforeseenError: as `isolated`; a BrokenSpecsError for findings.
    """
    try:
        with isolated(place, *passing):
            yield
    except passing:
        raise
    except FindingsError as error:
        told = [f"{each.place}: {each.message}" for each in error.findings[:_FINDINGS]]
        more = len(error.findings) - len(told)
        said = "; ".join([*told, *([f"and {more} more"] if more else [])])
        raise BrokenSpecsError(f"{place} cannot be worked with: {said}") from None


def noted(place: str, error: Exception) -> UnforeseenError:
    """Write an unforeseen error to the log, and return it as the failure of one thing."""
    trace = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    kind = type(error).__name__
    where = _where(trace[-1]) if trace else "an unknown place"
    identity = f"{place} {kind} {where}"
    is_new = identity not in _told
    if len(_told) < _PLACES:
        _told.add(identity)
    LOG.log(
        logging.ERROR if is_new else logging.DEBUG,
        "an error that Sluice did not foresee, in %s: %s%s",
        place,
        kind,
        "".join(f"\n    {_where(frame)} {frame.name}: {_code(frame)}" for frame in trace),
        extra={"place": place},
    )
    return UnforeseenError(
        f"an error that Sluice did not foresee, in {place}: {kind} at {where}; the rest goes on; "
        "please report it with the trace in the log"
    )


def finding(place: Place, error: UnforeseenError) -> Finding:
    """What is said of a file with which Sluice could not deal."""
    remedy = "look for what is unusual in this file; what is wrong in Sluice is told by the log"
    return Finding(place, RULE, str(error), remedy)


def raise_unforeseen(findings: Iterable[Finding]) -> None:
    """Fail where what nobody foresaw is among findings: that is no judgement on a version.

    Raises:
        UnforeseenError: it is.
    """
    for each in findings:
        if each.rule == RULE:
            raise UnforeseenError(each.message)


def _where(frame: traceback.FrameSummary) -> str:
    """The file, without the folders of the machine that it is installed on, and the line."""
    return f"{'/'.join(frame.filename.split('/')[-3:])}:{frame.lineno}"


def _code(frame: traceback.FrameSummary) -> str:
    return (frame.line or "")[:_LONGEST]
