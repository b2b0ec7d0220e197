"""Whether what was measured on a version meets the conditions of a release."""

from collections.abc import Sequence
from dataclasses import dataclass

<<<<<<< HEAD
from sluice.core.gates.words import better_is_lower, condition
from sluice.core.gates.writers import counted, writer
from sluice.core.model import Evaluation, Measurement
from sluice.core.specs.rollout_records import Gate
from sluice.core.units import seconds

# Milliseconds that the clock of who measured may be ahead of ours.
_CLOCKS_DIFFER = 3_600_000
Kind = Literal["measurement", "limit", "regression", "age", "approval", "soak", "origin"]
=======
from sluice.core.gates.case import Case, Times
from sluice.core.gates.complaints import excuse
from sluice.core.gates.table import (
    IN_TURN,
    SUBJECTS,
    Kind,
    condition,
    conditions_of,
    unknown_properties,
)
from sluice.core.gates.words import Gate, better_is_lower
from sluice.core.gates.writers import writer
from sluice.core.model import Evaluation, Measurement
>>>>>>> 471c614 (x)


@dataclass(frozen=True, slots=True)
class GateResult:
    """One condition and what came of it; `reason` says why it did not pass, `note` why it did.

    `comparable` says whether both numbers come from the same questions. `waiting` is what a person
    or time can still bring about: the version is proposed, but does not merge by itself. `kind`
    says on what it failed. Errors are standard errors, None if unknown. `writers` say who wrote
    the number of this version and that of the deployed one.
    """

    metric: str
    condition: str
    value: float | None
    baseline: float | None
    passed: bool
    reason: str = ""
    waiting: bool = False
    kind: Kind = "measurement"
    error: float | None = None
    baseline_error: float | None = None
    dataset: str = ""
    safety: bool = False
    lower_is_better: bool = False
    note: str = ""
    comparable: bool = True
    writers: tuple[str, str] = ("", "")

    @property
    def delta(self) -> float | None:
        """How far the version is from the deployed one."""
        if self.value is None or self.baseline is None or not self.comparable:
            return None
        return self.value - self.baseline

    @property
    def failed(self) -> bool:
        """Whether the version is not to be proposed."""
        return not (self.passed or self.waiting)


<<<<<<< HEAD
@dataclass(frozen=True, slots=True)
class Times:
    """When it is, and when the version was registered; milliseconds since the epoch."""

    now: int = 0
    registered: int = 0


@dataclass(frozen=True, slots=True)
class _Case:
    """One gate with the measurements that it is about; the baseline's only where it compares."""

    gate: Gate
    candidate: Evaluation
    baseline: Evaluation | None
    times: Times

    @property
    def metric(self) -> str:
        return str(self.gate.metric)

    @property
    def compares(self) -> bool:
        return self.gate.max_regression is not None and self.baseline is not None


=======
>>>>>>> 471c614 (x)
def judge(
    gates: Sequence[Gate],
    candidate: Evaluation,
    baseline: Evaluation | None,
    times: Times | None = None,
) -> list[GateResult]:
    """Judge each gate on a metric; whatever is missing, doubtful or not a number fails.

    Args:
        gates: conditions as the spec has them, those on a metric only.
        candidate: what was measured on the version that is to be proposed.
        baseline: what was measured on the deployed version; None when nothing is deployed, and
            then an allowed regression has nothing to hold against.
        times: needed by conditions on the age of a measurement.
    """
    results = []
    for gate in gates:
        before = None if baseline is None else _admitted(gate, baseline)
        results.append(_judge(Case(gate, _admitted(gate, candidate), before, times or Times())))
    return results


def _admitted(gate: Gate, evaluation: Evaluation) -> Evaluation:
    """What of an evaluation counts for a gate."""
    for record in conditions_of(gate):
        if record.admit is not None:
            evaluation = record.admit(gate, evaluation)
    return evaluation


def refuse_unknown(gate: Gate) -> GateResult | None:
    """The refusal of a gate with a property that nothing asks; None where there is none.

    A condition that is ignored would let everything pass.
    """
    names = unknown_properties(gate)
    if not names:
        return None
    subject = gate.get("metric") or next((name for name in SUBJECTS if name in gate), "gate")
    reason = f"nothing asks for {' and '.join(names)}, so that nobody can say whether it is met"
    return GateResult(str(subject), condition(gate), None, None, passed=False, reason=reason)


<<<<<<< HEAD
def _judge(case: _Case) -> GateResult:
    gate, metric = case.gate, case.metric
    measured = case.candidate.measurements.get(metric)
    before = case.baseline.measurements.get(metric) if case.baseline else None
    kind, reason = _verdict(case, measured, before)
    named = gate.error_metric or ""
=======
def _judge(case: Case) -> GateResult:
    gate, measured, before = case.gate, case.measured, case.before
    kind, reason = _verdict(case)
>>>>>>> 471c614 (x)
    return GateResult(
        case.metric,
        condition(gate),
        measured.value if measured else None,
        before.value if before else None,
        not reason,
        reason,
        kind=kind,
        error=case.error,
        baseline_error=case.error_before,
        dataset=measured.dataset if measured else "",
        safety=bool(gate.safety),
        lower_is_better=better_is_lower(gate),
        note="" if reason else excuse(case),
        comparable=comparable(measured, before),
        writers=(writer(measured), writer(before)),
    )


def _verdict(case: Case) -> tuple[Kind, str]:
    """What the gate fails on and why; the reason is empty when it passes."""
    for kind in IN_TURN:
        for record in conditions_of(case.gate):
            if record.kind == kind and record.complain is not None:
                reason = record.complain(case)
                if reason:
                    return kind, reason
    return "limit", ""


<<<<<<< HEAD
def _complaints(
    case: _Case, measured: Measurement, before: Measurement | None
) -> Iterator[tuple[Kind, str]]:
    """One by one, since each relies on those before it."""
    yield "measurement", _distrust(measured, case.metric, "this version")
    yield "measurement", _wrong_dataset(case, measured)
    yield "age", _too_old(case, measured)
    yield "limit", _beyond(case, measured)
    yield "regression", _incomparable(case, measured, before)
    yield "regression", _regressed(case, measured, before)


def _missing(metric: str, whose: str, evaluation: Evaluation) -> str:
    return ": ".join([f"{metric} was not recorded for {whose}", *evaluation.gaps])


def _distrust(measured: Measurement, metric: str, whose: str) -> str:
    if measured.doubt:
        return f"{metric} of {whose} cannot be trusted: {measured.doubt}"
    if not math.isfinite(measured.value):
        return f"{metric} of {whose} is {measured.value}"
    return ""


def _wrong_dataset(case: _Case, measured: Measurement) -> str:
    wanted, metric = case.gate.dataset, case.metric
    if not measured.dataset and (wanted or case.gate.safety):
        return f"no dataset is recorded with {metric} of this version"
    digest = measured.dataset.rpartition("@")[2]
    if wanted and wanted not in (measured.dataset, digest):
        return f"{metric} was measured on {measured.dataset}, not on {wanted}"
    return ""


def _too_old(case: _Case, measured: Measurement) -> str:
    gate, metric = case.gate, case.metric
    if gate.max_age is None and gate.after_registration is None:
        return ""
    if not measured.recorded:
        return f"it is not recorded when {metric} was measured"
    when = _date(measured.recorded)
    if measured.recorded > case.times.now + _CLOCKS_DIFFER:
        return f"{metric} is said to be measured on {when}, which is still to come"
    limit = gate.max_age
    if limit is not None and case.times.now - measured.recorded > 1000 * seconds(limit):
        return f"{metric} was measured on {when}, longer than {limit} ago"
    if gate.after_registration and measured.recorded < case.times.registered:
        return f"{metric} was measured on {when}, before the version was registered"
    return ""


def _beyond(case: _Case, measured: Measurement) -> str:
    gate, metric, value = case.gate, case.metric, measured.value
    margin, shown = 0.0, ""
    if gate.safety and gate.standard_errors is not None:
        error = standard_error(case.candidate, metric, gate.error_metric or "")
        if error is None:
            return f"no standard error is recorded with {metric} of this version"
        margin = gate.standard_errors * error
        shown = f" give or take {margin:.4g}"
    if gate.min is not None and value - margin < gate.min:
        return f"{metric} is {value}{shown}, below {gate.min}"
    if gate.max is not None and value + margin > gate.max:
        return f"{metric} is {value}{shown}, above {gate.max}"
    return ""


=======
>>>>>>> 471c614 (x)
def comparable(one: Measurement | None, other: Measurement | None) -> bool:
    """Whether two numbers of a metric come from the same questions, asked and judged alike."""
    if one is None or other is None:
        return True
    return (one.dataset, one.scorers) == (other.dataset, other.scorers)
<<<<<<< HEAD


def _incomparable(case: _Case, measured: Measurement, before: Measurement | None) -> str:
    """Why the deployed version's number is nothing to compare with."""
    if not case.compares:
        return ""
    if before is None:
        return _missing(case.metric, "the deployed version", case.baseline or Evaluation())
    if distrust := _distrust(before, case.metric, "the deployed version"):
        return distrust
    for what, mine, theirs in (
        ("on another dataset", measured.dataset, before.dataset),
        ("by other scorers", measured.scorers, before.scorers),
    ):
        if mine != theirs:
            said = f"{mine or 'none recorded'}, before {theirs or 'none recorded'}"
            return f"{case.metric} was measured {what} than that of the deployed version: {said}"
    return ""


def _regressed(case: _Case, measured: Measurement, before: Measurement | None) -> str:
    if not case.compares or before is None:
        return ""
    gate, metric, worse = case.gate, case.metric, _worse(case, measured, before)
    allowed, noise = gate.max_regression or 0, _noise(case)
    if noise is None:
        return f"no standard error is recorded with {metric} of both versions"
    if worse - _exact(noise) <= _exact(allowed):
        return ""
    shown = f" and {noise:.4g} of noise" if noise > 0 else ""
    if gate.standard_errors and noise == 0:
        shown = "; the standard errors of both that might excuse it are 0 or not recorded"
    said = f"{metric} went from {before.value} to {measured.value}, worse by more than {allowed}"
    return said + shown


def _worse(case: _Case, measured: Measurement, before: Measurement) -> Decimal:
    change = _exact(before.value) - _exact(measured.value)
    return -change if better_is_lower(case.gate) else change


def _excuse(case: _Case, measured: Measurement | None, before: Measurement | None) -> str:
    """What a regression that is more than allowed passed by."""
    if not case.compares or measured is None or before is None:
        return ""
    over = _worse(case, measured, before) - _exact(case.gate.max_regression or 0)
    return f"worse by {over:.4g} more than allowed, but within the noise" if over > 0 else ""


def _noise(case: _Case) -> float | None:
    """What a difference may be by chance; nothing unless both standard errors are recorded.

    Standard errors excuse a regression, except that of a safety metric: there they add to it, and
    None says that they are unknown.
    """
    gate, named = case.gate, case.gate.error_metric or ""
    times = gate.standard_errors or 0
    mine = standard_error(case.candidate, case.metric, named)
    theirs = standard_error(case.baseline, case.metric, named)
    if not times:
        return 0.0
    if mine is None or theirs is None:
        return None if gate.safety else 0.0
    noise = float(times * math.hypot(mine, theirs))
    return -noise if gate.safety else noise


def _exact(value: float) -> Decimal:
    """The number as people write it, so that 0.70 - 0.69 is 0.01."""
    return Decimal(repr(float(value)))


def _date(milliseconds: int) -> str:
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d %H:%M} UTC"
=======
>>>>>>> 471c614 (x)
