"""Wald's test of both arms against fixed rates, and what a fault that they share leaves of it.

The candidate fails where its rate is bad and nobody beside it is bad at the same time. Whether
somebody is, the stable arm says while it serves, and else the other releases of the environment: a
run of Wald's tests over their batches, each beginning where the one before it ended. One that
rejects begins an outage, the next that accepts ends it, and the batches in between are held neither
against the candidate nor for it. So a fault that is over leaves no verdict behind.

Once the candidate serves alone its rate is compared with the past too: what both versions had in
the steps before is not held against it. A gate without rates of its own gets them from there: twice
the most that the past allows for, and three times that; a two-sided one also as many times less.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from sluice.core.analysis.counts import Absolute, Batch, Cell, Gate, Parameters, total
from sluice.core.analysis.sequential import (
    Decision,
    ln_e_change_path,
    sprt,
    sprt_bounds,
    sprt_llr,
)

WORSE = 2.0
"""How many times its past rate is tolerated of a candidate that serves alone."""
BAD = 3.0
LEAST_RATE, MOST_RATE = 0.01, 0.95


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What the absolute test says of both arms in this step.

    `decision` is Wald's at the risks of a single test. `last` is the last batch at which the case
    against the candidate is strong enough for one of several tests, and nobody else suffers; that
    is what fails a gate. `shared` says that both are bad now.
    """

    decision: Decision = "continue"
    last: int | None = None
    shared: bool = False


@dataclass(frozen=True, slots=True)
class Arms:
    """The batches of this step and those before it, and whether the candidate serves alone."""

    current: Sequence[Batch]
    before: Sequence[Batch]
    alone: bool


def test(gate: Gate, arms: Arms, parameters: Parameters, bound: float) -> Verdicts:
    """Test a gate's absolute rates; without any, and beside the stable arm, nothing is said.

    One pod in one batch counts for at most `burst` bad events alone when it speaks against the
    candidate. A change for the worse must not hide behind the good time before it: it is looked for
    beside the test from the beginning, at half its risk.

    Args:
        gate: with its rates.
        arms: what was counted.
        parameters: risks and caps.
        bound: the ln E of one of all tests, of one step.
    """
    tested = _rates(gate, arms)
    if not tested or not arms.current:
        return Verdicts()
    bound += math.log(parameters.steps * len(tested))
    each = [_test(rates, arms, parameters, bound) for rates in tested]
    decisions = {verdicts.decision for verdicts in each}
    decision: Decision = "reject" if "reject" in decisions else "continue"
    if decisions == {"accept"}:
        decision = "accept"
    proofs = [verdicts.last for verdicts in each if verdicts.last is not None]
    shared = any(verdicts.shared for verdicts in each)
    return Verdicts(decision, max(proofs, default=None), shared=shared)


def _test(rates: Absolute, arms: Arms, parameters: Parameters, bound: float) -> Verdicts:
    """Test one pair of rates."""
    alpha, beta = parameters.alpha, parameters.beta
    against = _llr(rates, [b.candidate for b in arms.current], parameters.burst)
    whole = _llr(rates, [b.candidate for b in arms.current], None)
    beside = _bystanders(rates, arms)
    outage = outages(beside, alpha, beta)
    if arms.alone and outage.ill[0]:  # others that are always bad tell nothing
        outage = outages([0.0] * len(beside), alpha, beta)
    against = [0.0 if ill else value for value, ill in zip(against, outage.ill, strict=True)]
    whole = [0.0 if ill else value for value, ill in zip(whole, outage.ill, strict=True)]
    evidence = map(max, accumulate(against), map(_dearer, ln_e_change_path(against)))
    proofs = [i for i, ln_e in enumerate(evidence) if ln_e >= bound and outage.open[i] <= 0]
    reject = sprt_bounds(alpha, beta)[1]
    decision = sprt(sum(whole), alpha, beta)
    if max(accumulate(against)) >= reject or proofs:
        decision = "reject"
    elif decision == "reject":  # only by a burst
        decision = "continue"
    if arms.alone and _looks_bad(whole, reject):
        decision = "reject"
    shared = outage.lasts and _suffers(rates, arms.current, outage, reject)
    return Verdicts(decision, proofs[-1] if proofs else None, shared=shared)


def _dearer(ln_e: float) -> float:
    """What is left of a change for the worse: the search for it has half the risk of the test."""
    return ln_e - math.log(2)


def _looks_bad(whole: Sequence[float], reject: float) -> bool:
    """Whether the last batches speak against the candidate, though they may be but a burst."""
    ratio = 0.0
    for increment in whole:
        ratio = max(0.0, ratio + increment)
    return ratio >= reject


def _rates(gate: Gate, arms: Arms) -> list[Absolute]:
    """The rates to test: those of the gate, above what was usual where nobody serves beside."""
    if not arms.alone:
        return [gate.absolute] if gate.absolute else []
    past = total(cell for b in arms.before for cell in (*b.candidate, *b.stable))
    if gate.absolute is not None:
        return [_raised(gate.absolute, past)]
    if not past.requests:
        return []
    found = []
    more, fewer = WORSE * _at_most(past), _at_least(past) / WORSE
    p0 = max(LEAST_RATE, more)
    if p0 < MOST_RATE / WORSE:
        found.append(Absolute(p0, min(MOST_RATE, BAD * p0)))
    if gate.two_sided and fewer > 0:
        found.append(Absolute(fewer, fewer / BAD))
    return found


def _at_most(arm: Cell) -> float:
    """An upper bound of a rate: three standard deviations of a Poisson count, and three more."""
    return (arm.bad + 3 + 3 * math.sqrt(arm.bad + 1)) / arm.requests


def _at_least(arm: Cell) -> float:
    """A lower bound of a rate, as far below it; 0 where there were too few."""
    return max(0.0, arm.bad - 3 - 3 * math.sqrt(arm.bad + 1)) / arm.requests


def _raised(rates: Absolute, past: Cell) -> Absolute:
    """Rates in the same proportion, the good one not below what was usual."""
    usual = past.bad / past.requests if past.requests else 0.0
    if usual <= rates.p0 or usual * rates.p1 / rates.p0 >= MOST_RATE:
        return rates
    return Absolute(usual, usual * rates.p1 / rates.p0)


def _bystanders(rates: Absolute, arms: Arms) -> list[float]:
    """Wald's log-likelihood ratio of those who would suffer from a fault that is everybody's."""
    if not arms.alone:
        return _llr(rates, [b.stable for b in arms.current], None)
    past = total(cell for b in arms.before for cell in b.others)
    return _llr(_raised(rates, past), [b.others for b in arms.current], None)


@dataclass(frozen=True, slots=True)
class Outages:
    """Of each batch, whether it lies in an outage, and the open test's ratio at its end.

    `lasts` says that the last outage is not known to be over.
    """

    ill: Sequence[bool]
    open: Sequence[float]
    lasts: bool


def outages(increments: Sequence[float], alpha: float, beta: float) -> Outages:
    """Tests one after the other: one that rejects begins an outage, one that accepts ends it."""
    accept, reject = sprt_bounds(alpha, beta)
    ill, ratios = [False] * len(increments), []
    begin, ratio, lasts = 0, 0.0, False
    for index, increment in enumerate(increments):
        ratio += increment
        ratios.append(ratio)
        ill[index] = lasts
        if accept < ratio < reject:
            continue
        lasts = ratio >= reject
        ill[begin : index + 1] = [lasts] * (index + 1 - begin)
        begin, ratio = index + 1, 0.0
    return Outages(ill, ratios, lasts)


def _suffers(rates: Absolute, current: Sequence[Batch], outage: Outages, reject: float) -> bool:
    """Whether the candidate is bad too in the outage that lasts."""
    healthy = [index for index, ill in enumerate(outage.ill) if not ill]
    inside = current[healthy[-1] + 1 if healthy else 0 :]
    return sum(_llr(rates, [b.candidate for b in inside], None)) >= reject


def _llr(rates: Absolute, arms: Sequence[tuple[Cell, ...]], burst: int | None) -> list[float]:
    """Wald's log-likelihood ratio of each batch; where fewer are bad nothing is a burst."""
    fewer = rates.p1 < rates.p0
    most = math.inf if burst is None or fewer else burst * math.log(rates.p1 / rates.p0)
    return [
        sum(min(most, sprt_llr(cell.requests, cell.bad, rates.p0, rates.p1)) for cell in cells)
        for cells in arms
    ]
