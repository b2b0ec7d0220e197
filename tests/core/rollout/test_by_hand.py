"""What people ask of a rollout, and the files in which it stands."""

from dataclasses import replace
from typing import Any

import pytest

from sluice.core.finding import UsageError
from sluice.core.rollout.by_hand import VERBS
from sluice.core.rollout.file import document, fields, from_text, rollout_of, spec_hash, to_text
from sluice.core.rollout.model import Observation, State
from sluice.core.specs.records import read_release
from sluice.core.specs.rollout_plan import Step, plan_of
from support.rollout_records import START, at, seen


@pytest.mark.parametrize(
    ("verb", "state", "said"),
    [
        ("promote", "WARMING", "once the candidate is ready"),
        ("promote", "PROMOTING", "there is no further step"),
        ("resume", "STEP", "`sluice rollout status` says what it waits for"),
        ("pause", "PAUSED", "`sluice rollout resume` lets it go on"),
        ("abort", "ROLLING_BACK", "nothing is left to abort"),
        ("resume", "ROLLED_BACK", "nothing is left to resume"),
    ],
)
def test_a_verb_that_does_not_fit_is_refused_with_what_to_do(
    verb: str, state: State, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        VERBS[verb](at(state), seen(), START, "now")


def test_pause_and_resume() -> None:
    paused = VERBS["pause"](at("STEP"), Observation(), START, "lunch").rollout
    assert paused is not None
    assert (paused.state, paused.weight) == ("PAUSED", 10)
    resumed = VERBS["resume"](replace(paused, current_hash="y"), seen(), START, "back").rollout
    assert resumed is not None
    assert (resumed.state, resumed.weight, resumed.spec_hash) == ("STEP", 10, "y")


@pytest.mark.parametrize(
    ("weight", "state", "kind"),
    [
        (0, "WARMING", "hold"),
        (100, "PROMOTING", "hold"),
        (37, "STEP", "lower"),
        (5, "STEP", "raise"),
    ],
)
def test_resume_puts_the_weight_right(weight: int, state: str, kind: str) -> None:
    asked = VERBS["resume"](at("PAUSED", weight=weight), seen(), START, "go")
    assert asked.rollout is not None
    assert (asked.kind, asked.rollout.state) == (kind, state)


def test_promote_by_hand_is_for_a_person_to_merge() -> None:
    asked = VERBS["promote"](at("INCONCLUSIVE"), seen(), START, "I looked")
    assert (asked.kind, asked.lane, asked.approval) == ("raise", "pull request", True)


@pytest.mark.parametrize(
    ("verb", "state", "what"),
    [
        ("pause", "ROLLING_BACK", seen()),
        ("resume", "STEP", seen()),
        ("abort", "ROLLED_BACK", seen()),
        ("abort", "STEP", seen(stable_ready=False)),
        ("promote", "STEP", seen(ready=None)),
        ("promote", "WARMING", seen()),
        ("promote", "PROMOTING", seen()),
        ("pause", "STABLE", seen()),
    ],
)
def test_what_makes_no_sense_by_hand_is_refused(verb: str, state: State, what: Observation) -> None:
    with pytest.raises(UsageError):
        VERBS[verb](at(state), what, START, "")


SPEC: dict[str, Any] = {
    "model": {"name": "chat", "version": "8", "source": "pvc://m/8"},
    "rollout": {
        "strategy": "canary",
        "steps": [
            {"weight": 10, "soak": "10m", "maxSoak": "2h", "approval": "manual"},
            {"weight": 50, "soak": "10m"},
            {"weight": 100, "soak": "10m"},
        ],
        "rollbackWindow": "30m",
    },
    "lifecycle": {"drain": "90s"},
    "gates": [{"metric": "a", "min": 1}],
}


def test_the_plan_of_a_release() -> None:
    plan = plan_of(read_release(SPEC))
    assert plan.steps == (Step(10, 600, 7200, manual=True), Step(50, 600, 86400))
    assert (plan.rollback_window, plan.drain, plan.patience) == (1800, 90, None)


def test_a_strategy_without_steps_waits_for_a_person() -> None:
    assert plan_of(read_release({"rollout": {"strategy": "blue-green"}})).steps == (
        Step(0, 0, 86400, manual=True),
    )


def test_a_rollout_survives_its_file() -> None:
    rollout = replace(
        rollout_of(read_release(SPEC), None), state="STEP", stable="7", weight=10, since=START
    )
    rollout = replace(rollout, reason="because")
    written = document("chat", rollout, {"model": {"name": "chat", "version": "7"}})["spec"]
    assert rollout_of(read_release(SPEC), written) == rollout
    assert "since" not in fields(replace(rollout, since=0))


def test_the_hash_sees_an_edit_but_not_what_brings_versions() -> None:
    same = {
        **SPEC,
        "gates": [],
        "follows": {"alias": "eu"},
        "model": {**SPEC["model"], "quarantine": ["8"]},
    }
    assert spec_hash(read_release(same)) == spec_hash(read_release(SPEC))
    assert spec_hash(read_release({**SPEC, "lifecycle": {"drain": "91s"}})) != spec_hash(
        read_release(SPEC)
    )


def test_times_are_read_back() -> None:
    assert to_text(START) == "1970-01-12T13:46:40Z"
    assert from_text(to_text(START)) == START
