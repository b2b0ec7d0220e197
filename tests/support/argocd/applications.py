"""What Argo CD remembers of an Application: its comparison, its operation, and what was applied."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from support.argocd.objects import Data, Key
from support.argocd.sync import Result, wave_of

REFRESH = "argocd.argoproj.io/refresh"
PATHS = "argocd.argoproj.io/manifest-generate-paths"
FINALIZER = "resources-finalizer.argocd.argoproj.io"
ATTEMPTS = 5
"""How often an automated sync is tried again unless the Application says (autoSync)."""

RECENT, LATEST, FRESH = 1, 2, 3
"""How a comparison finds its revision (controller/appcontroller.go, CompareWith): the one compared
last; the branch as the repo server remembers it; the branch as it is."""

OperationPhase = Literal["Running", "Succeeded", "Failed", "Error"]


@dataclass(frozen=True)
class Retry:
    """syncPolicy.retry; times in seconds (types.go, RetryStrategy)."""

    limit: int = ATTEMPTS
    duration: int = 5
    factor: int = 2
    longest: int = 180
    refresh: bool = False

    def wait(self, retries: int) -> int:
        """Seconds from the end of an attempt to the next one (NextRetryAt)."""
        return int(min(self.longest, self.duration * self.factor**retries))


@dataclass
class Operation:
    """A sync, automated or asked for.

    Args:
        revision: what is synced; empty takes the branch as it is.
        source: the source of the Application when it began.
        only: the objects to sync; None for all, as always but in a self-heal.
        heals: how many self-heals in a row this one makes.
        finished: when it ended, or when its last attempt failed and another is to come.
        paused: until when it sleeps between two waves.
    """

    revision: str
    source: Mapping[str, Any]
    prune: bool
    options: Sequence[str]
    retry: Retry
    started: int
    automated: bool = True
    only: frozenset[Key] | None = None
    heals: int = 0
    phase: OperationPhase = "Running"
    message: str = ""
    finished: int | None = None
    retries: int = 0
    paused: int = 0
    results: dict[Key, Result] = field(default_factory=dict)


@dataclass(frozen=True)
class Resource:
    """What a comparison says of one object (status.resources)."""

    key: Key
    synced: bool
    prunes: bool = False


@dataclass
class State:
    """The status of an Application, and what its controller keeps of it.

    Args:
        revision: what it was compared with last (status.sync.revision).
        sync: Synced, OutOfSync or Unknown.
        compared: source and destination that it was compared with.
        reconciled: when it was compared with the branch last.
        operation: the one that is in progress.
        last: the last one that ended (status.operationState).
        history: what was applied whole, and when.
        conditions: errors by type.
        troubled: since when its folder could not be read.
        operations: how many operations began, for tests.
        queued: whether it is to be looked at, and how its comparison finds its revision.
    """

    revision: str = ""
    sync: str = "Unknown"
    compared: Any = None
    reconciled: int | None = None
    operation: Operation | None = None
    last: Operation | None = None
    resources: list[Resource] = field(default_factory=list)
    history: list[tuple[str, int]] = field(default_factory=list)
    conditions: dict[str, str] = field(default_factory=dict)
    troubled: int | None = None
    operations: int = 0
    terminating: bool = False
    queued: bool = True
    asked: int = 0


def retry_of(spec: Mapping[str, Any]) -> Retry:
    """The retries of an automated sync: what the Application says replaces the default whole, so
    that one without a limit is never tried again (autoSync, op.Retry)."""
    given = spec.get("syncPolicy", {}).get("retry")
    if given is None:
        return Retry()
    backoff, default = given.get("backoff", {}), Retry()
    return Retry(
        limit=given.get("limit", 0),
        duration=_seconds(backoff.get("duration"), default.duration),
        factor=backoff.get("factor", default.factor),
        longest=_seconds(backoff.get("maxDuration"), default.longest),
        refresh=given.get("refresh", False),
    )


def _seconds(text: str | None, default: int) -> int:
    if not text:
        return default
    unit = {"s": 1, "m": 60, "h": 3600}.get(text[-1])
    return int(text[:-1]) * unit if unit else int(text)


def is_attempted(state: State, spec: Mapping[str, Any], *, changes: bool) -> bool:
    """Whether the last operation was to the revision that was just compared (alreadyAttemptedSync).

    Where nothing may have changed since the last *comparison*, revisions are not looked at: an
    operation that failed on an old revision then stands in the way of the new one (argo-cd#27875).
    """
    last = state.last
    if last is None or (changes and last.revision != state.revision):
        return False
    return bool(last.source == spec["source"])


def first_to_delete(objects: Mapping[Key, Data]) -> list[Key]:
    """The objects of the last wave: those that go first (controller/sort_delete.go)."""
    waves = {key: wave_of(data) for key, data in objects.items()}
    return [key for key, wave in waves.items() if wave == max(waves.values())]
