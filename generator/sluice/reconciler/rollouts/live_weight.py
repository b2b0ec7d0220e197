"""The weight that the cluster gives a candidate: from its route, or from what was applied."""

from dataclasses import dataclass
from typing import Literal

from sluice import git
from sluice.core import layout, names
from sluice.core.cluster import Application
from sluice.core.documents.load import load
from sluice.core.finding import FindingsError, UsageError
from sluice.core.observation.live_routes import live_routes
from sluice.core.specs.rollout_plan import FULL
from sluice.reconciler.promotions.serving_history import read_state
from sluice.reconciler.rollouts.observers import Observers
from sluice.reconciler.rollouts.write import Case


@dataclass(frozen=True, slots=True)
class LiveWeight:
    """Percent of the requests for the candidate, None where it is not known; and who says so.

    `problem` is what is wrong with the route itself, and `astray` who gets requests that are
    neither version's, in words.
    """

    weight: int | None = None
    source: Literal["route", "application", ""] = ""
    problem: str = ""
    astray: str = ""


def read_live_weight(case: Case, observers: Observers, weighing: Application | None) -> LiveWeight:
    """What is read of the route itself, where that may be, and else what Argo CD applied.

    Args:
        case: the rollout.
        observers: who can be asked.
        weighing: the application that puts its weight in force.
    """
    read = _read_route(case, observers)
    if read is not None:
        return read
    revision = _read_applied(weighing)
    if revision is None:
        return LiveWeight()
    weight = read_weight(case, revision)
    changed = weight == case.rollout.weight and weighing is not None and not weighing.synced
    if weight is None or changed:  # it was applied, and is not what is there
        return LiveWeight()
    return LiveWeight(weight, "application")


def _read_route(case: Case, observers: Observers) -> LiveWeight | None:
    """What the routes in the cluster say; None where they cannot be read."""
    release, rollout = case.release, case.rollout
    provider = release.takeover.provider
    if provider is None:
        return None
    objects = observers.live_routes(release.environment, provider.route)
    if objects is None:
        return None
    name = release.key.name
    candidate = names.workload(name, rollout.candidate)
    stable = {name, names.workload(name, rollout.stable)}
    found = live_routes(provider, objects, name, candidate, stable)
    weight, astray = found.farthest(rollout.weight), ""
    if found.astray:
        services = " and ".join(found.astray)
        astray = f"the route {name} gives requests to {services}, which is neither version"
    return LiveWeight(weight, "" if weight is None else "route", found.problem, astray)


def _read_applied(application: Application | None) -> str | None:
    """The revision that is known to be applied: that of the comparison, or of the last sync."""
    if application is None:
        return None
    if application.synced:
        return application.revision or None
    revisions = [revision for revision, _ in application.deployed if revision]
    return revisions[-1] if revisions else None


def read_weight(case: Case, revision: str) -> int | None:
    """What a commit gives the candidate of a rollout; None where nobody knows the commit."""
    if case.base.contains(revision, case.history.clock):
        return case.rollout.weight
    repository, key = case.base.repository, case.release.key
    path, candidate = layout.rollout_path(key), case.rollout.candidate
    try:
        raw = git.read_tree(repository, revision, [path]).files.get(path)
        if raw is None:
            state = read_state(repository, git.commit_of(repository, revision), key)
            return FULL if state.version == candidate else 0
        spec = load(path, raw).data["spec"]
        if spec["candidate"] == candidate:
            return int(spec["weight"])
        serves = spec["stable"]["spec"]["model"]["version"] == candidate
        return FULL - int(spec["weight"]) if serves else 0
    except (UsageError, FindingsError, KeyError, TypeError, ValueError):
        return None
