"""What Argo CD says, as what a rollout needs to know. What is not known is never good news.

A release with a route has two applications. The one of its routes tells whether a weight is in
force, since nothing else is in it that could keep it from being in sync; the other one tells
whether the candidate was applied, and how the workloads are.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sluice.core import names
from sluice.core.cluster import Application
from sluice.core.rollout.model import Sync
from sluice.core.specs.resolve import Release
from sluice.core.workload import values
from sluice.core.workload.applications import routes_application, workload_application
from sluice.core.workload.routing import has_routes

HEALTHY = "Healthy"
WORKLOADS = ("Deployment", "LeaderWorkerSet")
Contains = Callable[[str], bool]
"""Whether a revision is the commit of the committed weight, or a descendant of it."""


@dataclass(frozen=True, slots=True)
class Applications:
    """The Argo CD applications of a release; None is one that Argo CD does not know.

    `routed` says whether there is to be one of its own for the routes.
    """

    workload: Application | None
    routes: Application | None = None
    routed: bool = False

    @property
    def weighing(self) -> Application | None:
        """The one that puts a weight in force."""
        return self.routes if self.routed else self.workload


def application_name(release: Release) -> str:
    """The name of the Argo CD application that applies the workloads of a release."""
    return workload_application(release.key)


def routes_name(release: Release) -> str | None:
    """The name of the application of its routes; None where none are rendered."""
    return routes_application(release.key) if has_routes(release) else None


def sync_of(
    applications: Applications,
    contains: Contains,
    times: tuple[int, int],
    *,
    warming: bool = False,
) -> Sync | None:
    """Where Argo CD is with the committed weight; None when it does not know the application.

    Args:
        applications: what Argo CD says of the release.
        contains: of a revision.
        times: when the weight was committed, and now, in seconds since the epoch. The first counts
            where Argo CD had nothing to apply, and where its clock lags behind: nothing is in force
            before it is in Git. A commit of a clock that runs ahead of ours tells no time.
        warming: whether it is the candidate itself that was committed, and no weight yet.
    """
    applied = applications.workload if warming else applications.weighing
    if applied is None or not applied.revision:
        return None
    committed, now = times
    inside = contains(applied.revision)
    deployed = _deployed(applied, contains, committed) if inside else None
    since = None
    if deployed is not None and applied.synced:
        since = max(deployed, committed if committed <= now else 0)
    workload = applications.workload
    healthy = workload is not None and workload.health == HEALTHY
    unhealthy = None if healthy or workload is None else workload.health_since
    return Sync(inside, applied.synced, healthy, deployed, since, unhealthy)


def _deployed(application: Application, contains: Contains, committed: int) -> int | None:
    """From when on revisions with a commit have been applied, and no other in between.

    None when none was: that Argo CD compares with such a revision does not say that it applied it.
    """
    began = None
    for revision, time in reversed(application.deployed):
        if not (revision and contains(revision)):
            break
        began = time
    running = application.operation
    if began is None and running is not None and running.runs and running.revision:
        began = running.started if contains(running.revision) else None
    return committed if began is None and application.synced else began


def ready_of(application: Application | None, release: Release, *, stable: bool) -> bool | None:
    """Whether a version has ready replicas: its own health where it is told, else everybody's."""
    if application is None:
        return None
    variant = release.variants[0 if stable else -1]
    name = release.key.name
    if values.is_versioned(variant):
        name = names.workload(name, variant.version)
    told = [application.resources.get(f"{kind}/{name}") for kind in WORKLOADS]
    own = next((health for health in told if health is not None), None)
    if own is not None:
        return {HEALTHY: True, "Degraded": False, "Missing": False}.get(own)
    return True if application.health == HEALTHY else None
