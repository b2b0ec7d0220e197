"""Who answers requests: both versions by their engines, and other releases; what is lost before."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from sluice.core.analysis.counts import Answered, Batch, Cell
from sluice.core.analysis.queries import Question
from sluice.core.analysis.samples import Increases, Series, increases, ratio
from sluice.core.analysis.signals import Watch
from sluice.core.observation.replicas import ready_replicas
from sluice.core.observation.subject import Answers, Arm, Subject

SLACK = 0.1
"""Share of its requests by which the counts of a gateway and of an engine may differ."""
RELEASE = "sluice_dev_release"
_EVERYBODY = ""


def answered_of(subject: Subject, answers: Answers, now: int) -> Iterator[Answered]:
    """What both versions answered, in the batches in which the stable one was observed.

    A candidate without any series then answered nothing, as far as anybody knows. Where nobody
    serves beside it, its own series must be there.
    """
    candidate, stable = (_answers(arm, subject, answers, now) for arm in _arms(subject))
    for index, at in enumerate(subject.grid[:-1]):
        own, other = _sum(candidate, index), _sum(stable, index)
        lacks = other is None if subject.weight < _FULL else own is None
        if at < subject.answers_from or lacks or not subject.weight:
            continue
        yield Answered(at, own or 0, other or 0, subject.weight, subject.step)


_FULL = 100


def _arms(subject: Subject) -> tuple[Arm, Arm]:
    return subject.candidate, subject.stable


def _answers(arm: Arm, subject: Subject, answers: Answers, now: int) -> Increases:
    question = arm.answering()
    return {} if question is None else increases(answers(question), subject.grid, now)


def _sum(counted: Increases, index: int) -> int | None:
    known = [row[index] for row in counted.values()]
    told = [count for count in known if count is not None]
    return sum(told) if told else None


def lost(
    sent: Sequence[Series], arm: Arm, subject: Subject, answers: Answers, now: int
) -> tuple[Increases, Increases]:
    """What the gateway sent to a version, and what of it the version's engine has not seen.

    Both are scraped at other times, so that a batch of one overlaps two of the other: only what is
    missing in all since the beginning, beyond a tenth and the greatest batch, is lost.
    """
    gateway = increases(sent, subject.grid, now)
    engine = _answers(arm, subject, answers, now)
    if not _answers(subject.stable, subject, answers, now):
        return {}, {}  # nobody scrapes the engines
    if _is_seen_in_part(engine, ready_replicas(arm, answers, now)):
        return {}, {}  # the others may have seen what seems to be missing
    requests: list[int | None] = []
    missing: list[int | None] = []
    sums, most, gone = [0, 0], 0, 0
    for index in range(len(subject.grid) - 1):
        came, seen = _sum(gateway, index), _sum(engine, index)
        if came is None or (engine and seen is None):
            requests.append(None)
            missing.append(None)
            continue
        sums = [sums[0] + came, sums[1] + (seen or 0)]
        most = max(most, came)
        beyond = int(sums[0] * (1 - SLACK) - sums[1] - most)
        requests.append(came)
        missing.append(min(came, max(0, beyond - gone)))
        gone = max(gone, beyond)
    return {_EVERYBODY: requests}, {_EVERYBODY: missing}


def _is_seen_in_part(engine: Increases, ready: int | None) -> bool:
    """Whether only some of a version's ready replicas are scraped by now."""
    telling = sum(row[-1] is not None for row in engine.values() if row)
    return ready is not None and 0 < telling < ready


def others_asked(watch: Watch, subject: Subject) -> Iterator[Question]:
    """The counters of a gate for the other releases of the environment, whatever their version."""
    if not subject.others or watch.gateway is not None:
        return
    arm = subject.candidate
    labels = {**arm.everywhere, "namespace": arm.labels["namespace"], RELEASE: subject.others}
    for counter in (watch.requests, watch.bad):
        if counter is not None and watch.bad is not None:
            yield Question(counter.metric, {**counter.labels, **labels})


def with_others(
    found: Iterable[Batch], watch: Watch, subject: Subject, answers: Answers, now: int
) -> Iterator[Batch]:
    """The batches with what the other releases counted in each, a cell for each pod."""
    asked = [answers(question) for question in others_asked(watch, subject)]
    if not asked:
        yield from found
        return
    requests, bad = ratio(asked[0], asked[1], subject.grid, now)
    for batch in found:
        index = subject.grid.index(batch.at)
        pairs = [(requests[pod][index], bad[pod][index]) for pod in sorted(requests)]
        cells = [Cell(n, min(n, x)) for n, x in pairs if n is not None and x is not None]
        yield replace(batch, others=tuple(cells))
