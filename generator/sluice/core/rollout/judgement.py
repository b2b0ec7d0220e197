"""Whether the counts of a rollout speak against the candidate, for it, or not yet.

The relative case against the candidate is summed over the whole rollout, so that its risk of a
false alarm is alpha in all, and it stands once it was reached: the result does not depend on when
one looked. What speaks for the candidate must come from the current step, because load rises with
weight; so does the absolute test, whose alpha is divided by the number of steps.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from sluice.core.rollout.counts import (
    Absolute,
    Batch,
    Cell,
    Counts,
    Gate,
    GateCounts,
    Parameters,
    accusing,
    acquitting,
    is_matched,
    total,
)
from sluice.core.rollout.sequential import (
    Decision,
    e_value,
    ln_e_bad_path,
    ln_e_change_path,
    ln_e_ok,
    ln_mean_exp,
    sprt,
    sprt_bounds,
    sprt_llr,
)

Verdict = Literal["FAIL", "PASS", "CONTINUE", "INCONCLUSIVE", "ENV_DEGRADED"]


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """What came of one gate; `failed_at` is the end of the last batch that shows the failure."""

    name: str
    ln_e_bad: float | None
    e_ok: float | None
    sprt: Decision | None
    verdict: Verdict
    failed_at: int | None = None
    observe: bool = False


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict on a step. A hard failure needs no statistics, and may not know when it was."""

    verdict: Verdict
    gates: tuple[GateVerdict, ...] = ()
    reason: str = ""
    failed_at: int | None = None
    hard: bool = False


@dataclass(frozen=True, slots=True)
class _Absolute:
    """What the absolute test says of both arms in this step.

    `decision` is Wald's at the risks of a single test. `last` is the last batch at which the case
    against the candidate is strong enough for one of several tests; that is what fails a gate.
    """

    decision: Decision = "continue"
    last: int | None = None
    shared: bool = False


def judge(counts: Counts) -> Judgement:
    """Judge the current step. Without enforced gates, or without data, nothing passes or fails."""
    tests = counts.tests
    gates = tuple(judge_gate(each, counts, tests) for each in counts.gates)
    acting = [gate for gate in gates if not gate.observe]
    if counts.restarts >= counts.parameters.restarts:
        reason = f"the candidate restarted {counts.restarts} times in this step"
        return Judgement("FAIL", gates, reason, counts.restarted, hard=True)
    if failures := _of(acting, "FAIL"):
        last = max(gate.failed_at or 0 for gate in failures)
        return Judgement("FAIL", gates, f"worse than allowed: {_names(failures)}", last)
    if degraded := _of(acting, "ENV_DEGRADED"):
        return Judgement("ENV_DEGRADED", gates, f"both versions are bad: {_names(degraded)}")
    waiting = _of(acting, "CONTINUE")
    if acting and not waiting:
        return Judgement("PASS", gates, f"every gate passes: {_names(acting)}")
    reason = f"undecided: {_awaited(waiting, counts)}" if acting else "there is no gate to pass"
    return Judgement("INCONCLUSIVE" if counts.exhausted else "CONTINUE", gates, reason)


def judge_gate(counted: GateCounts, counts: Counts, tests: int) -> GateVerdict:
    """Judge one gate; the risk of a false alarm is divided among `tests`."""
    gate, parameters = counted.gate, counts.parameters
    batches = [b for b in counted.batches if not gate.matched or is_matched(b)]
    current = [batch for batch in batches if batch.step == counts.step]
    path = _case_against(gate, batches, parameters)
    relative = _last(path, math.log(tests / parameters.alpha))
    ln_ok = _case_for(gate, current, parameters)
    alone = not _compares(current) and _compares(batches)
    absolute = _absolute(gate, current, parameters, tests, alone=alone)
    failed_at = [batches[relative].at] if relative is not None else []
    failed_at += [current[absolute.last].at] if absolute.last is not None else []
    passed = absolute.decision == "accept" or _passes(gate, ln_ok, parameters)
    verdict: Verdict = "CONTINUE"
    if relative is not None or (absolute.last is not None and not absolute.shared):
        verdict = "FAIL"
    elif absolute.last is not None:
        verdict = "ENV_DEGRADED"
    elif absolute.decision != "reject" and passed and _is_enough(gate, current):
        verdict = "PASS"
    return GateVerdict(
        name=gate.name,
        ln_e_bad=(path[-1] if path else 0.0) if gate.relative else None,
        e_ok=e_value(ln_ok) if gate.relative else None,
        sprt=absolute.decision if gate.absolute else None,
        verdict=verdict,
        failed_at=max(failed_at) + parameters.batch if verdict == "FAIL" else None,
        observe=gate.observe,
    )


def _of(gates: Iterable[GateVerdict], verdict: Verdict) -> list[GateVerdict]:
    return [gate for gate in gates if gate.verdict == verdict]


def _names(gates: Iterable[GateVerdict]) -> str:
    return ", ".join(gate.name for gate in gates)


def _awaited(gates: Iterable[GateVerdict], counts: Counts) -> str:
    """Gates without a verdict, and whose requests were not counted in this step."""
    batches = {each.gate.name: each.batches for each in counts.gates}
    said = []
    for gate in gates:
        current = [b for b in batches[gate.name] if b.step == counts.step]
        arms = {
            "candidate": total(cell for b in current for cell in b.candidate),
            "stable": total(cell for b in current for cell in b.stable),
        }
        empty = [name for name, arm in arms.items() if not arm.requests]
        said.append(f"{gate.name} (no requests of {' and '.join(empty)})" if empty else gate.name)
    return ", ".join(said)


def _case_against(gate: Gate, batches: Sequence[Batch], parameters: Parameters) -> list[float]:
    """The path of ln E; two-sided of the mean of E for too many and E for too few."""
    if not gate.relative:
        return []
    mixture = parameters.mixture
    more = ln_e_bad_path(accusing(batches, parameters.burst), gate.tolerated, mixture)
    if not gate.two_sided:
        return more
    swapped = [pair.swapped() for pair in acquitting(batches, parameters.burst)]
    fewer = ln_e_bad_path(swapped, gate.tolerated, mixture)
    return [ln_mean_exp(both) for both in zip(more, fewer, strict=True)]


def _case_for(gate: Gate, batches: Sequence[Batch], parameters: Parameters) -> float:
    """The smaller ln E of the directions in which a large ratio must be excluded."""
    if not gate.relative:
        return 0.0
    more = ln_e_ok(acquitting(batches, parameters.burst), gate.excluded)
    if not gate.two_sided:
        return more
    swapped = [pair.swapped() for pair in accusing(batches, parameters.burst)]
    return min(more, ln_e_ok(swapped, gate.excluded))


def _passes(gate: Gate, ln_ok: float, parameters: Parameters) -> bool:
    return gate.relative and ln_ok >= math.log(1 / parameters.beta)


def _compares(batches: Sequence[Batch]) -> bool:
    return any(cell.requests for batch in batches for cell in batch.stable)


def _is_enough(gate: Gate, batches: Sequence[Batch]) -> bool:
    least = max(1, gate.least)
    candidate = total(cell for batch in batches for cell in batch.candidate)
    stable = total(cell for batch in batches for cell in batch.stable)
    return candidate.requests >= least and (stable.requests >= least or not gate.relative)


def _absolute(
    gate: Gate, batches: Sequence[Batch], parameters: Parameters, tests: int, *, alone: bool
) -> _Absolute:
    """Wald's test on both arms of this step.

    One pod in one batch counts for at most `burst` bad events alone when it speaks against the
    candidate. The stable arm rejects as soon as it can: then the fault may be everybody's. Once
    the candidate serves alone there is nothing to compare it with, and a change for the worse
    must not hide behind the good time before it.
    """
    if gate.absolute is None or not batches:
        return _Absolute()
    alpha, beta = parameters.alpha, parameters.beta
    increments = _llr(gate.absolute, [b.candidate for b in batches], parameters.burst)
    candidate = list(accumulate(increments))
    against = ln_e_change_path(increments) if alone else candidate
    stable = list(accumulate(_llr(gate.absolute, [b.stable for b in batches], None)))
    reject = sprt_bounds(alpha, beta)[1]
    bound = math.log(tests * parameters.steps / alpha)
    first = next((i for i, ln_e in enumerate(against) if ln_e >= bound), None)
    decision = sprt(sum(_llr(gate.absolute, [b.candidate for b in batches], None)), alpha, beta)
    if max(candidate) >= reject or first is not None:
        decision = "reject"
    elif decision == "reject":  # only by a burst
        decision = "continue"
    shared = first is not None and stable[first] >= reject
    return _Absolute(decision, _last(against, bound), shared=shared)


def _llr(rates: Absolute, arms: Sequence[tuple[Cell, ...]], burst: int | None) -> list[float]:
    """Wald's log-likelihood ratio of each batch."""
    most = math.inf if burst is None else burst * math.log(rates.p1 / rates.p0)
    return [
        sum(min(most, sprt_llr(cell.requests, cell.bad, rates.p0, rates.p1)) for cell in cells)
        for cells in arms
    ]


def _last(path: Sequence[float], bound: float) -> int | None:
    """The last index at which a path is at or above a bound."""
    return next((i for i in range(len(path) - 1, -1, -1) if path[i] >= bound), None)
