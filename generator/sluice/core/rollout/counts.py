"""What was counted in a rollout, and how much of it is held for or against a version.

A burst (one crash that fails twenty requests) is one event and not twenty, so bad events are capped
in each (pod, batch). A cap always works against the verdict: the candidate's bad events are capped
when it is accused, the stable arm's when the candidate is acquitted. Both tests only fall when a
count on that side falls, so the error rates that they promise hold with any cap.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sluice.core.rollout.sequential import EXCLUDED, MIXTURE, TOLERATED, Pair

MATCHED_LOAD = (0.5, 2.0)
MATCHED_CACHE = (0.8, 1.25)
_BURST_FACTOR = 3
"""A pod may have this many times the bad events that the stable rate lets expect."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One pod in one batch, or a whole arm where pods are not told apart."""

    requests: int
    bad: int


@dataclass(frozen=True, slots=True)
class Batch:
    """What both arms did in one batch, which began at `at`, in seconds since the epoch.

    `load` and `cache` are the candidate's requests under way per replica and its cache hit ratio,
    each divided by the stable arm's; None when unknown.
    """

    at: int
    candidate: tuple[Cell, ...]
    stable: tuple[Cell, ...]
    step: int = 0
    load: float | None = None
    cache: float | None = None


@dataclass(frozen=True, slots=True)
class Absolute:
    """Rates of bad events: p0 is good, p1 is bad."""

    p0: float
    p1: float


@dataclass(frozen=True, slots=True)
class Gate:
    """One condition on the candidate's bad events.

    `tolerated` and `excluded` are ratios of bad rates, candidate to stable: more than the first
    fails, less than the second passes. `matched` wants batches of like load and cache only.
    `least` is how many requests each arm must have in the step before the gate passes. `observe`
    shows a verdict without acting on it.
    """

    name: str
    relative: bool = True
    tolerated: float = TOLERATED
    excluded: float = EXCLUDED
    two_sided: bool = False
    absolute: Absolute | None = None
    matched: bool = False
    least: int = 0
    observe: bool = False


@dataclass(frozen=True, slots=True)
class Parameters:
    """How to judge.

    Args:
        alpha: risk of a false alarm, over all gates, tests, steps and looks.
        beta: risk that one gate passes a candidate that is worse than excluded.
        burst: how many bad events of one pod count in one batch, at the least; None for all.
        restarts: how many restarts of the candidate in a step fail it.
        steps: how many steps the rollout has, full traffic included.
        batch: length of a batch in seconds.
        mixture: the ratios that the relative test is sensitive to, each above 1.
    """

    alpha: float = 0.05
    beta: float = 0.05
    burst: int | None = None
    restarts: int = 2
    steps: int = 1
    batch: int = 60
    mixture: tuple[float, ...] = MIXTURE


@dataclass(frozen=True, slots=True)
class GateCounts:
    """A gate with what was counted for it, in order of time; `query` says how."""

    gate: Gate
    batches: tuple[Batch, ...]
    query: str = ""


@dataclass(frozen=True, slots=True)
class Counts:
    """Everything that a judgement is a function of.

    `restarts` are the candidate's in this step, the last of them at `restarted`, in seconds since
    the epoch, None when that is not known; `exhausted` says that its longest time is over.
    `window` is from when to when samples were asked for, in seconds since the epoch.
    """

    gates: tuple[GateCounts, ...]
    parameters: Parameters = Parameters()
    step: int = 0
    restarts: int = 0
    exhausted: bool = False
    window: tuple[int, int] | None = None
    restarted: int | None = None

    @property
    def tests(self) -> int:
        """How many tests can fail the candidate: the risk of a false alarm is divided by it."""
        acting = [each.gate for each in self.gates if not each.gate.observe]
        return max(1, sum(gate.relative + (gate.absolute is not None) for gate in acting))


def is_matched(batch: Batch) -> bool:
    """Whether both arms had like load and like cache; unknown is not."""
    pairs = ((batch.load, MATCHED_LOAD), (batch.cache, MATCHED_CACHE))
    return all(value is not None and low <= value <= high for value, (low, high) in pairs)


def total(cells: Iterable[Cell]) -> Cell:
    """An arm as one cell."""
    listed = tuple(cells)
    return Cell(sum(c.requests for c in listed), sum(c.bad for c in listed))


def capped(cells: Iterable[Cell], burst: int | None, rate: float) -> int:
    """Bad events of an arm without bursts.

    Args:
        cells: the pods of the arm in one batch.
        burst: how many bad events of one pod count at the least; None for all.
        rate: the share of bad requests that is usual here; three times that is no burst.
    """
    if burst is None:
        return total(cells).bad
    return sum(min(c.bad, max(burst, math.ceil(_BURST_FACTOR * c.requests * rate))) for c in cells)


def accusing(batches: Sequence[Batch], burst: int | None) -> list[Pair]:
    """Pairs for the case against the candidate: its bursts are capped, not the stable arm's."""
    return [
        Pair(total(b.candidate).requests, capped(b.candidate, burst, rate), *_both(b.stable))
        for b, rate in zip(batches, _rates_before(batches), strict=True)
    ]


def acquitting(batches: Sequence[Batch], burst: int | None) -> list[Pair]:
    """Pairs for the case for the candidate: the stable arm's bursts are capped, not its own."""
    return [
        Pair(*_both(b.candidate), total(b.stable).requests, capped(b.stable, burst, rate))
        for b, rate in zip(batches, _rates_before(batches), strict=True)
    ]


def _both(cells: tuple[Cell, ...]) -> tuple[int, int]:
    arm = total(cells)
    return arm.requests, arm.bad


def _rates_before(batches: Sequence[Batch]) -> list[float]:
    """The stable arm's share of bad requests before each batch."""
    rates, requests, bad = [], 0, 0
    for batch in batches:
        rates.append(bad / requests if requests else 0.0)
        arm = total(batch.stable)
        requests, bad = requests + arm.requests, bad + arm.bad
    return rates
