"""A rollout played through with a virtual clock: the real decisions in a world made of a scenario.

Argo CD applies each commit after a while, the candidate gets ready some time later, pull requests
are merged after some minutes, and requests come evenly.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from sluice.core.finding import UsageError
from sluice.core.rollout.by_hand import VERBS
from sluice.core.rollout.counts import Batch, Cell, Counts, GateCounts
from sluice.core.rollout.judgement import Judgement, judge
from sluice.core.rollout.machine import next_step
from sluice.core.rollout.model import (
    FULL,
    HELD,
    Decision,
    Observation,
    Rollout,
    Sync,
    Write,
)
from sluice.core.rollout.scenario import Scenario

TICK = 60
STABLE, CANDIDATE = "1", "2"


@dataclass(frozen=True, slots=True)
class Pull:
    """An open pull request: what it writes, and when it was opened."""

    write: Write
    opened: int


@dataclass(frozen=True)
class State:
    """Git, the cluster and what was counted. `clock` is when the weight was committed."""

    rollout: Rollout
    clock: int = 0
    pull: Pull | None = None
    served: int = 0
    batches: Mapping[str, tuple[Batch, ...]] = field(default_factory=dict)
    faults: frozenset[str] = frozenset()
    restarts: int = 0
    reverted: bool = False


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
}


def simulate(scenario: Scenario) -> Iterator[Tick]:
    """Every tick until the rollout is over or the time is up."""
    start = Rollout("WARMING", scenario.plan, CANDIDATE, STABLE, spec_hash="a", current_hash="a")
    state = State(start)
    for now in range(0, scenario.until + 1, TICK):
        happening = [e.what for e in scenario.events if now - TICK < e.at <= now]
        state = _counted(scenario, state, now)
        state, told = _happened(scenario, state, happening, now)
        if state.rollout.state == "STABLE":
            over = Decision(None, f"version {state.rollout.candidate} is stable")
            yield Tick(now, state.rollout, None, over, (*happening, *told))
            return
        judgement = None if "metrics" in state.faults else _judged(scenario, state, now)
        seen = _seen(scenario, state, judgement, now)
        decision = next_step(state.rollout, seen, now)
        yield Tick(now, state.rollout, judgement, decision, (*happening, *told))
        state = _written(state, decision.write, now)


def _applied(scenario: Scenario, state: State, now: int) -> bool:
    return "argo" not in state.faults and now >= state.clock + scenario.world.sync


def _in_force(scenario: Scenario, state: State) -> int:
    """When the committed weight came into force and the candidate was ready."""
    ready = scenario.world.sync + scenario.world.startup
    return max(state.clock + scenario.world.sync, ready)


def _seen(scenario: Scenario, state: State, judgement: Judgement | None, now: int) -> Observation:
    since = _in_force(scenario, state)
    ready = now >= scenario.world.sync + scenario.world.startup
    applied = _applied(scenario, state, now)
    deployed = state.clock + scenario.world.sync
    healthy = now >= since and "candidate" not in state.faults
    sync = Sync(applied, applied, healthy, deployed, since if healthy else None)
    drift = state.rollout.weight + 1 if "drift" in state.faults else state.rollout.weight
    return Observation(
        sync=None if "argo" in state.faults else sync,
        ready=ready and "candidate" not in state.faults,
        stable_ready="stable" not in state.faults,
        weight=drift if applied else None,
        share=None if "metrics" in state.faults else state.rollout.weight / 100,
        judgement=judgement,
        reverted=state.reverted,
    )


def _judged(scenario: Scenario, state: State, now: int) -> Judgement:
    rollout = state.rollout
    longest = rollout.plan.steps[min(rollout.step, len(rollout.plan.steps) - 1)].longest
    spent = now - _in_force(scenario, state)
    gates = tuple(GateCounts(gate, state.batches.get(gate.name, ())) for gate in scenario.gates)
    return judge(
        Counts(gates, scenario.parameters, _ordinal(rollout), state.restarts, spent >= longest)
    )


def _ordinal(rollout: Rollout) -> int:
    """The number of the step for its counts; all of the traffic is a step of its own."""
    return rollout.step + 1 if rollout.state in ("PROMOTING", "FINALIZING") else rollout.step


def _counted(scenario: Scenario, state: State, now: int) -> State:
    """The batch that ends now, when the candidate was served all through it."""
    weight, begin = state.rollout.weight, now - TICK
    if weight == 0 or begin < _in_force(scenario, state) or "candidate" in state.faults:
        return state
    served = state.served + 1
    batches = dict(state.batches)
    for gate in scenario.gates:
        batch = _batch(scenario, state, gate.name, begin)
        if batch is not None:
            batches[gate.name] = (*batches.get(gate.name, ()), batch)
    return replace(state, served=served, batches=batches)


def _batch(scenario: Scenario, state: State, gate: str, begin: int) -> Batch | None:
    if gate in scenario.recorded:
        rows = scenario.recorded[gate]
        if state.served >= len(rows):
            return None
        row = rows[state.served]
        own, other = Cell(row[0], row[1]), Cell(row[2], row[3])
        return Batch(begin, (own,), (other,), step=_ordinal(state.rollout))
    weight, before = state.rollout.weight, state.batches.get(gate, ())
    traffic = scenario.traffic
    pods = traffic.candidate_pods, traffic.stable_pods
    candidate = _arm(scenario, "candidate", gate, weight, before, begin, pods[0])
    stable = _arm(scenario, "stable", gate, 100 - weight, before, begin, pods[1])
    return Batch(begin, candidate, stable, _ordinal(state.rollout), load=1.0, cache=1.0)


def _arm(
    scenario: Scenario,
    arm: str,
    gate: str,
    weight: int,
    before: tuple[Batch, ...],
    begin: int,
    pods: int,
) -> tuple[Cell, ...]:
    """The pods of an arm; what does not divide goes to the pods in turn."""
    requests = scenario.traffic.rate * weight // 100
    counted: list[tuple[Cell, ...]] = [getattr(batch, arm) for batch in before]
    had = sum(cell.bad for cells in counted for cell in cells)
    due = sum(
        sum(cell.requests for cell in cells) * scenario.rate(arm, gate, batch.at)
        for batch, cells in zip(before, counted, strict=True)
    ) + requests * scenario.rate(arm, gate, begin)
    bad = max(0, int(due + 1e-9) - had)
    turn = begin // TICK
    return tuple(
        Cell(_part(requests, pods, index + turn), _part(bad, pods, index + turn))
        for index in range(pods)
    )


def _part(count: int, pods: int, index: int) -> int:
    return count // pods + (index % pods < count % pods)


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
    seen = _seen(scenario, state, None, now)
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
    after = write.rollout
    restarted = after.state not in HELD
    resumed = restarted and state.rollout.state in HELD
    return replace(
        state,
        rollout=after,
        batches=_without(state, _ordinal(after)) if resumed else state.batches,
        clock=now if restarted else state.clock,
        restarts=state.restarts if after.step == state.rollout.step else 0,
        reverted=False,
        pull=None,
    )


def _without(state: State, step: int) -> dict[str, tuple[Batch, ...]]:
    """The counts without those of an attempt at a step that a person ended."""
    return {
        gate: tuple(batch for batch in batches if batch.step != step)
        for gate, batches in state.batches.items()
    }


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
