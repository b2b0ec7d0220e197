"""What runs where: each environment and release as Git has them, and what others say of them.

Git is read whole; a forge and Argo CD are asked only where they can be. What nobody was asked, or
did not answer, is None here and `unknown` says why: it is never taken for "nothing".
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sluice.core import layout
from sluice.core.capacity.parallel import parallel_of
from sluice.core.capacity.quota import Use, left_over, quota_of
from sluice.core.catalog.entries import Catalog
from sluice.core.checks.references import REQUIRED, missing
from sluice.core.cluster import Application
from sluice.core.finding import in_order
from sluice.core.forge import PullRequest
from sluice.core.gates.table import condition
from sluice.core.layout import Key
from sluice.core.observation.argocd import application_name, routes_name
from sluice.core.observation.following import Following, following_data
from sluice.core.pipeline import Specs, Standing, standings
from sluice.core.plan.cost import Totals, release_totals
from sluice.core.promotion.branches import branch_of, is_group
from sluice.core.promotion.group import branch_of_group, share_of
from sluice.core.promotion.message import read_marker
from sluice.core.reports.status_evidence import evaluation_of, judgement_of
from sluice.core.rollout.file import rollout_of, to_text
from sluice.core.rollout.model import Rollout
from sluice.core.specs.resolve import Environment, Release
from sluice.core.specs.rollout_plan import FULL
from sluice.core.specs.rollout_records import Gate
from sluice.core.unforeseen import UnforeseenError, apart
from sluice.core.units import duration

VERSION = 1
_CENTS = 4
_WAITS = "sluice/waits"
_ROLLOUT_BRANCH = ".rollout"
_NEXT = {
    "STABLE": "nothing is under way",
    "GATED": "a person lets it go on, or gives it up",
    "INCONCLUSIVE": "a person decides: the measurements did not",
    "FROZEN": "it goes on when that is over",
    "PAUSED": "a person resumes it",
    "PROMOTING": "the stable version is kept until this one has everything",
    "FINALIZING": "the stable version goes when its time to come back has passed",
    "ROLLING_BACK": "every request goes back to the stable version",
    "ROLLED_BACK": "the candidate goes",
}


@dataclass(frozen=True)
class Outside:
    """What is known beside the specs; None where it is not known, with the reason in `unknown`.

    `pulls` are the open ones, `applications` what Argo CD says by namespace and name, `following`
    how the cluster does what Git says. `revision` is the commit that the specs are from, empty for
    files that are in no commit.
    """

    revision: str = ""
    pulls: Sequence[PullRequest] | None = None
    applications: Mapping[tuple[str, str], Application | None] | None = None
    unknown: Mapping[str, str] = field(default_factory=dict)
    following: Mapping[Key, Following | None] = field(default_factory=dict)


def status(
    specs: Specs,
    catalog: Catalog,
    files: Mapping[str, bytes],
    outside: Outside,
    environment: str | None = None,
) -> dict[str, Any]:
    """All of it as JSON has it; schemas/status.schema.json describes it.

    Args:
        specs: environments and releases; what cannot be read of them is listed as broken.
        catalog: prices and devices.
        files: the same tree with its evidence, by path.
        outside: what others say.
        environment: only this one.
    """
    specs = _complete(specs)
    names = [n for n in sorted(specs.environments) if environment in (None, n)]
    pulls = None if outside.pulls is None else _by_branch(outside.pulls)
    releases: list[dict[str, Any]] = []
    odd: dict[Key, UnforeseenError] = {}
    for each in (each for name in names for each in specs.of(name)):
        try:
            with apart("the status of a release"):
                releases.append(_release(each, catalog, files, pulls, outside))
        except UnforeseenError as error:
            odd[each.key] = error
    whole = specs
    specs = specs.apart(specs.releases.keys() - odd) if odd else specs
    return {
        "version": VERSION,
        "revision": outside.revision,
        "unknown": dict(sorted(outside.unknown.items())),
        "environments": [_environment(specs, name, catalog) for name in names],
        "releases": releases,
        "broken": [*_broken(whole, files, environment), *_odd(odd)],
    }


def _odd(odd: Mapping[Key, UnforeseenError]) -> Iterator[dict[str, str]]:
    """The releases of which nothing can be told."""
    for key, error in odd.items():
        yield {"file": layout.release_path(key), "reason": str(error)}


def _complete(specs: Specs) -> Specs:
    """The specs without releases that lack what nothing can be told without; they are findings."""
    lacking = {
        key: release
        for key, release in specs.releases.items()
        if not all(release.spec.says(path) for path in REQUIRED)
    }
    if not lacking:
        return specs
    kept = {key: each for key, each in specs.releases.items() if key not in lacking}
    found = [finding for release in lacking.values() for finding in missing(release)]
    return Specs(specs.environments, kept, [*specs.findings, *found])


def _environment(specs: Specs, name: str, catalog: Catalog) -> dict[str, Any]:
    environment, releases = specs.environments[name], specs.of(name)
    totals = sum((release_totals(each, catalog) for each in releases), Totals())
    follows = environment.spec.follows
    return {
        "name": name,
        "file": layout.environment_path(name),
        "cluster": environment.spec.cluster.server,
        "namespace": environment.spec.namespace,
        "follows": str(follows) if follows else None,
        "review": environment.spec.promotion.review,
        "releases": len(releases),
        "devices": _devices(totals),
        "cost": _cost(totals),
        "quota": list(_quota(environment, standings(specs, catalog).get(name, Standing()).use)),
    }


def _quota(environment: Environment, use: Use) -> Iterator[dict[str, Any]]:
    left = left_over(environment, use)
    for resource, most in sorted(quota_of(environment).items()):
        yield {"resource": resource, "used": most - left[resource], "quota": most}


def _release(
    release: Release,
    catalog: Catalog,
    files: Mapping[str, bytes],
    pulls: Mapping[str, Sequence[PullRequest]] | None,
    outside: Outside,
) -> dict[str, Any]:
    key, spec = release.key, release.spec
    rollout = rollout_of(spec, release.rollout.data["spec"] if release.rollout else None)
    totals = release_totals(release, catalog)
    return {
        "release": str(key),
        **key._asdict(),
        "file": layout.release_path(key),
        "follows": str(release.follows) if release.follows else None,
        "model": {"name": spec.model.name, "version": spec.model.version},
        "engine": {"name": spec.engine.name, "version": spec.engine.version},
        "accelerator": {
            "name": spec.accelerator.name,
            "count": spec.accelerator.count,
            "share": spec.accelerator.share is not None,
            "nodes": parallel_of(spec).nodes,
        },
        "replicas": {"least": spec.scaling.least, "most": spec.scaling.most},
        "devices": _devices(totals),
        "cost": _cost(totals),
        "rollout": _rollout(release, rollout),
        "gates": [_gate(gate) for gate in spec.gates],
        "quarantine": list(spec.model.quarantine),
        "evaluation": evaluation_of(key, spec.model.version, files),
        "judgement": judgement_of(key, rollout, files) if release.rollout else None,
        "pulls": None if pulls is None else [_pull(p, key) for p in _own(release, pulls)],
        "argocd": _application(release, outside),
        "following": _following(outside.following.get(key)),
    }


def _gate(gate: Gate) -> str:
    return " ".join(filter(None, (gate.metric, condition(gate))))


def _rollout(release: Release, rollout: Rollout) -> dict[str, Any]:
    return {
        "strategy": release.takeover.strategy.name,
        "state": rollout.state,
        "candidate": rollout.candidate,
        "stable": rollout.stable,
        "weight": FULL if rollout.state == "STABLE" else rollout.weight,
        "step": rollout.step,
        "weights": [step.weight for step in rollout.plan.steps] if release.rollout else [],
        "since": to_text(rollout.since) if rollout.since else None,
        "reason": rollout.reason,
        "next": _next(rollout),
    }


def _next(rollout: Rollout) -> str:
    """What the plan has next; whether it comes to that is for the measurements to say."""
    steps, at = rollout.plan.steps, rollout.step
    if rollout.state == "WARMING":
        return f"{steps[0].weight} % once it is ready"
    if rollout.state != "STEP" or at >= len(steps):
        return _NEXT.get(rollout.state, "every request")
    weight = steps[at + 1].weight if at + 1 < len(steps) else FULL
    waits = ", when a person says so" if steps[at].manual else ""
    return f"{weight} % after {duration(steps[at].soak) or '0s'} at the least{waits}"


def _own(release: Release, pulls: Mapping[str, Sequence[PullRequest]]) -> Iterable[PullRequest]:
    """The open pull requests about a release: its own, its rollout's, one that it shares."""
    own = branch_of(release.key)
    for branch in (own, f"{own}{_ROLLOUT_BRANCH}"):
        yield from pulls.get(branch, ())
    for pull in pulls.get(branch_of_group(release), ()):
        if read_marker(share_of(pull, str(release.key)).body):
            yield pull


def _pull(pull: PullRequest, key: Key) -> dict[str, Any]:
    shared = is_group(pull.branch)
    said = read_marker(share_of(pull, str(key)).body if shared else pull.body)
    rollout = pull.branch.endswith(_ROLLOUT_BRANCH)
    return {
        "number": pull.number,
        "title": pull.title,
        "version": said[0] if said and not rollout else None,
        "about": "rollout" if rollout else "promotion",
        "waits": _WAITS in pull.labels,
        "shared": shared,
    }


def _by_branch(pulls: Iterable[PullRequest]) -> dict[str, list[PullRequest]]:
    found: dict[str, list[PullRequest]] = {}
    for pull in pulls:
        if pull.state == "open":
            found.setdefault(pull.branch, []).append(pull)
    return found


def _application(release: Release, outside: Outside) -> dict[str, Any] | None:
    argocd = release.environment.spec.argocd
    if argocd is None or outside.applications is None:
        return None
    namespace = argocd.namespace
    found = outside.applications.get((namespace, application_name(release)))
    if found is None:
        return None
    routes = outside.applications.get((namespace, routes_name(release) or ""))
    return {
        "synced": found.synced,
        "health": found.health,
        "revision": found.revision,
        "routes": routes and {"synced": routes.synced, "revision": routes.revision},
    }


def _following(found: Following | None) -> dict[str, Any] | None:
    return None if found is None else following_data(found)


def _devices(totals: Totals) -> dict[str, int]:
    return {
        "least": totals.least_devices,
        "most": totals.most_devices,
        "rollout": totals.rollout_devices,
    }


def _cost(totals: Totals) -> dict[str, Any]:
    """An hour, in the catalog's currency; None where a price is not known."""
    costs = (totals.least_cost, totals.most_cost, totals.rollout_cost)
    least, most, rollout = (None if c is None else round(c, _CENTS) for c in costs)
    return {"least": least, "most": most, "rollout": rollout, "unpriced": list(totals.unpriced)}


def _broken(
    specs: Specs, files: Mapping[str, bytes], environment: str | None
) -> Iterator[dict[str, str]]:
    """Files of environments and releases that cannot be used, with the first reason of each."""
    reasons: dict[str, str] = {}
    for finding in in_order(specs.findings):
        reasons.setdefault(finding.place.file, finding.message)
    for path in sorted(files):
        name, key = layout.environment_of(path), layout.release_of(path)
        if environment not in (None, name or (key and key.environment)):
            continue
        lost = name is not None and name not in specs.environments
        if lost or (key is not None and key not in specs.releases):
            said = reasons.get(path, "")
            if said or path.endswith("/release.yaml"):
                yield {"file": path, "reason": said or "another file of it cannot be read"}
