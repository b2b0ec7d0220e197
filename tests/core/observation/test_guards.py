"""Restarts, queues, cache memory and shares, beside what gates count."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from sluice.core.analysis.counts import Batch, Cell, Counts, Gate, GateCounts, Parameters
from sluice.core.analysis.queries import Question
from sluice.core.analysis.samples import Series
from sluice.core.analysis.signals import Watch, own_labels
from sluice.core.catalog.entries import Gateway
from sluice.core.observation.guards import (
    alarms,
    gauges_of,
    lifelines,
    misrouted,
    restarts_of,
    unseen,
)
from sluice.core.observation.subject import Answers, Arm, Subject
from sluice.core.specs.records import read_environment, read_release
from sluice.core.specs.rollout_records import Guards
from support import trees

BEGIN, NOW, LAG = 1_795_200_000, 1_795_203_600, 45
EDGE = Gateway("edge", "An edge", arm={"destination": "{service}"})
Gauges = Mapping[str, Mapping[str, float]]
"""Values by metric, of each version's pods."""


def arm(version: str, engine: str = "vllm", known: str = "0.33.0", *, gateway: bool = False) -> Arm:
    found = trees.tools().catalog.engine(engine, known)
    assert found
    watch = Watch(Gate("errors"), gateway=EDGE if gateway else None)
    return Arm({"namespace": ("ai",), "v": (version,)}, found, {"errors": watch} if gateway else {})


def subject(candidate: Arm | None = None, begin: int = BEGIN, **more: int) -> Subject:
    return Subject(
        candidate=candidate or arm("8"),
        stable=arm("7"),
        grid=(),
        begin=begin,
        step=0,
        parameters=Parameters(),
        lag=LAG,
        guards=Guards(**more),
    )


def telling(values: Gauges, until: int = NOW, since: int = BEGIN, pods: int = 1) -> Answers:
    """Gauges that have had one value for each version since some time."""

    def answers(question: Question) -> list[Series]:
        (version,) = question.labels["v"]
        found = values.get(question.metric, {}).get(version)
        if found is None:
            return []
        samples = [(float(t), found) for t in range(since, until, 15)]
        return [({"pod": f"p{i}"}, samples) for i in range(pods)]

    return answers


WAITING, CACHE = "vllm:num_requests_waiting", "vllm:kv_cache_usage_perc"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({WAITING: {"8": 6, "7": 2}}, ["wait at each replica"]),
        ({WAITING: {"8": 6, "7": 3}}, []),  # as busy as the stable version
        ({WAITING: {"8": 5, "7": 0}}, []),
        ({WAITING: {"8": 6}}, ["wait at each replica"]),
        ({CACHE: {"8": 0.96}}, ["cache memory"]),
        ({CACHE: {"8": 0.95}}, []),
        ({WAITING: {"8": 60}, CACHE: {"8": 1}}, ["wait at each", "cache memory"]),
        ({}, []),
        ({WAITING: {"8": float("nan")}}, []),
    ],
)
def test_guards(values: Gauges, words: list[str]) -> None:
    found = alarms(subject(), telling(values), NOW)
    assert len(found) == len(words)
    assert all(word in said for word, said in zip(words, found, strict=True))


def test_a_guard_counts_replicas_and_not_pods_together() -> None:
    assert alarms(subject(), telling({WAITING: {"8": 4}}, pods=3), NOW) == ()


def test_a_guard_must_be_on_all_the_time() -> None:
    long = {WAITING: {"8": 60.0}}
    assert alarms(subject(), telling(long, since=NOW - 200), NOW) == ()
    assert alarms(subject(), telling(long, until=NOW - 300), NOW) == ()
    assert alarms(subject(begin=NOW - 200), telling(long), NOW) == ()
    assert alarms(subject(for_=60), telling(long, since=NOW - 300), NOW)


def test_guards_are_as_the_release_says() -> None:
    given = {"rollout": {"analysis": {"guards": {"queue": 10, "cache": 1, "for": "3m"}}}}
    assert read_release(given).rollout.analysis.guards == Guards(10, 1, 180)
    assert read_release({}).rollout.analysis.guards == Guards(5, 0.95, 300)
    values = {WAITING: {"8": 6.0}, CACHE: {"8": 1.0}}
    assert alarms(subject(queue=10, cache=1), telling(values), NOW) == ()


def test_an_engine_without_a_gauge_has_no_such_guard() -> None:
    silent = subject(arm("8", "ollama", ""))
    assert {question.labels["v"] for question in gauges_of(silent)} == {("7",)}
    assert alarms(silent, telling({WAITING: {"8": 60}}), NOW) == ()


def test_restarts_are_seen_in_the_engine_where_the_gateway_counts() -> None:
    found = subject(arm("8", "sglang", "0.5.23", gateway=True))
    asked = next(iter(lifelines(found)))
    assert asked.metric == "sglang:e2e_request_latency_seconds_bucket"

    def answers(question: Question) -> list[Series]:
        values = [0, 5, 9, 1, 3] if question == asked else []
        return [({"pod": "p"}, [(BEGIN + 60.0 * i, float(v)) for i, v in enumerate(values)])]

    assert restarts_of(found, answers, NOW) == [BEGIN + 180]


def test_restarts_of_an_engine_that_counts_nothing_are_not_known() -> None:
    silent = arm("8", "ollama", "", gateway=True)
    found = replace(subject(silent), stable=silent)
    assert list(lifelines(found)) == []
    assert restarts_of(found, lambda _: [], NOW) is None


@pytest.mark.parametrize(
    ("bounds", "said"),
    [
        (("0.5", "2.5", "+Inf"), ""),
        (("+Inf",), "m has no bucket of 2.5 s: nothing is counted for it"),
        ((), ""),
    ],
)
def test_a_threshold_that_is_no_bucket_of_the_engine_is_said(
    bounds: tuple[str, ...], said: str
) -> None:
    watch = Watch(Gate("slow"), "m", 2.5)
    found = subject(Arm({"v": ("8",)}, arm("8").engine, {"slow": watch}))
    series: list[Series] = [({"le": bound, "pod": "p"}, [(BEGIN + 1.0, 1.0)]) for bound in bounds]
    assert unseen(found, lambda _: series, NOW) == said


def counts(*rows: tuple[int, int], step: int = 0) -> Counts:
    cells = [((Cell(own, 0),), (Cell(other, 0),)) for own, other in rows]
    batches = tuple(Batch(BEGIN + 60 * i, *cell, step) for i, cell in enumerate(cells))
    return Counts((GateCounts(Gate("errors"), batches),), step=step)


@pytest.mark.parametrize(
    ("rows", "weight", "contradicts"),
    [
        ([(10, 90)] * 10, 10, False),
        ([(15, 85)] * 100, 10, False),  # sessions stay where they are
        ([(50, 50)] * 10, 10, True),
        ([(0, 100)] * 10, 10, True),
        ([(100, 0)] * 10, 50, True),
        ([(1, 0)] * 5, 50, False),  # chance
        ([(0, 20)], 10, False),
        ([(50, 50)] * 10 + [(10, 90)] * 10, 10, False),  # it was put right
        ([(10, 90)] * 20, 50, True),  # the route still has the weight before
        ([(100, 900)] * 10, 0, False),
        ([(0, 100)] * 10, 100, False),
        ([], 10, False),
    ],
)
def test_requests_that_contradict_the_weight(
    rows: list[tuple[int, int]], weight: int, *, contradicts: bool
) -> None:
    assert bool(misrouted(counts(*rows), weight)) == contradicts


def test_requests_that_choose_the_candidate_come_on_top_of_its_weight() -> None:
    assert misrouted(counts(*[(50, 50)] * 10), 10, chosen=True) == ""
    assert "the candidate got 1.0%" in misrouted(counts(*[(1, 99)] * 10), 10, chosen=True)


def test_one_server_for_several_clusters_is_asked_for_one_of_them() -> None:
    environment = {"monitoring": {"prometheus": {"labels": {"cluster": "eu"}}}}
    assert own_labels(read_environment(environment)) == {"cluster": ("eu",)}
    said, everywhere = {"service": "chat"}, {"cluster": ("eu",)}
    found = Arm({"namespace": ("ai",)}, arm("8").engine, {}, "stable", said, everywhere)
    assert found.counted(Watch(Gate("errors"), gateway=EDGE)) == {
        "cluster": ("eu",),
        "destination": ("chat",),
    }
