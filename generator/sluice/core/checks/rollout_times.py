"""Steps and times of a rollout that could only wait, or that contradict each other."""

from collections.abc import Iterator

from sluice.core.analysis.signals import warm_up
from sluice.core.finding import Finding, Severity
from sluice.core.specs.resolve import Release
from sluice.core.specs.rollout_plan import LONGEST, plan_of
from sluice.core.specs.rollout_records import RolloutStep
from sluice.core.units import duration

BATCH = 60
"""Seconds that are counted together."""


def check_times(release: Release) -> Iterator[Finding]:
    """What of the steps could only wait; controllers in the cluster have times of their own."""
    for index, step in enumerate(release.spec.rollout.steps):
        for field, message, remedy in _of_step(release, step, index):
            path = ("rollout", "steps", index, field)
            yield Finding(release.origin(path)[0], "REF075", message, remedy)
    if not release.takeover.is_ours:
        return
    yield from _failure_age(release)
    yield from _measured(release)


def _of_step(release: Release, step: RolloutStep, index: int) -> Iterator[tuple[str, str, str]]:
    """Of one step: the field, what is wrong with it, and what to do."""
    longest = max(step.soak, LONGEST) if step.max_soak is None else step.max_soak
    if longest < step.soak:
        text = release.spec.written("rollout.steps")[index]
        message = f"the longest time, {text['maxSoak']}, is shorter than the least, {text['soak']}"
        yield "maxSoak", message, "make maxSoak the longer one"
    elif longest <= warm_up(release.spec) + BATCH:
        message = f"after {duration(longest)} nothing is counted yet: the warm-up alone takes"
        warming = duration(warm_up(release.spec))
        remedy = "make maxSoak longer, or rollout.analysis.warmUp shorter"
        yield "maxSoak", f"{message} {warming}, and a batch {duration(BATCH)}", remedy
    matched = release.spec.rollout.match is not None
    unseen = release.takeover.strategy.is_unseen(matched=matched)
    automatic = step.approval == "automatic"
    if step.weight == 0 and unseen and automatic and not release.takeover.is_elsewhere:
        message = "no request reaches the new version in this step, so that nothing lets it go on"
        yield "weight", message, "add `approval: manual`, or give it a weight"


def _failure_age(release: Release) -> Iterator[Finding]:
    """A failure is as old as its batch, and that can be asked for only some time later."""
    least = BATCH + release.environment.spec.monitoring.prometheus.delay
    oldest = plan_of(release.spec).failure_age
    if oldest <= least:
        message = f"a failure is {duration(least)} old when it is seen, so that none would count"
        place = release.place("rollout.maxFailureAge")
        yield Finding(place, "REF075", message, f"make it longer than {duration(least)}")


def _measured(release: Release) -> Iterator[Finding]:
    """Steps that wait for evidence of which nothing comes."""
    address = release.environment.spec.monitoring.prometheus.address
    if address or all(step.manual for step in plan_of(release.spec).steps):
        return
    message = "nobody is asked what is measured: no step goes on by itself, and nothing goes back"
    remedy = "set monitoring.prometheus.address of the environment, or let a person approve steps"
    place = release.place("rollout.strategy")
    yield Finding(place, "REF076", message, remedy, Severity.WARNING)
