"""The counts of a rollout: what to ask for both versions, and batches from the answers."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sluice.core import names
from sluice.core.catalog.entries import Catalog, Engine
from sluice.core.rollout import judgement_file
from sluice.core.rollout.analysis import Counter, Watch, delay, parameters, warm_up, watches
from sluice.core.rollout.counts import Batch, Counts, GateCounts, Parameters
from sluice.core.rollout.model import SERVED, Rollout
from sluice.core.rollout.queries import Question, arm_labels, buckets, promql
from sluice.core.rollout.samples import (
    STALE,
    Increases,
    Series,
    batches,
    cleaned,
    grid_of,
    increases,
    ratio,
    restarts,
    slow,
)
from sluice.core.specs.resolve import Release, Variant
from sluice.core.workload import values

BATCH = 60
Answers = Callable[[Question], Sequence[Series]]
"""The series of a question that was asked."""
_LOAD = "runningRequests"
_CACHE = ("cacheHits", "cacheQueries")


@dataclass(frozen=True)
class Arm:
    """One version: the labels of its series, its engine, and what is counted of it, by gate."""

    labels: Mapping[str, tuple[str, ...]]
    engine: Engine
    watches: Mapping[str, Watch]
    service: str = ""

    def counted(self, watch: Watch) -> Mapping[str, tuple[str, ...]]:
        """The labels of this version's series, where its pods count or where the gateway does."""
        words = {"service": self.service, "namespace": self.labels["namespace"][0]}
        return {n: (text.format(**words),) for n, text in watch.arm.items()} or self.labels

    def gauge(self, meaning: str) -> Question | None:
        """The series of a metric by its meaning, if the engine has it."""
        metric = self.engine.metrics.get(meaning)
        return Question(metric, self.labels) if metric else None


@dataclass(frozen=True)
class Subject:
    """A rollout to be counted: both arms, the ends of its batches, and what was counted before.

    `begin` is when the committed weight came into force, in seconds since the epoch.
    """

    candidate: Arm
    stable: Arm
    grid: Sequence[int]
    begin: int
    step: int
    parameters: Parameters
    earlier: Mapping[str, tuple[Batch, ...]] = field(default_factory=dict)

    def window(self, now: int) -> int:
        """Seconds of samples that are needed, up to now."""
        return max(BATCH, now - self.begin) + STALE


def ordinal(rollout: Rollout) -> int:
    """The number of the step for its counts; all of the traffic is a step of its own."""
    return rollout.step + (rollout.state in SERVED)


def subject_of(
    release: Release,
    rollout: Rollout,
    catalog: Catalog,
    times: tuple[int, int],
    earlier: Mapping[str, tuple[Batch, ...]],
) -> Subject | None:
    """What to count of a rollout; None when an engine is not known.

    Args:
        release: a release with a rollout.
        rollout: where it stands.
        catalog: the engines.
        times: since when the committed weight is in force, and now, in seconds since the epoch.
        earlier: the batches of earlier steps, by gate.
    """
    begin, now = times
    arms = [
        _arm(release, variant, catalog) for variant in (release.variants[-1], release.variants[0])
    ]
    candidate, stable = arms
    if candidate is None or stable is None:
        return None
    start, lag = begin + warm_up(release.spec), delay(release.environment.spec)
    grid = grid_of(start, now, BATCH, lag)
    return Subject(
        candidate, stable, grid, begin, ordinal(rollout), parameters(release.spec), earlier
    )


def _arm(release: Release, variant: Variant, catalog: Catalog) -> Arm | None:
    """An arm; the gates are those of the release, the metrics those of the version's engine."""
    asked, model = variant.spec.get("engine"), variant.spec.get("model")
    if not isinstance(asked, Mapping) or not isinstance(model, Mapping):
        return None
    engine = catalog.engine(str(asked.get("name")), str(asked.get("version")))
    if engine is None:
        return None
    namespace, version = release.environment.spec["namespace"], names.slug(str(model["version"]))
    labels = arm_labels(namespace, release.key.name, version)
    traffic = values.traffic(release.environment, release.spec)
    gateway = catalog.gateway(traffic["provider"]) if traffic else None
    found = {w.gate.name: w for w in watches(release.spec, engine, gateway)}
    return Arm(labels, engine, found, values.service_name(release, variant))


def questions(subject: Subject) -> Iterator[Question]:
    """Everything to ask."""
    for arm in (subject.candidate, subject.stable):
        for watch in arm.watches.values():
            yield from _asked(watch, arm)
        if any(watch.gate.matched for watch in arm.watches.values()):
            gauges = (arm.gauge(meaning) for meaning in (_LOAD, *_CACHE))
            yield from (gauge for gauge in gauges if gauge is not None)


def _asked(watch: Watch, arm: Arm) -> Iterator[Question]:
    if watch.histogram:
        yield buckets(watch.histogram, watch.above, arm.labels)
    else:
        counters = (watch.requests, watch.bad)
        yield from (_counted(counter, watch, arm) for counter in counters if counter)


def _counted(counter: Counter, watch: Watch, arm: Arm) -> Question:
    return Question(counter.metric, {**counter.labels, **arm.counted(watch)})


def counts_of(subject: Subject, answers: Answers, now: int, *, exhausted: bool = False) -> Counts:
    """The counts of a rollout, from the answers to its questions.

    Args:
        subject: what was asked for.
        answers: the series of each question.
        now: when they were asked for.
        exhausted: whether the longest time of this step is over.
    """
    gates = []
    for name, watch in subject.candidate.watches.items():
        own = _events(watch, subject.candidate, subject, answers, now)
        other = subject.stable.watches.get(name)
        stable = _events(other, subject.stable, subject, answers, now) if other else ({}, {})
        found: Iterable[Batch] = batches(own, stable, subject.grid, subject.step)
        if watch.gate.matched:
            found = _matched(found, subject, answers, now)
        said = "; ".join(promql(q, subject.window(now)) for q in _both(name, subject))
        kept = (*subject.earlier.get(name, ()), *found)
        gates.append(GateCounts(watch.gate, kept, said))
    restarted = _restarts(subject, answers, now)
    window = (now - subject.window(now), now)
    return Counts(tuple(gates), subject.parameters, subject.step, restarted, exhausted, window)


def _both(gate: str, subject: Subject) -> Iterator[Question]:
    """What is asked of both versions for a gate."""
    for arm in (subject.candidate, subject.stable):
        if gate in arm.watches:
            yield from _asked(arm.watches[gate], arm)


def _events(
    watch: Watch, arm: Arm, subject: Subject, answers: Answers, now: int
) -> tuple[Increases, Increases]:
    asked = [answers(question) for question in _asked(watch, arm)]
    if watch.histogram:
        return slow(asked[0], watch.above, subject.grid, now)
    return ratio(asked[0], asked[1], subject.grid, now)


def _restarts(subject: Subject, answers: Answers, now: int) -> int:
    """How often processes of the candidate began anew since its weight is in force.

    The counters of a gateway tell when the gateway began anew, which is not its fault.
    """
    most: dict[str, int] = {}
    own = [watch for watch in subject.candidate.watches.values() if not watch.arm]
    for watch in own:
        for question in _asked(watch, subject.candidate):
            for labels, samples in answers(question):
                pod = labels.get("pod") or labels.get("instance", "")
                since = [s for s in cleaned(samples, now) if s[0] >= subject.begin]
                most[pod] = max(most.get(pod, 0), restarts(since))
    return sum(most.values())


def _matched(
    found: Iterable[Batch], subject: Subject, answers: Answers, now: int
) -> Iterator[Batch]:
    """The batches with how the arms' load and cache compare in each."""
    for batch in found:
        index = subject.grid.index(batch.at)
        span = subject.grid[index], subject.grid[index + 1]
        loads = [_load(arm, answers, span) for arm in (subject.candidate, subject.stable)]
        caches = [_cache(arm, answers, span, now) for arm in (subject.candidate, subject.stable)]
        load, cache = _quotient(loads), _quotient(caches)
        yield Batch(batch.at, batch.candidate, batch.stable, batch.step, load, cache)


def _load(arm: Arm, answers: Answers, span: tuple[int, int]) -> float | None:
    """Requests under way per replica, over a batch."""
    question = arm.gauge(_LOAD)
    if question is None:
        return None
    pods: list[float] = []
    for _, samples in answers(question):
        inside = [value for time, value in cleaned(samples, span[1]) if time > span[0]]
        if inside:
            pods.append(sum(inside) / len(inside))
    return sum(pods) / len(pods) if pods else None


def _cache(arm: Arm, answers: Answers, span: tuple[int, int], now: int) -> float | None:
    """The share of cache queries that hit; 1 where the cache is not asked at all."""
    asked = [arm.gauge(meaning) for meaning in _CACHE]
    totals = []
    for question in asked:
        if question is None:
            return None
        found = increases(answers(question), span, now)
        totals.append(sum(row[0] or 0 for row in found.values()) if found else None)
    hits, queries = totals
    if hits is None or queries is None:
        return None
    return hits / queries if queries else 1.0


def _quotient(pair: Sequence[float | None]) -> float | None:
    own, other = pair
    if own is None or other is None:
        return None
    if own == other:
        return 1.0
    return own / other if other else None


def share_of(counts: Counts, last: int = 5) -> float | None:
    """The share of requests that the candidate got in the last batches of this step."""
    for counted in counts.gates:
        current = [b for b in counted.batches if b.step == counts.step][-last:]
        own = sum(cell.requests for b in current for cell in b.candidate)
        other = sum(cell.requests for b in current for cell in b.stable)
        if own:
            return own / (own + other)
    return None


def earlier_batches(
    evidence: Iterable[bytes], rollout: Rollout, began: int
) -> dict[str, tuple[Batch, ...]]:
    """The committed batches of earlier steps of this rollout, by gate, in order of time."""
    found: dict[str, dict[int, Batch]] = {}
    for raw in evidence:
        try:
            data = json.loads(raw)
            about = (data.get("candidate"), data.get("stable"))
            if about != (rollout.candidate, rollout.stable) or "gates" not in data:
                continue
            counts = judgement_file.counts_of(data)
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
        for counted in counts.gates:
            kept = found.setdefault(counted.gate.name, {})
            kept |= {b.at: b for b in counted.batches if _is_earlier(b, rollout, began)}
    return {name: tuple(by[at] for at in sorted(by)) for name, by in found.items()}


def _is_earlier(batch: Batch, rollout: Rollout, began: int) -> bool:
    return batch.at >= began and batch.step < ordinal(rollout)
