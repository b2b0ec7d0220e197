"""Whether a candidate answers what it should get: a test of answered requests alone.

A version that hangs fails nobody in its own counters, and one that nobody can reach has none. Of
all requests that both versions answered in a batch, m, a share of its weight should be the
candidate's. Session affinity and people who reach a version past the route shift that, so what is
tested is whether its odds are less than half of what they should be. Given m, the stable version's
part is Binomial(m, q) with q = 2 (1 - w) / (2 (1 - w) + w) at exactly half the odds, so that the
likelihood ratio is that of `sequential`, with weights as the exposure and answers as the events.

Requests that belong together come and go together, which makes such counts vary by more than a
binomial does. A batch therefore weighs at most as much as `MOST` requests: the likelihood ratio to
a power below 1, whose mean is at most 1 as well, by Jensen's inequality. A candidate that served
well for hours may stop, so the test is for a change (`ln_e_change_path`). Beyond doubt is one in a
million. Source: Lindon and Malek, see `sequential`.

Once the candidate has everything, nobody answers beside it. Then its answers are compared with
those of both versions in the steps before: fewer than a tenth of them, as a Poisson count, which in
one batch weighs at most as much as `FEWEST` requests that were to come.
"""

import math
from collections.abc import Sequence
from statistics import median

from sluice.core.analysis.counts import Answered
from sluice.core.analysis.sequential import Pair, ln_e_change_path, ln_mean_exp, ln_ratio

DOUBT = math.log(1e6)
HALF = 2.0
"""The stable version's odds may be this many times what they should be."""
MIXTURE = (1.5, 3.0, 10.0, 100.0)
"""How many times fewer answers than half the test is sensitive to."""
MOST = 60
FEWEST = 2.0
TENTH = 10
FULL = 100


def too_few(answered: Sequence[Answered], step: int) -> str:
    """In words, how a candidate answers too few requests in this step beyond doubt; else empty.

    Args:
        answered: batches of the rollout, in order of time.
        step: the current one.
    """
    current = [batch for batch in answered if batch.step == step]
    beside = [batch for batch in current if 0 < batch.weight < FULL]
    alone = [batch for batch in current if batch.weight == FULL]
    before = [batch for batch in answered if batch.step < step]
    if beside and max(_path_beside(beside)) >= DOUBT:
        return f"the candidate answered {_part(beside)}"
    if alone and before and max(_path_alone(alone, before), default=0.0) >= DOUBT:
        own = _sum(alone[-_LAST:])
        return f"the candidate has everything and answered {own} requests in the last minutes"
    return ""


def seems_few(answered: Sequence[Answered], step: int, alpha: float) -> str:
    """In words, how a candidate seems by now to answer too few beside the other; else empty.

    It is no proof yet, and more would not do.

    Args:
        answered: batches of the rollout, in order of time.
        step: the current one.
        alpha: the risk of such a word about a candidate that answers its share.
    """
    beside = [batch for batch in answered if batch.step == step and 0 < batch.weight < FULL]
    if not beside or _path_beside(beside)[-1] < math.log(1 / alpha):
        return ""
    return f"the candidate seems to answer too little, {_part(beside)}"


_LAST = 10


def _part(beside: Sequence[Answered]) -> str:
    last = beside[-_LAST:]
    every = sum(batch.candidate + batch.stable for batch in last)
    return f"{_sum(last)} of the last {every} requests, at {last[-1].weight} %"


def _sum(batches: Sequence[Answered]) -> int:
    return sum(batch.candidate for batch in batches)


def _path_beside(batches: Sequence[Answered]) -> list[float]:
    paths = [ln_e_change_path([_increment(b, phi) for b in batches]) for phi in MIXTURE]
    return [ln_mean_exp(values) for values in zip(*paths, strict=True)]


def _increment(batch: Answered, phi: float) -> float:
    every = batch.candidate + batch.stable
    if not every:
        return 0.0
    pair = Pair(FULL - batch.weight, batch.stable, batch.weight, batch.candidate)
    return ln_ratio(pair, HALF, phi) * min(1.0, MOST / every)


def _path_alone(alone: Sequence[Answered], before: Sequence[Answered]) -> list[float]:
    """Against a tenth of what was usual; nothing where that was next to nothing."""
    usual = median(batch.candidate + batch.stable for batch in before) / TENTH
    if usual <= 0:
        return []
    power, gone = min(1.0, FEWEST / usual), usual / FULL
    return ln_e_change_path(
        power * (usual - gone - batch.candidate * math.log(usual / gone)) for batch in alone
    )
