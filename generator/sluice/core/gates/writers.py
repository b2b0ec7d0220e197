"""Who wrote a number, and whether a gate counts it.

A registry believes its clients about the user of a run; who may write into an experiment is what
its server enforces. So a gate can name several things, and all of them must be true.
"""

from collections.abc import Iterator
from dataclasses import replace

from sluice.core.model import Evaluation, Measurement
from sluice.core.specs.reader import written
from sluice.core.specs.rollout_records import Gate, MeasuredBy


def counted(gate: Gate, evaluation: Evaluation) -> Evaluation:
    """What was measured, without the numbers of those whom the gate does not count.

    Those are as if they were missing, and the gaps say so: standard errors too, since a large one
    would excuse anything.
    """
    asked = gate.measured_by
    if asked is None:
        return evaluation
    all_of_them = evaluation.measurements
    kept = {name: m for name, m in all_of_them.items() if _is_counted(asked, m)}
    left = [gate.metric] if gate.metric in all_of_them.keys() - kept.keys() else []
    gaps = [f"{_said(name, all_of_them[name])}, whom this gate does not count" for name in left]
    return replace(evaluation, measurements=kept, gaps=(*evaluation.gaps, *gaps))


def _said(metric: str, measurement: Measurement) -> str:
    return f"there is a {metric} written by {writer(measurement)}"


def _is_counted(asked: MeasuredBy, measurement: Measurement) -> bool:
    known = {
        "experiments": {measurement.experiment, measurement.experiment_id},
        "users": {measurement.user},
        "evaluators": {measurement.evaluator},
        "runs": {measurement.run_id},
    }
    return all((known[kind] - {""}) & set(names) for kind, names in written(asked).items())


def writer(measurement: Measurement | None) -> str:
    """Who wrote a number, as far as the registry says; nothing where there is no number."""
    if measurement is None:
        return ""
    return ", ".join(_words(measurement)) or "an unknown writer"


def _words(measurement: Measurement) -> Iterator[str]:
    experiment = measurement.experiment or measurement.experiment_id
    if measurement.user:
        yield measurement.user
    if experiment:
        yield f"experiment {experiment}"
    if measurement.evaluator:
        yield f"evaluated by {measurement.evaluator}"
    if measurement.run_id:
        yield f"run {measurement.run_id}"
