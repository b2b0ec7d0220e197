"""What is asked of a cluster: Argo CD and its applications, and the routes themselves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from sluice.core.model import RouteKind


@dataclass(frozen=True, slots=True)
class Operation:
    """The last sync of an application, or the one under way; times are seconds since the epoch.

    `phase` is Argo CD's word, `revision` what it applies, empty where that is not decided yet.
    `finished` of one that runs is when its last attempt failed: it waits for the next one.
    `failures` are what the cluster said of objects that it refused.
    """

    phase: str
    message: str = ""
    revision: str = ""
    started: int | None = None
    finished: int | None = None
    automated: bool = True
    failures: tuple[str, ...] = ()

    @property
    def runs(self) -> bool:
        """Whether it is not over; while it is not, no other one begins."""
        return self.phase in ("Running", "Terminating")


@dataclass(frozen=True, slots=True)
class Source:
    """What an application follows: a folder of a branch of a repository."""

    repository: str
    revision: str
    path: str


@dataclass(frozen=True, slots=True)
class Application:
    """What Argo CD says of an application; times are seconds since the epoch.

    `deployed` has the revisions that were applied, oldest first, each with its time. `resources` is
    the health of each object by `Kind/name`, where Argo CD keeps it; `differing` are those that
    are not as Git has them. `conditions` are its complaints, by type. `automated` says whether it
    applies by itself what it sees, `heals` whether it brings back what was changed in the cluster.
    `source` is what it follows, None where that is not known, and empty where it is more than one
    folder. `looked` is when it last asked Git, `refreshing` whether it was asked to since;
    `tells_health` is false where it keeps the health of single objects to itself.
    """

    revision: str
    synced: bool
    health: str
    health_since: int | None = None
    deployed: tuple[tuple[str, int], ...] = ()
    resources: Mapping[str, str] = field(default_factory=dict)
    operation: Operation | None = None
    conditions: tuple[tuple[str, str], ...] = ()
    differing: tuple[str, ...] = ()
    source: Source | None = None
    project: str = ""
    looked: int | None = None
    refreshing: bool = False
    deleting: bool = False
    automated: bool = True
    heals: bool = True
    tells_health: bool = True


class Cluster(Protocol):
    """Argo CD. Unreachable or refusing: UsageError with one clear line."""

    def applications(self, namespace: str) -> Mapping[str, Application]:
        """Every application in the namespace of an Argo CD, by name."""

    def refresh(self, namespace: str, name: str) -> None:
        """Ask it to compare an application with Git now; nothing else is changed."""

    def end(self, namespace: str, name: str, revision: str) -> None:
        """End the sync of an application, if it is still under way at that revision."""


class Routes(Protocol):
    """The routes of a cluster, read only. Unreachable or refusing: UsageError."""

    def routes(self, kind: RouteKind, namespace: str) -> Mapping[str, Mapping[str, Any]]:
        """Every route of a kind in a namespace, by name, as the API server has it."""
