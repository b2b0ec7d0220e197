"""How each condition on a metric is judged: why it is not met, or nothing when it is.

Each is asked only where those of earlier kinds had nothing to complain of: a limit may rely on a
measurement that can be trusted, and a regression on one within the limits.
"""

import math
from datetime import UTC, datetime
from decimal import Decimal

from sluice.core.gates.case import Case
from sluice.core.gates.words import better_is_lower
from sluice.core.model import Evaluation, Measurement
from sluice.core.units import seconds

# Milliseconds that the clock of who measured may be ahead of ours.
_CLOCKS_DIFFER = 3_600_000


def distrusted(case: Case) -> str:
    """That nothing was measured, or nothing that can be trusted."""
    if case.measured is None:
        return _missing(case.metric, "this version", case.candidate)
    return _doubt(case.measured, case.metric, "this version")


def without_dataset(case: Case) -> str:
    """That a metric of safety does not say on what it was measured."""
    if not case.gate.safety or case.measured is None or case.measured.dataset:
        return ""
    return f"no dataset is recorded with {case.metric} of this version"


def on_another_dataset(case: Case) -> str:
    """That it was measured on something else than the gate names."""
    wanted, metric, measured = case.gate.dataset, case.metric, case.measured
    if measured is None or not measured.dataset:
        return f"no dataset is recorded with {metric} of this version"
    digest = measured.dataset.rpartition("@")[2]
    if wanted not in (measured.dataset, digest):
        return f"{metric} was measured on {measured.dataset}, not on {wanted}"
    return ""


def too_old(case: Case) -> str:
    """That it was measured longer ago than it may have been."""
    problem, measured, limit = _without_time(case), case.measured, case.gate.max_age
    if problem or measured is None or limit is None:
        return problem
    if case.times.now - measured.recorded > 1000 * seconds(limit):
        when = _date(measured.recorded)
        return f"{case.metric} was measured on {when}, longer than {limit} ago"
    return ""


def before_registration(case: Case) -> str:
    """That it was measured before the version was registered."""
    problem, measured = _without_time(case), case.measured
    if problem or measured is None:
        return problem
    if case.gate.after_registration and measured.recorded < case.times.registered:
        when = _date(measured.recorded)
        return f"{case.metric} was measured on {when}, before the version was registered"
    return ""


def unknown_error(case: Case) -> str:
    """That a metric of safety has no standard error to be clear of its limits by."""
    if case.gate.safety and case.error is None:
        return f"no standard error is recorded with {case.metric} of this version"
    return ""


def below(case: Case) -> str:
    """That the value is below the least one."""
    margin, limit, measured = _margin(case), case.gate.min, case.measured
    if margin is None or measured is None:
        return unknown_error(case)
    if limit is not None and measured.value - margin < limit:
        return f"{case.metric} is {measured.value}{_give_or_take(case)}, below {limit}"
    return ""


def above(case: Case) -> str:
    """That the value is above the greatest one."""
    margin, limit, measured = _margin(case), case.gate.max, case.measured
    if margin is None or measured is None:
        return unknown_error(case)
    if limit is not None and measured.value + margin > limit:
        return f"{case.metric} is {measured.value}{_give_or_take(case)}, above {limit}"
    return ""


def regressed(case: Case) -> str:
    """That it is worse than the deployed version by more than allowed, or nobody can tell."""
    if case.baseline is None:
        return ""
    return _incomparable(case) or _worse_than_allowed(case)


def excuse(case: Case) -> str:
    """What a regression that is more than allowed passed by."""
    measured, before = case.measured, case.before
    allowed = case.gate.max_regression
    if allowed is None or measured is None or before is None:
        return ""
    over = _worse(case, measured, before) - _exact(allowed)
    return f"worse by {over:.4g} more than allowed, but within the noise" if over > 0 else ""


def _missing(metric: str, whose: str, evaluation: Evaluation) -> str:
    return ": ".join([f"{metric} was not recorded for {whose}", *evaluation.gaps])


def _doubt(measured: Measurement, metric: str, whose: str) -> str:
    if measured.doubt:
        return f"{metric} of {whose} cannot be trusted: {measured.doubt}"
    if not math.isfinite(measured.value):
        return f"{metric} of {whose} is {measured.value}"
    return ""


def _without_time(case: Case) -> str:
    """That nobody knows when it was measured."""
    measured = case.measured
    if measured is None or not measured.recorded:
        return f"it is not recorded when {case.metric} was measured"
    if measured.recorded > case.times.now + _CLOCKS_DIFFER:
        when = _date(measured.recorded)
        return f"{case.metric} is said to be measured on {when}, which is still to come"
    return ""


def _margin(case: Case) -> float | None:
    """By how much a value must be clear of its limits; None where that is not known."""
    if not case.gate.safety or case.gate.standard_errors is None:
        return 0.0
    return None if case.error is None else float(case.gate.standard_errors * case.error)


def _give_or_take(case: Case) -> str:
    if not case.gate.safety or case.gate.standard_errors is None:
        return ""
    return f" give or take {_margin(case):.4g}"


def _incomparable(case: Case) -> str:
    """Why the deployed version's number is nothing to compare with."""
    measured, before = case.measured, case.before
    if before is None or measured is None:
        return _missing(case.metric, "the deployed version", case.baseline or Evaluation())
    if doubt := _doubt(before, case.metric, "the deployed version"):
        return doubt
    for what, mine, theirs in (
        ("on another dataset", measured.dataset, before.dataset),
        ("by other scorers", measured.scorers, before.scorers),
    ):
        if mine != theirs:
            both = f"{mine or 'none recorded'}, before {theirs or 'none recorded'}"
            return f"{case.metric} was measured {what} than that of the deployed version: {both}"
    return ""


def _worse_than_allowed(case: Case) -> str:
    measured, before, allowed = case.measured, case.before, case.gate.max_regression
    if measured is None or before is None or allowed is None:
        return ""
    metric, worse, noise = case.metric, _worse(case, measured, before), _noise(case)
    if noise is None:
        return f"no standard error is recorded with {metric} of both versions"
    if worse - _exact(noise) <= _exact(allowed):
        return ""
    shown = f" and {noise:.4g} of noise" if noise > 0 else ""
    if case.gate.standard_errors and noise == 0:
        shown = "; the standard errors of both that might excuse it are 0 or not recorded"
    change = f"{metric} went from {before.value} to {measured.value}, worse by more than {allowed}"
    return change + shown


def _worse(case: Case, measured: Measurement, before: Measurement) -> Decimal:
    change = _exact(before.value) - _exact(measured.value)
    return -change if better_is_lower(case.gate) else change


def _noise(case: Case) -> float | None:
    """What a difference may be by chance; nothing unless both standard errors are recorded.

    Standard errors excuse a regression, except that of a safety metric: there they add to it, and
    None says that they are unknown.
    """
    times = case.gate.standard_errors or 0
    mine, theirs = case.error, case.error_before
    if not times:
        return 0.0
    if mine is None or theirs is None:
        return None if case.gate.safety else 0.0
    noise = float(times * math.hypot(mine, theirs))
    return -noise if case.gate.safety else noise


def _exact(value: float) -> Decimal:
    """The number as people write it, so that 0.70 - 0.69 is 0.01."""
    return Decimal(repr(float(value)))


def _date(milliseconds: int) -> str:
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d %H:%M} UTC"
