"""What was counted in a rollout, and how much of it is held for or against a version.

A burst (one crash that fails twenty requests) is one event and not twenty, so bad events are capped
in each (pod, batch). A cap always works against the verdict: the candidate's bad events are capped
when it is accused, the stable arm's when the candidate is acquitted. Both tests only fall when a
count on that side falls, so the error rates that they promise hold with any cap.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sluice.core.analysis.sequential import EXCLUDED, MIXTURE, TOLERATED, Pair

MATCHED_LOAD = (0.5, 2.0)
MATCHED_CACHE = (0.8, 1.25)
LIKE_OFFER = 1.25
"""Requests for each replica, candidate to stable, up to which its load is its own doing."""
GROSS = 3.0
"""A latency that load or cache could excuse counts beyond this many times the tolerated ratio."""
COLD = 1200
"""Seconds of a step in which a cache may still be filling."""
BESIDE = 0.2
"""Risk of a false alarm of all tests beside the gates together, as a share of alpha."""
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
    each divided by the stable arm's; None when unknown. `others` are other releases of the
    environment, a cell each: they share its faults.
    """

    at: int
    candidate: tuple[Cell, ...]
    stable: tuple[Cell, ...]
    step: int = 0
    load: float | None = None
    cache: float | None = None
    others: tuple[Cell, ...] = ()


@dataclass(frozen=True, slots=True)
class Absolute:
    """Rates of bad events: p0 is good, p1 is bad."""

    p0: float
    p1: float


@dataclass(frozen=True, slots=True)
class Gate:
    """One condition on the candidate's bad events.

    `tolerated` and `excluded` are ratios of bad rates, candidate to stable: more than the first
    fails, less than the second passes. `matched` leaves out what a difference of load or cache
    could excuse. `least` is how many requests each arm must have in the step before the gate
    passes. `observe` shows a verdict without acting on it. One that is not `required` can fail the
    candidate, and nothing waits for it to pass.
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
    required: bool = True


@dataclass(frozen=True, slots=True)
class Parameters:
    """How to judge.

    Args:
        alpha: risk of a false alarm, over all gates, tests, steps and looks. What is tested beside
            the gates adds at most a fifth of it.
        beta: risk that one gate passes a candidate that is worse than excluded.
        burst: how many bad events of one pod count in one batch, at the least; None for all.
        restarts: how many restarts of the candidate in a step fail it.
        steps: how many steps the rollout has, full traffic included.
        batch: length of a batch in seconds.
        mixture: the ratios that the relative test is sensitive to, each above 1.
        beside: how many gates were counted that are not required; those without any bad event are
            left out of the counts. None: as many as there are.
    """

    alpha: float = 0.05
    beta: float = 0.05
    burst: int | None = None
    restarts: int = 2
    steps: int = 1
    batch: int = 60
    mixture: tuple[float, ...] = MIXTURE
    beside: int | None = None


@dataclass(frozen=True, slots=True)
class GateCounts:
    """A gate with what was counted for it, in order of time; `query` says how."""

    gate: Gate
    batches: tuple[Batch, ...]
    query: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """Requests that both versions answered in one batch, at a weight of the candidate in percent.

    Of a candidate without any series they are 0, since one that answers nobody may have none.
    """

    at: int
    candidate: int
    stable: int
    weight: int
    step: int = 0


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
    answered: tuple[Answered, ...] = ()

    @property
    def tests(self) -> int:
        """How many tests of gates can fail the candidate: alpha is divided by it."""
        acting = [each.gate for each in self.gates if each.gate.required and not each.gate.observe]
        return max(1, sum(gate.relative + (gate.absolute is not None) for gate in acting))

    @property
    def beside(self) -> int:
        """How many tests are made beside these, which share a risk of their own.

        Each gate is tested for a change for the worse, too; one that is not required is so twice.
        """
        required = sum(each.gate.required for each in self.gates)
        counted = self.parameters.beside
        further = len(self.gates) - required if counted is None else counted
        return max(1, required + 2 * further)

    def bound(self, *, required: bool) -> float:
        """The ln E at which a test fails the candidate, in a gate or beside the gates."""
        if required:
            return math.log(self.tests / self.parameters.alpha)
        return math.log(self.beside / (BESIDE * self.parameters.alpha))


def accused(
    gate: Gate, batches: Sequence[Batch], warm: Mapping[int, int]
) -> list[tuple[Batch, float]]:
    """The batches that may speak against the candidate, each with the ratio that it tolerates.

    A smaller load or a fuller cache is no excuse. A larger load is none either, where each replica
    gets as many requests: slow answers pile up. What else could be one is so until the cache had
    time to fill, and then up to a gross ratio.

    Args:
        gate: what is judged.
        batches: in order of time.
        warm: of each step, from when on caches are full.
    """
    if not gate.matched:
        return [(batch, gate.tolerated) for batch in batches]
    found = []
    for batch in batches:
        if _has_no_excuse(batch):
            found.append((batch, gate.tolerated))
        elif batch.at >= warm[batch.step] and not _is_offered_more(batch):
            found.append((batch, gate.tolerated * GROSS))
    return found


def acquitted(gate: Gate, batches: Sequence[Batch]) -> list[Batch]:
    """The batches that may speak for the candidate: neither load nor cache helped it."""
    return [batch for batch in batches if not gate.matched or _has_no_help(batch)]


def warm_from(batches: Sequence[Batch]) -> dict[int, int]:
    """Of each step, from when on caches are full, in seconds since the epoch."""
    begun: dict[int, int] = {}
    for batch in batches:
        begun.setdefault(batch.step, batch.at)
    return {step: at + COLD for step, at in begun.items()}


def _has_no_excuse(batch: Batch) -> bool:
    if batch.load is None or batch.cache is None or batch.cache < MATCHED_CACHE[0]:
        return False
    offer = _offer(batch)
    return batch.load <= MATCHED_LOAD[1] or (offer is not None and offer <= LIKE_OFFER)


def _has_no_help(batch: Batch) -> bool:
    if batch.load is None or batch.cache is None:
        return False
    return batch.load >= MATCHED_LOAD[0] and batch.cache <= MATCHED_CACHE[1]


def _is_offered_more(batch: Batch) -> bool:
    """Whether each replica of the candidate gets more requests than it can be blamed for."""
    offer = _offer(batch)
    return offer is None or offer > MATCHED_LOAD[1]


def _offer(batch: Batch) -> float | None:
    """Requests for each replica, candidate to stable; None where nobody serves beside."""
    stable = total(batch.stable).requests
    if not stable or not batch.candidate:
        return None
    own = total(batch.candidate).requests / len(batch.candidate)
    return own * len(batch.stable) / stable


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


def accusing(
    batches: Sequence[Batch], burst: int | None, tolerated: Sequence[float] | None = None
) -> list[Pair]:
    """Pairs for the case against the candidate: its bursts are capped, not the stable arm's.

    Args:
        batches: in order of time.
        burst: see `capped`.
        tolerated: of each batch, how many times the usual rate is no burst yet, 1 when absent.
    """
    ratios = [1.0] * len(batches) if tolerated is None else tolerated
    return [
        Pair(
            total(b.candidate).requests, capped(b.candidate, burst, usual * ratio), *_both(b.stable)
        )
        for b, usual, ratio in zip(batches, _rates_before(batches), ratios, strict=True)
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
