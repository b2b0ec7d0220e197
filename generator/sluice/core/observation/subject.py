"""A rollout that is to be counted: its two versions, and when."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sluice.core import names
from sluice.core.analysis.counts import Answered, Batch, Parameters
from sluice.core.analysis.queries import Question, arm_labels, buckets
from sluice.core.analysis.samples import INFINITE, STALE, Series, grid_of
from sluice.core.analysis.signal_table import ERRORS
from sluice.core.analysis.signals import (
    Counter,
    Watch,
    caches,
    own_labels,
    parameters,
    warm_up,
    watches,
    watches_beside,
)
from sluice.core.catalog.entries import Catalog, Engine
from sluice.core.rollout.model import Rollout
from sluice.core.specs.resolve import Release, Variant
from sluice.core.specs.rollout_plan import FULL
from sluice.core.specs.rollout_records import Guards
from sluice.core.workload import values
from sluice.core.workload.routing import gateway_of, words

BATCH = 60
SETTLING = 300
"""Seconds that answers may take: a share of answers is that of requests some time before."""
MOST_OTHERS = 30
LIFELINES = ("requestLatency", "queueTime", "timeToFirstToken", "timePerOutputToken")
"""Histograms of all answers, by their meaning."""
Answers = Callable[[Question], Sequence[Series]]
"""The series of a question that was asked."""


@dataclass(frozen=True)
class Earlier:
    """What was counted in earlier steps of a rollout: batches by gate, and answers."""

    gates: Mapping[str, tuple[Batch, ...]] = field(default_factory=dict)
    answered: tuple[Answered, ...] = ()


@dataclass(frozen=True)
class Arm:
    """One version: the labels of its series, its engine, and what is counted of it, by gate.

    `words` are what the labels of a gateway say of the version in its role; `everywhere` are labels
    that all series of the environment have; `caches` says whether prefixes are kept. `beside` can
    fail a candidate and need not pass. `workload` is the name and the kind of what runs it.
    """

    labels: Mapping[str, tuple[str, ...]]
    engine: Engine
    watches: Mapping[str, Watch]
    role: str = "stable"
    words: Mapping[str, str] = field(default_factory=dict)
    everywhere: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    caches: bool = True
    beside: Mapping[str, Watch] = field(default_factory=dict)
    workload: tuple[str, str] = ("", "Deployment")

    @property
    def every(self) -> Mapping[str, Watch]:
        """All that is counted, by gate."""
        return {**self.watches, **self.beside}

    def answering(self) -> Question | None:
        """The counter of what a version answered, whether or not it failed; None without one.

        The gateway's tells where the engine counts nothing at all.
        """
        counted = self.engine.counters.get(ERRORS.name)
        if counted is not None:
            return Question(counted["requests"]["metric"], self.labels)
        edge = next((w for w in self.watches.values() if w.gateway and w.requests), None)
        at_edge = self._counter(edge.requests, edge) if edge and edge.requests else None
        return self.lifeline() or at_edge

    def lifeline(self) -> Question | None:
        """A counter of answers that the engine has in any case, and that begins anew with it."""
        known = (self.engine.metrics[name] for name in LIFELINES if name in self.engine.metrics)
        metric = next(known, None)
        return Question(f"{metric}_bucket", {**self.labels, "le": (INFINITE,)}) if metric else None

    def counted(self, watch: Watch) -> Mapping[str, tuple[str, ...]]:
        """The labels of this version's series, where its pods count or where the gateway does."""
        if watch.gateway is None:
            return self.labels
        return {**self.everywhere, **watch.gateway.labels(self.role, self.words)}

    def asked(self, watch: Watch) -> Iterator[Question]:
        """What is asked for a gate: the buckets of a histogram, or its two counters."""
        if watch.histogram:
            yield buckets(watch.histogram, watch.above, self.labels)
        else:
            counters = (watch.requests, watch.bad)
            yield from (self._counter(counter, watch) for counter in counters if counter)

    def _counter(self, counter: Counter, watch: Watch) -> Question:
        return Question(counter.metric, {**counter.labels, **self.counted(watch)})

    def gauge(self, meaning: str) -> Question | None:
        """The series of a metric by its meaning, if the engine has it."""
        metric = self.engine.metrics.get(meaning)
        return Question(metric, self.labels) if metric else None


@dataclass(frozen=True)
class Subject:
    """A rollout to be counted: both arms, the ends of its batches, and what was counted before.

    `begin` is when the committed weight came into force, in seconds since the epoch; `lag` is how
    many seconds after an event its sample can be asked for. `weight` is the candidate's, in
    percent; `answers_from` is when requests that came with it should have been answered. `others`
    are releases of the environment that its faults are shared with. `most` is how many replicas the
    candidate may have, and `scaled` whether a scaler sets their number.
    """

    candidate: Arm
    stable: Arm
    grid: Sequence[int]
    begin: int
    step: int
    parameters: Parameters
    earlier: Mapping[str, tuple[Batch, ...]] = field(default_factory=dict)
    lag: int = 0
    guards: Guards = field(default_factory=Guards)
    weight: int = 0
    answers_from: int = 0
    others: tuple[str, ...] = ()
    most: int = 1
    scaled: bool = False
    answered: tuple[Answered, ...] = ()

    def window(self, now: int) -> int:
        """Seconds of samples that are needed, up to now."""
        return max(BATCH, now - self.begin) + STALE


def subject_of(  # all that a subject is made of
    release: Release,
    rollout: Rollout,
    catalog: Catalog,
    times: tuple[int, int],
    earlier: Earlier,
    others: Sequence[str] = (),
) -> Subject | None:
    """What to count of a rollout; None when an engine is not known.

    Args:
        release: a release with a rollout.
        rollout: where it stands.
        catalog: the engines.
        times: since when the committed weight is in force, and now, in seconds since the epoch.
        earlier: what was counted in earlier steps.
        others: the names of the environment's other releases.
    """
    begin, now = times
    arms = [
        _arm(release, variant, catalog) for variant in (release.variants[-1], release.variants[0])
    ]
    candidate, stable = arms
    if candidate is None or stable is None:
        return None
    start, lag = begin + warm_up(release.spec), release.environment.spec.monitoring.prometheus.delay
    grid = grid_of(start, now, BATCH, lag)
    return Subject(
        candidate=candidate,
        stable=stable,
        grid=grid,
        begin=begin,
        step=rollout.ordinal,
        parameters=parameters(release.spec),
        earlier=earlier.gates,
        lag=lag,
        guards=release.spec.rollout.analysis.guards,
        weight=rollout.weight,
        answers_from=start + SETTLING,
        others=tuple(sorted(others))[:MOST_OTHERS] if rollout.weight == FULL else (),
        most=release.spec.scaling.most,
        scaled=release.spec.scaling.is_automatic,
        answered=earlier.answered,
    )


def _arm(release: Release, variant: Variant, catalog: Catalog) -> Arm | None:
    """An arm; the gates are those of the release, the metrics those of the version's engine."""
    engine = catalog.engine(variant.spec.engine.name, variant.spec.engine.version)
    if engine is None or not variant.version:
        return None
    namespace, version = release.environment.spec.namespace, names.slug(variant.version)
    everywhere = own_labels(release.environment.spec)
    labels = {**everywhere, **arm_labels(namespace, release.key.name, version)}
    found = {w.gate.name: w for w in watches(release.spec, engine, gateway_of(release, catalog))}
    said = words(release, values.service_name(release, variant))
    gateway = gateway_of(release, catalog)
    beside = {w.gate.name: w for w in watches_beside(release.spec, engine, gateway)}
    workload = values.workload_name(release, variant), values.group(variant)["workload_kind"]
    return Arm(
        labels,
        engine,
        found,
        variant.role,
        said,
        everywhere,
        caches(variant.spec),
        beside,
        workload,
    )
