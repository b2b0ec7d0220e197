"""Whether what was measured on a version meets the conditions of a release."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sluice.core.gates.case import Case, Times
from sluice.core.gates.complaints import excuse
from sluice.core.gates.table import (
    CONDITIONS,
    IN_TURN,
    SUBJECTS,
    Kind,
    condition,
    conditions_of,
    unknown_properties,
)
from sluice.core.gates.words import better_is_lower
from sluice.core.gates.writers import writer
from sluice.core.model import Evaluation, Measurement
from sluice.core.specs.reader import written
from sluice.core.specs.rollout_records import Gate


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


def refuse_unknown(gate: Gate, document: Mapping[str, Any]) -> GateResult | None:
    """The refusal of a gate with a property that nothing asks; None where there is none.

    A condition that is ignored would let everything pass, and so would one whose property has no
    field in the record, or no value.

    Args:
        gate: the gate.
        document: the same gate as it is written.
    """
    properties = written(gate)
    lost = document.keys() & CONDITIONS.keys() - properties.keys()
    names = [*unknown_properties(document), *sorted(lost)]
    if not names:
        return None
    subject = gate.metric or next((name for name in SUBJECTS if name in properties), "gate")
    reason = f"nothing asks for {' and '.join(names)}, so that nobody can say whether it is met"
    return GateResult(str(subject), condition(gate), None, None, passed=False, reason=reason)


def _judge(case: Case) -> GateResult:
    gate, measured, before = case.gate, case.measured, case.before
    kind, reason = _verdict(case)
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


def comparable(one: Measurement | None, other: Measurement | None) -> bool:
    """Whether two numbers of a metric come from the same questions, asked and judged alike."""
    if one is None or other is None:
        return True
    return (one.dataset, one.scorers) == (other.dataset, other.scorers)
