"""What is seen of one rollout: Argo CD's word, and the judgement on what was counted."""

from typing import Any

from sluice.core.gates.windows import hold
from sluice.core.observation.argocd import (
    Applications,
    application_name,
    ready_of,
    routes_name,
    sync_of,
)
from sluice.core.rollout.model import Observation, Sync
from sluice.core.specs.resolve import Release
from sluice.reconciler.rollouts.counting import Counted
from sluice.reconciler.rollouts.live_weight import LiveWeight, read_live_weight
from sluice.reconciler.rollouts.observers import Observers
from sluice.reconciler.rollouts.write import Case


def read_sync(case: Case, observers: Observers, now: int) -> Sync | None:
    """Where Argo CD is with the committed weight."""

    def contains(revision: str) -> bool:
        return case.base.contains(revision, case.history.clock)

    times, warming = (case.history.time, now), case.rollout.state == "WARMING"
    return sync_of(applications(case.release, observers), contains, times, warming=warming)


def observe(case: Case, observers: Observers, numbers: Counted | None, now: int) -> Observation:
    """All that one tick knows of a rollout."""
    workload = applications(case.release, observers).workload
    routed = read_live(case, observers)
    measured = _measure(numbers) if numbers else {}
    if routed.astray:
        measured["misrouted"] = routed.astray
    return Observation(
        weight=routed.weight,
        sync=read_sync(case, observers, now),
        ready=ready_of(workload, case.release, stable=False),
        stable_ready=ready_of(workload, case.release, stable=True),
        reverted=case.history.reverted,
        held=_find_held(case, now),
        committed=case.history.time,
        **measured,
    )


def _measure(numbers: Counted) -> dict[str, Any]:
    return {
        "share": numbers.share,
        "judgement": numbers.judgement,
        "alarms": numbers.alarms,
        "misrouted": numbers.misrouted,
        "unseen": numbers.unseen,
        "replicas": numbers.replicas,
        "restarts": numbers.counts.restarts if numbers.counts else 0,
        "gap": numbers.gap,
        "blind": numbers.blind,
    }


def _find_held(case: Case, now: int) -> str:
    """Why nothing merges by itself now; where a person merges, that person knows the calendar."""
    promotion = case.release.environment.spec.promotion
    return hold(promotion, now) if promotion.is_automatic else ""


def read_live(case: Case, observers: Observers) -> LiveWeight:
    """The weight that the cluster gives the candidate."""
    return read_live_weight(case, observers, applications(case.release, observers).weighing)


def namespace_of(release: Release) -> str | None:
    """Where the Argo CD of a release has its applications; None where there is none."""
    argocd = release.environment.spec.argocd
    return None if argocd is None else argocd.namespace


def applications(release: Release, observers: Observers) -> Applications:
    """What Argo CD says of a release; nothing where its environment has none."""
    namespace, routes = namespace_of(release), routes_name(release)
    if namespace is None:
        return Applications(None, routed=routes is not None)
    workload = observers.application(namespace, application_name(release))
    routing = observers.application(namespace, routes) if routes else None
    return Applications(workload, routing, routed=routes is not None)
