"""Tests on counts that may be looked at after every batch: an e-process and Wald's test.

All logarithms are natural. The relative test compares the bad events of two arms that serve at the
same time. Given the m bad events of a batch, those of the candidate are Binomial(m, q) with
q = n_c r / (n_c r + n_b) when the candidate's rate is r times the stable one's. For each phi

    LLR(phi) = sum over batches of x_c ln(phi) - m ln(1 + q (phi - 1))

is the logarithm of a likelihood ratio, whose mean is 1 at that r and for phi > 1 at most 1 at every
smaller one; so is a mixture over several phi. By Ville's inequality the probability that it ever
reaches 1/alpha is at most alpha, however often one looks, and since q is each batch's own, changing
weights and drifting base rates do no harm. Sources: Lindon and Malek, Anytime-Valid Inference for
Multinomial Count Data, NeurIPS 2022; Lindon et al., Rapid Regression Detection, KDD 2022; for
counts without replacement Hoeffding, JASA 1963; for the absolute test Wald, Annals of Mathematical
Statistics 1945.
"""

import math
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Literal, NamedTuple

MIXTURE = (1.5, 2.0, 3.0, 5.0, 10.0)
"""The ratios phi that the mixture is sensitive to."""
TOLERATED = 1.0
"""r0: the candidate may have this many times the stable arm's rate."""
EXCLUDED = 2.0
"""r1: to pass, a ratio this large must be excluded."""
_MOST = 700.0  # exp of more is no float

Decision = Literal["accept", "continue", "reject"]


class Pair(NamedTuple):
    """Requests and bad events of one batch, in both arms."""

    candidate: int
    candidate_bad: int
    stable: int
    stable_bad: int

    def swapped(self) -> "Pair":
        """The same batch with the arms exchanged."""
        return Pair(self.stable, self.stable_bad, self.candidate, self.candidate_bad)


Ratio = float | Sequence[float]
"""A ratio of bad rates, the same for all batches or one for each of them."""


def ln_e_bad_path(
    pairs: Iterable[Pair], tolerated: Ratio = TOLERATED, mixture: Sequence[float] = MIXTURE
) -> list[float]:
    """The path of ln E against "the candidate is at most `tolerated` times as bad"."""
    columns = _columns(pairs, tolerated, mixture)
    return _mixed([list(accumulate(column)) for column in columns])


def ln_e_late_path(
    pairs: Iterable[Pair], tolerated: Ratio = TOLERATED, mixture: Sequence[float] = MIXTURE
) -> list[float]:
    """The same of "at most `tolerated` times as bad from each batch on".

    A candidate that gets worse after hours is found as soon as one that was bad from the start.
    """
    return _mixed([ln_e_change_path(column) for column in _columns(pairs, tolerated, mixture)])


def _columns(
    pairs: Iterable[Pair], tolerated: Ratio, mixture: Sequence[float]
) -> list[list[float]]:
    """What each batch adds, for each ratio of the mixture."""
    listed = list(pairs)
    ratios = [tolerated] * len(listed) if isinstance(tolerated, float | int) else tolerated
    return [
        [ln_ratio(pair, ratio, phi) for pair, ratio in zip(listed, ratios, strict=True)]
        for phi in mixture
    ]


def _mixed(paths: Sequence[Sequence[float]]) -> list[float]:
    """The path of the mean of E, from paths of ln E."""
    return [ln_mean_exp(values) for values in zip(*paths, strict=True)]


def ln_e_bad(
    pairs: Iterable[Pair], tolerated: Ratio = TOLERATED, mixture: Sequence[float] = MIXTURE
) -> float:
    """E, as ln E, against "the candidate is at most `tolerated` times as bad"; 0 without data."""
    path = ln_e_bad_path(pairs, tolerated, mixture)
    return path[-1] if path else 0.0


def ln_e_ok(pairs: Iterable[Pair], excluded: float = EXCLUDED) -> float:
    """E, as ln E, against "the candidate is at least `excluded` times as bad"; 0 without data."""
    return math.fsum(ln_ratio(pair, excluded, 1 / excluded) for pair in pairs)


def e_value(ln_e: float) -> float:
    """E from its logarithm, always a finite number."""
    return math.exp(min(ln_e, _MOST))


def ln_mean_exp(values: Sequence[float]) -> float:
    """The logarithm of the mean of exp, without overflow."""
    top = max(values)
    return top + math.log(math.fsum(math.exp(v - top) for v in values) / len(values))


def ln_ratio(pair: Pair, ratio: float, phi: float) -> float:
    """What one batch adds to LLR(phi) at a ratio; without requests in both arms, nothing."""
    if pair.candidate <= 0 or pair.stable <= 0:
        return 0.0
    share = pair.candidate * ratio / (pair.candidate * ratio + pair.stable)
    bad = pair.candidate_bad + pair.stable_bad
    return pair.candidate_bad * math.log(phi) - bad * math.log1p(share * (phi - 1))


def sprt_llr(requests: int, bad: int, p0: float, p1: float) -> float:
    """Wald's log-likelihood ratio of bad rate p1 against p0, 0 < p0 < p1 < 1."""
    bad = min(bad, requests)
    return bad * math.log(p1 / p0) + (requests - bad) * math.log((1 - p1) / (1 - p0))


def ln_e_change_path(increments: Iterable[float]) -> list[float]:
    """The path of ln E against "the rate was never p1 from some batch on".

    Args:
        increments: Wald's log-likelihood ratio of each batch.

    E is the mean over the batch k at which the rate may have changed, with weight 1/(k(k+1)), of
    the likelihood ratio since then: long good times do not hide what comes after them, and the
    mean of E is still at most 1 while nothing has changed.
    """
    path, total, starts = [], 0.0, -math.inf
    for number, increment in enumerate(increments, 1):
        starts = _ln_add(starts, -math.log(number * (number + 1)) - total)
        total += increment
        path.append(_ln_add(total + starts, -math.log(number + 1)))
    return path


def _ln_add(left: float, right: float) -> float:
    """Give ln(exp(left) + exp(right)), without overflow."""
    low, high = sorted((left, right))
    return high + math.log1p(math.exp(low - high))


def sprt_bounds(alpha: float, beta: float, tests: int = 1) -> tuple[float, float]:
    """The bounds of acceptance and rejection; `tests` divides the risk of a false rejection."""
    return math.log(beta / (1 - alpha)), math.log((1 - beta) * tests / alpha)


def sprt(llr: float, alpha: float, beta: float, tests: int = 1) -> Decision:
    """What Wald's test decides."""
    accept, reject = sprt_bounds(alpha, beta, tests)
    if llr >= reject:
        return "reject"
    return "accept" if llr <= accept else "continue"
