"""Every state of a rollout with what it does, one case after the other."""

from dataclasses import replace
from typing import Any

import pytest

from core.rollouts import GOOD, PLAN, START, UNDER_WAY, after, at, judged, seen, tick, write
from sluice.core.rollout.by_hand import VERBS
from sluice.core.rollout.judgement import Verdict
from sluice.core.rollout.model import LEAVING, Observation, State, Sync
from sluice.core.rollout.moves import recover


def test_nothing_is_done_when_nothing_is_under_way() -> None:
    assert tick(at("STABLE", weight=0), seen("FAIL")).write is None


def test_a_ready_candidate_gets_the_first_weight_by_pull_request() -> None:
    asked = write(at("WARMING"), seen())
    assert (asked.kind, asked.lane, asked.approval) == ("raise", "pull request", False)
    assert after(at("WARMING"), seen()) == ("raise", "STEP", 10)


@pytest.mark.parametrize(
    "what",
    [
        seen(ready=False),
        seen(ready=None),
        seen(sync=None),
        seen(sync=replace(GOOD, contains=False)),
        seen(sync=replace(GOOD, synced=False)),
        seen(sync=replace(GOOD, healthy=False, since=None)),
    ],
)
def test_nothing_is_routed_to_a_version_that_is_not_known_to_be_ready(what: Observation) -> None:
    assert tick(at("WARMING"), what).write is None


def test_a_candidate_that_does_not_become_ready_is_rolled_back() -> None:
    broken = seen(sync=replace(GOOD, healthy=False, since=None), ready=False)
    assert tick(at("WARMING"), broken, 1799).write is None
    assert after(at("WARMING"), broken, 1800) == ("lower", "ROLLING_BACK", 0)


def test_a_candidate_that_was_ready_and_waits_for_a_merge_is_not_late() -> None:
    """Its application may be unhealthy for a moment when the pull request has long been open."""
    blip = replace(GOOD, healthy=False, since=None)
    assert tick(at("WARMING"), seen(sync=blip, ready=True), 10**6).write is None
    since = replace(blip, unhealthy=START + 90_000)
    assert tick(at("WARMING"), seen(sync=since, ready=None), 90_000 + 1799).write is None
    late = after(at("WARMING"), seen(sync=since, ready=None), 90_000 + 1800)
    assert late == ("lower", "ROLLING_BACK", 0)


def test_a_candidate_that_was_never_applied_is_not_blamed() -> None:
    absent = seen(sync=Sync(contains=False, synced=True, healthy=True), ready=False)
    assert tick(at("WARMING"), absent, 10**6).write is None


def test_a_step_goes_on_after_its_least_time_with_every_gate_passed() -> None:
    assert tick(at("STEP"), seen("PASS"), 599).write is None
    assert after(at("STEP"), seen("PASS"), 600) == ("raise", "STEP", 50)
    last = at("STEP", step=1, weight=50)
    assert after(last, seen("PASS"), 600) == ("raise", "PROMOTING", 100)


@pytest.mark.parametrize("verdict", [None, "CONTINUE", "INCONCLUSIVE"])
@pytest.mark.parametrize("step", [0, 1])
def test_a_step_never_goes_on_by_time(verdict: Verdict | None, step: int) -> None:
    rollout = at("STEP", step=step, weight=PLAN.steps[step].weight)
    assert tick(rollout, seen(verdict), 7199).write is None
    assert after(rollout, seen(verdict), 7200) == ("hold", "INCONCLUSIVE", rollout.weight)


def test_a_failure_is_pushed_at_once() -> None:
    asked = write(at("STEP"), seen("FAIL"), 60)
    assert (asked.kind, asked.lane) == ("lower", "push")
    assert asked.evidence is not None
    assert asked.rollout is not None
    assert (asked.rollout.state, asked.rollout.weight) == ("ROLLING_BACK", 0)


@pytest.mark.parametrize("state", UNDER_WAY)
def test_a_failure_rolls_back_from_every_state(state: State) -> None:
    assert after(at(state), seen("FAIL"), 60) == ("lower", "ROLLING_BACK", 0)


@pytest.mark.parametrize("state", UNDER_WAY)
def test_a_persons_revert_rolls_back_from_every_state(state: State) -> None:
    blind = Observation(reverted=True)
    assert after(at(state), blind) == ("lower", "ROLLING_BACK", 0)


@pytest.mark.parametrize("state", UNDER_WAY)
def test_a_person_can_abort_in_every_state_even_blindly(state: State) -> None:
    asked = VERBS["abort"](at(state), Observation(), START, "wrong model")
    assert (asked.kind, asked.lane) == ("lower", "push")
    assert asked.rollout is not None
    assert (asked.rollout.state, asked.rollout.weight) == ("ROLLING_BACK", 0)


def test_restarts_roll_back_though_argo_cd_reports_the_release_as_degraded() -> None:
    sick = replace(GOOD, healthy=False, since=None)
    hard = seen(sync=sick, judgement=judged("FAIL", hard=True))
    assert after(at("STEP"), hard) == ("lower", "ROLLING_BACK", 0)


def test_old_restarts_wait_for_a_person_too() -> None:
    hard = seen(judgement=judged("FAIL", hard=True, failed_at=START))
    assert after(at("STEP"), hard, 1200) == ("lower", "ROLLING_BACK", 0)
    assert after(at("STEP"), hard, 1201) == ("hold", "INCONCLUSIVE", 10)


def test_requests_that_contradict_the_weight_raise_nothing_and_keep_nothing_bad() -> None:
    wrong = {"misrouted": "the candidate got 60 %"}
    waiting = tick(at("STEP"), seen("PASS", **wrong), 700)
    assert (waiting.write, waiting.reason) == (None, "waits: the candidate got 60 %")
    assert waiting.notes == ("the candidate got 60 %",)
    assert after(at("STEP"), seen("FAIL", **wrong), 700) == ("lower", "ROLLING_BACK", 0)


def test_the_end_of_a_rollback_does_not_wait_for_a_time_that_lies_in_the_future() -> None:
    ahead = at("ROLLED_BACK", since=START + 10**6)
    asked = write(ahead, seen(), 0)
    assert asked.rollout is not None
    assert (asked.kind, asked.rollout.state, asked.rollout.since) == ("hold", "ROLLED_BACK", START)


def test_the_end_of_a_promotion_waits_for_no_freeze() -> None:
    held = seen("CONTINUE", share=1.0, held="a freeze")
    assert after(at("PROMOTING"), held, 3600) == ("finalize", "FINALIZING", 100)
    assert write(at("FINALIZING"), held).kind == "settle"
    assert tick(at("STEP"), seen("PASS", held="a freeze"), 700).write is None


def test_an_old_failure_waits_for_a_person() -> None:
    assert after(at("STEP"), seen("FAIL"), 1200) == ("lower", "ROLLING_BACK", 0)
    assert after(at("STEP"), seen("FAIL"), 1201) == ("hold", "INCONCLUSIVE", 10)
    assert tick(at("INCONCLUSIVE"), seen("FAIL"), 1201).write is None
    assert tick(at("PROMOTING"), seen("FAIL", share=1.0), 9999).write is None


@pytest.mark.parametrize("verdict", ["PASS", "FAIL", "ENV_DEGRADED"])
@pytest.mark.parametrize(
    "changes",
    [
        {"weight": 11},
        {"sync": None},
        {"sync": replace(GOOD, contains=False)},
        {"sync": replace(GOOD, synced=False)},
        {"sync": replace(GOOD, healthy=False, since=None)},
    ],
)
def test_what_git_does_not_say_is_not_judged(verdict: Verdict, changes: dict[str, Any]) -> None:
    assert tick(at("STEP"), seen(verdict, **changes), 700).write is None


def test_drift_is_reported() -> None:
    assert tick(at("STEP"), seen(weight=11)).notes == ("Git says 10 %, the cluster gives 11 %",)


def test_a_clock_that_runs_ahead_of_ours_promotes_nothing() -> None:
    ahead = replace(GOOD, since=START + 10_000)
    assert tick(at("STEP"), seen("PASS", sync=ahead), 700).write is None


def test_both_versions_bad_freezes() -> None:
    assert after(at("STEP"), seen("ENV_DEGRADED")) == ("hold", "FROZEN", 10)
    assert tick(at("FROZEN"), seen("PASS"), 10_000).write is None


def test_alarms_pause() -> None:
    queue = seen("PASS", alarms=("the queue is long",))
    assert after(at("STEP"), queue, 700) == ("hold", "PAUSED", 10)


def test_a_manual_step_prepares_what_a_person_merges() -> None:
    plan = replace(PLAN, steps=(replace(PLAN.steps[0], manual=True), PLAN.steps[1]))
    assert after(replace(at("STEP"), plan=plan), seen("PASS"), 600) == ("hold", "GATED", 10)
    gated = replace(at("GATED"), plan=plan)
    prepared = write(gated, seen("PASS"), 700)
    assert (prepared.kind, prepared.approval) == ("raise", True)
    assert tick(gated, seen("CONTINUE"), 700).write is None
    assert tick(gated, seen("PASS", ready=None), 700).write is None


def test_a_proposal_is_the_same_in_every_tick() -> None:
    proposals = {write(at("STEP"), seen("PASS"), spent).rollout for spent in (600, 700, 5000)}
    assert len(proposals) == 1


def test_late_evidence_ends_indecision_and_nothing_else_does() -> None:
    undecided = at("INCONCLUSIVE")
    assert after(undecided, seen("PASS"), 7300) == ("raise", "STEP", 50)
    assert not write(undecided, seen("PASS"), 7300).approval
    assert write(undecided, seen("INCONCLUSIVE"), 7300).approval
    assert tick(undecided, seen(None), 10**6).write is None


@pytest.mark.parametrize("state", ["GATED", "INCONCLUSIVE", "FROZEN", "PAUSED"])
def test_nobody_decides_leads_back_when_the_release_says_so(state: State) -> None:
    patient = replace(at(state), plan=replace(PLAN, patience=3600))
    assert after(patient, seen("ENV_DEGRADED"), 3600) == ("lower", "ROLLING_BACK", 0)
    assert tick(at(state), seen("ENV_DEGRADED"), 10**9).write is None


@pytest.mark.parametrize("state", [s for s in UNDER_WAY if s != "PAUSED"])
def test_an_edited_release_pauses(state: State) -> None:
    edited = replace(at(state), current_hash="y")
    assert after(edited, seen("PASS"), 700) == ("hold", "PAUSED", edited.weight)
    paused = replace(edited, state="PAUSED")
    assert tick(paused, seen("PASS"), 700).write is None


@pytest.mark.parametrize(
    "broken", [{"weight": 37}, {"step": 7}, {"step": 1}, {"state": "WARMING"}, {"weight": 100}]
)
def test_a_rollout_edited_by_hand_holds_its_traffic(broken: dict[str, Any]) -> None:
    rollout = replace(at("STEP"), **broken)
    asked = after(rollout, seen("PASS"), 700)
    assert asked == ("hold", "PAUSED", rollout.weight)


@pytest.mark.parametrize("state", LEAVING)
def test_a_rollback_that_was_edited_is_put_right(state: State) -> None:
    assert after(at(state, weight=50), seen()) == ("lower", "ROLLING_BACK", 0)


def test_a_candidate_that_loses_its_replicas_loses_its_traffic() -> None:
    gone = seen("PASS", ready=False)
    assert after(at("STEP"), gone) == ("lower", "WARMING", 0)
    assert after(at("PAUSED"), gone) == ("lower", "PAUSED", 0)
    assert after(at("PROMOTING"), gone) == ("lower", "ROLLING_BACK", 0)


@pytest.mark.parametrize("what", [seen("FAIL"), seen(ready=False), seen(reverted=True)])
def test_traffic_is_not_moved_to_a_stable_version_that_cannot_take_it(what: Observation) -> None:
    assert tick(at("STEP"), replace(what, stable_ready=False)).write is None


def test_a_deleted_rollout_goes_back() -> None:
    found = recover(at("STEP"), seen(), START).write
    assert found is not None
    assert found.rollout is not None
    assert (found.kind, found.rollout.state, found.rollout.weight) == ("lower", "ROLLING_BACK", 0)
    held = recover(at("STEP"), seen(stable_ready=False), START).write
    assert held is not None
    assert held.rollout is not None
    assert (held.rollout.state, held.rollout.weight) == ("PAUSED", 10)


def test_the_old_version_is_kept_warm_for_the_rollback_window() -> None:
    serving = seen("CONTINUE", share=1.0)
    assert tick(at("PROMOTING"), serving, 3599).write is None
    assert after(at("PROMOTING"), serving, 3600) == ("finalize", "FINALIZING", 100)


@pytest.mark.parametrize(
    "what",
    [
        seen("CONTINUE", share=None),
        seen("CONTINUE", share=0.98),
        seen(None, share=1.0),
        seen("ENV_DEGRADED", share=1.0),
        seen("CONTINUE", share=1.0, alarms=("queue",)),
        seen("CONTINUE", share=1.0, sync=None),
    ],
)
def test_the_old_version_is_kept_when_it_is_not_seen_that_the_new_one_serves(
    what: Observation,
) -> None:
    assert tick(at("PROMOTING"), what, 10**6).write is None


def test_the_end_of_a_promotion() -> None:
    asked = write(at("FINALIZING"), seen())
    assert (asked.kind, asked.lane, asked.rollout) == ("settle", "pull request", None)
    assert tick(at("FINALIZING"), seen(sync=None)).write is None


def test_the_end_of_a_rollback_puts_the_version_in_quarantine() -> None:
    assert tick(at("ROLLING_BACK"), seen(sync=replace(GOOD, contains=False))).write is None
    assert tick(at("ROLLING_BACK"), seen(weight=10)).write is None
    sick = seen(sync=replace(GOOD, healthy=False, since=None), ready=False)
    asked = write(at("ROLLING_BACK"), sick)
    assert (asked.kind, asked.quarantine) == ("hold", "8")
    assert tick(at("ROLLED_BACK"), sick, 299).write is None
    named = seen(sync=replace(GOOD, synced=False, since=None))  # by a route of the commit before
    assert tick(at("ROLLED_BACK"), named, 300).write is None
    over = write(at("ROLLED_BACK"), sick, 300)
    assert (over.kind, over.lane, over.rollout, over.quarantine) == ("restore", "push", None, "8")


def test_a_new_release_waits() -> None:
    noted = tick(at("STEP"), seen("PASS", newer="9"), 700)
    assert noted.notes == ("version 9 waits until the rollout of 8 is over",)
    assert noted.write is not None
    assert noted.write.rollout is not None
    assert noted.write.rollout.candidate == "8"
