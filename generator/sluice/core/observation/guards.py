"""What is seen of both versions beside bad events: restarts, queues, cache memory, shares."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

from sluice.core.analysis.counts import Counts
from sluice.core.analysis.queries import Question, bounds_of
from sluice.core.analysis.samples import STALE, Series, by_pod, cleaned, restarts
from sluice.core.analysis.signals import Watch
from sluice.core.observation.replicas import (
    BOTH,
    RECENT,
    container_restarts,
    own_restarts,
    ready_questions,
    restart_question,
)
from sluice.core.observation.subject import BATCH, Answers, Arm, Subject
from sluice.core.specs.rollout_plan import FULL
from sluice.core.units import duration

LAST = 10
"""Batches that tell the share of the requests that a version gets now."""
_QUEUE, _CACHE = "queuedRequests", "kvCacheUsage"
_POINTS = 6
_BUSIER = 2
_DOUBT = math.log(1e6)
_OTHERWISE = 2


def lifelines(subject: Subject) -> Iterator[Question]:
    """What to ask since the weight is in force, beside the counts of the gates."""
    for arm in (subject.candidate, subject.stable):
        if (lifeline := _lifeline(arm)) is not None:
            yield lifeline
        if (restarted := restart_question(arm)) is not None:
            yield restarted


def gauges_of(subject: Subject) -> Iterator[Question]:
    """What to ask of the time that guards look at."""
    gauges = (arm.gauge(_QUEUE) for arm in (subject.candidate, subject.stable))
    for gauge in (*gauges, subject.candidate.gauge(_CACHE)):
        if gauge is not None:
            yield gauge
    yield from ready_questions(subject)


def _lifeline(arm: Arm) -> Question | None:
    """A counter of the engine that begins anew with it, where the gates have none."""
    if any(watch.gateway is None for watch in arm.watches.values()):
        return None
    return arm.lifeline()


def recent(subject: Subject) -> int:
    """Seconds of samples that guards need, up to now."""
    return subject.lag + subject.guards.for_ + RECENT


def restarts_of(subject: Subject, answers: Answers, now: int) -> list[float] | None:
    """When the candidate began anew by itself since its weight is in force, in order.

    What restarts together has one cause; what restarts together with the stable version is not the
    candidate's doing. The cluster knows containers that restart from pods that were replaced; where
    it does not tell, a counter that begins anew does. None when neither does.
    """
    candidate = _restarts(subject.candidate, subject.begin, answers, now)
    if candidate is None:
        return None
    stable = _restarts(subject.stable, subject.begin - BOTH, answers, now)
    return own_restarts(candidate, stable or {})


def _restarts(
    arm: Arm, begin: int, answers: Answers, now: int
) -> Mapping[str, Sequence[float]] | None:
    """When processes of a version began anew, by pod.

    The counters of a gateway tell when the gateway began anew, which is not its fault.
    """
    told = container_restarts(arm, answers, begin, now) or {}
    asked = [q for watch in arm.watches.values() if watch.gateway is None for q in arm.asked(watch)]
    if (lifeline := _lifeline(arm)) is not None:
        asked.append(lifeline)
    if not asked and not told:
        return None
    most: dict[str, list[float]] = {}
    for question in asked:
        for labels, samples in answers(question):
            pod = labels.get("pod") or labels.get("instance", "")
            since = [s for s in cleaned(samples, now) if s[0] >= begin]
            most[pod] = max(most.get(pod, []), restarts(since), key=len)
    return {**most, **told}


def unseen(subject: Subject, answers: Answers, now: int) -> str:
    """What cannot be seen of the candidate, and is not merely not there yet, in words."""
    said = [_boundless(watch, subject.candidate, answers) for watch in _slow(subject)]
    if restarts_of(subject, answers, now) is None:
        said.append("restarts are not seen: nothing is counted by the engine itself")
    return "; ".join(words for words in said if words)


def _slow(subject: Subject) -> list[Watch]:
    return [watch for watch in subject.candidate.watches.values() if watch.histogram]


def _boundless(watch: Watch, arm: Arm, answers: Answers) -> str:
    """Whether a histogram counts requests, but has no bucket that ends where it is wanted."""
    (question,) = arm.asked(watch)
    bounds = bounds_of(answers(question))
    if not bounds or any(math.isclose(bound, watch.above, rel_tol=1e-9) for bound in bounds):
        return ""
    return f"{watch.histogram} has no bucket of {watch.above:g} s: nothing is counted for it"


def alarms(subject: Subject, answers: Answers, now: int) -> tuple[str, ...]:
    """The guards that were on all through their time, in words.

    A queue is long when it is longer than the stable version's, too: else there is only much to do.
    """
    guards, end = subject.guards, now - subject.lag
    begin = end - guards.for_
    if begin < subject.begin:
        return ()
    times = [begin + guards.for_ * i // (_POINTS - 1) for i in range(_POINTS)]

    def level(arm: Arm, meaning: str, combine: Callable[[Sequence[float]], float]) -> _Levels:
        question = arm.gauge(meaning)
        return _levels(answers(question), times, combine) if question else [None] * len(times)

    queue, other = (level(arm, _QUEUE, sum) for arm in (subject.candidate, subject.stable))
    cache = level(subject.candidate, _CACHE, max)
    long = [
        own is not None and own > guards.queue and own > _BUSIER * (beside or 0.0)
        for own, beside in zip(queue, other, strict=True)
    ]
    full = [own is not None and own > guards.cache for own in cache]
    while_ = f"for {duration(guards.for_)}"
    said = {
        f"more than {guards.queue:g} requests wait at each replica of the candidate {while_}": long,
        f"the candidate's cache memory is more than {guards.cache:.0%} full {while_}": full,
    }
    return tuple(words for words, on in said.items() if all(on))


_Levels = list[float | None]


def _levels(
    series: Sequence[Series], times: Sequence[int], combine: Callable[[Sequence[float]], float]
) -> _Levels:
    """A gauge at each time, on average over the pods that were observed then."""
    pods = [[cleaned(samples, times[-1]) for _, samples in own] for own in by_pod(series).values()]
    found: _Levels = []
    for time in times:
        seen = [[v for s in own for v in _at(s, time)] for own in pods]
        each = [combine(values) for values in seen if values]
        found.append(sum(each) / len(each) if each else None)
    return found


def _at(samples: Sequence[tuple[float, float]], time: int) -> list[float]:
    """The value at a time; none when there was no sample lately."""
    return [v for t, v in samples if time - RECENT < t <= time][-1:]


def coverage(subject: Subject, counts: Counts) -> tuple[int, str]:
    """Seconds of this step of which nothing was counted, and in words how long that lasts now."""
    counted = {
        batch.at
        for each in counts.gates
        if each.gate.required
        for batch in each.batches
        if batch.step == counts.step
    }
    missing = [at not in counted for at in subject.grid[:-1]]
    open_ = next((i for i, lacks in enumerate(reversed(missing)) if not lacks), len(missing))
    since = duration(open_ * BATCH)
    blind = f"nothing of the candidate was counted for {since}" if open_ * BATCH >= STALE else ""
    return sum(missing) * BATCH, blind


def share_of(counts: Counts, last: int = 5) -> float | None:
    """The share of requests that the candidate got in the last batches of this step."""
    own, other = _requests(counts, last)
    return own / (own + other) if own else None


def misrouted(counts: Counts, weight: int, *, chosen: bool = False) -> str:
    """How the requests contradict a committed weight beyond doubt, in words; else empty.

    People may reach a version past the route, and a session may stay with one: only what is twice
    or half of what it should be, and by Chernoff's bound no chance, is a contradiction. Where
    requests may choose the candidate by a header or cookie (`chosen`), it can get any more.
    """
    own, other = _requests(counts, LAST)
    if not 0 < weight < FULL or own + other == 0:
        return ""
    share, wanted = own / (own + other), weight / FULL
    odds = wanted / (1 - wanted)
    most = math.inf if chosen else other * odds * _OTHERWISE
    usual = other * odds / _OTHERWISE <= own <= most
    if usual or (own + other) * _divergence(share, wanted) < _DOUBT:
        return ""
    return f"the candidate got {share:.1%} of the last {own + other} requests, not {weight} %"


def _requests(counts: Counts, last: int) -> tuple[int, int]:
    """Requests of both versions in the last batches of this step, of the first gate with any."""
    for counted in counts.gates:
        if not counted.gate.required:
            continue
        current = [b for b in counted.batches if b.step == counts.step][-last:]
        own = sum(cell.requests for b in current for cell in b.candidate)
        other = sum(cell.requests for b in current for cell in b.stable)
        if own + other:
            return own, other
    return 0, 0


def _divergence(share: float, wanted: float) -> float:
    """Kullback's divergence of two coins, in nats."""
    parts = ((share, wanted), (1 - share, 1 - wanted))
    return sum(p * math.log(p / q) for p, q in parts if p > 0)
