"""Raw samples of counters to whole numbers of events in each batch.

A counter restarts from zero with its process; a sample can be missing, be no number, come twice or
from a clock that runs ahead; one pod can be scraped by two jobs, or by another one from some time
on. None of that may invent or lose events unseen: a batch at whose ends a pod was not observed has
no count of that pod.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from sluice.core.analysis.counts import Batch, Cell

Sample = tuple[float, float]
"""Time in seconds since the epoch, and value."""
Series = tuple[Mapping[str, str], Sequence[Sample]]
Increases = Mapping[str, Sequence[int | None]]
"""Of each pod, its increase in each batch; None where it is not known."""

SCRAPE_LABELS = frozenset(
    {
        "container",
        "endpoint",
        "instance",
        "job",
        "prometheus",
        "prometheus_replica",
        "replica",
        "service",
    }
)
"""Labels that say how a pod was scraped, not what was counted."""
STALE = 300
"""Seconds after which a sample says nothing of the present, as in PromQL."""
INFINITE = "+Inf"
LARGEST = 2.0**53
"""What is above it is no count: a number with a fraction cannot tell it from the next one."""
CLOCKS = 0.05
"""Share of a counter by which it may fall where two servers with clocks of their own tell of it."""
_FEW = 10


def cleaned(samples: Iterable[Sample], now: float) -> list[Sample]:
    """Values that can be counts, by time, one for each time, none from the future."""
    by_time = {t: v for t, v in samples if _is_count(v) and t <= now}
    return sorted(by_time.items())


def _is_count(value: float) -> bool:
    return math.isfinite(value) and 0 <= value <= LARGEST


def accumulated(samples: Sequence[Sample]) -> list[Sample]:
    """The counter as if it had never restarted: after a fall it counts on from there."""
    result: list[Sample] = []
    total, highest = 0.0, 0.0
    for time, value in samples:
        if _begins_anew(highest, value):
            total, highest = total + value, value
        elif value > highest:
            total, highest = total + value - highest, value
        result.append((time, total))
    return result


def restarts(samples: Sequence[Sample]) -> list[float]:
    """When a counter began anew: the times of the first samples after that."""
    found, highest = [], 0.0
    for time, value in samples:
        if _begins_anew(highest, value):
            found.append(time)
            highest = value
        highest = max(highest, value)
    return found


def _begins_anew(before: float, value: float) -> bool:
    """Whether a counter fell as it does with its process, and not by two servers' clocks."""
    return value < before * (1 - CLOCKS)


def increased(samples: Sequence[Sample]) -> list[float]:
    """When a counter went up: once for each whole number, at most a few times a sample."""
    return [
        later[0]
        for earlier, later in pairwise(samples)
        for _ in range(min(_FEW, max(0, round(later[1] - earlier[1]))))
    ]


def levels(
    samples: Iterable[Sample], grid: Sequence[int], now: float
) -> tuple[list[float], list[bool]]:
    """The value at each time of a grid, and whether the counter was observed then.

    Before the first sample the value is 0: a series can begin with its first event.
    """
    counted = accumulated(cleaned(samples, now))
    times = [time for time, _ in counted]
    last = [bisect_right(times, end) - 1 for end in grid]
    values = [counted[i][1] if i >= 0 else 0.0 for i in last]
    seen = [
        i >= 0 and end <= now and end - times[i] <= STALE for i, end in zip(last, grid, strict=True)
    ]
    return values, seen


def by_pod(series: Iterable[Series]) -> dict[str, list[Series]]:
    """The series of each pod; of series that differ only in how they were scraped, the longest."""
    pods: dict[str, list[Series]] = {}
    for alike in _alike(series):
        best = max(alike, key=_rank)
        pods.setdefault(_pod(best[0]), []).append(best)
    return pods


def counters_by_pod(series: Iterable[Series]) -> dict[str, list[Series]]:
    """The counters of each pod; one that another job or address tells of goes on where it was."""
    pods: dict[str, list[Series]] = {}
    for alike in _alike(series):
        ranked = sorted(alike, key=_rank, reverse=True)
        labels, samples = ranked[0]
        for _, others in ranked[1:]:
            samples = _continued(samples, others)
        pods.setdefault(_pod(labels), []).append((labels, samples))
    return pods


def _alike(series: Iterable[Series]) -> Iterable[list[Series]]:
    """Series that differ only in how they were scraped, together."""
    found: dict[tuple[tuple[str, str], ...], list[Series]] = {}
    for labels, samples in series:
        found.setdefault(_identity(labels), []).append((labels, samples))
    return found.values()


def _continued(samples: Sequence[Sample], others: Sequence[Sample]) -> Sequence[Sample]:
    """A counter with what another series of it tells of the time before and after."""
    if not samples:
        return others
    before = [sample for sample in others if sample[0] < samples[0][0]]
    after = [sample for sample in others if sample[0] > samples[-1][0]]
    return _joined(_joined(before, samples), after)


def _joined(first: Sequence[Sample], then: Sequence[Sample]) -> Sequence[Sample]:
    """Two parts of a counter; where they meet it has not begun anew, whatever two clocks say."""
    earlier = [value for _, value in first if _is_count(value)]
    later = [value for _, value in then if _is_count(value)]
    lift = max(0.0, earlier[-1] - later[0]) if earlier and later else 0.0
    return [*first, *((time, value + lift) for time, value in then)]


def duplicates(series: Sequence[Series]) -> int:
    """How many series only repeat another one."""
    return len(series) - len({_identity(labels) for labels, _ in series})


def _pod(labels: Mapping[str, str]) -> str:
    return labels.get("pod") or labels.get("instance", "")


def _identity(labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    kept = {k: v for k, v in labels.items() if k not in SCRAPE_LABELS}
    return tuple(sorted({**kept, "pod": _pod(labels)}.items()))


def _rank(series: Series) -> tuple[int, list[tuple[str, str]]]:
    """Deterministic whatever the order of the answer."""
    return len(series[1]), sorted(series[0].items())


def increases(series: Iterable[Series], grid: Sequence[int], now: float) -> Increases:
    """The increase of each pod between neighbours of a grid of times, summed over its series.

    A pod is observed when any of its series is; a series that is not there yet is at 0.
    """
    return {pod: _increase(own, grid, now) for pod, own in counters_by_pod(series).items()}


def _increase(own: Sequence[Series], grid: Sequence[int], now: float) -> list[int | None]:
    rows = [levels(samples, grid, now) for _, samples in own]
    values = [sum(row[0][i] for row in rows) for i in range(len(grid))]
    seen = [any(row[1][i] for row in rows) for i in range(len(grid))]
    return [
        max(0, round(values[i + 1] - values[i])) if seen[i] and seen[i + 1] else None
        for i in range(len(grid) - 1)
    ]


def ratio(
    every: Sequence[Series], bad: Sequence[Series], grid: Sequence[int], now: float
) -> tuple[Increases, Increases]:
    """Requests and bad events of each pod.

    Args:
        every: series of requests.
        bad: series of bad events. When they are of the same metric, a pod without any had none;
            of another metric that is not known, since the metric may not exist.
        grid: ends of batches.
        now: seconds since the epoch.
    """
    requests = increases(every, grid, now)
    same = {labels.get("__name__") for labels, _ in (*every, *bad)} <= {_name(every)}
    pods = counters_by_pod(bad)
    events: dict[str, list[int | None]] = {}
    for pod, counts in requests.items():
        if pod in pods:
            events[pod] = _events(pods[pod], counts, grid, now)
        else:
            events[pod] = [0 if same else None] * len(counts)
    return requests, events


def _name(series: Sequence[Series]) -> str | None:
    return series[0][0].get("__name__") if series else None


def _events(
    own: Sequence[Series], counts: Sequence[int | None], grid: Sequence[int], now: float
) -> list[int | None]:
    """Bad events where the pod's requests are known, whether or not there were any before."""
    values = [
        sum(column) for column in zip(*(levels(s, grid, now)[0] for _, s in own), strict=True)
    ]
    return [
        None if count is None else max(0, round(values[i + 1] - values[i]))
        for i, count in enumerate(counts)
    ]


def slow(
    series: Sequence[Series], threshold: float, grid: Sequence[int], now: float
) -> tuple[Increases, Increases]:
    """Requests, and those above a threshold, from the cumulative buckets of a histogram."""
    requests = increases([s for s in series if s[0].get("le") == INFINITE], grid, now)
    quick = increases([s for s in series if is_bound(s[0].get("le", ""), threshold)], grid, now)
    bad = {
        pod: [
            None if n is None or q is None else max(0, n - q)
            for n, q in zip(counts, quick.get(pod, [None] * len(counts)), strict=True)
        ]
        for pod, counts in requests.items()
    }
    return requests, bad


def is_bound(text: str, bound: float) -> bool:
    """Whether a label `le` is this bound, however it is spelled."""
    try:
        return math.isclose(float(text), bound, rel_tol=1e-9)
    except ValueError:
        return False


def batches(
    candidate: tuple[Increases, Increases],
    stable: tuple[Increases, Increases],
    grid: Sequence[int],
    step: int,
) -> tuple[Batch, ...]:
    """Batches of a gate, from requests and bad events of each arm.

    A batch in which the candidate was not observed is left out: it says nothing.
    """
    found = []
    for index, begin in enumerate(grid[:-1]):
        own = _cells(*candidate, index)
        if own:
            found.append(Batch(begin, own, _cells(*stable, index), step))
    return tuple(found)


def _cells(requests: Increases, bad: Increases, index: int) -> tuple[Cell, ...]:
    """The pods that were observed in a batch; a request is bad once, whatever happened to it."""
    pairs = ((requests[pod][index], bad[pod][index]) for pod in sorted(requests))
    return tuple(Cell(n, min(n, x)) for n, x in pairs if n is not None and x is not None)


def grid_of(start: int, now: int, batch: int, lag: int) -> list[int]:
    """The ends of the batches since `start` that are complete.

    Args:
        start: the step's clock, after its warm-up.
        now: seconds since the epoch.
        batch: seconds of a batch.
        lag: seconds until a sample can be asked for: a scrape interval and some.
    """
    return list(range(start, max(start, now - lag) + 1, batch))
