"""Queries cannot be broken out of, and raw samples become the right whole numbers."""

import math
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sluice.core.analysis import samples
from sluice.core.analysis.counts import Cell
from sluice.core.analysis.queries import (
    LONGEST_QUERY,
    Question,
    arm_labels,
    bounds_of,
    buckets,
    check_bound,
    chosen,
    combined,
    promql,
    quoted,
    spellings,
)

NOW = 10_000.0
HOSTILE = ['"} or vector(1) #', "a\\", "x\ny", "a|b", ".*", "{}", "", "é\u2028"]


def test_the_samples_of_one_version() -> None:
    question = Question("e:ttft_seconds_count", arm_labels("ai", "chat", "8"))
    assert promql(question, 660) == (
        'e:ttft_seconds_count{namespace="ai",sluice_dev_release="chat",sluice_dev_version="8"}[660s]'
    )
    assert promql(question, 60, 30).endswith("[60s] offset 30s")


@pytest.mark.parametrize("value", HOSTILE)
def test_a_value_stays_a_value(value: str) -> None:
    """The string literal ends where the query says, whatever is in it."""
    text = promql(Question("m", {"a": (value,)}), 60)
    literal = re.fullmatch(r'm\{a=("(?:[^"\\\n]|\\[\\n"])*")\}\[60s\]', text)
    assert literal is not None
    inner = re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], literal[1][1:-1])
    assert inner == value


@given(st.lists(st.text(max_size=8), min_size=2, max_size=4, unique=True), st.text(max_size=8))
def test_several_values_match_themselves_and_nothing_else(values: list[str], other: str) -> None:
    text = promql(Question("m", {"a": tuple(values)}), 60)
    literal = re.fullmatch(r'm\{a=~("(?:[^"\\\n]|\\[\\n"])*")\}\[60s\]', text)
    assert literal is not None
    pattern = re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], literal[1][1:-1])
    for value in (*values, other):
        assert bool(re.fullmatch(pattern, value)) == (value in values)


@pytest.mark.parametrize("metric", ["", "a b", 'a{x="1"}', "1a", "a-b", "a\n"])
def test_a_name_that_is_none_is_refused(metric: str) -> None:
    with pytest.raises(ValueError, match="not the name of a metric"):
        Question(metric, {})
    with pytest.raises(ValueError, match="not the name of a label"):
        Question("m", {f"{metric}-": ("x",)})


@pytest.mark.parametrize(("window", "offset"), [(0, 0), (-1, 0), (1, -1)])
def test_a_window_must_be_one(window: int, offset: int) -> None:
    with pytest.raises(ValueError, match="window"):
        promql(Question("m", {}), window, offset)


def test_questions_about_one_metric_become_one_query() -> None:
    questions = [Question("m", arm_labels("ai", f"r{i}", str(v))) for i in range(3) for v in (1, 2)]
    merged = combined([*questions, Question("other", {})])
    assert [q.metric for q in merged] == ["m", "other"]
    series: list[samples.Series] = [
        ({"__name__": "m", "namespace": "ai", "sluice_dev_release": r, "sluice_dev_version": v}, [])
        for r in ("r0", "r1", "r2", "rest")
        for v in ("1", "2", "3")
    ]
    held = [s for s in series if merged[0].matches(s[0])]
    assert len(held) == 6
    assert [chosen(q, held)[0][0]["sluice_dev_release"] for q in questions] == [
        "r0", "r0", "r1", "r1", "r2", "r2",
    ]  # fmt: skip


def test_a_combined_query_does_not_grow_without_end() -> None:
    questions = [Question("m", {"a": (f"{i:0100}",)}) for i in range(500)]
    merged = combined(questions)
    assert 3 <= len(merged) <= 5
    assert all(len(promql(q, 60)) <= LONGEST_QUERY for q in merged)
    assert all(any(set(q.labels["a"]) <= set(m.labels["a"]) for m in merged) for q in questions)


def test_a_bucket_is_asked_for_in_every_spelling() -> None:
    assert {"5", "5.0"} <= set(spellings(5))
    assert {"0.25"} <= set(spellings(0.25))
    assert buckets("m", 5, {}).metric == "m_bucket"
    assert "+Inf" in buckets("m", 5, {}).labels["le"]


@pytest.mark.parametrize(
    ("threshold", "message"),
    [(2.5, ""), (0.1, ""), (2.0, "2 is not the bound of a bucket; 1 or 2.5 is")],
)
def test_a_threshold_must_be_a_bound(threshold: float, message: str) -> None:
    assert check_bound(threshold, [0.1, 1, 2.5, 5, math.inf]) == message


def test_bounds_are_read_from_labels() -> None:
    found = bounds_of([({"le": "0.5"}, []), ({"le": "+Inf"}, []), ({"le": "x"}, []), ({}, [])])
    assert found == {0.5, math.inf}
    assert check_bound(1, []) == "the histogram has no buckets"
    assert quoted('"') == '"\\""'


GRID = [0, 60, 120, 180]


def one(values: list[tuple[float, float]], **labels: str) -> samples.Series:
    return {"__name__": "m", "pod": "p", **labels}, values


def increase(values: list[tuple[float, float]], now: float = NOW) -> list[int | None]:
    return list(samples.increases([one(values)], GRID, now)["p"])


def test_differences_of_a_counter() -> None:
    assert increase([(0, 10), (30, 12), (60, 15), (115, 20), (175, 20)]) == [5, 5, 0]


def test_a_restart_counts_on() -> None:
    assert increase([(0, 100), (30, 110), (45, 3), (60, 4), (120, 1)]) == [14, 1, 0]
    assert samples.restarts([(0, 100), (45, 3), (60, 4), (120, 1)]) == [45, 120]


@pytest.mark.parametrize("odd", [math.nan, math.inf, -1.0])
def test_what_is_no_count_is_skipped(odd: float) -> None:
    assert increase([(0, 10), (40, odd), (60, 15), (120, 20), (180, 20)]) == [5, 5, 0]


def test_samples_in_disorder_and_twice_are_put_right() -> None:
    assert increase([(120, 20), (0, 10), (60, 15), (60, 15), (180, 20)]) == [5, 5, 0]


def test_samples_from_the_future_are_not_believed() -> None:
    assert increase([(0, 10), (60, 15), (120, 99), (180, 99)], now=70) == [5, None, None]


def test_a_pod_that_was_not_observed_has_no_count() -> None:
    assert increase([(61, 5), (120, 9), (180, 12)]) == [None, None, 3]
    assert increase([(-400, 5), (120, 9)]) == [None, None, 0]
    assert increase([]) == [None, None, None]


@given(st.lists(st.integers(0, 30), min_size=10, max_size=40), st.sets(st.integers(1, 39)))
@example([0, 20, 19, 0, 0, 0, 0, 0, 0, 0], {3})
def test_restarts_lose_only_what_was_never_scraped(steps: list[int], resets: set[int]) -> None:
    """A process that starts anew at some scrapes, with all that it counted since then in them.

    A fall as small as two servers' clocks make it is no new beginning.
    """
    value, track = 0, [(0.0, 0.0)]
    for index, step in enumerate(steps, 1):
        value = step if index in resets else value + step
        track.append((index * 10.0, float(value)))
    grid = [0, len(steps) * 10]
    found = samples.increases([one(track)], grid, NOW)["p"][0]
    assert found is not None
    hidden = 1 - samples.CLOCKS
    unseen = [i for i in resets if i <= len(steps) and track[i][1] >= track[i - 1][1] * hidden]
    assert found <= sum(steps)
    if not unseen:
        assert found == sum(steps)


def test_a_pod_that_two_jobs_scrape_is_counted_once() -> None:
    values = [(0.0, 10.0), (60.0, 15.0)]
    twice = [one(values, job="a", instance="1"), one(values[:1], job="b", instance="1:80")]
    assert samples.increases(twice, GRID[:2], NOW) == {"p": [5]}
    assert samples.duplicates(twice) == 1


def test_series_that_differ_in_what_they_count_are_summed() -> None:
    values = [(0.0, 10.0), (60.0, 15.0)]
    both = [one(values, finished_reason="stop"), one(values, finished_reason="length")]
    assert samples.increases(both, GRID[:2], NOW) == {"p": [10]}


STEADY = [(float(t), 10.0 * t) for t in range(0, 200, 10)]


def test_the_first_bad_event_of_a_pod_is_not_lost() -> None:
    every = [one(STEADY, status="2xx")]
    late = [one([(100, 3.0), (180, 4.0)], status="5xx")]
    requests, bad = samples.ratio([*every, *late], late, GRID, NOW)
    assert requests["p"] == [600, 603, 601]
    assert bad["p"] == [0, 3, 1]


def test_no_series_of_bad_events_means_none_only_within_one_metric() -> None:
    every = [one(STEADY)]
    assert samples.ratio(every, [], GRID, NOW)[1]["p"] == [0, 0, 0]
    other = {"__name__": "other", "pod": "q"}
    assert samples.ratio(every, [(other, [])], GRID, NOW)[1]["p"] == [None] * 3


def histogram(pod: str, quick: float, le: str = "2.5") -> list[samples.Series]:
    return [
        ({"__name__": "m_bucket", "pod": pod, "le": le}, [(t, v * quick) for t, v in STEADY]),
        ({"__name__": "m_bucket", "pod": pod, "le": "+Inf"}, STEADY),
    ]


def test_slow_requests_are_those_beyond_a_bucket() -> None:
    found = samples.slow(histogram("p", 0.75), 2.5, GRID, NOW)
    assert found == ({"p": [600] * 3}, {"p": [150] * 3})


def test_a_bucket_that_is_not_there_is_no_data_and_not_all_or_none() -> None:
    requests, bad = samples.slow(histogram("p", 0.75), 2.0, GRID, NOW)
    assert (requests["p"], bad["p"]) == ([600] * 3, [None] * 3)
    assert samples.batches((requests, bad), (requests, bad), GRID, 0) == ()


def test_batches_of_both_arms() -> None:
    arms = samples.slow(histogram("p", 0.75), 2.5, GRID, NOW)
    found = samples.batches(arms, arms, GRID, 1)
    assert [(b.at, b.step) for b in found] == [(0, 1), (60, 1), (120, 1)]
    assert found[0].candidate == found[0].stable == (Cell(600, 150),)
    assert samples.batches(({}, {}), arms, GRID, 0) == ()
    assert samples.batches(arms, ({}, {}), GRID, 0)[0].stable == ()


@pytest.mark.parametrize(
    ("now", "grid"),
    [(1000, [1000]), (1089, [1000]), (1090, [1000, 1060]), (500, [1000])],
)
def test_the_grid_has_complete_batches_only(now: int, grid: list[int]) -> None:
    assert samples.grid_of(1000, now, 60, 30) == grid


@given(st.lists(st.tuples(st.floats(), st.floats()), max_size=30))
def test_no_samples_whatever_break_anything(values: list[Any]) -> None:
    for count in increase(values, now=170):
        assert count is None or count >= 0
