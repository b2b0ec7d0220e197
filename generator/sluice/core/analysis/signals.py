"""What a candidate is judged by: the gates of a release, as counters and histograms of its engine.

A release that says nothing is judged by its failed answers, if its engine counts them. Without any
gate nothing passes, so that a person decides each step. Whatever it says, answers that refuse what
the stable version does not refuse fail a candidate too (`watches_beside`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sluice.core.analysis.counts import Absolute, Gate, Parameters
from sluice.core.analysis.judgement_file import gate_of
from sluice.core.analysis.queries import check_bound
from sluice.core.analysis.signal_table import ERRORS, FIELDS, REFUSALS, Signal, signal_of
from sluice.core.catalog.entries import Engine, Gateway
from sluice.core.finding import Finding
from sluice.core.specs.environment_records import EnvironmentSpec
from sluice.core.specs.reader import written
from sluice.core.specs.records import ReleaseSpec
from sluice.core.specs.resolve import Release
from sluice.core.specs.rollout_plan import plan_of
from sluice.core.specs.rollout_records import SignalGate

LOAD = "runningRequests"
CACHE = ("cacheHits", "cacheQueries")
BURST = 1
LOST = "lost before the engine"
_LOST_RATES = Absolute(0.02, 0.1)
_LOST_RATIO = 1.5


@dataclass(frozen=True, slots=True)
class Counter:
    """A counter, and the values that its labels may have."""

    metric: str
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Watch:
    """A gate with what is counted for it: a histogram and its threshold, or two counters.

    `gateway` is who counts, where the engine does not, whose pods have the labels of their version.
    Where it counts requests and nothing is bad of them, bad are those that the engine has not seen.
    """

    gate: Gate
    histogram: str = ""
    above: float = 0.0
    requests: Counter | None = None
    bad: Counter | None = None
    gateway: Gateway | None = None


def watches(spec: ReleaseSpec, engine: Engine, gateway: Gateway | None = None) -> tuple[Watch, ...]:
    """The gates of a resolved spec; those that nobody has metrics for are left out.

    What the engine does not count, the gateway may.
    """
    listed = _given(spec, engine, gateway)
    return tuple(watch for given in listed for watch in [_watch(given, engine, gateway)] if watch)


def watches_beside(
    spec: ReleaseSpec, engine: Engine, gateway: Gateway | None = None
) -> tuple[Watch, ...]:
    """What can fail a candidate and need not pass: refusals by kind, and what the gateway counts.

    Where both the engine and the gateway count failed answers, both are read: the engine knows
    nothing of requests that never reached it.
    """
    given = spec.rollout.analysis.gates or ()
    refusals = next((g for g in given if signal_of(g) is REFUSALS), SignalGate(REFUSALS.name))
    errors = next((gate for gate in given if signal_of(gate) is ERRORS), SignalGate(ERRORS.name))
    found = list(_refusals(refusals, engine.counters, None))
    if gateway is not None:
        found += _refusals(refusals, gateway.counters, gateway)
        if ERRORS.name in engine.counters and ERRORS.name in gateway.counters:
            found += _edge(errors, gateway)
    return tuple(found)


def _refusals(
    given: SignalGate, counters: Mapping[str, Mapping[str, Any]], gateway: Gateway | None
) -> Iterator[Watch]:
    counted = counters.get(REFUSALS.name)
    if counted is None:
        return
    named = given.name or REFUSALS.name
    for kind, bad in counted["kinds"].items():
        name = f"{named}: {kind}{' at the gateway' if gateway else ''}"
        gate = replace(gate_of({**_fields_of(given), "name": name}), required=False)
        requests, refused = _counter(counted["requests"]), _counter(bad)
        yield Watch(gate, requests=requests, bad=refused, gateway=gateway)


def _edge(given: SignalGate, gateway: Gateway) -> Iterator[Watch]:
    """Failed answers as clients see them, and requests of which the engine knows nothing."""
    fields = {**ERRORS.defaults, **_fields_of(given)}
    counted = gateway.counters[ERRORS.name]
    requests, bad = _counter(counted["requests"]), _counter(counted["bad"])
    name = f"{given.name or ERRORS.name} at the gateway"
    gate = replace(gate_of({**fields, "name": name}), required=False)
    yield Watch(gate, requests=requests, bad=bad, gateway=gateway)
    lost = Gate(LOST, tolerated=_LOST_RATIO, absolute=_LOST_RATES, required=False)
    yield Watch(lost, requests=requests, gateway=gateway)


def _given(spec: ReleaseSpec, engine: Engine, gateway: Gateway | None) -> list[SignalGate]:
    gates = spec.rollout.analysis.gates or ()
    passing = [gate for gate in gates if not signal_of(gate).only_compared]
    if passing:
        return passing
    counted = ERRORS.name in engine.counters or (gateway and ERRORS.name in gateway.counters)
    return [SignalGate(ERRORS.name)] if counted else []


def _watch(given: SignalGate, engine: Engine, gateway: Gateway | None) -> Watch | None:
    signal = signal_of(given)
    fields = {**signal.defaults, **_fields_of(given), "name": given.name or signal.name}
    gate = gate_of(fields)
    if signal.is_timed:
        metric = engine.metrics.get(signal.name)
        return Watch(gate, metric, given.above or 0.0) if metric else None
    counters = _own_counters(given) if signal.is_own else engine.counters.get(signal.name)
    counts = gateway if counters is None else None
    if counts is not None:
        counters = counts.counters.get(signal.name)
    if counters is None or not {"requests", "bad"} <= counters.keys():
        return None  # a counter that is missing is REF070
    requests, bad = _counter(counters["requests"]), _counter(counters["bad"])
    return Watch(gate, requests=requests, bad=bad, gateway=counts)


def _fields_of(given: SignalGate) -> dict[str, Any]:
    """What is written of a gate, in the form of evidence and scenarios."""
    fields = written(given)
    if given.absolute is not None:
        fields["absolute"] = written(given.absolute)
    return fields


def _own_counters(given: SignalGate) -> dict[str, Mapping[str, Any]]:
    """The counters that a gate names itself, in the form of the catalog."""
    named = {"requests": given.requests, "bad": given.bad}
    return {name: written(counter) for name, counter in named.items() if counter is not None}


def _counter(data: Mapping[str, Any]) -> Counter:
    labels = {
        name: (values,) if isinstance(values, str) else tuple(values)
        for name, values in data.get("labels", {}).items()
    }
    return Counter(data["metric"], labels)


def parameters(spec: ReleaseSpec) -> Parameters:
    """How to judge this release."""
    return Parameters(
        alpha=spec.rollout.analysis.alpha,
        beta=spec.rollout.analysis.beta,
        burst=BURST,
        steps=len(plan_of(spec).steps) + 1,
    )


def own_labels(environment: EnvironmentSpec) -> dict[str, tuple[str, ...]]:
    """Labels that all series of an environment have, where one server has several clusters."""
    return {name: (value,) for name, value in environment.monitoring.prometheus.labels.items()}


def warm_up(spec: ReleaseSpec) -> int:
    """Seconds after a change of weight that are not judged."""
    return spec.rollout.analysis.warm_up


def check_analysis(
    release: Release, engine: Engine, gateway: Gateway | None = None
) -> Iterator[Finding]:
    """What is wrong with the gates of a release beside their shape."""
    gates = release.spec.rollout.analysis.gates or ()
    documents = release.spec.written("rollout.analysis.gates") or ()
    names: set[str] = set()
    for index, (given, document) in enumerate(zip(gates, documents, strict=True)):
        problems = [*_unknown(document), *_problems(given, engine, gateway)]
        name = given.name or given.signal
        if name in names:
            problems.append((f"two gates are {name!r}", "give one another `name`"))
        names.add(name)
        for message, remedy in problems:
            place = release.origin(("rollout", "analysis", "gates", index))[0]
            yield Finding(place, "REF070", message, remedy)
    yield from _guard_problems(release, engine)


def caches(spec: ReleaseSpec) -> bool:
    """Whether the engine may answer from a cache of prefixes, so that hits must be compared."""
    return spec.serving.prefix_caching


def check_comparison(release: Release, engine: Engine) -> Iterator[Finding]:
    """Latencies that could never be judged, since like load and cache could not be told."""
    wanted = {LOAD: "the requests under way"}
    if caches(release.spec):
        wanted |= dict.fromkeys(CACHE, "the hits of its cache")
    unknown = [what for metric, what in wanted.items() if metric not in engine.metrics]
    for index, given in enumerate(release.spec.rollout.analysis.gates or ()):
        if unknown and signal_of(given).is_timed and given.signal in engine.metrics:
            place = release.origin(("rollout", "analysis", "gates", index))[0]
            message = f"{engine.title} tells nothing of {unknown[0]}: {given.signal} is undecided"
            yield Finding(place, "REF070", message, "use another signal, or custom")


def _guard_problems(release: Release, engine: Engine) -> Iterator[Finding]:
    """Guards on what the engine does not tell."""
    for name, metric in (("queue", "queuedRequests"), ("cache", "kvCacheUsage")):
        if release.spec.says(f"rollout.analysis.guards.{name}") and metric not in engine.metrics:
            place = release.origin(("rollout", "analysis", "guards", name))[0]
            message = f"{engine.title} has no metric for the guard {name}"
            yield Finding(place, "REF070", message, "remove it")


def _unknown(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Fields of a gate as it is written that its record has not."""
    for name in sorted(document.keys() - FIELDS):
        yield f"nothing asks for {name}, so that the gate would pass without it", "remove it"


def _problems(
    given: SignalGate, engine: Engine, gateway: Gateway | None
) -> Iterator[tuple[str, str]]:
    signal, own = signal_of(given), _own_counters(given)
    known = len(own) > 1
    if signal.is_own and not known:
        yield f"{signal.name} needs the counters `requests` and `bad`", "add both"
    elif not signal.is_own and own:
        remedy = "remove requests and bad, or write custom"
        yield f"{signal.name} has counters of its own", remedy
    elif not signal.is_own and not _is_counted(signal, engine, gateway):
        yield (
            f"{engine.title} has no metric for {signal.name}",
            _counted_at_the_edge(signal, gateway),
        )
    elif signal.is_timed:
        yield from _threshold(given, engine)
    if not signal.is_timed and given.above is not None:
        yield f"{signal.name} counts events, and nothing is above a time", "remove `above`"
    yield from _useless(signal, given)
    gate = gate_of({**signal.defaults, **_fields_of(given), "name": signal.name})
    if gate.excluded <= gate.tolerated:
        yield "the excluded ratio is not above the tolerated one", "raise `excluded`"
    yield from _rates(gate.absolute)


def _useless(signal: Signal, given: SignalGate) -> Iterator[tuple[str, str]]:
    """Fields of a gate that nothing has to pass and that is compared only."""
    fields = written(given)
    for useless in signal.without:
        if useless in fields:
            said = f"{signal.name} have no use for {useless}: nothing waits for them to pass"
            yield said, "remove it"


def _counted_at_the_edge(signal: Signal, gateway: Gateway | None) -> str:
    remedy = "use another signal, or custom"
    if not signal.at_the_edge or gateway is not None:
        return remedy
    return f"{remedy}; or say in monitoring.gateway of the environment who counts at the edge"


def _is_counted(signal: Signal, engine: Engine, gateway: Gateway | None) -> bool:
    known = {*engine.metrics, *engine.counters, *(gateway.counters if gateway else ())}
    return signal.name in known


def _threshold(given: SignalGate, engine: Engine) -> Iterator[tuple[str, str]]:
    signal = given.signal
    if given.above is None:
        yield f"{signal} needs `above`, the seconds from which on it is bad", "add it"
    elif signal in engine.buckets:
        problem = check_bound(given.above, engine.buckets[signal])
        if problem:
            yield problem, "use the bound of a bucket: nothing is counted between them"


def _rates(absolute: Absolute | None) -> Iterator[tuple[str, str]]:
    if absolute is not None and absolute.p0 >= absolute.p1:
        yield "p0, the good rate, is not below p1", "correct them"
