"""Verdicts on counts."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.core.analysis.counts import Absolute, Batch, Cell, Counts, Gate, GateCounts, Parameters
from sluice.core.analysis.judgement import judge

RELATIVE = Gate("errors")
BOTH = Gate("errors", absolute=Absolute(0.01, 0.05))


def batch(*row: int, at: int = 0, step: int = 0) -> Batch:
    return Batch(at, (Cell(*row[:2]),), (Cell(*row[2:]),), step)


def counts(*batches: Batch, gate: Gate = RELATIVE, **more: Any) -> Counts:  # noqa: ANN401  # fields
    return Counts((GateCounts(gate, batches),), **more)


def verdict(*batches: Batch, gate: Gate = RELATIVE, **more: Any) -> str:  # noqa: ANN401  # fields
    return judge(counts(*batches, gate=gate, **more)).verdict


def test_a_candidate_that_is_worse_fails() -> None:
    judged = judge(counts(batch(500, 20, 4500, 45, at=600)))
    assert (judged.verdict, judged.failed_at, judged.hard) == ("FAIL", 660, False)
    assert judged.gates[0].ln_e_bad == pytest.approx(9.350043, abs=5e-7)


def test_a_candidate_that_is_as_good_passes() -> None:
    assert verdict(batch(500, 4, 4500, 60)) == "PASS"


@pytest.mark.parametrize("gates", [(), (GateCounts(RELATIVE, ()),), (GateCounts(BOTH, ()),)])
@pytest.mark.parametrize(("exhausted", "expected"), [(False, "CONTINUE"), (True, "INCONCLUSIVE")])
def test_no_data_is_neither_pass_nor_fail(
    gates: tuple[GateCounts, ...],
    exhausted: bool,  # noqa: FBT001  # a parameter of the test
    expected: str,
) -> None:
    assert judge(Counts(gates, exhausted=exhausted)).verdict == expected


def test_without_errors_in_either_arm_only_the_absolute_test_decides() -> None:
    assert verdict(batch(72, 0, 700, 0)) == "CONTINUE"
    assert verdict(batch(72, 0, 700, 0), gate=BOTH) == "PASS"
    assert verdict(batch(71, 0, 700, 0), gate=BOTH) == "CONTINUE"


def test_a_rate_that_is_too_high_fails_against_a_healthy_baseline() -> None:
    assert verdict(batch(40, 3, 360, 2), gate=replace(BOTH, relative=False)) == "FAIL"


def test_when_both_versions_are_bad_there_is_no_verdict() -> None:
    assert verdict(batch(100, 20, 900, 180), gate=BOTH) == "ENV_DEGRADED"


def test_a_candidate_that_is_worse_in_a_bad_environment_still_fails() -> None:
    assert verdict(batch(500, 250, 4500, 450), gate=BOTH) == "FAIL"


def test_restarts_fail_at_once() -> None:
    judged = judge(counts(batch(500, 4, 4500, 60), restarts=2))
    assert (judged.verdict, judged.hard) == ("FAIL", True)
    assert verdict(batch(500, 4, 4500, 60), restarts=1) == "PASS"


def test_the_risk_of_a_false_alarm_is_divided_among_the_gates() -> None:
    """E is 26 here: enough for one gate at 1/alpha = 20, too little for two at 40."""
    bad = GateCounts(RELATIVE, (batch(100, 4, 900, 4),))
    other = GateCounts(Gate("other"), ())
    assert judge(Counts((bad,))).verdict == "FAIL"
    assert judge(Counts((bad, other))).verdict == "CONTINUE"
    watched = GateCounts(Gate("other", observe=True), ())
    assert judge(Counts((bad, watched))).verdict == "FAIL"


def test_promotion_wants_every_gate() -> None:
    good = GateCounts(RELATIVE, (batch(500, 4, 4500, 60),))
    assert judge(Counts((good, GateCounts(Gate("other"), ())))).verdict == "CONTINUE"
    assert judge(Counts((good, replace(good, gate=Gate("other"))))).verdict == "PASS"


def test_a_gate_that_only_observes_decides_nothing() -> None:
    bad = GateCounts(replace(RELATIVE, observe=True), (batch(500, 20, 4500, 45),))
    judged = judge(Counts((bad,)))
    assert (judged.verdict, judged.gates[0].verdict) == ("CONTINUE", "FAIL")


def test_a_failure_stands_however_late_one_looks() -> None:
    bad = [batch(500, 20, 4500, 45, at=0)]
    good = [batch(500, 0, 4500, 45, at=60 * i) for i in range(1, 40)]
    judged = judge(counts(*bad, *good))
    assert judged.verdict == "FAIL"
    assert judged.gates[0].ln_e_bad is not None
    assert judged.gates[0].ln_e_bad < 0
    assert judged.failed_at is not None
    assert judged.failed_at < 40 * 60, "the age of a failure is that of what shows it"


def test_what_passes_must_come_from_this_step() -> None:
    before, now = batch(500, 4, 4500, 60), batch(10, 0, 10, 0, at=60, step=1)
    assert verdict(before, now, step=0) == "PASS"
    assert verdict(before, now, step=1) == "CONTINUE"


def test_what_fails_may_come_from_all_steps() -> None:
    halves = [batch(250, 8, 2250, 22, at=60 * step, step=step) for step in range(2)]
    assert verdict(halves[0]) == "CONTINUE"
    assert verdict(*halves, step=1) == "FAIL"


def test_a_gate_wants_its_least_number_of_requests_to_pass() -> None:
    wanted = replace(RELATIVE, least=501)
    assert verdict(batch(500, 4, 4500, 60), gate=wanted) == "CONTINUE"


@pytest.mark.parametrize(
    ("load", "cache", "expected"),
    [
        (1.0, 1.0, "FAIL"),
        (0.1, 1.0, "FAIL"),  # slower with less to do
        (1.0, 3.0, "FAIL"),  # slower with more in its cache
        (9.0, 1.0, "FAIL"),  # no more requests come: they pile up since it is slow
        (1.0, 0.5, "CONTINUE"),
        (None, None, "CONTINUE"),
    ],
)
def test_latency_counts_where_load_and_cache_are_no_excuse(
    load: float | None, cache: float | None, expected: str
) -> None:
    row = replace(batch(500, 20, 4500, 45), load=load, cache=cache)
    assert verdict(row, gate=replace(RELATIVE, matched=True)) == expected


def test_two_sided_gates_see_too_few_as_well() -> None:
    fewer = batch(4500, 45, 500, 20)
    assert verdict(fewer) != "FAIL"
    assert verdict(fewer, gate=replace(RELATIVE, two_sided=True)) == "FAIL"


def test_one_burst_is_one_event() -> None:
    burst = batch(100, 20, 900, 1)
    capped = Parameters(burst=1)
    assert verdict(burst, gate=BOTH) == "FAIL"
    assert verdict(burst, gate=BOTH, parameters=capped) == "CONTINUE"


def test_a_lasting_failure_is_not_taken_for_a_burst() -> None:
    lasting = [batch(100, 20, 900, 1, at=60 * i) for i in range(4)]
    assert verdict(*lasting, gate=BOTH, parameters=Parameters(burst=1)) == "FAIL"


CELLS = st.tuples(st.integers(1, 60), st.integers(0, 60)).map(lambda c: Cell(c[0], min(c)))
ARMS = st.lists(CELLS, min_size=1, max_size=3).map(tuple)


@given(st.lists(st.tuples(ARMS, ARMS), min_size=1, max_size=8))
def test_capping_bursts_only_ever_takes_evidence_away(rows: list[Any]) -> None:
    batches = tuple(Batch(60 * i, *row) for i, row in enumerate(rows))
    raw = judge(Counts((GateCounts(BOTH, batches),)))
    capped = judge(Counts((GateCounts(BOTH, batches),), Parameters(burst=1)))
    before, after = raw.gates[0], capped.gates[0]
    assert (after.ln_e_bad or 0) <= (before.ln_e_bad or 0) + 1e-9
    assert (after.e_ok or 0) <= (before.e_ok or 0) * (1 + 1e-9)
    assert not (capped.verdict == "FAIL" and raw.verdict in ("PASS", "CONTINUE"))
