"""Ask Prometheus for all rollouts together, in few queries, and judge what was counted."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sluice.core.analysis.counts import Counts
from sluice.core.analysis.judgement import Judgement, judge
from sluice.core.analysis.queries import Question, chosen, combined, promql
from sluice.core.analysis.samples import Series
from sluice.core.layout import Key
from sluice.core.observation import guards
from sluice.core.observation.batches import counts_of, earlier_batches, questions
from sluice.core.observation.replicas import ready_questions, replicas_of
from sluice.core.observation.subject import Answers, Subject, subject_of
from sluice.core.rollout.model import Replicas, Sync
from sluice.core.unforeseen import UnforeseenError, apart
from sluice.reconciler.rollouts.observers import Observers
from sluice.reconciler.rollouts.write import Case

_Told = tuple[Question, Sequence[Series] | None]
_COUNTED = ("STEP", "GATED", "INCONCLUSIVE", "FROZEN", "PAUSED", "PROMOTING", "FINALIZING")


@dataclass(frozen=True)
class Counted:
    """What was counted of one rollout, and the judgement on it; None before it has any weight.

    `alarms` are guards that are on; `misrouted` says how the requests contradict the committed
    weight; `unseen` what cannot be seen of the candidate. `gap` are seconds at this weight of which
    nothing was counted, and `blind` says how long that lasts by now.
    """

    counts: Counts | None = None
    judgement: Judgement | None = None
    share: float | None = None
    alarms: tuple[str, ...] = ()
    misrouted: str = ""
    unseen: str = ""
    replicas: Replicas = field(default_factory=Replicas)
    gap: int = 0
    blind: str = ""


@dataclass(frozen=True)
class _Asked:
    """A rollout that is to be counted, at the Prometheus of its environment."""

    case: Case
    subject: Subject
    spent: int


def count_all(
    cases: Iterable[tuple[Case, Sync | None]], observers: Observers, now: int
) -> dict[Key, Counted]:
    """What was counted of each rollout; one whose samples cannot be had whole is not there."""
    by_address: defaultdict[str, list[_Asked]] = defaultdict(list)
    for case, synced in cases:
        address = case.release.environment.spec.monitoring.prometheus.address
        try:
            with apart("what is asked about a rollout"):
                asked = _asked(case, synced, now)
        except UnforeseenError as error:
            observers.problems.append(f"{case.release.key}: {error}")
            continue
        if address and asked is not None:
            by_address[address].append(asked)
    found: dict[Key, Counted] = {}
    for address, listed in by_address.items():
        found |= _apart(address, listed, observers, now)
    return found


def _apart(
    address: str, listed: Sequence[_Asked], observers: Observers, now: int
) -> dict[Key, Counted]:
    """As `_at`; what cannot be asked of all together is asked of each by itself."""
    try:
        with apart("what is counted of rollouts"):
            return _at(address, listed, observers, now)
    except UnforeseenError as error:
        if not listed[1:]:
            observers.problems.append(f"{listed[0].case.release.key}: {error}")
            return {}
    found: dict[Key, Counted] = {}
    for asked in listed:
        found |= _apart(address, [asked], observers, now)
    return found


def _asked(case: Case, synced: Sync | None, now: int) -> _Asked | None:
    """A rollout whose weight is known to be in force, whatever its health; else nothing is judged.

    Of a candidate that warms up only its replicas are asked for.
    """
    begin = now if case.rollout.state == "WARMING" else _counted_since(case, synced, now)
    if begin is None:
        return None
    workspace = case.base.workspace
    committed = case.base.evidence(case.release.key).values()
    earlier = earlier_batches(committed, case.rollout, case.history.began)
    times, catalog = (begin, now), workspace.tools.catalog
    others = _others(case.release.key, workspace.specs.releases)
    subject = subject_of(case.release, case.rollout, catalog, times, earlier, others)
    return None if subject is None else _Asked(case, subject, max(0, now - begin))


def _counted_since(case: Case, synced: Sync | None, now: int) -> int | None:
    """Since when requests are counted; None when none are.

    That is since the weight is in force. While nobody says whether it is, it is since its commit:
    what is counted then can only speak against the candidate.
    """
    if case.rollout.state not in _COUNTED:
        return None
    if synced is not None and synced.contains and synced.synced and synced.since is not None:
        return synced.since
    return min(now, case.history.time)


def _others(key: Key, releases: Iterable[Key]) -> list[str]:
    """The environment's other releases, with which a release shares faults."""
    return [
        other.name for other in releases if other.environment == key.environment and other != key
    ]


def _at(
    address: str, listed: Sequence[_Asked], observers: Observers, now: int
) -> dict[Key, Counted]:
    """The rollouts of one Prometheus: one query for each metric, not for each rollout."""
    window = max(asked.subject.window(now) for asked in listed)
    wanted = [question for asked in listed for question in _lasting(asked)]
    gauges = [question for asked in listed for question in _recent(asked)]
    recent = max(guards.recent(asked.subject) for asked in listed)
    told: list[_Told] = [
        (wide, observers.answer(address, wide, seconds, now))
        for listed_, seconds in ((wanted, window), (gauges, recent))
        for wide in combined(listed_)
    ]
    found = {}
    for asked in listed:
        try:
            with apart("the judgement on a rollout"):
                result = _judged(asked, told, now)
        except UnforeseenError as error:
            observers.problems.append(f"{asked.case.release.key}: {error}")
            continue
        if result is None and asked.case.rollout.state == "WARMING":
            result = Counted(blind="Prometheus does not answer")  # so nothing would be judged
        if result is not None:
            found[asked.case.release.key] = result
    return found


def _judged(asked: _Asked, told: Sequence[_Told], now: int) -> Counted | None:
    """The judgement on one rollout; None when an answer is missing."""
    answers: dict[str, Sequence[Series]] = {}
    for question in (*_lasting(asked), *_recent(asked)):
        answer = _answer(question, told)
        if answer is None:
            return None
        answers[promql(question, 1)] = answer
    return _counted(asked, lambda question: answers.get(promql(question, 1), ()), now)


def _counted(asked: _Asked, answers: Answers, now: int) -> Counted:
    subject, rollout = asked.subject, asked.case.rollout
    replicas = replicas_of(subject, answers, now)
    if rollout.state == "WARMING":
        return Counted(replicas=replicas)
    steps = rollout.plan.steps
    exhausted = asked.spent >= steps[min(rollout.step, len(steps) - 1)].longest
    counts = counts_of(subject, answers, now, exhausted=exhausted)
    chosen = asked.case.release.spec.rollout.match is not None
    gap, blind = guards.coverage(subject, counts)
    return Counted(
        counts,
        judge(counts),
        guards.share_of(counts),
        alarms=guards.alarms(subject, answers, now),
        misrouted=guards.misrouted(counts, rollout.weight, chosen=chosen),
        unseen=guards.unseen(subject, answers, now),
        replicas=replicas,
        gap=gap,
        blind=blind,
    )


def _lasting(asked: _Asked) -> list[Question]:
    """What is asked since the weight is in force."""
    if asked.case.rollout.state == "WARMING":
        return []
    return [*questions(asked.subject), *guards.lifelines(asked.subject)]


def _recent(asked: _Asked) -> list[Question]:
    """What is asked of the last minutes."""
    if asked.case.rollout.state == "WARMING":
        return list(ready_questions(asked.subject))
    return list(guards.gauges_of(asked.subject))


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
