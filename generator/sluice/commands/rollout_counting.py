"""Ask Prometheus for all rollouts together, in few queries, and judge what was counted."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sluice.commands.rollout_observers import Observers
from sluice.commands.rollout_write import Case
from sluice.core.layout import Key
from sluice.core.progress import vitals
from sluice.core.progress.subject import Answers, Subject, subject_of
from sluice.core.progress.watch import counts_of, earlier_batches, questions
from sluice.core.rollout.counts import Counts
from sluice.core.rollout.judgement import Judgement, judge
from sluice.core.rollout.model import Sync
from sluice.core.rollout.queries import Question, chosen, combined, promql
from sluice.core.rollout.samples import Series

_Told = tuple[Question, Sequence[Series] | None]
_COUNTED = ("STEP", "GATED", "INCONCLUSIVE", "FROZEN", "PAUSED", "PROMOTING")


@dataclass(frozen=True)
class Counted:
    """What was counted of one rollout, and the judgement on it.

    `alarms` are guards that are on; `misrouted` says how the requests contradict the committed
    weight; `unseen` what cannot be seen of the candidate.
    """

    counts: Counts
    judgement: Judgement
    share: float | None
    alarms: tuple[str, ...] = ()
    misrouted: str = ""
    unseen: str = ""


@dataclass(frozen=True)
class _Asked:
    """A rollout that is to be counted, at the Prometheus of its environment."""

    case: Case
    subject: Subject
    spent: int


def counted(
    cases: Iterable[tuple[Case, Sync | None]], observers: Observers, now: int
) -> dict[Key, Counted]:
    """What was counted of each rollout; one whose samples cannot be had whole is not there."""
    by_address: defaultdict[str, list[_Asked]] = defaultdict(list)
    for case, synced in cases:
        monitoring = case.release.environment.spec.get("monitoring", {})
        address = monitoring.get("prometheus", {}).get("address", "")
        asked = _asked(case, synced, now)
        if address and asked is not None:
            by_address[address].append(asked)
    found: dict[Key, Counted] = {}
    for address, listed in by_address.items():
        found |= _at(address, listed, observers, now)
    return found


def _asked(case: Case, synced: Sync | None, now: int) -> _Asked | None:
    """A rollout whose weight is known to be in force; else nothing measured may be judged."""
    if case.rollout.state not in _COUNTED or synced is None or synced.since is None:
        return None
    if not (synced.contains and synced.synced):
        return None
    catalog = case.base.workspace.tools.catalog
    committed = case.base.evidence(case.release.key).values()
    earlier = earlier_batches(committed, case.rollout, case.history.began)
    times = (synced.since, now)
    subject = subject_of(case.release, case.rollout, catalog, times, earlier)
    return None if subject is None else _Asked(case, subject, max(0, now - synced.since))


def _at(
    address: str, listed: Sequence[_Asked], observers: Observers, now: int
) -> dict[Key, Counted]:
    """The rollouts of one Prometheus: one query for each metric, not for each rollout."""
    window = max(asked.subject.window(now) for asked in listed)
    wanted = [question for asked in listed for question in _lasting(asked.subject)]
    gauges = [question for asked in listed for question in vitals.gauges_of(asked.subject)]
    recent = max(vitals.recent(asked.subject) for asked in listed)
    told: list[_Told] = [
        (wide, observers.answer(address, wide, seconds, now))
        for listed_, seconds in ((wanted, window), (gauges, recent))
        for wide in combined(listed_)
    ]
    found = {}
    for asked in listed:
        result = _judged(asked, told, now)
        if result is not None:
            found[asked.case.release.key] = result
    return found


def _judged(asked: _Asked, told: Sequence[_Told], now: int) -> Counted | None:
    """The judgement on one rollout; None when an answer is missing."""
    answers: dict[str, Sequence[Series]] = {}
    for question in (*_lasting(asked.subject), *vitals.gauges_of(asked.subject)):
        answer = _answer(question, told)
        if answer is None:
            return None
        answers[promql(question, 1)] = answer
    return _counted(asked, lambda question: answers.get(promql(question, 1), ()), now)


def _counted(asked: _Asked, answers: Answers, now: int) -> Counted:
    subject, rollout = asked.subject, asked.case.rollout
    steps = rollout.plan.steps
    exhausted = asked.spent >= steps[min(rollout.step, len(steps) - 1)].longest
    counts = counts_of(subject, answers, now, exhausted=exhausted)
    chosen = asked.case.release.value("rollout.match") is not None
    return Counted(
        counts,
        judge(counts),
        vitals.share_of(counts),
        alarms=vitals.alarms(subject, answers, now),
        misrouted=vitals.misrouted(counts, rollout.weight, chosen=chosen),
        unseen=vitals.unseen(subject, answers, now),
    )


def _lasting(subject: Subject) -> list[Question]:
    """What is asked since the weight is in force."""
    return [*questions(subject), *vitals.lifelines(subject)]


def _answer(question: Question, told: Sequence[_Told]) -> Sequence[Series] | None:
    """The series of one question, from the answer to the wider one that has it."""
    for wide, series in told:
        if wide.metric == question.metric and _holds(wide, question):
            return None if series is None else chosen(question, series)
    return None


def _holds(wide: Question, question: Question) -> bool:
    return wide.labels.keys() == question.labels.keys() and all(
        set(values) <= set(wide.labels[name]) for name, values in question.labels.items()
    )
