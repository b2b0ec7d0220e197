"""What is tested beside the gates: changes late, answers that stay away, faults that are shared.

False alarms by simulation, minutes long where marked; the generator is seeded, so runs repeat.
"""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.core.analysis.absolute import outages
from sluice.core.analysis.answers import DOUBT, too_few
from sluice.core.analysis.counts import (
    BESIDE,
    COLD,
    Absolute,
    Answered,
    Batch,
    Cell,
    Counts,
    Gate,
    GateCounts,
    Parameters,
    accused,
    acquitted,
    warm_from,
)
from sluice.core.analysis.judgement import judge
from sluice.core.analysis.sequential import Pair, ln_e_bad_path, ln_e_late_path
from support.binomial import binomial

ALPHA = 0.05
RUNS = 400
ERRORS = Gate("errors", absolute=Absolute(0.005, 0.02))
SLOW = Gate("slow", matched=True)

Rates = Callable[[int], tuple[float, float]]
"""Of a batch's number, the bad rates of candidate and stable version."""


def chances(seed: int = 7) -> random.Random:
    return random.Random(seed)  # noqa: S311  # a simulation


def batch(  # what a batch is made of
    chance: random.Random,
    number: int,
    rates: tuple[float, float],
    weight: float = 0.1,
    step: int = 0,
    size: int = 600,
) -> Batch:
    own = size if weight == 1 else binomial(chance, size, weight)
    cells = [
        Cell(count, binomial(chance, count, rate))
        for count, rate in zip((own, size - own), rates, strict=True)
    ]
    return Batch(60 * number, (cells[0],), (cells[1],), step)


def counts(batches: Sequence[Batch], gate: Gate = ERRORS, step: int = 0) -> Counts:
    return Counts((GateCounts(gate, tuple(batches)),), Parameters(burst=1, steps=2), step)


def test_a_candidate_that_gets_worse_after_hours_is_found_as_soon_as_any() -> None:
    good = [Pair(60, 0, 540, 1)] * 300
    bad = [Pair(60, 2, 540, 1)] * 20
    bound = math.log(1 / (BESIDE * ALPHA))
    assert max(ln_e_bad_path([*good, *bad])) < math.log(1 / ALPHA)
    late = ln_e_late_path([*good, *bad])
    assert next(i for i, ln_e in enumerate(late) if ln_e >= bound) <= 312


@pytest.mark.slow
def test_looking_for_late_changes_adds_no_more_than_its_share_of_false_alarms() -> None:
    chance, bound = chances(), math.log(1 / (BESIDE * ALPHA))
    alarms = 0
    for _ in range(RUNS):
        rows = [batch(chance, i, (0.01, 0.01)) for i in range(150)]
        pairs = [
            Pair(r.candidate[0].requests, r.candidate[0].bad, r.stable[0].requests, r.stable[0].bad)
            for r in rows
        ]
        alarms += max(ln_e_late_path(pairs)) >= bound
    assert alarms / RUNS <= BESIDE * ALPHA + 0.01


def answered(*rows: tuple[int, int], weight: int = 10, step: int = 0) -> list[Answered]:
    return [Answered(60 * i, own, other, weight, step) for i, (own, other) in enumerate(rows)]


@pytest.mark.parametrize(
    ("rows", "weight", "alarm"),
    [
        ([(60, 540)] * 500, 10, False),
        ([(35, 565)] * 500, 10, False),  # sessions stay where they were
        ([(0, 540)] * 5, 10, True),
        ([(0, 540)] * 2, 10, False),  # chance has its time
        ([(5, 540)] * 30, 10, True),
        ([(60, 540)] * 500 + [(0, 540)] * 12, 10, True),  # good for hours, then it hangs
        ([(0, 0)] * 500, 10, False),  # nobody answers anybody
        ([(600, 0)] * 500, 10, False),  # too many is another matter
        ([(0, 6)] * 30, 10, False),
        ([(0, 6)] * 80, 10, True),
        ([(0, 600)] * 60, 1, True),
        ([(0, 300)] * 3, 50, True),
        ([(0, 300)] * 500, 0, False),
    ],
)
def test_too_few_answers(rows: list[tuple[int, int]], weight: int, *, alarm: bool) -> None:
    assert bool(too_few(answered(*rows, weight=weight), 0)) == alarm


def test_answers_of_earlier_steps_say_nothing_of_this_one() -> None:
    before = answered(*[(0, 540)] * 50)
    assert too_few(before, 0)
    assert too_few(before, 1) == ""


@pytest.mark.parametrize(
    ("usual", "rows", "alarm"),
    [
        (600, [(600, 0)] * 300, False),
        (600, [(100, 0)] * 300, False),  # night
        (600, [(0, 0)] * 12, True),
        (600, [(0, 0)] * 3, False),
        (600, [(600, 0)] * 100 + [(0, 0)] * 15, True),
        (1, [(0, 0)] * 60, False),  # there was next to nothing
        (0, [(0, 0)] * 60, False),
    ],
)
def test_a_candidate_that_has_everything_must_answer_some_of_it(
    usual: int, rows: list[tuple[int, int]], *, alarm: bool
) -> None:
    before = answered(*[(usual // 10, usual - usual // 10)] * 20)
    now = [replace(b, weight=100, step=1) for b in answered(*rows)]
    assert bool(too_few([*before, *now], 1)) == alarm


@pytest.mark.slow
def test_requests_that_come_in_clusters_give_no_false_alarm() -> None:
    """A dozen requests of one client at a time go to one version, at exactly half the odds."""
    chance = chances()
    for _ in range(RUNS):
        rows = []
        for _ in range(200):
            own = 12 * binomial(chance, 50, 0.1 / 1.9)
            rows.append((own, 600 - own))
        assert too_few(answered(*rows), 0) == ""


@given(st.lists(st.tuples(st.integers(27, 60), st.integers(440, 540)), min_size=1, max_size=60))
def test_half_of_what_it_should_get_is_never_too_few(rows: list[tuple[int, int]]) -> None:
    assert too_few(answered(*rows), 0) == ""


def test_doubt_is_one_in_a_million() -> None:
    assert math.exp(-DOUBT) == pytest.approx(1e-6)


def test_outages_begin_with_a_test_that_rejects_and_end_with_one_that_accepts() -> None:
    good, bad = -1.0, 1.5
    found = outages([good] * 6 + [bad] * 4 + [good] * 3, 0.05, 0.05)
    assert list(found.ill) == [False] * 6 + [True] * 4 + [False] * 3
    assert not found.lasts
    undecided = outages([bad] * 2 + [good], 0.05, 0.05)
    assert (list(undecided.ill), undecided.lasts) == ([True, True, True], True)
    assert not outages([0.0] * 9, 0.05, 0.05).lasts


def test_a_fault_that_is_over_leaves_no_verdict() -> None:
    fault = [Batch(60 * i, (Cell(60, 20),), (Cell(540, 180),)) for i in range(10)]
    assert judge(counts(fault)).verdict == "ENV_DEGRADED"
    after = [Batch(60 * i, (Cell(60, 0),), (Cell(540, 1),)) for i in range(10, 40)]
    assert judge(counts([*fault, *after])).verdict == "PASS"
    worse = [Batch(60 * i, (Cell(60, 6),), (Cell(540, 1),)) for i in range(10, 60)]
    assert judge(counts([*fault, *worse])).verdict == "FAIL"


@pytest.mark.slow
@pytest.mark.parametrize("weight", [0.1, 0.5, 0.9])
def test_a_shared_fault_condemns_no_more_often_than_alpha(weight: float) -> None:
    """Half an hour good, then half an hour in which both versions fail alike, then good again."""
    chance, failed, thawed = chances(), 0, 0
    for _ in range(RUNS):
        batches = [
            batch(chance, i, (rate, rate), weight)
            for i in range(90)
            for rate in [0.1 if 30 <= i < 60 else 0.003]
        ]
        looks = [judge(counts(batches[:until])).verdict for until in (31, 32, 34, 40, 60, 90)]
        failed += "FAIL" in looks
        thawed += looks[-1] != "ENV_DEGRADED"
    assert failed / RUNS <= ALPHA
    assert thawed == RUNS


@pytest.mark.slow
def test_a_candidate_that_serves_alone_as_before_fails_no_more_often_than_alpha() -> None:
    """Errors and latency at the rates of the steps before it, for an hour at everything."""
    chance = chances()
    for gate, rate in ((ERRORS, 0.004), (SLOW, 0.05)):
        failed = 0
        for _ in range(RUNS):
            before = [
                replace(batch(chance, i, (rate, rate)), load=1.0, cache=1.0) for i in range(15)
            ]
            alone = [batch(chance, i, (rate, 0.0), 1.0, 1) for i in range(15, 75)]
            failed += judge(counts([*before, *alone], gate, 1)).verdict == "FAIL"
        assert failed / RUNS <= ALPHA


def test_a_latency_that_grows_at_everything_fails_though_no_rate_was_written() -> None:
    before = [replace(batch(chances(), i, (0.02, 0.02)), load=1.0, cache=1.0) for i in range(15)]
    alone = [
        Batch(60 * i, (Cell(600, int(600 * 0.02 * (i - 14) ** 0.7)),), (Cell(0, 0),), 1)
        for i in range(15, 75)
    ]
    assert judge(counts([*before, *alone[:3]], SLOW, 1)).verdict != "FAIL"
    assert judge(counts([*before, *alone], SLOW, 1)).verdict == "FAIL"


@pytest.mark.parametrize(
    ("load", "cache", "own", "accuses", "acquits"),
    [
        (1.0, 1.0, 60, 1.0, True),
        (0.1, 1.0, 60, 1.0, False),  # it should be faster
        (1.0, 5.0, 60, 1.0, False),
        (1.0, 0.1, 60, 3.0, True),
        (8.0, 1.0, 60, 1.0, True),  # requests pile up that come no faster
        (8.0, 0.1, 60, 3.0, True),
        (8.0, 1.0, 600, None, True),  # it gets more than it can take: not its fault
        (1.9, 1.0, 600, 1.0, True),
        (None, None, 60, 3.0, False),
    ],
)
def test_what_load_and_cache_excuse_and_what_they_do_not(
    load: float | None, cache: float | None, own: int, accuses: float | None, *, acquits: bool
) -> None:
    """The tolerated ratio at which a batch counts, once caches had time to fill."""
    first = Batch(0, (Cell(own, 0),), (Cell(60, 0),), load=load, cache=cache)
    later = replace(first, at=COLD)
    warm = warm_from([first, later])
    said = [(b.at, ratio) for b, ratio in accused(SLOW, [first, later], warm)]
    expected = [(0, 1.0), (COLD, 1.0)] if accuses == 1.0 else [(COLD, accuses)] if accuses else []
    assert said == expected
    assert (acquitted(SLOW, [later]) == [later]) == acquits


@pytest.mark.slow
def test_a_cold_cache_and_a_smaller_load_condemn_nobody() -> None:
    """Slow at first, as good later; and at all times with a tenth of the load."""
    chance, failed = chances(), 0
    for _ in range(RUNS):
        rows = []
        for i in range(90):
            cold = i * 60 < COLD - 60
            row = batch(chance, i, (0.4 if cold else 0.05, 0.05))
            rows.append(replace(row, load=0.1, cache=0.2 if cold else 1.0))
        failed += judge(counts(rows, SLOW)).verdict == "FAIL"
    assert failed / RUNS <= ALPHA


def refusals(*kinds: tuple[int, int]) -> Counts:
    """A gate that passes, and kinds of refusals beside it: of 60 and of 540 requests a minute."""
    good = tuple(Batch(60 * i, (Cell(60, 0),), (Cell(540, 1),)) for i in range(30))
    gates = [GateCounts(ERRORS, good)]
    for number, (own, other) in enumerate(kinds):
        rows = tuple(
            replace(b, candidate=(Cell(60, own),), stable=(Cell(540, other),)) for b in good
        )
        gates.append(GateCounts(Gate(f"refusals: {number}", required=False), rows))
    return Counts(tuple(gates), Parameters(burst=1))


def test_refusals_that_only_the_candidate_gives_fail_it_by_kind() -> None:
    assert judge(refusals((0, 0), (12, 108))).verdict == "PASS"
    judged = judge(refusals((1, 0), (12, 108)))
    assert (judged.verdict, judged.reason) == ("FAIL", "worse than allowed: refusals: 0")
    hidden = judge(refusals((13, 108)))  # one kind more among many others
    assert hidden.verdict == "PASS"


def at_everything(gate: Gate, rate: float, others: float = 0.0, *, kept: bool = True) -> Counts:
    """Half an hour beside the stable version with a twentieth bad, if kept, then alone; in the
    last twenty minutes at other rates, of others too."""
    every = [Batch(60 * i, (Cell(300, 0),), (Cell(300, 0),)) for i in range(30)]
    before = [replace(b, candidate=(Cell(300, 15),), stable=(Cell(300, 15),)) for b in every]
    alone = [
        Batch(60 * i, (Cell(600, round(600 * now)),), (), 1, others=(Cell(600, round(600 * far)),))
        for i in range(30, 60)
        for now, far in [(rate, others) if i >= 40 else (0.05 if kept else 0, 0)]
    ]
    counted = GateCounts(gate, tuple([*before, *alone] if kept else alone))
    fine = [replace(b, candidate=(Cell(600, 0),)) for b in alone]
    errors = GateCounts(ERRORS, (*every, *fine))
    return Counts((errors, counted), Parameters(burst=1, steps=2), step=1)


REFUSED = Gate("refusals", required=False)
LENGTH = Gate("length", two_sided=True, excluded=1.5)


@pytest.mark.parametrize(
    ("judged", "verdict"),
    [
        (at_everything(REFUSED, 0.4), "UNEXPLAINED"),
        (at_everything(REFUSED, 0.05), "CONTINUE"),
        (at_everything(REFUSED, 0.05, kept=False), "UNEXPLAINED"),  # nothing was refused before
        (at_everything(REFUSED, 0.001, kept=False), "CONTINUE"),
        (at_everything(REFUSED, 0.4, others=0.4), "ENV_DEGRADED"),
        (at_everything(LENGTH, 0.4), "UNEXPLAINED"),
        (at_everything(LENGTH, 0.0), "UNEXPLAINED"),
        (at_everything(LENGTH, 0.05), "CONTINUE"),
    ],
)
def test_what_clients_may_have_changed_is_seen_and_blames_nobody_alone(
    judged: Counts, verdict: str
) -> None:
    assert judge(judged).verdict == verdict


def test_what_is_over_is_not_unexplained_any_more() -> None:
    rising = at_everything(REFUSED, 0.4)
    errors, refused = rising.gates
    over = [replace(b, at=b.at + 1800, candidate=(Cell(600, 30),)) for b in refused.batches[30:]]
    errors = replace(errors, batches=errors.batches + tuple(over))
    refused = replace(refused, batches=refused.batches + tuple(over))
    assert judge(replace(rising, gates=(errors, refused))).verdict != "UNEXPLAINED"


def test_refusals_that_begin_to_show_are_waited_for() -> None:
    few = refusals((1, 0))
    gates = [replace(each, batches=each.batches[:3]) for each in few.gates]
    early = replace(few, gates=(few.gates[0], gates[1]))
    judged = judge(early)
    assert (judged.verdict, judged.reason) == ("CONTINUE", "undecided: refusals: 0")
    shown = replace(gates[1], gate=replace(gates[1].gate, observe=True))
    assert judge(replace(few, gates=(few.gates[0], shown))).verdict == "PASS"


def test_nothing_waits_for_what_need_not_pass() -> None:
    silent = GateCounts(Gate("beside", required=False), ())
    passing = refusals().gates[0]
    assert judge(Counts((passing, silent))).verdict == "PASS"
    assert judge(Counts((silent,))).verdict == "CONTINUE"


@pytest.mark.slow
def test_all_that_is_tested_beside_the_gates_adds_a_fifth_of_alpha_at_most() -> None:
    chance, alarms = chances(), 0
    for _ in range(RUNS):
        gates = [GateCounts(ERRORS, tuple(batch(chance, i, (0.004, 0.004)) for i in range(60)))]
        for number in range(6):
            rows = tuple(batch(chance, i, (0.01, 0.01)) for i in range(60))
            gates.append(GateCounts(Gate(f"kind {number}", required=False), rows))
        alarms += judge(Counts(tuple(gates), Parameters(burst=1))).verdict == "FAIL"
    assert alarms / RUNS <= ALPHA * (1 + BESIDE)
