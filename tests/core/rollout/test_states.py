"""Every state of a rollout with what it does, one case after the other."""

from dataclasses import replace
from typing import Any

import pytest

from sluice.core.analysis.judgement import Verdict
from sluice.core.finding import UsageError
from sluice.core.rollout.by_hand import VERBS
from sluice.core.rollout.model import LEAVING, Observation, Replicas, State, Sync
from sluice.core.rollout.replicas import floor
from sluice.core.rollout.transitions import recover
from sluice.core.specs.rollout_plan import Step
from support.rollout_records import (
    GOOD,
    PLAN,
    START,
    UNDER_WAY,
    after,
    at,
    judged,
    seen,
    tick,
    write,
)


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
        seen(sync=replace(GOOD, healthy=False)),
    ],
)
def test_nothing_is_routed_to_a_version_that_is_not_known_to_be_ready(what: Observation) -> None:
    assert tick(at("WARMING"), what).write is None


def test_a_candidate_that_does_not_become_ready_is_rolled_back() -> None:
    broken = seen(sync=replace(GOOD, healthy=False), ready=False)
    assert tick(at("WARMING"), broken, 1799).write is None
    assert after(at("WARMING"), broken, 1800) == ("lower", "ROLLING_BACK", 0)


def test_a_candidate_that_was_ready_and_waits_for_a_merge_is_not_late() -> None:
    """Its application may be unhealthy for a moment when the pull request has long been open."""
    blip = replace(GOOD, healthy=False)
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
    sick = replace(GOOD, healthy=False)
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


def test_nothing_is_given_where_nothing_could_be_judged() -> None:
    blind = "Prometheus does not answer"
    waiting = tick(at("WARMING"), seen(blind=blind))
    assert (waiting.write, waiting.reason) == (None, f"waits: {blind}")
    assert after(at("WARMING"), seen()) == ("raise", "STEP", 10)


NOT_IN_FORCE: list[dict[str, Any]] = [
    {"weight": 11},
    {"sync": None},
    {"sync": replace(GOOD, contains=False)},
    {"sync": replace(GOOD, synced=False)},
]


@pytest.mark.parametrize("verdict", ["PASS", "ENV_DEGRADED", "UNANSWERED"])
@pytest.mark.parametrize("changes", NOT_IN_FORCE)
def test_what_git_does_not_say_is_not_judged(verdict: Verdict, changes: dict[str, Any]) -> None:
    assert tick(at("STEP"), seen(verdict, **changes), 700).write is None


def test_who_ends_a_rollout_may_be_a_person() -> None:
    plan = replace(PLAN, whole=Step(100, 0, 7200, manual=True))
    promoted = replace(at("PROMOTING"), plan=plan)
    good = seen("PASS", share=1.0)
    assert not write(at("PROMOTING"), good, 3600).approval
    assert write(promoted, good, 3600).approval
    assert tick(promoted, good, 3600).asks == "decide"
    assert not write(replace(promoted, returning=True), good, 3600).approval
    assert after(promoted, good, 3600 + 7200) == ("lower", "PAUSED", 0)


@pytest.mark.parametrize("state", ["STEP", "GATED", "PAUSED", "PROMOTING"])
@pytest.mark.parametrize("changes", NOT_IN_FORCE)
def test_a_failure_counts_whatever_argo_cd_says_of_the_weight(
    state: State, changes: dict[str, Any]
) -> None:
    assert after(at(state), seen("FAIL", **changes), 700) == ("lower", "ROLLING_BACK", 0)


def test_drift_is_reported() -> None:
    assert tick(at("STEP"), seen(weight=11)).notes == ("Git says 10 %, the cluster gives 11 %",)


def test_a_clock_that_runs_ahead_of_ours_promotes_nothing() -> None:
    ahead = replace(GOOD, since=START + 10_000)
    assert tick(at("STEP"), seen("PASS", sync=ahead), 700).write is None


SICK = replace(GOOD, healthy=False)


def test_health_forbids_more_weight_and_excuses_nothing() -> None:
    waiting = tick(at("STEP"), seen("PASS", sync=SICK), 700)
    assert waiting.write is None
    assert waiting.reason == "waits: Argo CD reports the release as not healthy"
    assert after(at("STEP"), seen("FAIL", sync=SICK), 700) == ("lower", "ROLLING_BACK", 0)
    assert after(at("STEP"), seen("ENV_DEGRADED", sync=SICK), 700) == ("hold", "FROZEN", 10)
    assert after(at("STEP"), seen("UNANSWERED", sync=SICK), 700) == ("lower", "PAUSED", 0)
    assert after(at("STEP"), seen("PASS", sync=SICK), 7200) == ("hold", "INCONCLUSIVE", 10)


def test_both_versions_bad_freezes_and_goes_on_when_it_is_over() -> None:
    assert after(at("STEP"), seen("ENV_DEGRADED")) == ("hold", "FROZEN", 10)
    assert tick(at("FROZEN"), seen("ENV_DEGRADED"), 10_000).write is None
    for blind in (seen(None), seen("PASS", sync=None), seen("PASS", blind="nothing is counted")):
        assert tick(at("FROZEN"), blind, 10_000).write is None
    over = write(at("FROZEN"), seen("CONTINUE"), 600).rollout
    assert over is not None
    assert (over.state, over.weight, over.setbacks) == ("STEP", 10, 1)
    often = tick(at("FROZEN", setbacks=2), seen("PASS"), 600)
    assert (often.write, often.reason) == (
        None,
        "both versions were bad 3 times: a person decides",
    )


def test_alarms_take_a_step_of_weight_away() -> None:
    queue = seen("PASS", alarms=("the queue is long",))
    assert after(at("STEP"), queue, 700) == ("lower", "PAUSED", 0)
    second = at("STEP", step=1, weight=50)
    assert after(second, queue, 700) == ("lower", "PAUSED", 10)
    lowered = write(second, queue, 700).rollout
    assert lowered is not None
    assert lowered.step == 0
    assert after(replace(lowered, since=START), queue, 700) == ("lower", "PAUSED", 0)
    promoted = at("PROMOTING", step=1)
    assert after(promoted, seen("PASS", alarms=("queue",), share=1.0)) == ("lower", "PAUSED", 50)
    copies = replace(PLAN, steps=(replace(PLAN.steps[0], weight=0),))
    shadow = replace(at("STEP", weight=0), plan=copies)
    assert after(shadow, queue, 700) == ("hold", "PAUSED", 0)


def test_a_candidate_that_answers_nobody_loses_its_weight_and_is_not_quarantined() -> None:
    for state in ("STEP", "GATED", "INCONCLUSIVE", "FROZEN", "PAUSED", "PROMOTING"):
        asked = write(at(state), seen("UNANSWERED", share=0.0), 700)
        assert asked.rollout is not None
        assert (asked.kind, asked.lane, asked.quarantine) == ("lower", "push", "")
        assert (asked.rollout.state, asked.rollout.weight) == ("PAUSED", 0)
    replaced = write(at("STEP"), seen("UNANSWERED", ready=None), 700).rollout
    assert replaced is not None
    assert (replaced.state, replaced.setbacks) == ("WARMING", 1)
    assert tick(at("STEP"), seen("UNANSWERED", weight=11), 700).write is None


def test_weight_is_raised_to_what_ready_replicas_carry() -> None:
    second = at("STEP", step=1, weight=50)
    few = seen("PASS", replicas=Replicas(1, 4, 4))
    waiting = tick(second, few, 700)
    assert waiting.write is None
    assert waiting.reason == "waits for replicas: 1 of the 4 that 100 % take are ready"
    assert after(at("STEP"), seen("PASS", replicas=Replicas(2, 4, 4)), 700) == ("raise", "STEP", 50)
    enough = seen("PASS", replicas=Replicas(4, 4, 4))
    assert after(second, enough, 700) == ("raise", "PROMOTING", 100)
    assert after(second, seen("PASS", replicas=Replicas(1, 4, 1)), 700)[1] == "PROMOTING"
    assert after(second, seen("PASS", replicas=Replicas(None, 4, 4)), 700)[1] == "PROMOTING"
    assert after(second, few, 7200) == ("hold", "INCONCLUSIVE", 50)
    with pytest.raises(UsageError, match="1 of the 4"):
        VERBS["promote"](second, few, START, "now")


def test_git_says_how_many_replicas_serve_before_a_scaler_must_start_them() -> None:
    scaled = Replicas(1, 4, 4, scaled=True)
    asked = write(at("WARMING"), seen(replicas=scaled))
    assert asked.rollout is not None
    assert (asked.kind, asked.lane, asked.rollout.state) == ("hold", "push", "WARMING")
    assert asked.rollout.replicas == 4
    assert after(asked.rollout, seen(replicas=scaled)) == ("raise", "STEP", 10)
    more = seen("PASS", replicas=Replicas(2, 6, 8, scaled=True))
    grown = write(at("STEP", replicas=4), more, 700)
    assert grown.rollout is not None
    assert (grown.kind, grown.rollout.replicas, grown.rollout.since) == ("hold", 6, START)
    assert tick(grown.rollout, more, 700).write is None


def test_replicas_come_before_the_weight_and_stay_for_the_way_back() -> None:
    shares = {"WARMING": 1, "STEP": 5, "GATED": 5, "PROMOTING": 10, "ROLLING_BACK": 1, "PAUSED": 1}
    for state, wanted in shares.items():
        rollout = at(state, replicas=10)  # type: ignore[arg-type]  # states
        assert floor(rollout, (1, 12), stable=False) == wanted
        assert floor(rollout, (1, 12), stable=True) == 10
        assert floor(rollout, (2, 8), stable=True) == 8
    assert floor(at("STEP", step=1, weight=50, replicas=10), (1, 12), stable=False) == 10
    assert floor(at("STEP"), (2, 12), stable=True) == 2


def test_time_that_nobody_counted_is_no_time_that_the_candidate_stood() -> None:
    waiting = tick(at("STEP"), seen("PASS", gap=300), 700)
    assert waiting.write is None
    assert "for 700 of 600 s, of which nothing was counted for 300 s" in waiting.reason
    assert after(at("STEP"), seen("PASS", gap=300), 900) == ("raise", "STEP", 50)
    blind = seen("PASS", blind="nothing was counted for 10m")
    assert tick(at("STEP"), blind, 7199).write is None
    assert after(at("STEP"), blind, 7200) == ("hold", "INCONCLUSIVE", 10)
    approved = write(at("INCONCLUSIVE"), seen("CONTINUE", blind="nothing was counted"), 60)
    assert (approved.kind, approved.approval) == ("raise", True)
    served = seen("CONTINUE", share=1.0, blind="nothing was counted for 10m")
    assert tick(at("PROMOTING"), served, 3600).write is None


def test_a_promotion_that_nobody_measures_is_a_persons_to_end() -> None:
    asked = write(at("PROMOTING"), seen(None), 3600)
    assert (asked.kind, asked.approval) == ("finalize", True)
    quiet = seen("CONTINUE", share=None, blind="nothing was counted for 10m")
    assert write(at("PROMOTING"), quiet, 3600).approval
    assert tick(at("PROMOTING"), seen(None), 3599).write is None


def test_what_is_away_begins_again_but_not_for_ever() -> None:
    gone = seen("CONTINUE", replicas=Replicas(0, 4, 4))
    first = write(at("STEP"), gone).rollout
    assert first is not None
    assert (first.state, first.weight, first.setbacks) == ("WARMING", 0, 1)
    assert after(at("STEP", setbacks=2), gone) == ("lower", "PAUSED", 0)
    crashed = replace(gone, restarts=1)
    assert after(at("STEP", setbacks=2), crashed) == ("lower", "ROLLING_BACK", 0)
    resumed = VERBS["resume"](at("PAUSED", weight=0, setbacks=3), seen(), START, "again").rollout
    assert resumed is not None
    assert (resumed.state, resumed.setbacks) == ("WARMING", 0)


def test_what_is_away_with_everything_is_counted_on_when_it_gets_everything_again() -> None:
    """Else it would get everything and lose it again for ever."""
    last = at("STEP", step=1, weight=50, setbacks=2)
    whole = write(last, seen("PASS"), 600).rollout
    assert whole is not None
    assert (whole.state, whole.setbacks) == ("PROMOTING", 2)
    gone = seen("CONTINUE", replicas=Replicas(0, 4, 4))
    assert after(whole, gone) == ("lower", "PAUSED", 0)


def test_replicas_that_do_not_come_back_are_no_reason_for_a_quarantine() -> None:
    away = seen(sync=SICK, ready=False)
    again = at("WARMING", setbacks=1, since=START)
    assert tick(again, away, 1799).write is None
    assert after(again, away, 1800) == ("hold", "PAUSED", 0)


WAITS = [
    seen(None),
    seen("PASS"),
    seen("CONTINUE"),
    seen("INCONCLUSIVE"),
    seen("ENV_DEGRADED"),
    seen("PASS", sync=None, committed=START),
    seen("PASS", sync=replace(GOOD, contains=False, since=None), committed=START),
    seen("PASS", sync=replace(GOOD, synced=False, since=None), committed=START),
    seen("PASS", sync=SICK),
    seen("PASS", weight=11),
    seen("PASS", misrouted="the candidate got 60 %"),
    seen("PASS", ready=None),
    seen("PASS", share=0.5),
    seen("PASS", held="a freeze"),
    seen("PASS", blind="nothing is counted"),
    seen("PASS", replicas=Replicas(1, 4, 4)),
    seen("FAIL"),
]


@pytest.mark.parametrize("what", WAITS)
@pytest.mark.parametrize(
    "state", ["STEP", "GATED", "INCONCLUSIVE", "FROZEN", "PAUSED", "PROMOTING"]
)
def test_every_wait_at_a_weight_has_an_end_and_there_the_weight_is_lowered(
    state: State, what: Observation
) -> None:
    """Nobody merges or decides, and nothing changes for a week."""
    rollout, spent = at(state), 1300
    while rollout.weight and spent < 7 * 24 * 3600:
        asked = tick(rollout, what, spent).write
        if asked is not None and asked.lane == "push" and asked.rollout is not None:
            rollout = asked.rollout
        spent += 1800
    assert rollout.weight == 0
    assert spent <= 4 * 24 * 3600


def test_a_wait_that_does_not_say_since_when_begins_now() -> None:
    asked = write(at("PAUSED", since=0), seen(), 50)
    assert asked.rollout is not None
    assert (asked.kind, asked.rollout.since, asked.rollout.weight) == ("hold", START + 50, 10)


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
    assert after(undecided, seen("PASS"), 7100) == ("raise", "STEP", 50)
    assert not write(undecided, seen("PASS"), 7100).approval
    assert write(undecided, seen("INCONCLUSIVE"), 7100).approval
    assert tick(undecided, seen(None), 7199).write is None
    assert after(undecided, seen(None), 7200) == ("lower", "PAUSED", 0)


@pytest.mark.parametrize("state", ["GATED", "INCONCLUSIVE", "FROZEN", "PAUSED"])
def test_nobody_decides_leads_back_when_the_release_says_so(state: State) -> None:
    patient = replace(at(state), plan=replace(PLAN, patience=3600))
    assert after(patient, seen("ENV_DEGRADED"), 3600) == ("lower", "ROLLING_BACK", 0)
    none = tick(at(state), seen("ENV_DEGRADED"), 7199)
    assert none.write is None
    assert after(at(state), seen("ENV_DEGRADED"), 24 * 3600) == ("lower", "PAUSED", 0)
    assert tick(at("PAUSED", weight=0), seen("ENV_DEGRADED"), 10**9).write is None


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
    assert after(at("PROMOTING"), gone) == ("lower", "WARMING", 0)


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
        seen("CONTINUE", share=0.98),
        seen("ENV_DEGRADED", share=1.0),
        seen("CONTINUE", share=1.0, sync=None),
    ],
)
def test_the_old_version_is_kept_when_it_is_not_seen_that_the_new_one_serves(
    what: Observation,
) -> None:
    assert tick(at("PROMOTING"), what, 80_000).write is None


def test_the_end_of_a_promotion() -> None:
    asked = write(at("FINALIZING"), seen())
    assert (asked.kind, asked.lane, asked.rollout) == ("settle", "pull request", None)
    assert tick(at("FINALIZING"), seen(sync=None)).write is None


def test_the_end_of_a_rollback_puts_the_version_in_quarantine() -> None:
    assert tick(at("ROLLING_BACK"), seen(sync=replace(GOOD, contains=False))).write is None
    assert tick(at("ROLLING_BACK"), seen(weight=10)).write is None
    sick = seen(sync=replace(GOOD, healthy=False), ready=False)
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
