"""What Argo CD says, as what a rollout needs to know. What is not known is never good news."""

from collections.abc import Callable

from sluice.core import names
from sluice.core.model import Application
from sluice.core.rollout.model import Sync
from sluice.core.specs.resolve import Release
from sluice.core.workload import applications, values

HEALTHY = "Healthy"
WORKLOADS = ("Deployment", "LeaderWorkerSet")
Contains = Callable[[str], bool]
"""Whether a revision is the commit of the committed weight, or a descendant of it."""


def application_name(release: Release) -> str:
    """The name of the Argo CD application that applies the workloads of a release."""
    return applications.workload_application(release.key)


def sync_of(
    application: Application | None, contains: Contains, committed: int, now: int
) -> Sync | None:
    """Where Argo CD is with the committed weight.

    Args:
        application: what Argo CD says; None when it does not know the application.
        contains: of a revision.
        committed: when the weight was committed. It counts where Argo CD had nothing to apply, and
            where its clock lags behind: nothing is in force before it is in Git. A commit of a
            clock that runs ahead of ours tells no time.
        now: seconds since the epoch.
    """
    if application is None or not application.revision:
        return None
    inside = contains(application.revision)
    applied = [time for revision, time in application.deployed if revision and contains(revision)]
    deployed = (min(applied) if applied else committed) if inside else None
    healthy = application.health == HEALTHY
    since = None
    if deployed is not None and application.synced and healthy:
        believed = committed if committed <= now else 0
        since = max(deployed, believed, application.health_since or 0)
    unhealthy = None if healthy else application.health_since
    return Sync(inside, application.synced, healthy, deployed, since, unhealthy)


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
