"""A rollout played through with a virtual clock: the real decisions in a world made of a scenario.

Argo CD applies each commit after a while, the candidate gets ready some time later, pull requests
are merged after some minutes, and requests come evenly.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from sluice.core.analysis.judgement import Judgement
from sluice.core.finding import UsageError
from sluice.core.rollout.by_hand import VERBS
from sluice.core.rollout.machine import next_step
from sluice.core.rollout.model import HELD, Decision, Rollout, Write
from sluice.core.rollout.scenario import Scenario
from sluice.core.rollout.simulation_world import (
    CANDIDATE,
    STABLE,
    TICK,
    Pull,
    State,
    counted,
    judged,
    observed,
    scaled,
    without,
)
from sluice.core.specs.rollout_plan import FULL


@dataclass(frozen=True, slots=True)
class Tick:
    """What one tick saw and did; `time` in seconds from the beginning."""

    time: int
    rollout: Rollout
    judgement: Judgement | None
    decision: Decision
    events: tuple[str, ...] = ()


_FAULTS = {
    "metricsDown": ("metrics", True),
    "metricsUp": ("metrics", False),
    "argoDown": ("argo", True),
    "argoUp": ("argo", False),
    "unready": ("candidate", True),
    "ready": ("candidate", False),
    "stableUnready": ("stable", True),
    "stableReady": ("stable", False),
    "drift": ("drift", True),
    "driftEnd": ("drift", False),
    "sick": ("sick", True),
    "well": ("sick", False),
    "hang": ("hang", True),
    "answer": ("hang", False),
    "scrapeDown": ("scrape", True),
    "scrapeUp": ("scrape", False),
    "alarm": ("alarm", True),
    "alarmEnd": ("alarm", False),
}


def simulate(scenario: Scenario) -> Iterator[Tick]:
    """Every tick until the rollout is over or the time is up."""
    start = Rollout("WARMING", scenario.plan, CANDIDATE, STABLE, spec_hash="a", current_hash="a")
    state = State(start)
    for now in range(0, scenario.until + 1, TICK):
        happening = [e.what for e in scenario.events if now - TICK < e.at <= now]
        state = scaled(scenario, counted(scenario, state, now), now)
        state, told = _happened(scenario, state, happening, now)
        if state.rollout.state == "STABLE":
            over = Decision(None, f"version {state.rollout.candidate} is stable")
            yield Tick(now, state.rollout, None, over, (*happening, *told))
            return
        judgement = None if "metrics" in state.faults else judged(scenario, state, now)
        seen = observed(scenario, state, judgement, now)
        decision = next_step(state.rollout, seen, now)
        yield Tick(now, state.rollout, judgement, decision, (*happening, *told))
        state = _written(state, decision.write, now)


def _happened(
    scenario: Scenario, state: State, happening: list[str], now: int
) -> tuple[State, list[str]]:
    """The events of this minute, and the merge of a pull request that is due."""
    told: list[str] = []
    for what in happening:
        if what in _FAULTS:
            name, on = _FAULTS[what]
            state = replace(state, faults=state.faults | {name} if on else state.faults - {name})
        elif what == "restart":
            state = replace(state, restarts=state.restarts + 1)
        elif what == "revert":
            state = replace(state, reverted=True)
        elif what == "edit":
            state = replace(state, rollout=replace(state.rollout, current_hash="b"))
        elif what == "approve":
            state = _merged(state, now) if state.pull else state
        else:
            state, said = _by_hand(scenario, state, what, now)
            told.append(said)
    pull, merge = state.pull, scenario.world.merge
    due = pull is not None and merge is not None and now - pull.opened >= merge
    if pull is not None and due and not pull.write.approval:
        told.append("merged")
        state = _merged(state, now)
    return state, told


def _by_hand(scenario: Scenario, state: State, verb: str, now: int) -> tuple[State, str]:
    seen = observed(scenario, state, None, now)
    try:
        write = VERBS[verb](state.rollout, seen, now, f"{verb} by hand")
    except UsageError as error:
        return state, str(error)
    return _merged(replace(state, pull=Pull(write, now)), now), write.reason


def _merged(state: State, now: int) -> State:
    """Git says what the pull request said."""
    if state.pull is None:
        return state
    return _committed(replace(state, pull=None), state.pull.write, now)


def _committed(state: State, write: Write, now: int) -> State:
    if write.rollout is None:
        settled = write.kind == "settle"
        version = state.rollout.candidate if settled else state.rollout.stable
        weight = FULL if settled else 0
        over = Rollout("STABLE", state.rollout.plan, version, version, weight=weight)
        return replace(state, rollout=over)
    after, before = write.rollout, state.rollout
    begins_anew = (after.state, after.step, after.weight) != (
        before.state,
        before.step,
        before.weight,
    )
    restarted = after.weight != before.weight or (after.state not in HELD and begins_anew)
    if restarted and before.state in HELD:
        state = without(state, after.ordinal)
    return replace(
        state,
        rollout=after,
        clock=now if restarted else state.clock,
        restarts=0 if restarted else state.restarts,
        reverted=False,
        pull=None,
    )


def _written(state: State, write: Write | None, now: int) -> State:
    """Pushed at once, or proposed; the same proposal is not made twice."""
    if write is None:
        return replace(state, pull=None)
    if write.lane == "push":
        return _committed(state, write, now)
    same = state.pull is not None and _same(state.pull.write, write)
    return state if same else replace(state, pull=Pull(write, now))


def _same(left: Write, right: Write) -> bool:
    return (left.kind, left.rollout, left.approval) == (right.kind, right.rollout, right.approval)
