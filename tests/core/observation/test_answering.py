"""Answers, losses, restarts and replicas, from the series that tell of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from sluice.core.analysis.counts import Answered, Batch, Cell, Counts, Gate, GateCounts, Parameters
from sluice.core.analysis.queries import Question
from sluice.core.analysis.samples import Series
from sluice.core.analysis.signals import Counter, Watch, watches_beside
from sluice.core.catalog.entries import Gateway
from sluice.core.observation.answering import answered_of, lost, others_asked, with_others
from sluice.core.observation.guards import coverage, restarts_of
from sluice.core.observation.replicas import (
    CONTAINER,
    READY,
    RESTARTS,
    is_of,
    own_restarts,
    ready_questions,
    replicas_of,
)
from sluice.core.observation.subject import Answers, Arm, Subject
from sluice.core.rollout.model import Replicas
from sluice.core.specs.records import read_release
from support import trees

BEGIN = 1_795_200_000
GRID = [BEGIN + 60 * i for i in range(11)]
NOW = GRID[-1] + 60
SERVED, EDGE_METRIC = "http_requests_total", "edge_total"
ENGINE = trees.tools().catalog.engine("vllm", "0.33.0")
WATCH = Watch(Gate("errors"), requests=Counter(SERVED), bad=Counter(SERVED, {"status": ("5xx",)}))


def arm(version: str) -> Arm:
    assert ENGINE
    labels = {"namespace": ("ai",), "sluice_dev_version": (version,)}
    workload = (f"chat-v{version}", "Deployment")
    return Arm(labels, ENGINE, {"errors": WATCH}, workload=workload)


def subject(**more: object) -> Subject:
    found = Subject(
        candidate=arm("8"),
        stable=arm("7"),
        grid=GRID,
        begin=BEGIN,
        step=0,
        parameters=Parameters(),
        weight=10,
        answers_from=BEGIN,
        most=4,
        scaled=True,
    )
    return replace(found, **more)  # type: ignore[arg-type]  # its fields


def counter(each: float, until: int = NOW, first: float = 0.0) -> list[tuple[float, float]]:
    """A counter that grows by so much a minute, scraped four times in it."""
    times = range(BEGIN - 60, until, 15)
    return [(float(t), first + each * (t - BEGIN + 60) / 60) for t in times]


def telling(found: Mapping[tuple[str, str], Sequence[tuple[float, float]]]) -> Answers:
    """Series by metric and version, or the metric and a pod of the cluster's own metrics."""

    def answers(question: Question) -> list[Series]:
        series: list[Series] = []
        for (metric, name), samples in found.items():
            labels = {"__name__": metric, "namespace": "ai", "container": CONTAINER}
            labels |= {"sluice_dev_version": name, "pod": name, "deployment": name}
            if metric == question.metric and question.matches(labels):
                series.append((labels, samples))
        return series

    return answers


def test_both_versions_answers_are_counted_for_each_batch() -> None:
    told = telling({(SERVED, "8"): counter(60), (SERVED, "7"): counter(540)})
    rows = list(answered_of(subject(), told, NOW))
    assert rows == [Answered(at, 60, 540, 10) for at in GRID[:-1]]
    settled = subject(answers_from=GRID[4])
    assert [row.at for row in answered_of(settled, told, NOW)] == GRID[4:-1]


def test_a_candidate_without_series_answered_nothing_but_nobody_without_a_stable_one() -> None:
    rows = list(answered_of(subject(), telling({(SERVED, "7"): counter(540)}), NOW))
    assert rows == [Answered(at, 0, 540, 10) for at in GRID[:-1]]
    assert list(answered_of(subject(), telling({(SERVED, "8"): counter(60)}), NOW)) == []
    assert list(answered_of(subject(), telling({}), NOW)) == []
    assert list(answered_of(subject(weight=0), telling({(SERVED, "7"): counter(5)}), NOW)) == []


def test_with_everything_the_candidates_own_series_must_be_there() -> None:
    full = subject(weight=100, step=1)
    assert list(answered_of(full, telling({(SERVED, "7"): counter(0)}), NOW)) == []
    found = list(answered_of(full, telling({(SERVED, "8"): counter(0)}), NOW))
    assert found[0] == Answered(BEGIN, 0, 0, 100, 1)


@pytest.mark.parametrize(
    ("engine", "most", "least"),
    [(60, 0, 0), (58, 0, 0), (55, 0, 0), (30, 200, 100), (0, 600, 400)],
)
def test_what_never_reached_the_engine_is_lost(engine: float, most: int, least: int) -> None:
    told = telling({(SERVED, "8"): counter(engine), (SERVED, "7"): counter(540)})
    sent: list[Series] = [({"pod": "edge"}, counter(60))]
    requests, missing = lost(sent, arm("8"), subject(), told, NOW)
    assert sum(n or 0 for n in requests[""]) == 600
    assert least <= sum(x or 0 for x in missing[""]) <= most


def test_nothing_is_lost_where_nobody_scrapes_the_engines() -> None:
    sent: list[Series] = [({"pod": "edge"}, counter(60))]
    assert lost(sent, arm("8"), subject(), telling({}), NOW) == ({}, {})


def test_nothing_is_lost_while_only_some_replicas_are_scraped() -> None:
    """The others may have seen it: a scrape that fails must not condemn a version."""
    sent: list[Series] = [({"pod": "edge"}, counter(60))]
    found = {(SERVED, "8"): counter(30), (SERVED, "7"): counter(540)}
    ready = [(float(NOW - 15), 2.0)]
    assert lost(sent, arm("8"), subject(), telling({**found, (READY, "chat-v8"): ready}), NOW) == (
        {},
        {},
    )
    one = {**found, (READY, "chat-v8"): [(float(NOW - 15), 1.0)]}
    _, missing = lost(sent, arm("8"), subject(), telling(one), NOW)
    assert sum(x or 0 for x in missing[""]) > 100


def test_a_restart_that_two_scrapers_tell_of_is_one() -> None:
    pod = {"__name__": RESTARTS, "namespace": "ai", "container": CONTAINER}
    pod["pod"] = "chat-v8-7d9f8b6c5d-abcde"
    samples = [(float(t), float(t >= BEGIN + 300)) for t in range(BEGIN, NOW, 15)]
    both: list[Series] = [({**pod, "instance": i}, samples) for i in ("a", "b")]

    def answers(question: Question) -> list[Series]:
        return [each for each in both if question.metric == RESTARTS]

    assert len(restarts_of(subject(), answers, NOW) or []) == 1


def test_other_releases_are_asked_without_a_version_and_once_the_candidate_serves_alone() -> None:
    assert list(others_asked(WATCH, subject())) == []
    alone = subject(others=("code", "embed"))
    every, bad = others_asked(WATCH, alone)
    assert every.labels == {"namespace": ("ai",), "sluice_dev_release": ("code", "embed")}
    assert bad.labels["status"] == ("5xx",)
    batch = Batch(BEGIN, (Cell(1, 0),), ())
    series = [({"__name__": SERVED, "pod": "code-0", "status": "2xx"}, counter(90))]
    series.append(({"__name__": SERVED, "pod": "code-0", "status": "5xx"}, counter(10)))

    def answers(question: Question) -> list[Series]:
        return [s for s in series if question == every or s[0]["status"] == "5xx"]

    (found,) = with_others([batch], WATCH, alone, answers, NOW)
    assert found.others == (Cell(100, 10),)


def test_replicas_are_what_the_cluster_says_is_ready() -> None:
    ready = [(float(NOW - 20), 3.0)]
    told = telling({(READY, "chat-v8"): [(float(NOW - 20), 1.0)], (READY, "chat-v7"): ready})
    assert replicas_of(subject(), told, NOW) == Replicas(1, 3, 4, scaled=True)
    old = telling({(READY, "chat-v7"): [(float(NOW - 500), 3.0)]})
    assert replicas_of(subject(), old, NOW) == Replicas(None, None, 4, scaled=True)
    gone = telling({(READY, "chat-v8"): [(float(NOW - 500), 3.0), (float(NOW - 20), 0.0)]})
    assert replicas_of(subject(), gone, NOW).ready == 0


def test_where_the_cluster_does_not_tell_those_count_that_tell_something() -> None:
    queue = "vllm:num_requests_waiting"
    told = telling({(queue, "8"): [(float(NOW - 20), 0.0)]})
    assert replicas_of(subject(), told, NOW) == Replicas(1, None, 4, scaled=True)
    asked = {question.metric for question in ready_questions(subject())}
    assert asked == {READY, queue}


@pytest.mark.parametrize(
    ("pod", "own"),
    [
        ("chat-v8-7d9f8c6b5-x2x7q", True),
        ("chat-v8-0", True),
        ("chat-v8-0-3", True),
        ("chat-v8", False),
        ("chat-v80-7d9f8c6b5-x2x7q", False),
        ("chat-v8-beta-7d9f8c6b5-x2x7q", False),
        ("other-chat-v8-0", False),
    ],
)
def test_the_pods_of_a_workload(pod: str, *, own: bool) -> None:
    assert is_of(pod, "chat-v8") == own


def test_restarts_at_once_are_one_and_those_of_both_versions_are_nobodys() -> None:
    assert own_restarts({"a": [100.0], "b": [130.0]}, {}) == [100.0]
    assert own_restarts({"a": [100.0, 150.0]}, {}) == [100.0, 150.0]
    assert own_restarts({"a": [100.0], "b": [900.0]}, {}) == [100.0, 900.0]
    assert own_restarts({"a": [100.0], "b": [900.0]}, {"c": [250.0]}) == [900.0]


def stepped(*times: int) -> list[tuple[float, float]]:
    """A counter of restarts: one more from each of these seconds on."""
    return [(float(t), float(sum(t >= BEGIN + at for at in times))) for t in range(BEGIN, NOW, 15)]


def test_containers_that_restart_are_told_from_pods_that_were_replaced() -> None:
    """A pod of the same name on another node counts from zero, too, but no container restarted."""
    fell = [(float(BEGIN + 15 * i), float(v)) for i, v in enumerate([5, 9, 1, 3, 4, 2, 6])]
    counters = {(SERVED, "8"): fell, (SERVED, "7"): counter(540)}
    assert len(restarts_of(subject(), telling(counters), NOW) or []) == 2
    named = replace(arm("8"), labels={"namespace": ("ai",)})
    found = {(RESTARTS, "chat-v8-0"): stepped(), (SERVED, "chat-v8-0"): fell}
    assert restarts_of(subject(candidate=named), telling(found), NOW) == []
    crashed = {(RESTARTS, "chat-v8-0"): stepped(60, 200), (SERVED, "chat-v8-0"): fell}
    assert restarts_of(subject(candidate=named), telling(crashed), NOW) == [
        BEGIN + 60,
        BEGIN + 210,
    ]


def test_a_node_that_boots_restarts_both_versions_and_blames_none() -> None:
    found = {
        (RESTARTS, "chat-v8-0"): stepped(60, 300),
        (RESTARTS, "chat-v7-0"): stepped(75, 320),
    }
    assert restarts_of(subject(), telling(found), NOW) == []


def test_what_was_not_counted_is_told_as_long_as_it_lasts() -> None:
    def seen(*at: int) -> tuple[int, str]:
        rows = tuple(Batch(GRID[i], (Cell(9, 0),), ()) for i in at)
        return coverage(subject(), Counts((GateCounts(Gate("errors"), rows),)))

    assert seen(*range(10)) == (0, "")
    assert seen(0, 1, 2, 6, 7, 8, 9) == (180, "")
    assert seen(0, 1, 2, 3, 4) == (300, "nothing of the candidate was counted for 5m")
    assert seen() == (600, "nothing of the candidate was counted for 10m")


EDGE = Gateway(
    "edge",
    "An edge",
    arm={"service": "{service}"},
    counters={
        "errors": {
            "requests": {"metric": EDGE_METRIC},
            "bad": {"metric": EDGE_METRIC, "labels": {"code": "503"}},
        },
        "refusals": {
            "requests": {"metric": EDGE_METRIC},
            "kinds": {"unknown": {"metric": EDGE_METRIC, "labels": {"code": ["404", "405"]}}},
        },
    },
)


def test_what_is_counted_beside_the_gates() -> None:
    assert ENGINE
    own = [watch.gate.name for watch in watches_beside(read_release({}), ENGINE)]
    assert own[0] == "refusals: any"
    assert "refusals: unknown" in own
    both = {watch.gate.name: watch for watch in watches_beside(read_release({}), ENGINE, EDGE)}
    further = [
        "refusals: unknown at the gateway",
        "errors at the gateway",
        "lost before the engine",
    ]
    assert list(both) == [*own, *further]
    assert not any(watch.gate.required for watch in both.values())
    assert both["errors at the gateway"].gate.absolute is not None
    silent = trees.tools().catalog.engine("ollama", "")
    assert silent
    alone = [watch.gate.name for watch in watches_beside(read_release({}), silent, EDGE)]
    assert alone == ["refusals: unknown at the gateway"]


def test_a_release_can_say_how_refusals_are_taken() -> None:
    assert ENGINE
    gate = {"signal": "refusals", "tolerated": 2, "mode": "observe", "name": "client-errors"}
    found = watches_beside(read_release({"rollout": {"analysis": {"gates": [gate]}}}), ENGINE)
    assert {watch.gate.tolerated for watch in found} == {2}
    assert all(watch.gate.observe for watch in found)
    assert found[0].gate.name == "client-errors: any"
