"""One cycle of the reconciler: look, let the core decide, and publish what it decided.

Every effect looks before it acts, so a cycle that was killed is finished by the next one.
"""

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from sluice import git
from sluice.core.finding import UsageError
from sluice.core.forge import PullRequest
from sluice.core.layout import Key
from sluice.core.promotion.arranging import arrange, by_shared_branch, is_shared, rearrange
from sluice.core.promotion.branches import branch_of, ref_of
from sluice.core.promotion.decide import decide, decide_idle
from sluice.core.promotion.decide_group import all_pulls, decide_emptied, decide_group
from sluice.core.promotion.decisions import Decision, Propose
from sluice.core.promotion.outcome import ALIKE, Outcome, failure
from sluice.core.promotion.rejection import proposed_version, pulls_about
from sluice.core.promotion.upkeep import decide_upkeep, name_of
from sluice.core.promotion.wants import Idle, Want
from sluice.core.unforeseen import UnforeseenError, apart
from sluice.forges.answers import HeadMovedError
from sluice.forges.limits import RateLimitedError
from sluice.reconciler.promotions import registry_view
from sluice.reconciler.promotions.base import BrokenBaseError, read_base
from sluice.reconciler.promotions.snapshot import CycleSnapshot, Pulls
from sluice.reconciler.publish import Ahead, publish
from sluice.reconciler.pushing import push_ahead
from sluice.reconciler.runtime import Runtime

ATTEMPTS = 5
# Branches that are pushed at once: while they are prepared, none of their releases is dealt with.
BATCH = 50
Task = Sequence[Want | Idle]
Prepared = Mapping[Key, tuple[Decision, Ahead | None]]
"""What was decided about some releases together, and what became of their branches."""


def cycle(runtime: Runtime) -> Iterator[Outcome]:
    """Bring the pull requests to what the registry asks for.

    What goes wrong with one release is its outcome and does not keep the others from theirs.

    Raises:
        BrokenBaseError: when what all releases have in common is broken; nothing is proposed then.
        UsageError: when a server cannot be reached, or refuses every release alike.
    """
    base = read_base(runtime)
    for name, reasons in base.sound.broken.items():
        yield Outcome(name, "broken", reasons=reasons, refused=True)
    observed, silent = registry_view.observe_apart(runtime, base)
    if runtime.is_stopping():
        return
    registry_view.check_observed(runtime, base.followed[0] - silent.keys(), observed)
    snapshot = CycleSnapshot(runtime, base, group_by_branch(runtime.pulls()), observed)
    yield from _attend(runtime, snapshot)
    asked, unclear = registry_view.find_wants(base, observed, silent)
    yield from registry_view.tell_unclear(unclear)
    registry_view.forget_shown(runtime, asked)
    snapshot = replace(snapshot, sharing=arrange(snapshot, asked))
    snapshot = replace(snapshot, idle={w.release.key: w for w in asked if isinstance(w, Idle)})
    shared = by_shared_branch(snapshot.sharing, asked)
    living = {*shared, *registry_view.find_branches_with(snapshot.pulls, unclear)}
    yield from _withdraw_emptied(runtime, snapshot, living)
    alone = [[want] for want in asked if not is_shared(snapshot.sharing, want)]
    failures: list[str] = []
    for batch in _split_into_batches([*alone, *shared.values()]):
        due = [task for task in batch if all(runtime.is_due(str(w.release.key)) for w in task)]
        prepared = _prepare(runtime, snapshot, due)
        for task in due:
            if runtime.is_stopping():
                return
            yield from _act_apart(runtime, snapshot, task, prepared, failures)


def group_by_branch(pulls: Sequence[PullRequest]) -> Pulls:
    """Pull requests by their branch."""
    listed: dict[str, list[PullRequest]] = {}
    for pull in pulls:
        listed.setdefault(pull.branch, []).append(pull)
    return listed


def _attend(runtime: Runtime, snapshot: CycleSnapshot) -> Iterator[Outcome]:
    """See to the pull requests of all branches; what goes wrong with one is its outcome."""
    for branch, listed in snapshot.pulls.items():
        for pull in listed:
            try:
                with apart("a pull request", git.RefMovedError):
                    decision = decide_upkeep(snapshot, branch, pull, listed)
                    if decision:
                        yield from publish(runtime, snapshot.base, decision)
            except RateLimitedError:
                raise
            except HeadMovedError:  # who moved it has words for it, and the next turn sees them
                continue
            except UsageError as error:
                yield failure(name_of(pull), error, proposed_version(pull), pull.number)


def _withdraw_emptied(
    runtime: Runtime, snapshot: CycleSnapshot, living: Iterable[str]
) -> Iterator[Outcome]:
    """Withdraw the shared pull requests that no release needs any more."""
    for branch in snapshot.branches():
        if branch in living:
            continue
        pulls = snapshot.pulls.get(branch, ())
        try:
            with apart("a shared pull request", git.RefMovedError):
                for decision in decide_emptied(snapshot, branch, pulls):
                    yield from _publish(runtime, snapshot, decision)
        except UnforeseenError as error:
            yield failure(branch, error)


def _split_into_batches(tasks: Iterable[Task]) -> Iterator[list[Task]]:
    """The tasks in pieces in which not too many releases want something."""
    batch: list[Task] = []
    wants = 0
    for task in tasks:
        batch.append(task)
        wants += sum(isinstance(want, Want) for want in task)
        if wants >= BATCH:
            yield batch
            batch, wants = [], 0
    yield batch


def _prepare(runtime: Runtime, snapshot: CycleSnapshot, tasks: Sequence[Task]) -> Prepared:
    """Decide about several releases, and push the branches of all of them in one conversation.

    This saves conversations and nothing else: where it fails, the release that it fails for is
    dealt with by itself when its turn comes, as if this had been killed here.
    """
    if runtime.dry_run:
        return {}
    alone = [want for task in tasks for want in task if isinstance(want, Want)]
    alone = [want for want in alone if not is_shared(snapshot.sharing, want)]
    try:
        with apart("several releases at once", git.RefMovedError):
            new = [want for want in alone if _recall(runtime, snapshot, want)[1] is None]
            if len(new) < 2:  # noqa: PLR2004  # one alone saves nothing
                return {}
            decisions = dict(_decide_each(runtime, snapshot, new))
            proposals = [d for d in decisions.values() if isinstance(d, Propose)]
            pushed = push_ahead(runtime, snapshot.base, proposals)
    except UnforeseenError:  # told of the release that it is about when its turn comes
        return {}
    return {
        key: (d, pushed.get(d.proposal.branch) if isinstance(d, Propose) else None)
        for key, d in decisions.items()
    }


def _decide_each(
    runtime: Runtime, snapshot: CycleSnapshot, wants: Iterable[Want]
) -> Iterator[tuple[Key, Decision]]:
    failures = 0
    for want in wants:
        if failures == ALIKE or runtime.is_stopping():
            return
        try:
            with apart("a promotion"):
                decision = decide(snapshot, want)
            yield want.release.key, decision
            failures = 0
        except RateLimitedError:
            return
        except UnforeseenError:
            continue
        except UsageError:  # told when its turn comes
            failures += 1


def _act_apart(
    runtime: Runtime, snapshot: CycleSnapshot, task: Task, prepared: Prepared, failures: list[str]
) -> Iterator[Outcome]:
    """Deal with one release, or with those that share one pull request.

    An error is their outcome, unless it is everybody's.
    """
    promoted = {str(w.release.key): w.version for w in task if isinstance(w, Want)}
    try:
        with apart("a promotion", BrokenBaseError):
            for outcome in _act(runtime, snapshot, task, prepared):
                version = promoted.get(outcome.release)
                yield replace(outcome, promoted=version.updated if version else 0)
    except (RateLimitedError, git.CredentialsRefusedError, git.SigningError):
        raise
    except UsageError as error:
        for want in task:
            name = str(want.release.key)
            yield failure(name, error, promoted[name].version if name in promoted else "")
        if isinstance(error, UnforeseenError):  # the same defect in many is not a server's trouble
            return
        failures.append(str(error))
        if failures[-ALIKE:] == [str(error)] * ALIKE:
            raise
    else:
        failures.clear()


def _act(
    runtime: Runtime, snapshot: CycleSnapshot, task: Task, prepared: Prepared
) -> Iterator[Outcome]:
    """Decide and publish; when somebody else moved its branch first, look again."""
    keys = {want.release.key for want in task}
    for attempt in range(ATTEMPTS):
        try:
            for want in task:
                if not is_shared(snapshot.sharing, want):
                    yield from _act_alone(runtime, snapshot, want, prepared)
            for branch, members in by_shared_branch(snapshot.sharing, task).items():
                yield from _act_together(runtime, snapshot, branch, members)
        except git.RefMovedError as error:
            if attempt + 1 == ATTEMPTS:
                raise UsageError(f"{min(keys)}: {error}, again and again") from None
            runtime.pause(random.uniform(0, 0.05 * 2**attempt))  # noqa: S311  # spreads out processes
            snapshot, prepared = _look_again(runtime, snapshot), {}
            # What was merged meanwhile may have the words of what was pushed after it.
            yield from _attend(runtime, snapshot)
            asked, _ = registry_view.find_wants(snapshot.at, snapshot.observed)
            snapshot = replace(snapshot, sharing=rearrange(snapshot, asked))
            task = [want for want in asked if want.release.key in keys]
        else:
            return


def _look_again(runtime: Runtime, snapshot: CycleSnapshot) -> CycleSnapshot:
    return CycleSnapshot(
        runtime,
        read_base(runtime),
        group_by_branch(runtime.pulls()),
        snapshot.observed,
        sharing=snapshot.sharing,
        idle=snapshot.idle,
    )


def _act_alone(
    runtime: Runtime, snapshot: CycleSnapshot, want: Want | Idle, prepared: Prepared
) -> Iterator[Outcome]:
    """All that is done for one release that shares its pull request with no other."""
    if isinstance(want, Idle):
        for decision in decide_idle(snapshot, want):
            yield from _publish(runtime, snapshot, decision)
        return
    name = str(want.release.key)
    judged_by, outcome = _recall(runtime, snapshot, want)
    if outcome is None:
        decision, ahead = prepared.get(want.release.key) or (decide(snapshot, want), None)
        (outcome,) = _publish(runtime, snapshot, decision, ahead)
        if outcome.is_settled:
            runtime.memory.settle(name, judged_by, outcome, runtime.clock())
    yield outcome


def _recall(runtime: Runtime, snapshot: CycleSnapshot, want: Want) -> tuple[object, Outcome | None]:
    """Everything that a release is judged by, and what it came to when it was the same before."""
    key = want.release.key
    tip = git.tip(runtime.repository, ref_of(branch_of(key)))
    about = tuple(pulls_about(snapshot, key))
    around = snapshot.at.around(runtime.repository, key)
    judged_by = (want.version, want.deployed, want.notes, around, about, tip)
    return judged_by, runtime.memory.recall(str(key), judged_by, runtime.clock())


def _act_together(
    runtime: Runtime, snapshot: CycleSnapshot, branch: str, wants: Sequence[Want]
) -> Iterator[Outcome]:
    """Bring a shared pull request to what its releases want; an outcome for each of them."""
    judged_by = (
        tuple((w.release.key, w.version, w.deployed, w.notes) for w in wants),
        snapshot.base,
        all_pulls(snapshot, branch),
        git.tip(runtime.repository, ref_of(branch)),
    )
    names = [str(want.release.key) for want in wants]
    recalled = [runtime.memory.recall(name, judged_by, runtime.clock()) for name in names]
    if all(recalled):
        yield from filter(None, recalled)
        return
    outcomes = []
    for decision in decide_group(snapshot, branch, wants):
        outcomes += _publish(runtime, snapshot, decision)
    yield from outcomes
    if all(outcome.is_settled for outcome in outcomes):
        for outcome in outcomes:
            runtime.memory.settle(outcome.release, judged_by, outcome, runtime.clock())


def _publish(
    runtime: Runtime, snapshot: CycleSnapshot, decision: Decision, ahead: Ahead | None = None
) -> list[Outcome]:
    registry_view.remember(runtime, decision)
    return publish(runtime, snapshot.base, decision, ahead)
