"""The counts of a rollout: what to ask for both versions, and batches from the answers."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from sluice.core.analysis import judgement_file
from sluice.core.analysis.counts import Answered, Batch, Counts, GateCounts
from sluice.core.analysis.queries import Question, promql
from sluice.core.analysis.samples import (
    Increases,
    batches,
    by_pod,
    cleaned,
    increases,
    ratio,
    slow,
)
from sluice.core.analysis.signals import CACHE, LOAD, Watch
from sluice.core.bounded import json_of
from sluice.core.observation.answering import answered_of, lost, others_asked, with_others
from sluice.core.observation.guards import restarts_of
from sluice.core.observation.subject import Answers, Arm, Earlier, Subject
from sluice.core.rollout.model import Rollout


def questions(subject: Subject) -> Iterator[Question]:
    """Everything to ask."""
    for arm in (subject.candidate, subject.stable):
        for watch in arm.every.values():
            yield from arm.asked(watch)
        if (answering := arm.answering()) is not None:
            yield answering
        if any(watch.gate.matched for watch in arm.watches.values()):
            gauges = (arm.gauge(meaning) for meaning in (LOAD, *CACHE))
            yield from (gauge for gauge in gauges if gauge is not None)
    for watch in subject.candidate.every.values():
        yield from others_asked(watch, subject)


def counts_of(subject: Subject, answers: Answers, now: int, *, exhausted: bool = False) -> Counts:
    """The counts of a rollout, from the answers to its questions.

    Args:
        subject: what was asked for.
        answers: the series of each question.
        now: when they were asked for.
        exhausted: whether the longest time of this step is over.
    """
    gates = [_counted(watch, subject, answers, now) for watch in subject.candidate.watches.values()]
    beside = [_counted(watch, subject, answers, now) for watch in subject.candidate.beside.values()]
    gates += [each for each in beside if _has_events(each)]
    times = restarts_of(subject, answers, now) or []
    return Counts(
        gates=tuple(gates),
        parameters=replace(subject.parameters, beside=len(beside)),
        step=subject.step,
        restarts=len(times),
        exhausted=exhausted,
        window=(now - subject.window(now), now),
        restarted=int(times[-1]) if times else None,
        answered=(*subject.answered, *answered_of(subject, answers, now)),
    )


def _has_events(counted: GateCounts) -> bool:
    """Whether a gate that only can fail counted anything bad, of which the past is then known."""
    batches = counted.batches
    return any(cell.bad for batch in batches for cell in (*batch.candidate, *batch.stable))


def _counted(watch: Watch, subject: Subject, answers: Answers, now: int) -> GateCounts:
    """What was counted for one gate, in earlier steps and in this one."""
    name = watch.gate.name
    own = _events(watch, subject.candidate, subject, answers, now)
    other = subject.stable.every.get(name)
    stable = _events(other, subject.stable, subject, answers, now) if other else ({}, {})
    found: Iterable[Batch] = batches(own, stable, subject.grid, subject.step)
    if watch.gate.matched:
        found = _matched(found, subject, answers, now)
    if subject.others:
        found = with_others(found, watch, subject, answers, now)
    said = "; ".join(promql(q, subject.window(now)) for q in _both(name, subject))
    return GateCounts(watch.gate, (*subject.earlier.get(name, ()), *found), said)


def _both(gate: str, subject: Subject) -> Iterator[Question]:
    """What is asked of both versions for a gate."""
    for arm in (subject.candidate, subject.stable):
        if gate in arm.every:
            yield from arm.asked(arm.every[gate])


def _events(
    watch: Watch, arm: Arm, subject: Subject, answers: Answers, now: int
) -> tuple[Increases, Increases]:
    asked = [answers(question) for question in arm.asked(watch)]
    if watch.histogram:
        return slow(asked[0], watch.above, subject.grid, now)
    if watch.bad is None:
        return lost(asked[0], arm, subject, answers, now)
    return ratio(asked[0], asked[1], subject.grid, now)


def _matched(
    found: Iterable[Batch], subject: Subject, answers: Answers, now: int
) -> Iterator[Batch]:
    """The batches with how the arms' load and cache compare in each."""
    for batch in found:
        index = subject.grid.index(batch.at)
        span = subject.grid[index], subject.grid[index + 1]
        loads = [_load(arm, answers, span) for arm in (subject.candidate, subject.stable)]
        caches = [_cache(arm, answers, span, now) for arm in (subject.candidate, subject.stable)]
        load, cache = _quotient(loads), _quotient(caches)
        yield Batch(batch.at, batch.candidate, batch.stable, batch.step, load, cache)


def _load(arm: Arm, answers: Answers, span: tuple[int, int]) -> float | None:
    """Requests under way per replica, over a batch."""
    question = arm.gauge(LOAD)
    if question is None:
        return None
    pods: list[float] = []
    for own in by_pod(answers(question)).values():
        rows = [
            [value for time, value in cleaned(samples, span[1]) if time > span[0]]
            for _, samples in own
        ]
        means = [sum(inside) / len(inside) for inside in rows if inside]
        pods += [sum(means)] if means else []
    return sum(pods) / len(pods) if pods else None


def _cache(arm: Arm, answers: Answers, span: tuple[int, int], now: int) -> float | None:
    """The share of cache queries that hit; 1 where the cache is not asked at all."""
    if not arm.caches:
        return 1.0
    asked = [arm.gauge(meaning) for meaning in CACHE]
    totals = []
    for question in asked:
        if question is None:
            return None
        found = increases(answers(question), span, now)
        totals.append(sum(row[0] or 0 for row in found.values()) if found else None)
    hits, queries = totals
    if hits is None or queries is None:
        return None
    return hits / queries if queries else 1.0


def _quotient(pair: Sequence[float | None]) -> float | None:
    own, other = pair
    if own is None or other is None:
        return None
    if own == other:
        return 1.0
    return own / other if other else None


def earlier_batches(evidence: Iterable[bytes], rollout: Rollout, began: int) -> Earlier:
    """What was committed of earlier steps of this rollout, in order of time."""
    found: dict[str, dict[int, Batch]] = {}
    answered: dict[int, Answered] = {}
    for raw in evidence:
        try:
            data = json_of(raw)
            about = (data.get("candidate"), data.get("stable"))
            if about != (rollout.candidate, rollout.stable) or "gates" not in data:
                continue
            counts = judgement_file.counts_of(data)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue
        for counted in counts.gates:
            kept = found.setdefault(counted.gate.name, {})
            kept |= {b.at: b for b in counted.batches if _is_earlier(b, rollout, began)}
        answered |= {b.at: b for b in counts.answered if _is_earlier(b, rollout, began)}
    gates = {name: tuple(by[at] for at in sorted(by)) for name, by in found.items()}
    return Earlier(gates, tuple(answered[at] for at in sorted(answered)))


def _is_earlier(batch: Batch | Answered, rollout: Rollout, began: int) -> bool:
    return batch.at >= began and batch.step < rollout.ordinal
