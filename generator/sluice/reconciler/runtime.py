"""What a cycle of the reconciler works on, and what it says of each release."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sluice import git
from sluice.core.finding import UsageError
from sluice.core.forge import Forge, PullRequest
from sluice.core.layout import Key
from sluice.core.model import Registry
from sluice.core.promotion.branches import BASE
from sluice.core.promotion.outcome import Outcome
from sluice.reconciler.pen import Pen, pen_of
from sluice.registries.marking import Markable
from sluice.workspace.identity import AUTHOR, MAIN

# For so many seconds what was found to need nothing is believed to need nothing still.
RECHECK = 120


class NoMainError(UsageError):
    """The repository has no branch main, and nothing is known of what is deployed."""

    cause = "no main"


def find_main(repository: git.Repository) -> str:
    """The commit of the base branch.

    Raises:
        NoMainError: there is none.
    """
    head = git.tip(repository, MAIN)
    if head is None:
        raise NoMainError(
            f"the repository has no branch {BASE}, which says what is deployed: if it was renamed, "
            "rename it back, or push one; until then nothing is proposed, closed or moved"
        )
    return head


@dataclass(slots=True)
class Memory:
    """What one cycle tells the next: to save work, and to confirm what the registry hides.

    `looked` says that the repository was looked at for the cycle that begins, `listed` what the
    forge listed, and how much had been written until then. `registered` are the versions that the
    registry listed, by model; `missing` is since when, in seconds, it does not show something.
    """

    base: Any = None
    looked: bool = False
    listed: tuple[object, Sequence[PullRequest]] | None = None
    settled: dict[str, tuple[object, Outcome, int]] = field(default_factory=dict)
    shown: dict[object, object] = field(default_factory=dict)
    lost: dict[tuple[int, int, str], bool] = field(default_factory=dict)
    marked: tuple[object, int] = (None, 0)
    marks: dict[tuple[str, str, int], Mapping[str, str]] = field(default_factory=dict)
    registered: dict[str, frozenset[str]] = field(default_factory=dict)
    missing: dict[tuple[Key, str], int] = field(default_factory=dict)

    def settle(self, release: str, seen: object, outcome: Outcome, now: int) -> None:
        """Keep what a release came to; `seen` is everything that it was judged by."""
        self.settled[release] = (seen, outcome, now + RECHECK)

    def last(self, release: str) -> Outcome | None:
        """Return what a release came to when it last needed nothing, however old that is."""
        known = self.settled.get(release)
        return known[1] if known else None

    def recall(self, release: str, seen: object, now: int) -> Outcome | None:
        """Return the outcome of the same sight, if it is not old."""
        known = self.settled.get(release)
        if known is None or known[0] != seen or now >= known[2]:
            return None
        return known[1]


def _never() -> bool:
    return False


def _always(_release: str) -> bool:
    return True


@dataclass(frozen=True)
class Runtime:
    """Everything outside: the repository, the registry, the forge, the clock and the patience.

    `clock` gives seconds since the epoch. `marker` is where the registry is told what became of its
    versions, None when it is not. `is_due` says whether a release that failed is tried
    again now, `is_stopping` whether to end before the next one.
    """

    upstream: git.Upstream
    registry: Registry
    forge: Forge
    clock: Callable[[], int]
    dry_run: bool = False
    memory: Memory = field(default_factory=Memory)
    is_due: Callable[[str], bool] = _always
    is_stopping: Callable[[], bool] = _never
    pause: Callable[[float], object] = time.sleep
    marker: Markable | None = None

    @property
    def repository(self) -> git.Repository:
        return self.upstream.repository

    @property
    def pen(self) -> Pen:
        """What everything outside is written with."""
        return pen_of(self.upstream, self.forge, self.clock, AUTHOR, is_dry=self.dry_run)

    @property
    def shown(self) -> dict[object, object]:
        """What was shown on which pull request."""
        return self.memory.shown

    @property
    def is_untouched(self) -> bool:
        """Whether nothing was written by us since the forge last listed its pull requests."""
        listed = self.memory.listed
        return listed is not None and listed[0] == self._written

    @property
    def _written(self) -> object:
        usage = self.forge.usage
        return usage.writes if usage else object(), self.upstream.calls.get("push", 0)

    def look(self) -> None:
        """See what is new in the repository; all that is asked of the forge is asked anew."""
        self.upstream.refresh()
        self.memory.looked, self.memory.listed = True, None

    def pulls(self) -> Sequence[PullRequest]:
        """The pull requests: one list serves as long as nothing is written, until the next look."""
        known = self.memory.listed
        if known is None or not self.is_untouched:
            known = self.memory.listed = (self._written, self.forge.list())
        return known[1]
