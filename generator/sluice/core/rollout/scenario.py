"""A rollout to be simulated: plan, gates, traffic, what happens when, as a YAML file.

    apiVersion: sluice.dev/v1alpha1
    kind: Scenario
    metadata: {name: seed}
    spec:
      rollout:                       # as in a release
        steps: [{weight: 10, soak: 10m, maxSoak: 2h}]
        rollbackWindow: 1h
      gates:                         # as in evidence: relative unless `relative: false`
        - {name: errors, excluded: 2.0, absolute: {p0: 0.002, p1: 0.01}}
      parameters: {alpha: 0.05, beta: 0.05, burstCap: 1}
      traffic: {requestsPerMinute: 600, candidatePods: 1, stablePods: 4}
      scaling: {max: 4, available: 4}  # a scaler sets the candidate's pods
      world: {startup: 3m, sync: 30s, merge: 1m}
      rates:                         # share of bad events by gate, from a time on
        - {at: 0s, candidate: {errors: 0.002}, stable: {errors: 0.002}}
        - {at: 20m, candidate: {errors: 0.03}, load: 1.0, cache: 1.0}
      recorded:                      # instead of traffic and rates: a row for each minute served,
        errors: [[60, 0, 540, 1]]    # [candidate requests, bad, stable requests, bad]
      events:
        - {at: 30m, what: metricsDown}
      until: 3h

Synthetic counts are spread evenly, without chance: two runs are the same, and an error rate of
0.2 % is one bad request in five hundred. Ticks are a minute apart.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sluice.core.analysis.checked import misfits
from sluice.core.analysis.counts import Gate, Parameters
from sluice.core.analysis.judgement_file import gate_of, gate_problems, parameters_of
from sluice.core.documents.load import load
from sluice.core.documents.source import Pointer
from sluice.core.finding import Finding, FindingsError
from sluice.core.specs.records import read_release
from sluice.core.specs.rollout_plan import Plan, plan_of
from sluice.core.units import seconds

SCHEMA = "scenario.schema.json"


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests a minute over both versions, the pods they are spread over, and others' requests."""

    rate: int = 600
    candidate_pods: int = 1
    stable_pods: int = 1
    others: int = 0


@dataclass(frozen=True, slots=True)
class Scaling:
    """The most pods that the candidate's spec allows, and how many of them can become ready."""

    most: int
    available: int


@dataclass(frozen=True, slots=True)
class World:
    """How long things take, in seconds; `merge` is None when nobody merges."""

    startup: int = 180
    sync: int = 30
    merge: int | None = 60


@dataclass(frozen=True, slots=True)
class Rates:
    """Shares of bad events by gate, from a second on; how load and cache compare, where said."""

    at: int
    candidate: Mapping[str, float]
    stable: Mapping[str, float]
    others: Mapping[str, float] = field(default_factory=dict)
    load: float | None = None
    cache: float | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens at a second."""

    at: int
    what: str


Row = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything that a simulation is a function of."""

    plan: Plan
    gates: tuple[Gate, ...]
    parameters: Parameters
    traffic: Traffic
    world: World
    rates: tuple[Rates, ...]
    recorded: Mapping[str, Sequence[Row]]
    events: tuple[Event, ...]
    until: int
    scaling: Scaling | None = None

    def like(self, what: str, at: int) -> float:
        """How load or cache compare at a time: as was said last, else alike."""
        said = [getattr(rates, what) for rates in self.rates if rates.at <= at]
        return next((value for value in reversed(said) if value is not None), 1.0)

    def rate(self, arm: str, gate: str, at: int) -> float:
        """The share of bad events of an arm at a time: the last one that was said."""
        found = 0.0
        for rates in self.rates:
            said: Mapping[str, float] = getattr(rates, arm)
            if rates.at <= at and gate in said:
                found = said[gate]
        return found


def read(path: str, raw: bytes, schema: Mapping[str, Any]) -> Scenario:
    """A scenario from its file.

    Raises:
        FindingsError: with everything that is wrong, each with its place.
    """
    document = load(path, raw)
    findings = misfits(document, schema, "SIM001")
    if findings:
        raise FindingsError(findings)
    spec = document.data["spec"]
    names = {gate["name"] for gate in spec["gates"]}
    strange = [
        (("spec", "rates", i, arm, gate), gate)
        for i, rates in enumerate(spec.get("rates", ()))
        for arm in ("candidate", "stable", "others")
        for gate in rates.get(arm, {})
    ] + [(("spec", "recorded", gate), gate) for gate in spec.get("recorded", {})]
    findings = [
        Finding(document.place(at, key=True), "SIM002", f"there is no gate {gate!r}", "name one")
        for at, gate in strange
        if gate not in names
    ]
    findings += [
        Finding(document.place(("spec", *at)), "SIM003", message, "correct it")
        for at, message in _contradictions(spec)
    ]
    if findings:
        raise FindingsError(findings)
    return scenario_of(spec)


def _contradictions(spec: Mapping[str, Any]) -> Iterator[tuple[Pointer, str]]:
    """What a schema cannot say."""
    yield from ((("gates", *at), message) for at, message in gate_problems(spec["gates"]))
    weights = [step["weight"] for step in spec["rollout"].get("steps", ())]
    if weights and any(weights) and weights != sorted(set(weights)):
        yield ("rollout", "steps"), f"the weights {weights} do not grow"
    for gate, rows in spec.get("recorded", {}).items():
        for index, row in enumerate(rows):
            if row[1] > row[0] or row[3] > row[2]:
                yield ("recorded", gate, index), "more requests cannot be bad than there were"


def scenario_of(spec: Mapping[str, Any]) -> Scenario:
    """A scenario from its checked data."""
    plan = plan_of(read_release({"rollout": spec["rollout"]}))
    given = {"steps": len(plan.steps) + 1, **spec.get("parameters", {})}
    traffic, world = spec.get("traffic", {}), spec.get("world", {})
    merge = world.get("merge", "1m")
    rates = [
        Rates(
            seconds(r["at"]),
            r.get("candidate", {}),
            r.get("stable", {}),
            r.get("others", {}),
            r.get("load"),
            r.get("cache"),
        )
        for r in spec.get("rates", ())
    ]
    events = [Event(seconds(event["at"]), event["what"]) for event in spec.get("events", ())]
    return Scenario(
        plan=plan,
        gates=tuple(gate_of(gate) for gate in spec["gates"]),
        parameters=parameters_of(given),
        traffic=Traffic(
            traffic.get("requestsPerMinute", 600),
            traffic.get("candidatePods", 1),
            traffic.get("stablePods", 1),
            traffic.get("otherPerMinute", 0),
        ),
        world=World(
            seconds(world.get("startup", "3m")),
            seconds(world.get("sync", "30s")),
            None if merge == "never" else seconds(merge),
        ),
        rates=tuple(sorted(rates, key=lambda r: r.at)),
        recorded={k: [tuple(row) for row in rows] for k, rows in spec.get("recorded", {}).items()},
        events=tuple(sorted(events, key=lambda e: e.at)),
        until=seconds(spec.get("until", "6h")),
        scaling=_scaling(spec.get("scaling")),
    )


def _scaling(given: Mapping[str, int] | None) -> Scaling | None:
    return None if given is None else Scaling(given["max"], given.get("available", given["max"]))
