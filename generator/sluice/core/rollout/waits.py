"""Which waits only a person ends, so that one must be asked; no wait lasts in silence.

A weight that waits is taken away in time (`machine`). What keeps no client waiting is not: devices
of a candidate without weight, and of a stable version that is not needed any more. To take these
away by the clock would put a version into quarantine because somebody was on holiday, so it is
done where the release says `maxWait`, and a person is asked elsewhere.
"""

from sluice.core.rollout.checks import waited
from sluice.core.rollout.model import HELD, Asks, Decision, Observation, Rollout

HOUR = 3600
"""Seconds in which routes that lead away from a version have surely been applied."""


def asks_of(rollout: Rollout, seen: Observation, now: int, decision: Decision) -> Asks:
    """What a person is asked for: to decide, to come to the rescue, or nothing."""
    if decision.asks:
        return decision.asks
    write = decision.write
    if rollout.state == "STABLE" or (write is not None and write.lane == "push"):
        return ""
    overdue = waited(seen, now) >= _usual(rollout)
    awaited = write is not None and write.approval
    return "decide" if rollout.state in HELD or overdue or awaited else ""


def _usual(rollout: Rollout) -> int:
    """Seconds that a state may last before somebody should look."""
    plan = rollout.plan
    if rollout.state == "WARMING":
        return plan.warming
    if rollout.state in ("PROMOTING", "FINALIZING"):
        return plan.rollback_window + plan.whole.longest
    if rollout.state == "STEP" and rollout.step < len(plan.steps):
        return plan.steps[rollout.step].longest
    return plan.drain + HOUR
