"""The formulas against numbers that were computed by other means, and what they promise."""

import math
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.core.analysis.sequential import (
    Pair,
    e_value,
    ln_e_bad,
    ln_e_bad_path,
    ln_e_change_path,
    ln_e_ok,
    sprt,
    sprt_bounds,
    sprt_llr,
)


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        (Pair(1, 1, 1, 0), 4 / 3),
        (Pair(1, 0, 1, 1), 2 / 3),
        (Pair(1, 1, 9, 0), 2 / 1.1),
        (Pair(1, 0, 9, 1), 1 / 1.1),
    ],
)
def test_one_bad_event_by_hand(pair: Pair, expected: float) -> None:
    assert math.exp(ln_e_bad([pair], mixture=(2,))) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([Pair(500, 20, 4500, 45)], 9.350043),
        ([Pair(500, 5, 4500, 45)], -1.648539),
        ([Pair(200, 0, 1800, 0)], 0.0),
        ([Pair(50, 3, 950, 3), Pair(250, 9, 750, 8)], 5.501981),
    ],
)
def test_the_mixture(pairs: list[Pair], expected: float) -> None:
    assert ln_e_bad(pairs) == pytest.approx(expected, abs=5e-7)


@pytest.mark.parametrize(
    ("pair", "expected", "tolerance"),
    [(Pair(1000, 10, 1000, 10), 3.24732, 5e-6), (Pair(500, 4, 4500, 60), 27.862, 5e-4)],
)
def test_evidence_for_a_candidate(pair: Pair, expected: float, tolerance: float) -> None:
    assert e_value(ln_e_ok([pair], 2.0)) == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize(
    ("requests", "bad", "llr", "decision"),
    [
        (72, 0, -2.969493, "accept"),
        (71, 0, -2.928250, "continue"),
        (100, 1, -2.473615, "continue"),
        (40, 3, 3.302324, "reject"),
    ],
)
def test_walds_test(requests: int, bad: int, llr: float, decision: str) -> None:
    found = sprt_llr(requests, bad, 0.01, 0.05)
    assert found == pytest.approx(llr, abs=5e-7)
    assert sprt(found, 0.05, 0.05) == decision


def test_more_tests_make_it_harder_to_reject_and_no_easier_to_accept() -> None:
    one, four = sprt_bounds(0.05, 0.05), sprt_bounds(0.05, 0.05, 4)
    assert four[0] == one[0]
    assert four[1] == pytest.approx(one[1] + math.log(4))


def test_a_batch_without_requests_in_an_arm_says_nothing() -> None:
    assert ln_e_bad([Pair(0, 3, 100, 1), Pair(10, 3, 0, 0)]) == 0
    assert ln_e_ok([Pair(0, 3, 100, 1), Pair(10, 3, 0, 0)]) == 0
    assert ln_e_bad([]) == 0


def test_nothing_overflows() -> None:
    million = [Pair(1_000_000, 1_000_000, 1_000_000, 0)] * 100
    assert math.isfinite(ln_e_bad(million))
    assert math.isfinite(e_value(ln_e_bad(million)))


@given(st.integers(1, 200), st.integers(1, 2000), st.integers(0, 12), st.floats(1.0, 3.0))
def test_the_mean_of_e_is_at_most_one_at_the_tolerated_ratio(
    candidate: int, stable: int, bad: int, tolerated: float
) -> None:
    """Over all ways in which `bad` events can fall on the arms; this is what makes it valid."""
    share = candidate * tolerated / (candidate * tolerated + stable)
    mean = math.fsum(
        math.comb(bad, x)
        * share**x
        * (1 - share) ** (bad - x)
        * math.exp(ln_e_bad([Pair(candidate, x, stable, bad - x)], tolerated))
        for x in range(bad + 1)
    )
    assert mean == pytest.approx(1, rel=1e-9)


@given(st.lists(st.tuples(*[st.integers(0, 50)] * 4), max_size=20))
def test_the_path_ends_where_the_sum_is(rows: list[tuple[int, int, int, int]]) -> None:
    pairs = [Pair(*row) for row in rows]
    path = ln_e_bad_path(pairs)
    assert path == [ln_e_bad(pairs[: i + 1]) for i in range(len(pairs))]
    single = [ln_e_bad([pair], mixture=(2,)) for pair in pairs]
    assert ln_e_bad_path(pairs, mixture=(2,)) == pytest.approx(list(accumulate(single)))


@given(*[st.integers(1, 500)] * 2, *[st.integers(0, 50)] * 2)
def test_a_bad_event_of_the_candidate_speaks_against_it(
    candidate: int, stable: int, own: int, other: int
) -> None:
    less, more = Pair(candidate, own, stable, other), Pair(candidate, own + 1, stable, other)
    assert ln_e_bad([more]) > ln_e_bad([less])
    assert ln_e_ok([more]) < ln_e_ok([less])


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=12))
def test_a_change_is_looked_for_at_every_batch(increments: list[float]) -> None:
    count = len(increments)
    mean = math.fsum(
        math.exp(math.fsum(increments[k - 1 :])) / (k * (k + 1)) for k in range(1, count + 1)
    )
    expected = math.log(mean + 1 / (count + 1))
    assert ln_e_change_path(increments)[-1] == pytest.approx(expected, abs=1e-9)


def test_a_long_good_time_does_not_hide_a_change() -> None:
    path = ln_e_change_path([-5.0] * 200 + [1.6] * 10)
    assert max(path[:200]) < 0
    assert path[-1] > math.log(20)
