"""The plan of a rollout in a release: its steps, and how long each wait may last."""

from dataclasses import dataclass

from sluice.core.specs.records import ReleaseSpec
from sluice.core.specs.rollout_records import RolloutStep

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


def plan_of(spec: ReleaseSpec) -> Plan:
    """The plan in a release's resolved spec.

    A strategy without steps shows the candidate to nobody, or to a header only, until a person
    lets it take over. All of the requests follow the last step, whether or not a step says so; one
    that does says how long the stable version is kept at least, and who ends that.
    """
    rollout = spec.rollout
    listed = [_step(step) for step in rollout.steps]
    steps = tuple(step for step in listed if step.weight < FULL)
    whole = next((step for step in listed if step.weight == FULL), Plan(()).whole)
    return Plan(
        steps=steps or (Step(0, 0, LONGEST, manual=True),),
        warming=rollout.deadline,
        rollback_window=max(rollout.rollback_window, whole.soak),
        drain=spec.lifecycle.candidate_drain,
        failure_age=rollout.max_failure_age,
        patience=rollout.max_wait,
        whole=whole,
    )


def _step(step: RolloutStep) -> Step:
    longest = LONGEST if step.max_soak is None else step.max_soak
    return Step(step.weight, step.soak, max(step.soak, longest), step.approval == "manual")
