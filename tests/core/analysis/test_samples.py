"""Samples as real servers give them: clocks that differ, gaps, two scrapers, no numbers."""

import math
from collections.abc import Iterable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.core.analysis.samples import (
    LARGEST,
    Sample,
    Series,
    accumulated,
    increases,
    ratio,
    restarts,
    slow,
)

BEGIN = 1_795_200_000
GRID = [BEGIN + 60 * i for i in range(11)]
NOW = GRID[-1] + 60
RATE = 2.0
"""Events a second."""


def counter(since: int, until: int, *, rate: float = RATE, every: int = 15) -> list[Sample]:
    """A counter that was at 0 an hour before, as it is scraped in some time, by minutes."""
    times = range(BEGIN + 60 * since, BEGIN + 60 * until, every)
    return [(float(t), rate * (t - BEGIN + 3600)) for t in times]


def of(samples: Iterable[Sample], pod: str = "a", **labels: str) -> Series:
    return {"__name__": "http_requests_total", "pod": pod, **labels}, list(samples)


def counted(*series: Series, now: int = NOW) -> list[int | None]:
    return list(increases(series, GRID, now)["a"])


def shifted(samples: Iterable[Sample], seconds: float) -> list[Sample]:
    """As a server tells them whose clock is ahead by so much."""
    return [(time + seconds, value) for time, value in samples]


WHOLE = counter(-10, 12)
EACH = [round(60 * RATE)] * 10


@pytest.mark.parametrize("skew", [-240, -120, -1, 1, 120, 600])
def test_a_servers_clock_moves_events_and_makes_none(skew: int) -> None:
    found = counted(of(shifted(WHOLE, skew)))
    assert all(count is None or 0 <= count <= EACH[0] for count in found)
    assert sum(count or 0 for count in found) <= sum(EACH)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1.0, 1e300, LARGEST * 2])
def test_what_is_no_count_is_as_if_it_had_not_come(value: float) -> None:
    spoiled = [(t, value if index % 7 == 3 else v) for index, (t, v) in enumerate(WHOLE)]
    assert sum(count or 0 for count in counted(of(spoiled))) == pytest.approx(sum(EACH), abs=60)
    assert counted(of((t, value) for t, _ in WHOLE)) == [None] * 10


@given(
    st.lists(
        st.tuples(
            st.floats(BEGIN - 600, NOW + 600), st.floats(allow_nan=True, allow_infinity=True)
        ),
        max_size=30,
    )
)
def test_no_samples_are_an_error(samples: list[Sample]) -> None:
    series = [of(samples, le="1"), of(reversed(samples), le="+Inf", job="other")]
    requests, bad = slow(series, 1.0, GRID, NOW)
    for counts in (
        *requests.values(),
        *bad.values(),
        *ratio(series, series, GRID, NOW)[1].values(),
    ):
        assert all(count is None or count >= 0 for count in counts)


@pytest.mark.parametrize("every", [5, 15, 60])
@pytest.mark.parametrize("begins", [-10, 4])
def test_a_second_scraper_counts_nothing_twice_and_hides_nothing(every: int, begins: int) -> None:
    """It may ask more often, begin later, and have another clock."""
    second = shifted(counter(begins, 12, every=every), -1.7)
    found = counted(of(WHOLE, job="old"), of(second, job="new"))
    assert found == pytest.approx(EACH, abs=4)


def test_who_scrapes_may_change_in_the_middle() -> None:
    """A pod gets another address when its sandbox begins anew; a job gets another name."""
    old, new = counter(-10, 5), counter(5, 12)
    assert counted(of(old, instance="10.0.0.7:8000"), of(new, instance="10.0.0.9:8000")) == EACH
    for skew in (-20, 20):  # two servers with clocks of their own
        found = counted(of(old, instance="a"), of(shifted(new, skew), instance="b"))
        assert found == pytest.approx(EACH, abs=60)
    anew = [(time, value - new[0][1]) for time, value in new]  # from 0, with its process
    assert counted(of(old, instance="a"), of(anew, instance="b")) == pytest.approx(EACH, abs=60)


def test_a_counter_that_begins_anew_is_told_from_two_clocks() -> None:
    fell = [(0.0, 1000.0), (15.0, 990.0), (30.0, 1010.0)]
    assert accumulated(fell)[-1][1] - accumulated(fell)[0][1] == 10
    assert restarts(fell) == []
    anew = [(0.0, 1000.0), (15.0, 4.0), (30.0, 9.0)]
    assert accumulated(anew)[-1][1] - accumulated(anew)[0][1] == 9
    assert restarts(anew) == [15.0]
    again = [(0.0, 3.0), (15.0, 1.0), (30.0, 2.0), (45.0, 0.0)]
    assert restarts(again) == [15.0, 45.0]


def test_a_server_without_a_past_makes_no_events_of_what_it_finds() -> None:
    found = counted(of(counter(5, 12)))
    assert found[:5] == [None] * 5
    assert found[5:] == EACH[5:]


def test_a_gap_is_not_counted_and_a_short_one_is_made_up_for() -> None:
    short = [sample for sample in WHOLE if not GRID[3] < sample[0] < GRID[6]]
    assert sum(count or 0 for count in counted(of(short))) == sum(EACH)
    long = [sample for sample in WHOLE if not GRID[1] < sample[0] < GRID[8]]
    assert None in counted(of(long))


@pytest.mark.parametrize("bounds", [("1", "+Inf"), ("1.0", "+Inf")])
def test_slow_answers_are_counted_by_one_scraper(bounds: tuple[str, str]) -> None:
    """All are quick: of two scrapers with times of their own, none is slow by their difference."""
    series = [
        of(shifted(counter(-10, 12, every=every), skew), le=le, job=job)
        for le in bounds
        for job, every, skew in (("a", 15, 0.0), ("b", 20, 7.0))
    ]
    requests, bad = slow(series, 1.0, GRID, NOW)
    assert list(requests["a"]) == pytest.approx(EACH, abs=40)
    assert list(bad["a"]) == [0] * 10


def test_pods_that_come_and_go_are_counted_while_they_are_there() -> None:
    series = [of(counter(-10, 3), pod="a"), of(counter(4, 12), pod="b")]
    found: Mapping[str, object] = increases(series, GRID, NOW)
    assert set(found) == {"a", "b"}
