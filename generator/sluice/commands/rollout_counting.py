"""Ask Prometheus for all rollouts together, in few queries, and judge what was counted."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sluice.commands.rollout_observers import Observers
from sluice.commands.rollout_write import Case
from sluice.core.layout import Key
from sluice.core.progress.watch import (
    Subject,
    counts_of,
    earlier_batches,
    questions,
    share_of,
    subject_of,
)
from sluice.core.rollout.counts import Counts
from sluice.core.rollout.judgement import Judgement, judge
from sluice.core.rollout.model import Sync
from sluice.core.rollout.queries import Question, chosen, combined, promql
from sluice.core.rollout.samples import Series

_Told = tuple[Question, Sequence[Series] | None]
_COUNTED = ("STEP", "GATED", "INCONCLUSIVE", "FROZEN", "PAUSED", "PROMOTING")


@dataclass(frozen=True)
class Counted:
    """What was counted of one rollout, and the judgement on it."""

    counts: Counts
    judgement: Judgement
    share: float | None


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
    wanted = [question for asked in listed for question in questions(asked.subject)]
    told: list[_Told] = [
        (wide, observers.answer(address, wide, window, now)) for wide in combined(wanted)
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
    for question in questions(asked.subject):
        answer = _answer(question, told)
        if answer is None:
            return None
        answers[promql(question, 1)] = answer
    plan, rollout = asked.case.rollout.plan, asked.case.rollout
    longest = plan.steps[min(rollout.step, len(plan.steps) - 1)].longest
    counts = counts_of(
        asked.subject,
        lambda question: answers.get(promql(question, 1), ()),
        now,
        exhausted=asked.spent >= longest,
    )
    return Counted(counts, judge(counts), share_of(counts))


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
