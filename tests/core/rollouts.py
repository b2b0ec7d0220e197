"""Rollouts and observations for tests, with all that a case does not name well."""

from typing import Any

from sluice.core.rollout.judgement import Judgement, Verdict
from sluice.core.rollout.machine import next_step
from sluice.core.rollout.model import (
    FULL,
    Decision,
    Observation,
    Plan,
    Rollout,
    State,
    Step,
    Sync,
    Write,
)

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
