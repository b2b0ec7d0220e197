"""Waits that nothing but a person ends: who is asked, and from when on."""

from dataclasses import replace

import pytest

from sluice.core.rollout.model import Asks, Observation, Replicas, State
from support.rollout_records import GOOD, PLAN, START, after, at, seen, tick

DAY = 24 * 3600
WARM = PLAN.warming
SICK = seen("FAIL", stable_ready=False)


@pytest.mark.parametrize("state", ["STEP", "PAUSED", "PROMOTING"])
def test_a_failure_that_nobody_else_can_answer_for_calls_a_person(state: State) -> None:
    found = tick(at(state), SICK, 60)
    assert (found.write, found.asks) == (None, "rescue")
    assert "help at once" in found.notes[-1]


@pytest.mark.parametrize("verdict", ["UNANSWERED", "UNEXPLAINED"])
def test_less_that_cannot_be_given_calls_a_person_too(verdict: str) -> None:
    found = tick(at("STEP"), seen(verdict, stable_ready=False), 60)  # type: ignore[arg-type]  # a verdict
    assert (found.write, found.asks) == (None, "rescue")
    assert "but the stable version has no ready replica" in found.reason


def test_one_replica_of_the_stable_version_is_enough_to_go_back() -> None:
    """Argo CD calls a Deployment degraded whose last replica still answers."""
    some = replace(SICK, replicas=Replicas(ready=4, stable=1))
    assert after(at("STEP"), some, 60) == ("lower", "ROLLING_BACK", 0)
    none = replace(SICK, replicas=Replicas(ready=4, stable=0))
    assert tick(at("STEP"), none, 60).write is None


@pytest.mark.parametrize(
    ("what", "why"),
    [
        (seen(), "the candidate is ready: 10 % of the requests"),  # a proposal nobody merges
        (seen(sync=replace(GOOD, healthy=False)), "not healthy"),
        (seen(blind="Prometheus does not answer"), "Prometheus does not answer"),
        (seen(sync=None, committed=START), "Argo CD"),
        (seen(replicas=Replicas(ready=1, stable=40, most=40)), "waits for replicas"),
    ],
)
def test_the_first_weight_does_not_keep_devices_longer_than_is_allowed(
    what: Observation, why: str
) -> None:
    patient = replace(at("WARMING"), plan=replace(PLAN, patience=3600))
    before = tick(patient, what, WARM + 3599)
    assert before.write is None or before.write.kind == "raise"
    assert before.asks == "decide"
    gone = tick(patient, what, WARM + 3600)
    assert gone.write is not None
    assert gone.write.rollout is not None
    assert gone.write.rollout.state == "ROLLING_BACK"
    assert why in gone.reason
    returning = tick(replace(patient, returning=True), what, WARM + 3600)
    assert returning.write is None or returning.write.kind == "raise"


@pytest.mark.parametrize(
    ("state", "weight", "what", "spent", "asks"),
    [
        ("WARMING", 0, seen(), WARM - 1, ""),
        ("WARMING", 0, seen(), WARM, "decide"),
        ("WARMING", 0, seen(sync=None, committed=START), WARM, "decide"),
        ("STEP", 10, seen("CONTINUE"), 600, ""),
        ("STEP", 10, seen("PASS"), 7200, "decide"),  # proposed, and nobody merges it
        ("GATED", 10, seen("PASS"), 60, "decide"),
        ("PAUSED", 0, seen(), 10 * DAY, "decide"),
        ("PROMOTING", 100, seen("CONTINUE", share=1.0), 3600, ""),
        ("PROMOTING", 100, seen("CONTINUE", share=1.0), 3600 + DAY, "decide"),
        ("FINALIZING", 100, seen(), 60, ""),
        ("FINALIZING", 100, seen(), 3600 + DAY, "decide"),
        ("ROLLING_BACK", 0, seen(weight=10), 3600, ""),
        ("ROLLING_BACK", 0, seen(weight=10), 3900, "decide"),
        ("ROLLING_BACK", 0, seen(sync=None, committed=START), 3900, "decide"),
    ],
)
def test_what_waits_too_long_asks_a_person(
    state: State, weight: int, what: Observation, spent: int, asks: Asks
) -> None:
    assert tick(at(state, weight=weight), what, spent).asks == asks


def test_what_goes_on_by_itself_asks_nobody() -> None:
    assert tick(at("STEP"), seen("FAIL"), 60).asks == ""
    assert tick(at("GATED"), seen("FAIL"), 60).asks == ""
