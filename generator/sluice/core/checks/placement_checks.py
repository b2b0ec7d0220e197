"""Whether a release can be placed as it says: pools, conditions on nodes, queues."""

from collections.abc import Iterator

from sluice.core.capacity.allotment import allotment
from sluice.core.catalog.entries import Catalog
from sluice.core.checks.references import unknown
from sluice.core.finding import Finding
from sluice.core.names import nearest
from sluice.core.specs.resolve import Release
from sluice.core.workload.placement import has_priorities

_COMPARED = ("In", "NotIn")
_QUEUE = "placement.queue"


def check_placement(release: Release, catalog: Catalog) -> Iterator[Finding]:
    """What of `placement` the environment or the schedulers cannot honour."""
    yield from _pool(release)
    yield from _conditions(release)
    yield from _queue(release, catalog)


def _pool(release: Release) -> Iterator[Finding]:
    pools, named = release.environment.spec.pools, release.spec.placement.pool
    serving = [name for name, pool in pools.items() if pool.serves]
    if named is None and pools:
        message = "the environment keeps pools of nodes apart, and this release names none"
        remedy = f"set placement.pool to {' or '.join(serving) or 'one that serves'}"
        yield Finding(release.place("placement", key=True), "REF046", message, remedy)
    elif named is not None and named not in pools:
        close = nearest(named, tuple(serving))
        known = f"it has {', '.join(serving)}" if serving else "add spec.pools to the environment"
        remedy = f"did you mean {close!r}?" if close else known
        message = f"the environment has no pool {named!r}"
        yield Finding(release.place("placement.pool"), "REF046", message, remedy)
    elif named is not None and named not in serving:
        message = f"the pool {named!r} is not for releases"
        remedy = f"use {' or '.join(serving)}" if serving else "set its `serves` to true"
        yield Finding(release.place("placement.pool"), "REF046", message, remedy)


def _conditions(release: Release) -> Iterator[Finding]:
    placement = release.spec.placement
    for field, conditions in (("require", placement.require), ("prefer", placement.prefer)):
        for index, condition in enumerate(conditions):
            compared, operator = condition["operator"] in _COMPARED, condition["operator"]
            if compared == ("values" in condition):
                continue
            message = f"{operator} {'needs' if compared else 'takes no'} values"
            remedy = "add `values`" if compared else "remove `values`, or compare with In"
            place = release.origin(("placement", field, index))[0]
            yield Finding(place, "REF047", message, remedy)


def _queue(release: Release, catalog: Catalog) -> Iterator[Finding]:
    queue = release.spec.placement.queue
    if queue is None:
        return
    entry, scheduler = catalog.queueing(queue.scheduler), f"{_QUEUE}.scheduler"
    if entry is None:
        known = catalog.names("queueing")
        place = release.place(scheduler)
        yield unknown(place, "batch scheduler", queue.scheduler, known)
        return
    given = allotment(release.spec, catalog)
    if entry.scheduler and given and given.scheduler not in ("", entry.scheduler):
        message = f"{given.scheduler} must place these devices, and {entry.title} these pods"
        remedy = "use whole devices, another way of sharing, or a queue without a scheduler"
        yield Finding(release.place(scheduler), "REF048", message, remedy)
    if queue.priority is not None and not has_priorities(entry):
        message = f"{entry.title} has no priorities of its own"
        where = release.place(f"{_QUEUE}.priority", key=True)
        yield Finding(where, "REF049", message, "use placement.priorityClass")
    if release.spec.says(f"{_QUEUE}.preemptible") and not entry.preemptible:
        message = f"{entry.title} has nothing that preemptible could become"
        where = release.place(f"{_QUEUE}.preemptible", key=True)
        yield Finding(where, "REF049", message, "remove it")
