"""A release that a controller in the cluster rolls out, for teams that have one.

Git then says what is wanted, and not how far it has come; routes are the controller's to change.
What each controller does is in its record (`core.takeover.controller`).
"""

from collections.abc import Sequence
from typing import Any

<<<<<<< HEAD
from sluice.core.specs.records import ReleaseSpec
=======
from sluice.core.specs.resolve import Variant, lookup
>>>>>>> 471c614 (x)
from sluice.core.specs.rollout_plan import plan_of
from sluice.core.takeover.controller import Controller

<<<<<<< HEAD
STEADY = ("rolling", "recreate")
"""Strategies by which Kubernetes itself replaces pods: no two versions stand side by side."""
=======
>>>>>>> 471c614 (x)
MINUTE = 60
LOOKS = 10
"""How often a controller looks that does so at regular times, where nothing else sets them."""


<<<<<<< HEAD
@dataclass(frozen=True, slots=True)
class Controller:
    """What a controller is given, how it tells versions apart, and what it makes by itself.

    `arm` are the labels that the metrics of the new pods have; {release} stands for its name.
    `makes_copies` are the providers of traffic by which it has requests copied. `app` is the
    label that its Deployments select by, where that must be one of a few. `notes` say what is
    otherwise than where we do it.
    """

    workload: tuple[str, str]
    strategies: frozenset[str]
    arm: Mapping[str, str]
    pod_label: str
    app: str = ""
    makes_services: bool = False
    makes_routes: frozenset[str] = field(default_factory=frozenset)
    makes_copies: frozenset[str] = field(default_factory=frozenset)
    notes: tuple[str, ...] = ()


CONTROLLERS: Mapping[str, Controller] = {
    "argo-rollouts": Controller(
        workload=("argoproj.io/v1alpha1", "Rollout"),
        strategies=frozenset({"canary", "blue-green", "ab", "shadow"}),
        arm={"rollouts_pod_template_hash": "{{args.candidate}}"},
        pod_label="rollouts-pod-template-hash",
        makes_copies=frozenset({"istio"}),
        notes=(
            "the weight lives in the cluster: one that is built anew gives all to the new version",
            "after an abort Git names the version that failed, until somebody changes it",
        ),
    ),
    "flagger": Controller(
        workload=("apps/v1", "Deployment"),
        strategies=frozenset({"canary", "blue-green", "ab", "shadow"}),
        arm={"app": "{release}"},
        pod_label="app",
        app="app",
        makes_services=True,
        makes_routes=frozenset({"gateway", "istio"}),
        makes_copies=frozenset({"gateway", "istio"}),
        notes=(
            "the weight lives in the cluster: one that is built anew gives all to the new version",
            "after a rollback Git names the version that failed, until somebody changes it",
            "it looks once a step, and takes a version back one look after the one that failed",
            "where nothing was counted it takes the version back: no data is a failure to it",
            "in the end the stable version's copy loads the weights once more",
        ),
    ),
}


def name_of(spec: ReleaseSpec) -> str:
    """Who moves the weight."""
    return spec.rollout.controller


def controller(spec: ReleaseSpec) -> Controller | None:
    """The controller in the cluster that moves it; None where none does."""
    steady = spec.rollout.strategy in STEADY
    return None if steady else CONTROLLERS.get(name_of(spec))


def is_elsewhere(spec: ReleaseSpec) -> bool:
    """Whether a controller in the cluster moves it."""
    return controller(spec) is not None


def workload(spec: ReleaseSpec) -> tuple[str, str]:
=======
def workload(variant: Variant) -> tuple[str, str]:
>>>>>>> 471c614 (x)
    """API version and kind of the workload on one node."""
    mover = variant.takeover.controller
    return mover.workload if mover else ("apps/v1", "Deployment")


<<<<<<< HEAD
def names(spec: ReleaseSpec, release: str) -> set[str]:
=======
def names(mover: Controller | None, release: str) -> set[str]:
>>>>>>> 471c614 (x)
    """The names of objects that there are because of a controller."""
    if mover is None:
        return set()
    return {f"{release}-canary", *({f"{release}-primary"} if mover.copies_stable else ())}


<<<<<<< HEAD
def plan(spec: ReleaseSpec) -> dict[str, Any]:
    """What the templates of a controller use: steps and times, all in seconds."""
    found, strategy = plan_of(spec), spec.rollout.strategy
=======
def plan(variant: Variant) -> dict[str, Any]:
    """What the templates of a controller use: steps and times, all in seconds."""
    found, strategy = plan_of(variant.spec), variant.takeover.strategy
>>>>>>> 471c614 (x)
    soaks = [step.soak for step in found.steps]
    rhythm = looks(soaks, once_a_step=strategy.is_weighted)
    return {
        "steps": [{"weight": s.weight, "soak": s.soak, "manual": s.manual} for s in found.steps],
        "weighed": strategy.is_weighted,
        "chosen": strategy.chooses,
        "copied": strategy.copies,
        "all_at_once": strategy.is_switched,
        "manual": any(step.manual for step in found.steps),
        "soak": max(1, sum(soaks)),
        "window": found.rollback_window,
        "drain": found.drain,
        "deadline": found.warming,
        **rhythm,
    }


<<<<<<< HEAD
def managed_route(spec: ReleaseSpec, release: str, provider: str | None) -> str | None:
=======
def managed_route(variant: Variant, release: str) -> str | None:
>>>>>>> 471c614 (x)
    """The name of the rule that a controller adds to a route of ours while it rolls out.

    Where the candidate has a second route, that has it all.
    """
    takeover = variant.takeover
    provider = takeover.provider
    if not takeover.is_elsewhere or provider is None or provider.has_second_route:
        return None
<<<<<<< HEAD
    adds = spec.rollout.strategy == "shadow" or spec.rollout.match
=======
    if takeover.pairing.makes_route:
        return None
    adds = takeover.strategy.copies or lookup(variant.spec, "rollout.match")
>>>>>>> 471c614 (x)
    return f"{release}-candidate" if adds else None


def looks(soaks: Sequence[int], *, once_a_step: bool) -> dict[str, int]:
    """When a controller looks that does so at regular times, and what it takes for a failure.

    Where each look leads to the next weight, the first bad one is one too many. Elsewhere a look
    too early counts too little and so as bad, which half of them may be.
    """
    if once_a_step:
        return {"interval": soaks[0], "rounds": len(soaks), "threshold": 1}
    interval = max(MINUTE, -(-sum(soaks) // LOOKS))
    rounds = max(1, -(-sum(soaks) // interval))
    return {"interval": interval, "rounds": rounds, "threshold": max(1, rounds // 2)}
