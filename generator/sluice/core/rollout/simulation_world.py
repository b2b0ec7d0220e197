"""The world of a simulation: what is counted and seen in it, made of a scenario."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sluice.core.analysis.counts import Answered, Batch, Cell, Counts, Gate, GateCounts, total
from sluice.core.analysis.judgement import Judgement, judge
from sluice.core.analysis.samples import STALE
from sluice.core.rollout.model import Observation, Replicas, Rollout, Sync, Write
from sluice.core.rollout.replicas import floor
from sluice.core.rollout.scenario import Scenario
from sluice.core.specs.rollout_plan import FULL

TICK = 60
STABLE, CANDIDATE = "1", "2"
GUARD = 300
"""Seconds at a weight before a guard can be on."""
SETTLING = 300
"""Seconds at a weight in which answers are not compared with it."""


@dataclass(frozen=True, slots=True)
class Pull:
    """An open pull request: what it writes, and when it was opened."""

    write: Write
    opened: int


@dataclass(frozen=True)
class State:
    """Git, the cluster and what was counted.

    `clock` is when the weight was committed; `pods` are how many of the candidate are ready, each
    number from a second on; `missed` is when batches began that nobody counted.
    """

    rollout: Rollout
    clock: int = 0
    pull: Pull | None = None
    served: int = 0
    batches: Mapping[str, tuple[Batch, ...]] = field(default_factory=dict)
    answered: tuple[Answered, ...] = ()
    faults: frozenset[str] = frozenset()
    restarts: int = 0
    reverted: bool = False
    pods: tuple[tuple[int, int], ...] = ()
    missed: tuple[int, ...] = ()


def in_force(scenario: Scenario, state: State) -> int:
    """When the committed weight came into force and the candidate was ready."""
    ready = scenario.world.sync + scenario.world.startup
    return max(state.clock + scenario.world.sync, ready)


def observed(
    scenario: Scenario, state: State, judgement: Judgement | None, now: int
) -> Observation:
    """What one tick sees."""
    since = in_force(scenario, state)
    started = now >= scenario.world.sync + scenario.world.startup
    applied = "argo" not in state.faults and now >= state.clock + scenario.world.sync
    away = "candidate" in state.faults
    healthy = now >= since and not away and "sick" not in state.faults
    deployed = state.clock + scenario.world.sync
    sync = Sync(applied, applied, healthy, deployed, since if now >= since else None)
    drift = state.rollout.weight + 1 if "drift" in state.faults else state.rollout.weight
    blind = "metrics" in state.faults
    return Observation(
        sync=None if "argo" in state.faults else sync,
        ready=started and not away,
        stable_ready="stable" not in state.faults,
        weight=drift if applied else None,
        share=None if blind else state.rollout.weight / FULL,
        judgement=judgement,
        alarms=("the queue is long",) if now - since >= GUARD and "alarm" in state.faults else (),
        reverted=state.reverted,
        committed=state.clock,
        replicas=Replicas() if blind or away else _replicas(scenario, state, now),
        restarts=state.restarts,
        **_coverage(state, since, now),  # type: ignore[arg-type]  # two fields
    )


def _replicas(scenario: Scenario, state: State, now: int) -> Replicas:
    if scenario.scaling is None:
        return Replicas()
    most = scenario.scaling.most
    return Replicas(_ready(state, now), scenario.traffic.stable_pods, most, scaled=True)


def _ready(state: State, now: int) -> int:
    return [count for begin, count in state.pods if begin <= now][-1]


def scaled(scenario: Scenario, state: State, now: int) -> State:
    """As many pods of the candidate as Git asks for, ready when they have started."""
    scaling, world = scenario.scaling, scenario.world
    least = scenario.traffic.candidate_pods
    if scaling is None:
        return state
    wanted = floor(state.rollout, (least, scaling.most), stable=False)
    ready = min(wanted, scaling.available)
    if state.pods and state.pods[-1][1] == ready:
        return state
    begin = now + world.sync + world.startup if state.pods else 0
    return replace(state, pods=(*state.pods, (begin, ready)))


def _coverage(state: State, since: int, now: int) -> dict[str, int | str]:
    """How much of this weight nobody counted, and whether that lasts."""
    missed = [begin for begin in state.missed if begin >= since]
    lasting = 0
    while now - TICK * (lasting + 1) in missed:
        lasting += 1
    blind = f"nothing of the candidate was counted for {lasting} minutes"
    return {"gap": TICK * len(missed), "blind": blind if lasting * TICK >= STALE else ""}


def judged(scenario: Scenario, state: State, now: int) -> Judgement:
    """The judgement on what was counted."""
    rollout = state.rollout
    longest = rollout.plan.steps[min(rollout.step, len(rollout.plan.steps) - 1)].longest
    spent = now - in_force(scenario, state)
    gates = tuple(GateCounts(gate, state.batches.get(gate.name, ())) for gate in scenario.gates)
    step, exhausted = rollout.ordinal, spent >= longest
    return judge(
        Counts(
            gates,
            scenario.parameters,
            step,
            state.restarts,
            exhausted=exhausted,
            answered=state.answered,
        )
    )


def counted(scenario: Scenario, state: State, now: int) -> State:
    """The batch that ends now, when the candidate was served all through it."""
    weight, begin = state.rollout.weight, now - TICK
    since = in_force(scenario, state)
    if weight == 0 or begin < since or "candidate" in state.faults:
        return state
    if "scrape" in state.faults:
        return replace(state, missed=(*state.missed, begin))
    served = state.served + 1
    batches, found = dict(state.batches), []
    for gate in scenario.gates:
        batch = _batch(scenario, state, gate, begin)
        if batch is not None:
            batches[gate.name] = (*batches.get(gate.name, ()), batch)
            found.append(batch)
    answered = state.answered
    if found and begin >= since + SETTLING:
        own, other = total(found[0].candidate).requests, total(found[0].stable).requests
        answered = (*answered, Answered(begin, own, other, weight, state.rollout.ordinal))
    return replace(state, served=served, batches=batches, answered=answered)


def _batch(scenario: Scenario, state: State, gate: Gate, begin: int) -> Batch | None:
    name = gate.name
    step, like = state.rollout.ordinal, {w: scenario.like(w, begin) for w in ("load", "cache")}
    if name in scenario.recorded:
        rows = scenario.recorded[name]
        if state.served >= len(rows):
            return None
        row = rows[state.served]
        return Batch(begin, (Cell(row[0], row[1]),), (Cell(row[2], row[3]),), step)
    traffic, weight, before = scenario.traffic, state.rollout.weight, state.batches.get(name, ())
    pods = {"candidate": traffic.candidate_pods, "stable": traffic.stable_pods, "others": 1}
    if scenario.scaling is not None:
        pods["candidate"] = max(1, _ready(state, begin))
    own = _share_of(traffic.rate, weight, begin)
    rates = {
        "candidate": 0 if "hang" in state.faults else own,
        "stable": traffic.rate - own,
        "others": traffic.others,
    }
    arms = {
        arm: _arm(scenario, (arm, name), before, begin, rates[arm], pods[arm])
        for arm in ("candidate", "stable", "others")
    }
    others = arms["others"] if traffic.others else ()
    return Batch(begin, arms["candidate"], arms["stable"], step, **like, others=others)


def _share_of(requests: int, weight: int, begin: int) -> int:
    """The candidate's part of a minute's requests; where it is less than one, of some minutes."""
    minute = begin // TICK
    return requests * weight * (minute + 1) // FULL - requests * weight * minute // FULL


def _arm(  # what the counts of an arm follow from
    scenario: Scenario,
    about: tuple[str, str],
    before: tuple[Batch, ...],
    begin: int,
    requests: int,
    pods: int,
) -> tuple[Cell, ...]:
    """The pods of an arm for a gate; what does not divide goes to the pods in turn."""
    arm, gate = about
    counts: list[tuple[Cell, ...]] = [getattr(batch, arm) for batch in before]
    had = sum(cell.bad for cells in counts for cell in cells)
    due = sum(
        sum(cell.requests for cell in cells) * scenario.rate(arm, gate, batch.at)
        for batch, cells in zip(before, counts, strict=True)
    ) + requests * scenario.rate(arm, gate, begin)
    bad = max(0, int(due + 1e-9) - had)
    turn = begin // TICK
    return tuple(
        Cell(_part(requests, pods, index + turn), _part(bad, pods, index + turn))
        for index in range(pods)
    )


def _part(count: int, pods: int, index: int) -> int:
    return count // pods + (index % pods < count % pods)


def without(state: State, step: int) -> State:
    """Without the counts of an attempt at a step that was ended."""
    batches = {
        gate: tuple(batch for batch in batches if batch.step != step)
        for gate, batches in state.batches.items()
    }
    answered = tuple(batch for batch in state.answered if batch.step != step)
    return replace(state, batches=batches, answered=answered)
