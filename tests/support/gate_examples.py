"""For each property of a gate a version that is judged otherwise where the gate has it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sluice.core.model import Evaluation, Measurement

HOUR = 3600
NOW = 1_800_000_000
"""Seconds since the epoch."""
REGISTERED = 1000 * (NOW - 24 * HOUR)
"""Milliseconds since the epoch."""


@dataclass(frozen=True)
class Example:
    """A gate with the property, and what was measured; the gate without it says otherwise."""

    gate: Mapping[str, Any]
    candidate: Evaluation = field(default_factory=Evaluation)
    baseline: Evaluation | None = None


def evaluation(value: float, error: float | None = None, **more: Any) -> Evaluation:  # noqa: ANN401  # fields
    found = {"acc": Measurement(value, **more)}
    if error is not None:
        found |= {"acc_stderr": Measurement(error), "spread": Measurement(10 * error)}
    return Evaluation(found)


EXAMPLES: Mapping[str, Example] = {
    "metric": Example({"metric": "acc", "min": 0.5}, Evaluation()),
    "min": Example({"metric": "acc", "min": 0.5}, evaluation(0.4)),
    "max": Example({"metric": "acc", "max": 0.5}, evaluation(0.6)),
    "maxRegression": Example(
        {"metric": "acc", "maxRegression": 0.01}, evaluation(0.6), evaluation(0.7)
    ),
    "better": Example(
        {"metric": "acc", "maxRegression": 0.01, "better": "lower"},
        evaluation(0.8),
        evaluation(0.7),
    ),
    "standardErrors": Example(
        {"metric": "acc", "maxRegression": 0.01, "standardErrors": 2},
        evaluation(0.68, 0.01),
        evaluation(0.7, 0.01),
    ),
    "errorMetric": Example(
        {"metric": "acc", "maxRegression": 0.01, "standardErrors": 2, "errorMetric": "spread"},
        evaluation(0.6, 0.01),
        evaluation(0.7, 0.01),
    ),
    "dataset": Example({"metric": "acc", "dataset": "a@1"}, evaluation(0.6, dataset="a@2")),
    "maxAge": Example(
        {"metric": "acc", "maxAge": "24h"}, evaluation(0.6, recorded=1000 * (NOW - 48 * HOUR))
    ),
    "afterRegistration": Example(
        {"metric": "acc", "afterRegistration": True}, evaluation(0.6, recorded=REGISTERED - 1)
    ),
    "safety": Example({"metric": "acc", "max": 1, "safety": True}, evaluation(0.6)),
    "measuredBy": Example(
        {"metric": "acc", "measuredBy": {"users": ["eval-bot"]}}, evaluation(0.6, user="eve")
    ),
    "approval": Example({"approval": {"tag": "approved-by"}}),
    "soak": Example({"soak": {"environment": "staging", "duration": "24h"}}),
}
