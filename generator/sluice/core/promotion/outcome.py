"""What became of one release, or of one pull request, in a turn of the reconciler."""

from dataclasses import dataclass, replace

from sluice.core.finding import UsageError
from sluice.core.observation.following import Following
from sluice.core.rollout.model import Asks

ALIKE = 3
"""Releases that fail with the same words are not what is wrong."""
_SETTLED = frozenset({"unchanged", "rejected", "left alone", "refused", "comes later"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one release in this cycle.

    `promoted` is when the registry last changed the version, in milliseconds since the epoch,
    `cause` the kind of failure where there was one. `following` is how the cluster follows the
    weight of a rollout, before what was done now; `asks` what its rollout asks a person for.
    """

    release: str
    what: str
    version: str = ""
    pull: int = 0
    reasons: tuple[str, ...] = ()
    refused: bool = False
    promoted: int = 0
    cause: str = ""
    following: Following | None = None
    asks: Asks = ""

    @property
    def is_settled(self) -> bool:
        """Whether it stays like this while nothing that it was judged by changes."""
        return self.what in _SETTLED

    def with_reasons(self, *more: str) -> "Outcome":
        """The same with more reasons."""
        return replace(self, reasons=(*self.reasons, *more)) if more else self

    def with_only(self, reason: str) -> "Outcome":
        """The same with another reason."""
        return replace(self, reasons=(reason,))


def failure(release: str, error: UsageError, version: str = "", pull: int = 0) -> Outcome:
    """The outcome of a release, a pull request or whatever else an error happened to."""
    cause = cause_of(error)
    return Outcome(release, "failed", version, pull, (str(error),), refused=True, cause=cause)


def cause_of(error: UsageError, otherwise: str = "other") -> str:
    """Name the kind of a failure: what the error itself knows of it, or what the caller does."""
    return str(getattr(error, "cause", "")) or otherwise
