"""False alarms and power by simulation, minutes long. The generator is seeded, so runs repeat.

The requests that a verdict takes are those of the design: medians over many runs in batches of a
hundred requests, which is why they are compared with some slack.
"""

import math
import random
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from statistics import median

import pytest

from sluice.core.analysis.counts import Absolute, Batch, Cell, Counts, Gate, GateCounts, Parameters
from sluice.core.analysis.judgement import judge
from sluice.core.analysis.sequential import MIXTURE, Pair, ln_e_bad_path, ln_e_ok
from support.binomial import binomial

pytestmark = pytest.mark.slow

ALPHA = BETA = 0.05
RUNS = 1500
BATCH = 100
SLACK = 0.35


Drift = Callable[[int], tuple[float, float]]
"""Of a batch's number, the weight and the base rate."""


def pairs(chance: random.Random, drift: Drift, ratio: float) -> Iterator[Pair]:
    number = 0
    while True:
        weight, rate = drift(number)
        candidate = binomial(chance, BATCH, weight)
        stable = BATCH - candidate
        own, other = binomial(chance, candidate, rate * ratio), binomial(chance, stable, rate)
        yield Pair(candidate, own, stable, other)
        number += 1


def take(source: Iterator[Pair], count: int) -> list[Pair]:
    return [next(source) for _ in range(count)]


def constant(weight: float, rate: float) -> Drift:
    return lambda _: (weight, rate)


def ramp(number: int) -> tuple[float, float]:
    """Weights of 5, 25 and 50 %, while the base rate rises from 0.2 to 2 %: Simpson's trap."""
    return (0.05, 0.25, 0.5)[min(number // 50, 2)], 0.002 + 0.018 * min(number, 150) / 150


def waves(number: int) -> tuple[float, float]:
    return (0.1, 0.5)[number // 60 % 2], 0.02 * (1 + math.sin(number / 10))


DRIFTS = {
    "0.5 % at 5 %": constant(0.05, 0.005),
    "0.5 % at 50 %": constant(0.5, 0.005),
    "1 % at 10 %": constant(0.1, 0.01),
    "5 % at 10 %": constant(0.1, 0.05),
    "20 % at 25 %": constant(0.25, 0.2),
    "ramp": ramp,
    "waves": waves,
}


@pytest.mark.parametrize("drift", DRIFTS.values(), ids=DRIFTS)
def test_looking_after_every_batch_gives_no_more_false_alarms_than_alpha(drift: Drift) -> None:
    chance = random.Random(7)  # noqa: S311  # a simulation
    bound = math.log(1 / ALPHA)
    alarms = sum(
        max(ln_e_bad_path(take(pairs(chance, drift, 1.0), 150))) >= bound for _ in range(RUNS)
    )
    assert alarms / RUNS <= ALPHA


def test_bursts_give_no_more_false_alarms_than_alpha() -> None:
    """Crashes of twenty requests at once, on one pod of either arm in proportion to its pods."""
    chance = random.Random(7)  # noqa: S311  # a simulation
    verdicts = dict.fromkeys((1, None), 0)
    for _ in range(RUNS):
        batches = tuple(_with_bursts(chance, number) for number in range(120))
        for burst in verdicts:
            counts = Counts((GateCounts(Gate("errors"), batches),), Parameters(burst=burst))
            verdicts[burst] += judge(counts).verdict == "FAIL"
    assert verdicts[1] / RUNS <= ALPHA
    assert verdicts[None] / RUNS > ALPHA, "the trap is there, and the cap is what avoids it"


def _with_bursts(chance: random.Random, number: int) -> Batch:
    def pod() -> Cell:
        burst = 20 if chance.random() < 0.01 else 0
        return Cell(50, min(50, binomial(chance, 50, 0.005) + burst))

    return Batch(60 * number, (pod(),), tuple(pod() for _ in range(4)))


@pytest.mark.parametrize(
    "drift",
    [constant(0.1, 0.005), constant(0.5, 0.005), ramp],
    ids=["at 10 %", "at 50 %", "ramp"],
)
def test_both_tests_of_a_gate_together_keep_alpha(drift: Drift) -> None:
    """At the good rate exactly, over three steps, looked at after every batch."""
    chance = random.Random(7)  # noqa: S311  # a simulation
    gate = Gate("errors", absolute=Absolute(0.02, 0.08) if drift is ramp else Absolute(0.005, 0.02))
    alarms = 0
    for _ in range(RUNS):
        rows = take(pairs(chance, drift, 1.0), 150)
        batches = [
            Batch(60 * i, (Cell(*row[:2]),), (Cell(*row[2:]),), i // 50)
            for i, row in enumerate(rows)
        ]
        alarms += any(_fails(gate, batches[: 50 * step], step - 1) for step in (1, 2, 3))
    assert alarms / RUNS <= ALPHA


def _fails(gate: Gate, batches: Sequence[Batch], step: int) -> bool:
    """A failure stands, so the look at the end of a step tells of every look in it."""
    counts = Counts((GateCounts(gate, tuple(batches)),), Parameters(steps=3), step)
    return judge(counts).verdict == "FAIL"


def requests_until(source: Iterator[Pair], grown: Callable[[Pair], bool], most: int) -> int:
    """How many requests it takes until a function of each batch says stop."""
    for number, pair in enumerate(source, 1):
        if grown(pair) or number >= most:
            return number * BATCH
    return most * BATCH


def until_fail(chance: random.Random, drift: Drift, ratio: float) -> int:
    sums = [0.0] * len(MIXTURE)

    def grown(pair: Pair) -> bool:
        for index, phi in enumerate(MIXTURE):
            sums[index] += ln_e_bad_path([pair], mixture=(phi,))[0]
        top = max(sums)
        mean = math.fsum(math.exp(s - top) for s in sums) / len(sums)
        return top + math.log(mean) >= math.log(1 / ALPHA)

    return requests_until(pairs(chance, drift, ratio), grown, 1000)


POWER = [
    (0.01, 2, 0.05, 15_600),
    (0.01, 2, 0.10, 8_850),
    (0.01, 2, 0.25, 4_300),
    (0.01, 2, 0.50, 3_400),
    (0.01, 5, 0.05, 1_900),
    (0.01, 5, 0.10, 1_000),
    (0.01, 5, 0.25, 600),
    (0.01, 5, 0.50, 500),
    (0.005, 10, 0.05, 1_200),
    (0.005, 10, 0.10, 700),
    (0.005, 10, 0.25, 400),
    (0.005, 10, 0.50, 400),
    (0.05, 2, 0.05, 3_400),
    (0.05, 2, 0.10, 1_900),
    (0.05, 2, 0.25, 1_100),
    (0.05, 2, 0.50, 800),
]


@pytest.mark.parametrize(("rate", "ratio", "weight", "expected"), POWER)
def test_requests_until_a_bad_candidate_fails(
    rate: float, ratio: float, weight: float, expected: int
) -> None:
    chance = random.Random(7)  # noqa: S311  # a simulation
    drift = constant(weight, rate)
    found = median(until_fail(chance, drift, ratio) for _ in range(RUNS))
    assert abs(found - expected) <= max(SLACK * expected, BATCH)


PASSING = [
    (0.005, 2, 0.10, 18_100),
    (0.005, 3, 0.10, 6_800),
    (0.005, 2, 0.50, 8_200),
    (0.005, 3, 0.50, 3_400),
    (0.01, 2, 0.10, 9_400),
    (0.01, 3, 0.10, 3_500),
    (0.01, 2, 0.50, 4_200),
    (0.01, 3, 0.50, 1_800),
    (0.05, 2, 0.10, 1_900),
    (0.05, 3, 0.10, 800),
    (0.05, 2, 0.50, 1_000),
    (0.05, 3, 0.50, 400),
]


@pytest.mark.parametrize(("rate", "excluded", "weight", "expected"), PASSING)
def test_requests_until_a_good_candidate_passes(
    rate: float, excluded: float, weight: float, expected: int
) -> None:
    chance = random.Random(7)  # noqa: S311  # a simulation

    def once() -> int:
        total = [0.0]

        def grown(pair: Pair) -> bool:
            total[0] += ln_e_ok([pair], excluded)
            return total[0] >= math.log(1 / BETA)

        return requests_until(pairs(chance, constant(weight, rate), 1.0), grown, 2000)

    found = median(once() for _ in range(RUNS))
    assert abs(found - expected) <= max(SLACK * expected, BATCH)


@pytest.mark.parametrize("weight", [0.1, 0.5])
@pytest.mark.parametrize("rate", [0.005, 0.05])
def test_a_candidate_that_is_twice_as_bad_passes_no_more_often_than_beta(
    rate: float, weight: float
) -> None:
    chance = random.Random(7)  # noqa: S311  # a simulation
    passed = 0
    for _ in range(RUNS):
        rows = take(pairs(chance, constant(weight, rate), 2.0), 150)
        path = accumulate(ln_e_ok([pair]) for pair in rows)
        passed += any(value >= math.log(1 / BETA) for value in path)
    assert passed / RUNS <= BETA
