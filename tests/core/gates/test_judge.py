"""Conditions on what was measured: each passes, fails closed, and says why."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.core.gates.case import Times, standard_error
from sluice.core.gates.judge import GateResult, judge
from sluice.core.gates.table import condition
from sluice.core.model import Evaluation, Measurement
from sluice.core.specs.reader import read_record
from sluice.core.specs.rollout_records import Gate

DAY = 86_400_000
NOW = 1_800_000_000_000


def measured(value: float | Measurement | None, **others: float) -> Evaluation:
    found = {name: Measurement(other) for name, other in others.items()}
    if value is not None:
        found["acc"] = value if isinstance(value, Measurement) else Measurement(value)
    return Evaluation(found)


def verdict(
    gate: dict[str, Any],
    value: float | Measurement | None,
    before: float | Measurement | Evaluation | None = None,
    error: float | None = None,
) -> GateResult:
    errors = {} if error is None else {"acc_stderr": error}
    baseline = before if isinstance(before, Evaluation) else measured(before, **errors)
    times = Times(now=NOW, registered=NOW - DAY)
    (result,) = judge(
        [read_record(Gate, {"metric": "acc", **gate})], measured(value, **errors), baseline, times
    )
    return result


@pytest.mark.parametrize(
    ("gate", "value", "said"),
    [
        ({"min": 0.65}, 0.65, ""),
        ({"min": 0.65}, 0.6499, "below 0.65"),
        ({"max": 0.02}, 0.02, ""),
        ({"max": 0.02}, 0.0201, "above 0.02"),
        ({"min": 0, "max": 1}, 0.5, ""),
        ({"min": 0.65}, None, "was not recorded for this version"),
        ({"max": 0.02}, math.nan, "is nan"),
        ({"min": 0.65}, math.inf, "is inf"),
        ({"max": 0.02}, -math.inf, "is -inf"),
        ({"min": 0.65}, Measurement(0.9, doubt="the run x is deleted"), "the run x is deleted"),
    ],
)
def test_a_limit(gate: dict[str, Any], value: float | None, said: str) -> None:
    result = verdict(gate, value)
    assert result.passed == (not said)
    assert said in result.reason
    assert result.failed != result.passed


@pytest.mark.parametrize(
    ("gate", "value", "before", "said"),
    [
        ({}, 0.69, 0.70, ""),
        ({}, 0.68, 0.70, "worse by more than 0.01"),
        ({}, 0.9, 0.70, ""),
        ({"better": "lower"}, 0.02, 0.01, ""),
        ({"better": "lower"}, 0.03, 0.01, "worse by more than 0.01"),
        ({"better": "lower"}, 0.001, 0.01, ""),
        ({}, 0.7, None, "was not recorded for the deployed version"),
        ({}, 0.7, math.nan, "of the deployed version is nan"),
        ({}, 0.7, Measurement(0.7, doubt="deleted"), "of the deployed version cannot be trusted"),
        ({}, Measurement(0.7, dataset="a@1"), Measurement(0.7, dataset="a@2"), "another dataset"),
        ({}, Measurement(0.7, dataset="a@1"), 0.7, "another dataset"),
        ({}, Measurement(0.7, scorers="1"), Measurement(0.7, scorers="2"), "other scorers"),
        ({}, 0.7, Measurement(0.7, scorers="2"), "other scorers"),
        ({}, Measurement(0.7, dataset="a@1"), Measurement(0.7, dataset="a@1"), ""),
    ],
)
def test_a_regression(gate: dict[str, Any], value: Any, before: Any, said: str) -> None:  # noqa: ANN401  # numbers and measurements
    result = verdict({"maxRegression": 0.01, **gate}, value, before)
    assert result.passed == (not said)
    assert said in result.reason


def test_where_nothing_is_deployed_there_is_nothing_to_be_worse_than() -> None:
    (result,) = judge(
        [read_record(Gate, {"metric": "acc", "maxRegression": 0})], measured(0.1), None
    )
    assert result.passed


def test_standard_errors_excuse_a_regression_within_the_noise_only() -> None:
    gate = {"maxRegression": 0.01, "standardErrors": 2}
    passed = verdict(gate, 0.68, 0.70, error=0.005)
    assert (passed.passed, passed.note) == (
        True,
        "worse by 0.01 more than allowed, but within the noise",
    )
    assert verdict(gate, 0.695, 0.70, error=0.005).note == ""
    assert not verdict(gate, 0.67, 0.70, error=0.005).passed
    assert "noise" in verdict(gate, 0.67, 0.70, error=0.005).reason
    unknown = verdict(gate, 0.68, 0.70)
    assert not unknown.passed
    assert "0 or not recorded" in unknown.reason


def test_standard_errors_count_against_a_metric_of_safety() -> None:
    gate = {"max": 0.02, "safety": True, "standardErrors": 2}
    bad = Measurement(0.015, dataset="t@1")
    assert verdict(gate, bad, error=0.002).passed
    assert "above 0.02" in verdict(gate, bad, error=0.003).reason
    assert "no standard error" in verdict(gate, bad).reason


def test_a_regression_of_safety_must_be_clear_of_the_noise() -> None:
    gate = {"maxRegression": 0.01, "safety": True, "standardErrors": 2, "better": "lower"}
    now, before = Measurement(0.015, dataset="t@1"), Measurement(0.01, dataset="t@1")
    quiet = Evaluation({"acc": before, "acc_stderr": Measurement(0.001)})
    assert verdict(gate, now, quiet, error=0.001).passed
    loud = Evaluation({"acc": before, "acc_stderr": Measurement(0.01)})
    assert "worse by more" in verdict(gate, now, loud, error=0.001).reason
    assert "no standard error" in verdict(gate, now, measured(before), error=0.001).reason


def test_a_metric_of_safety_needs_to_say_on_what_it_was_measured() -> None:
    assert "no dataset" in verdict({"max": 1, "safety": True}, 0.1).reason


@pytest.mark.parametrize(
    ("recorded", "passes"), [("mmlu@76a4", True), ("76a4", True), ("mmlu@77", False), ("", False)]
)
def test_the_dataset_is_named_by_its_digest_or_in_full(recorded: str, *, passes: bool) -> None:
    assert verdict({"dataset": "76a4"}, Measurement(1, dataset=recorded)).passed == passes
    full = verdict({"dataset": "mmlu@76a4"}, Measurement(1, dataset=recorded))
    assert full.passed == (recorded == "mmlu@76a4")


@pytest.mark.parametrize(
    ("gate", "recorded", "said"),
    [
        ({"maxAge": "24h"}, NOW - DAY, ""),
        ({"maxAge": "24h"}, NOW - DAY - 1, "longer than 24h ago"),
        ({"maxAge": "24h"}, 0, "not recorded when"),
        ({"maxAge": "24h"}, NOW + 60_000, ""),
        ({"maxAge": "24h"}, NOW + DAY, "still to come"),
        ({"min": 0, "afterRegistration": True}, NOW + DAY, "still to come"),
        ({"min": 0, "afterRegistration": True}, NOW, ""),
        ({"min": 0, "afterRegistration": True}, NOW - 2 * DAY, "before the version was registered"),
        ({"min": 0, "afterRegistration": False}, NOW - 2 * DAY, ""),
    ],
)
def test_the_age_of_a_measurement(gate: dict[str, Any], recorded: int, said: str) -> None:
    result = verdict(gate, Measurement(1, recorded=recorded))
    assert result.passed == (not said)
    assert said in result.reason


@pytest.mark.parametrize(
    ("metric", "recorded"),
    [
        ("mmlu/acc", "mmlu/acc_stderr"),
        ("mmlu/acc_none", "mmlu/acc_stderr_none"),
        ("gsm8k/exact_match_strict-match", "gsm8k/exact_match_stderr_strict-match"),
    ],
)
def test_the_standard_error_is_found_by_the_names_that_harnesses_give(
    metric: str, recorded: str
) -> None:
    found = Evaluation({recorded: Measurement(0.01)})
    assert standard_error(found, metric) == 0.01
    assert standard_error(found, metric, "other") is None


@pytest.mark.parametrize("value", [math.nan, math.inf, -0.1])
def test_a_standard_error_that_is_none_is_not_taken(value: float) -> None:
    assert standard_error(Evaluation({"acc_stderr": Measurement(value)}), "acc") is None


def test_the_condition_is_told_in_words() -> None:
    gate = {"metric": "acc", "min": 0.6, "maxRegression": 0.01, "standardErrors": 2}
    more = {"dataset": "a@1", "maxAge": "24h", "afterRegistration": True}
    assert condition(read_record(Gate, gate | more)) == (
        "at least 0.6, at most 0.01 lower than the deployed version, give or take 2 standard "
        "errors, on a@1, not older than 24h, measured after the version was registered"
    )


@given(st.floats(), st.floats(), st.floats(allow_nan=False), st.floats(0, 1e6))
def test_nothing_that_is_not_a_number_ever_passes(
    value: float, before: float, limit: float, allowed: float
) -> None:
    result = verdict({"min": limit, "maxRegression": allowed}, value, before)
    if not (math.isfinite(value) and math.isfinite(before)):
        assert not result.passed
    elif result.passed:
        assert value >= limit
        assert before - value <= allowed * (1 + 1e-9) + 1e-300
