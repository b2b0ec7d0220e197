"""Rollouts and observations for tests, with all that a case does not name well."""

from collections.abc import Callable
from typing import Any

from sluice.core.analysis.judgement import Judgement, Verdict
from sluice.core.rollout.machine import next_step
from sluice.core.rollout.model import Decision, Observation, Rollout, State, Sync, Write
from sluice.core.specs.rollout_plan import FULL, Plan, Step

PLAN = Plan(
    (Step(10, 600, 7200), Step(50, 600, 7200)),
    warming=1800,
    rollback_window=3600,
    drain=300,
    failure_age=1200,
)
WEIGHTS = {"WARMING": 0, "PROMOTING": FULL, "FINALIZING": FULL, "ROLLING_BACK": 0, "ROLLED_BACK": 0}
UNDER_WAY: tuple[State, ...] = (
    "WARMING",
    "STEP",
    "GATED",
    "INCONCLUSIVE",
    "FROZEN",
    "PAUSED",
    "PROMOTING",
    "FINALIZING",
)
START = 1_000_000


STEPS = [
    {"weight": 1, "soak": "1m", "maxSoak": "1h"},
    {"weight": 10, "soak": "10m", "maxSoak": "1h", "approval": "manual"},
    {"weight": 50, "soak": "10m", "maxSoak": "1h"},
]
STABLE: dict[str, Any] = {"model": {"name": "chat", "version": "7", "source": "pvc://m/7"}}


def spec(edit: int = 0) -> dict[str, Any]:
    return {
        "model": {"name": "chat", "version": "8", "source": "pvc://m/8"},
        "rollout": {"strategy": "canary", "steps": STEPS, "rollbackWindow": "30m"},
        "serving": {"maxSequences": 8 + edit},
    }


def at(state: State, **more: Any) -> Rollout:  # noqa: ANN401  # fields of a rollout
    given = {"weight": WEIGHTS.get(state, 10), "since": START, "reason": "a reason", **more}
    return Rollout(state, PLAN, "8", "7", spec_hash="x", current_hash="x", **given)


GOOD = Sync(contains=True, synced=True, healthy=True, deployed=START, since=START)


def judged(verdict: Verdict, **more: Any) -> Judgement:  # noqa: ANN401  # fields of a judgement
    return Judgement(verdict, reason=f"verdict {verdict}", **more)


def seen(verdict: Verdict | None = None, **more: Any) -> Observation:  # noqa: ANN401  # fields
    failed_at = START if verdict == "FAIL" else None
    judgement = judged(verdict, failed_at=failed_at) if verdict else None
    given = {"sync": GOOD, "ready": True, "stable_ready": True, "judgement": judgement, **more}
    return Observation(**given)


def tick(rollout: Rollout, what: Observation, spent: int = 0) -> Decision:
    return next_step(rollout, what, START + spent)


def write(rollout: Rollout, what: Observation, spent: int = 0) -> Write:
    found = tick(rollout, what, spent).write
    assert found is not None
    return found


def after(rollout: Rollout, what: Observation, spent: int = 0) -> tuple[str, str, int]:
    found = write(rollout, what, spent)
    assert found.rollout is not None
    return found.kind, found.rollout.state, found.rollout.weight


def played(
    rollout: Rollout,
    now: int,
    verdict: Verdict | None,
    read_back: Callable[[Rollout], Rollout],
) -> Rollout:
    """Where the reconciler alone ends up; pull requests that may merge by themselves do so.

    Without a verdict nothing is seen at all.
    """
    for _ in range(30):
        now += 10_000
        in_force = Sync(contains=True, synced=True, healthy=True, deployed=now, since=now - 9999)
        judgement = Judgement(verdict, failed_at=now) if verdict else None
        good = seen(sync=in_force, judgement=judgement, share=1.0)
        asked = next_step(rollout, good if verdict else Observation(), now).write
        if asked is None or asked.approval:
            continue
        if asked.rollout is None:
            version = rollout.candidate if asked.kind == "settle" else rollout.stable
            return Rollout("STABLE", rollout.plan, version, version)
        rollout = read_back(asked.rollout)
    return rollout
