"""Whether the counts of a rollout speak against the candidate, for it, or not yet.

The relative case against the candidate is summed over the whole rollout, so that its risk of a
false alarm is alpha in all, and it stands once it was reached: the result does not depend on when
one looked. What speaks for the candidate must come from the current step, because load rises with
weight; so does the absolute test, whose alpha is divided by the number of steps.

Beside that, with a risk of a fifth of alpha in all: each gate is tested for getting worse late, and
there are gates that can fail and that nothing waits for. What a candidate does not answer at all no
gate counts; `answers` tells of that.
"""

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from sluice.core.analysis import absolute
from sluice.core.analysis.answers import seems_few, too_few
from sluice.core.analysis.counts import (
    Batch,
    Cell,
    Counts,
    Gate,
    GateCounts,
    Parameters,
    accused,
    accusing,
    acquitted,
    acquitting,
    total,
    warm_from,
)
from sluice.core.analysis.sequential import (
    Decision,
    Pair,
    Ratio,
    e_value,
    ln_e_bad_path,
    ln_e_late_path,
    ln_e_ok,
    ln_mean_exp,
)

Verdict = Literal[
    "FAIL", "PASS", "CONTINUE", "INCONCLUSIVE", "ENV_DEGRADED", "UNANSWERED", "UNEXPLAINED"
]
Path = Callable[[Iterable[Pair], Ratio, Sequence[float]], list[float]]


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


def judge(counts: Counts) -> Judgement:
    """Judge the current step. Without enforced gates, or without data, nothing passes or fails."""
    gates = tuple(judge_gate(each, counts) for each in counts.gates)
    return _objection(counts, gates) or _progress(counts, gates)


def _objection(counts: Counts, gates: tuple[GateVerdict, ...]) -> Judgement | None:
    """What speaks against more of the candidate beyond doubt; None when nothing does."""
    acting = [gate for gate in gates if not gate.observe]
    if counts.restarts >= counts.parameters.restarts:
        reason = f"the candidate restarted {counts.restarts} times in this step"
        return Judgement("FAIL", gates, reason, counts.restarted, hard=True)
    if failures := _of(acting, "FAIL"):
        last = max(gate.failed_at or 0 for gate in failures)
        return Judgement("FAIL", gates, f"worse than allowed: {_names(failures)}", last)
    if unanswered := too_few(counts.answered, counts.step):
        return Judgement("UNANSWERED", gates, unanswered)
    if unexplained := _of(acting, "UNEXPLAINED"):
        said = "unlike any step before, and nobody serves beside it to compare with"
        return Judgement("UNEXPLAINED", gates, f"{_names(unexplained)}: {said}")
    if degraded := _of(acting, "ENV_DEGRADED"):
        return Judgement("ENV_DEGRADED", gates, f"both versions are bad: {_names(degraded)}")
    return None


def _progress(counts: Counts, gates: tuple[GateVerdict, ...]) -> Judgement:
    """Whether every gate passes that has to, and else what is waited for."""
    required = {each.gate.name for each in counts.gates if each.gate.required}
    acting = [gate for gate in gates if not gate.observe]
    deciding = [gate for gate in acting if gate.name in required]
    waiting = _of(deciding, "CONTINUE") or _suspicious(acting, required, counts.parameters)
    doubt = seems_few(counts.answered, counts.step, counts.parameters.alpha)
    if deciding and not waiting and not doubt:
        return Judgement("PASS", gates, f"every gate passes: {_names(deciding)}")
    reason = f"undecided: {_awaited(waiting, counts) or doubt}"
    reason = reason if deciding else "there is no gate to pass"
    return Judgement("INCONCLUSIVE" if counts.exhausted else "CONTINUE", gates, reason)


def judge_gate(counted: GateCounts, counts: Counts) -> GateVerdict:
    """Judge one gate; the risk of a false alarm is divided among all tests."""
    gate, parameters = counted.gate, counts.parameters
    against = accused(gate, counted.batches, warm_from(counted.batches))
    speaking = [batch for batch, _ in against]
    current = [batch for batch in counted.batches if batch.step == counts.step]
    path, late = _cases_against(gate, against, parameters)
    bound, beside = counts.bound(required=gate.required), counts.bound(required=False)
    relative = max(_last(path, bound), _last(late, beside))
    ln_ok = _case_for(gate, acquitted(gate, current), parameters)
    fixed = _fixed(counted, speaking, counts)
    tested = fixed.arms.current
    failed_at = [speaking[relative].at] if relative >= 0 else []
    proof = fixed.verdicts.last
    blames = not (fixed.arms.alone and follows_clients(gate))
    failed_at += [tested[proof].at] if proof is not None and blames else []
    passed = fixed.verdicts.decision == "accept" or _passes(gate, ln_ok, parameters)
    verdict: Verdict = "CONTINUE"
    if failed_at:
        verdict = "FAIL"
    elif proof is not None and proof == len(tested) - 1:
        verdict = "UNEXPLAINED"
    elif fixed.verdicts.shared:
        verdict = "ENV_DEGRADED"
    elif fixed.verdicts.decision != "reject" and passed and _is_enough(gate, current):
        verdict = "PASS"
    return GateVerdict(
        name=gate.name,
        ln_e_bad=(path[-1] if path else 0.0) if gate.relative else None,
        e_ok=e_value(ln_ok) if gate.relative else None,
        sprt=fixed.verdicts.decision if gate.absolute else None,
        verdict=verdict,
        failed_at=max(failed_at) + parameters.batch if verdict == "FAIL" else None,
        observe=gate.observe,
    )


@dataclass(frozen=True, slots=True)
class _Fixed:
    """The batches of the absolute test, and what it says."""

    arms: absolute.Arms
    verdicts: absolute.Verdicts


def _fixed(counted: GateCounts, speaking: Sequence[Batch], counts: Counts) -> _Fixed:
    """The absolute test; where nobody serves beside there is no load to be like."""
    gate, step = counted.gate, counts.step
    now = [batch for batch in counted.batches if batch.step == step]
    before = [batch for batch in counted.batches if batch.step < step]
    before = before or list(_without_bad(gate, counts))
    alone = not _compares(now)  # also where nobody knows what was usual
    if not alone:
        now = [batch for batch in speaking if batch.step == step]
    arms = absolute.Arms(now, before, alone)
    bound = counts.bound(required=gate.required and gate.absolute is not None)
    return _Fixed(arms, absolute.test(gate, arms, counts.parameters, bound))


def follows_clients(gate: Gate) -> bool:
    """Whether what a gate counts may as well follow from what clients ask of a version."""
    return (not gate.required and gate.absolute is None) or gate.two_sided


def _without_bad(gate: Gate, counts: Counts) -> Iterator[Batch]:
    """The steps before as a gate saw them that is only kept once something is bad."""
    deciding = (each for each in counts.gates if each.gate.required)
    kept = next(deciding, None)
    if gate.required or kept is None:
        return
    for batch in kept.batches:
        if batch.step < counts.step:
            own, other = total(batch.candidate).requests, total(batch.stable).requests
            yield Batch(batch.at, (Cell(own, 0),), (Cell(other, 0),), batch.step)


def _of(gates: Iterable[GateVerdict], verdict: Verdict) -> list[GateVerdict]:
    return [gate for gate in gates if gate.verdict == verdict]


def _suspicious(
    gates: Iterable[GateVerdict], required: Collection[str], parameters: Parameters
) -> list[GateVerdict]:
    """Gates that need not pass, and that speak against the candidate by now: more would not do.

    At full weight nobody serves beside it, so what begins to show is waited for.
    """
    bound = math.log(1 / parameters.alpha)
    beside = (gate for gate in gates if gate.name not in required)
    return [gate for gate in beside if gate.ln_e_bad is not None and gate.ln_e_bad >= bound]


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


def _cases_against(
    gate: Gate, against: Sequence[tuple[Batch, float]], parameters: Parameters
) -> tuple[list[float], list[float]]:
    """The paths of ln E since the beginning, and since some batch on."""
    if not gate.relative:
        return [], []
    return (
        _case_against(gate, against, parameters, ln_e_bad_path),
        _case_against(gate, against, parameters, ln_e_late_path),
    )


def _case_against(
    gate: Gate, against: Sequence[tuple[Batch, float]], parameters: Parameters, path: Path
) -> list[float]:
    """The path of ln E; two-sided of the mean of E for too many and E for too few."""
    mixture, batches = parameters.mixture, [batch for batch, _ in against]
    tolerated = [ratio for _, ratio in against]
    bursts = [max(1.0, ratio / gate.tolerated) for ratio in tolerated]
    more = path(accusing(batches, parameters.burst, bursts), tolerated, mixture)
    if not gate.two_sided:
        return more
    swapped = [pair.swapped() for pair in acquitting(batches, parameters.burst)]
    fewer = path(swapped, tolerated, mixture)
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


def _last(path: Sequence[float], bound: float) -> int:
    """The last index at which a path is at or above a bound; -1 where it never is."""
    return next((i for i in range(len(path) - 1, -1, -1) if path[i] >= bound), -1)
