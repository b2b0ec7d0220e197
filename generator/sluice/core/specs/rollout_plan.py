"""The plan of a rollout in a release: its steps, and how long each wait may last."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sluice.core.units import seconds

FULL = 100


DAY = 24 * 3600
"""Seconds that a weight waits for a person where nothing else is said."""


@dataclass(frozen=True, slots=True)
class Step:
    """A weight in percent, the least time at it, and the longest; both in seconds."""

    weight: int
    soak: int
    longest: int
    manual: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What the release says about its rollout; times in seconds.

    Args:
        steps: weights below 100. One of 0 is a step whose traffic comes another way, by header
            for instance, or not at all.
        warming: how long a deployed candidate may take to become ready.
        rollback_window: how long the stable version is kept warm after the last step.
        drain: how long a rolled back candidate is kept for what it still answers.
        failure_age: a failure older than this does not roll back any more; a person decides.
        patience: how long it may wait for a person before it is rolled back, its first weight
            included. None: while the candidate has weight, for `patience_of` the state, and then it
            is set aside at 0.
        whole: all of the requests, which follow the last step: for how long beyond the rollback
            window it may take until the rollout ends, and whether a person must end it.
    """

    steps: tuple[Step, ...]
    warming: int = 3600
    rollback_window: int = 3600
    drain: int = 300
    failure_age: int = 1200
    patience: int | None = None
    whole: Step = Step(FULL, 0, DAY)


LONGEST = 24 * 3600
"""Seconds at one weight, when the release does not say."""


def plan_of(spec: Mapping[str, Any]) -> Plan:
    """The plan in a release's resolved spec.

    A strategy without steps shows the candidate to nobody, or to a header only, until a person
    lets it take over. All of the requests follow the last step, whether or not a step says so; one
    that does says how long the stable version is kept at least, and who ends that.
    """
    rollout = spec.get("rollout", {})
    listed = [_step(step) for step in rollout.get("steps", ())]
    steps = tuple(step for step in listed if step.weight < FULL)
    default = Plan(())
    whole = next((step for step in listed if step.weight == FULL), default.whole)
    window = seconds_of(rollout, "rollbackWindow", default.rollback_window)
    patience = rollout.get("maxWait")
    return Plan(
        steps=steps or (Step(0, 0, LONGEST, manual=True),),
        warming=seconds_of(rollout, "deadline", default.warming),
        rollback_window=max(window, whole.soak),
        drain=seconds_of(spec.get("lifecycle", {}), "drain", default.drain),
        failure_age=seconds_of(rollout, "maxFailureAge", default.failure_age),
        patience=None if patience is None else seconds(patience),
        whole=whole,
    )


def _step(step: Mapping[str, Any]) -> Step:
    soak = seconds(step["soak"])
    longest = max(soak, seconds_of(step, "maxSoak", LONGEST))
    return Step(step["weight"], soak, longest, step.get("approval", "automatic") == "manual")


def seconds_of(data: Mapping[str, Any], key: str, default: int) -> int:
    """A duration of a spec in seconds, or the default where none is written."""
    return seconds(data[key]) if key in data else default
