"""One gate on a metric with the measurements that it is about."""

import math
import re
from dataclasses import dataclass

from sluice.core.model import Evaluation, Measurement
from sluice.core.specs.rollout_records import Gate


@dataclass(frozen=True, slots=True)
class Times:
    """When it is, and when the version was registered; milliseconds since the epoch."""

    now: int = 0
    registered: int = 0


@dataclass(frozen=True, slots=True)
class Case:
    """One gate with the measurements that count for it.

    Args:
        gate: the gate as the spec has it.
        candidate: what was measured on the version that is to be proposed.
        baseline: what was measured on the deployed version; None when nothing is deployed.
        times: for conditions on the age of a measurement.
    """

    gate: Gate
    candidate: Evaluation
    baseline: Evaluation | None
    times: Times

    @property
    def metric(self) -> str:
        """The name of the metric."""
        return str(self.gate.metric)

    @property
    def measured(self) -> Measurement | None:
        """What was measured on the version, if anything was."""
        return self.candidate.measurements.get(self.metric)

    @property
    def before(self) -> Measurement | None:
        """What was measured on the deployed version, if anything was."""
        return self.baseline.measurements.get(self.metric) if self.baseline else None

    @property
    def error(self) -> float | None:
        """The standard error of the version's measurement; None when there is none to trust."""
        return standard_error(self.candidate, self.metric, self.gate.error_metric or "")

    @property
    def error_before(self) -> float | None:
        """The same of the deployed version."""
        return standard_error(self.baseline, self.metric, self.gate.error_metric or "")


def standard_error(evaluation: Evaluation | None, metric: str, named: str = "") -> float | None:
    """The standard error that was recorded for a metric; None when there is none to trust.

    Harnesses write it as `acc_stderr`, and with a filter as `acc_stderr_none` for `acc_none`.

    Args:
        evaluation: everything that was measured on a version, if anything was.
        metric: the name of the metric.
        named: the name of the metric that holds the standard error, where a gate gives it.
    """
    if evaluation is None:
        return None
    cuts = [match.start() for match in re.finditer("[_,]", metric)]
    guesses = [f"{metric}_stderr", *(f"{metric[:cut]}_stderr{metric[cut:]}" for cut in cuts[::-1])]
    for name in [named] if named else guesses:
        error = evaluation.measurements.get(name)
        if error and not error.doubt and math.isfinite(error.value) and error.value >= 0:
            return error.value
    return None
