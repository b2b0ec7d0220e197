"""A release that a controller in the cluster rolls out, for teams that have one.

Git then says what is wanted, and not how far it has come; routes are the controller's to change.
What each controller does is in its record (`core.takeover.controller`).
"""

from collections.abc import Sequence
from typing import Any

from sluice.core.specs.resolve import Variant
from sluice.core.specs.rollout_plan import plan_of
from sluice.core.takeover.controller import Controller

MINUTE = 60
LOOKS = 10
"""How often a controller looks that does so at regular times, where nothing else sets them."""


def workload(variant: Variant) -> tuple[str, str]:
    """API version and kind of the workload on one node."""
    mover = variant.takeover.controller
    return mover.workload if mover else ("apps/v1", "Deployment")


def names(mover: Controller | None, release: str) -> set[str]:
    """The names of objects that there are because of a controller."""
    if mover is None:
        return set()
    return {f"{release}-canary", *({f"{release}-primary"} if mover.copies_stable else ())}


def plan(variant: Variant) -> dict[str, Any]:
    """What the templates of a controller use: steps and times, all in seconds."""
    found, strategy = plan_of(variant.spec), variant.takeover.strategy
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


def managed_route(variant: Variant, release: str) -> str | None:
    """The name of the rule that a controller adds to a route of ours while it rolls out.

    Where the candidate has a second route, that has it all.
    """
    takeover = variant.takeover
    provider = takeover.provider
    if not takeover.is_elsewhere or provider is None or provider.has_second_route:
        return None
    if takeover.pairing.makes_route:
        return None
    adds = takeover.strategy.copies or variant.spec.rollout.match
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
