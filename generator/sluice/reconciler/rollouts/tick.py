"""The reconciler moves rollouts: look, let the core decide, make the one write of a tick."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from sluice import git
from sluice.core.finding import UsageError
from sluice.core.forge import PullRequest
from sluice.core.observation.state_history import History
from sluice.core.promotion.branches import BRANCHES, SUFFIX, branch_for, ref_of
from sluice.core.promotion.outcome import Outcome, failure
from sluice.core.rollout.file import rollout_of
from sluice.core.rollout.machine import next_step
from sluice.core.rollout.model import LEAVING, Decision, Observation, Sync, Write
from sluice.core.rollout.transitions import hold, recover
from sluice.core.specs.resolve import Release
from sluice.core.unforeseen import UnforeseenError, apart, isolated
from sluice.reconciler.ownership import is_persons
from sluice.reconciler.rollouts.counting import Counted, count_all
from sluice.reconciler.rollouts.following import find_stuck_revision, observe_following
from sluice.reconciler.rollouts.observation import observe, read_sync
from sluice.reconciler.rollouts.observers import Observers
from sluice.reconciler.rollouts.refresh import ask, end, refresh
from sluice.reconciler.rollouts.scene import Base, Scene, read_base
from sluice.reconciler.rollouts.write import Case, apply, find_refusal, withdraw

ATTEMPTS = 5
Proposed = dict[str, list[PullRequest]]


def move_each(scene: Scene, observers: Observers) -> Iterator[Outcome]:
    """Move every rollout at most one write further.

    What goes wrong with one of them is its outcome; traffic then stays where it is.

    Raises:
        UsageError: when the repository cannot be read.
    """
    base = read_base(scene.repository)
    if not base.revisions:
        return
    for key, reasons in base.unreadable().items():
        said = ("traffic stays where it is", *reasons)
        name = str(key)
        yield Outcome(name, "rollout cannot be read", reasons=said, refused=True, asks="decide")
    now = scene.clock()
    asked = list(_list_cases(base, observers, now))
    cases = [case for case, _ in asked]
    gone = [
        Case(base, release, lost.rollout, past, lost.stable) for release, lost, past in base.lost()
    ]
    for key, error in base.failed.items():
        yield failure(str(key), error)
    pulls = _list_pulls(scene, observers) if cases or gone else {}
    numbers = count_all(asked, observers, now)
    for case in cases:
        yield from _move_apart(scene, case, observers, numbers.get(case.release.key), pulls)
    for case in gone:
        yield from _recover(scene, case, observers, (pulls or {}).get(case.branch, ()))
    living = {case.branch for case in (*cases, *gone)} | {branch_for(key) for key in base.failed}
    try:
        with apart("what is left of rollouts"):
            _sweep_rest(scene, living, observers)
    except UnforeseenError as error:
        observers.problems.append(str(error))
    for problem in dict.fromkeys(observers.problems):
        yield Outcome("rollouts", "not observed", reasons=(problem,))


def _list_cases(base: Base, observers: Observers, now: int) -> Iterator[tuple[Case, Sync | None]]:
    """Each rollout with what Argo CD says of it; of which that cannot be told is in `failed`."""
    for release, history in base.under_way():
        try:
            with apart("a rollout"):
                case = read_case(base, release, history)
                synced = read_sync(case, observers, now)
        except UnforeseenError as error:
            base.failed[release.key] = error
            continue
        yield case, synced


def read_case(base: Base, release: Release, history: History) -> Case:
    """A rollout at a commit, from its release and history."""
    written = release.rollout.data["spec"] if release.rollout else {}
    rollout = rollout_of(release.spec, written)
    return Case(base, release, rollout, history, written["stable"]["spec"])


def _move_apart(
    scene: Scene,
    case: Case,
    observers: Observers,
    numbers: Counted | None,
    pulls: Proposed | None,
) -> Iterator[Outcome]:
    """Deal with one rollout; when somebody else was first, look again at what Git says now."""
    for _ in range(ATTEMPTS):
        try:
            own = None if pulls is None else pulls.get(case.branch, ())
            with apart("a rollout", git.RefMovedError):
                outcome = _move(scene, case, observers, numbers, own)
            yield _follow_apart(scene, case, observers, outcome)
        except git.RefMovedError:
            again = _look_again(scene, case)
            if again is None:
                return
            case, numbers = again, None if again.rollout != case.rollout else numbers
            pulls = _list_pulls(scene, observers)
        except UsageError as error:
            yield failure(str(case.release.key), error, case.rollout.candidate)
            return
        else:
            return


def _look_again(scene: Scene, case: Case) -> Case | None:
    scene.look()
    base = read_base(scene.repository)
    found = (each for each in base.under_way() if each[0].key == case.release.key)
    return next((read_case(base, *each) for each in found), None)


def _move(
    scene: Scene,
    case: Case,
    observers: Observers,
    numbers: Counted | None,
    pulls: Sequence[PullRequest] | None,
) -> Outcome:
    """What lowers a weight needs no forge; without one nothing is proposed or withdrawn."""
    now = scene.clock()
    seen = observe(case, observers, numbers, now)
    case = replace(case, counts=numbers.counts if numbers else None)
    decision = _decide(case, seen, now)
    write = decision.write
    if pulls is None and (write is None or write.lane == "pull request"):
        said = f"{decision.reason}; the forge does not answer"
        return replace(_tell_state(case, replace(decision, reason=said)), asks=decision.asks)
    pulls = pulls or ()
    if write is not None and write.lane == "pull request":
        refusal = find_refusal(scene, case, write, pulls)
        if refusal is not None:
            said = f"pull request #{refusal.number} was closed"
            write = hold(case.rollout, "PAUSED", now, said, seen).write
    if write is not None:
        return replace(apply(scene, case, write, pulls), asks=decision.asks)
    if not scene.dry_run:
        withdraw(scene, case, pulls, decision.reason)
    return replace(_tell_state(case, decision), asks=decision.asks)


def _follow_apart(scene: Scene, case: Case, observers: Observers, outcome: Outcome) -> Outcome:
    """As `_follow`; what was written stays told when nobody can tell how it is followed."""
    try:
        with apart("how a rollout is followed"):
            return _follow(scene, case, observers, outcome)
    except UnforeseenError as error:
        reasons = (*outcome.reasons, str(error))
        return replace(outcome, reasons=reasons, refused=True, cause=error.cause)


def _follow(scene: Scene, case: Case, observers: Observers, outcome: Outcome) -> Outcome:
    """With how the cluster follows, which is asked to look where it does not know the weight yet.

    What was asked for may get lost while Argo CD is busy, so it is asked for in every tick.
    """
    seen, release = observe_following(case, observers, scene.clock()), case.release
    outcome = refresh(scene, release, observers, case.base.commit, outcome)
    if not scene.dry_run and any(each.kind == "behind" for each in seen.hindrances):
        ask(release, observers)
    ended = (
        ""
        if scene.dry_run
        else end(release, observers, find_stuck_revision(case, observers, scene.clock()))
    )
    reasons = (*outcome.reasons, *seen.causes(), *([ended] if ended else []))
    return replace(outcome, following=seen, reasons=reasons)


def _decide(case: Case, seen: Observation, now: int) -> Decision:
    """What the state machine says, after what a person did to rollout.yaml itself.

    A way back goes on; it is put right where that is needed.
    """
    edited = case.history.edited and case.rollout.state not in ("PAUSED", *LEAVING)
    if edited and not seen.reverted:
        urgent = next_step(case.rollout, seen, now)
        if urgent.write is None or urgent.write.kind != "lower":
            return hold(case.rollout, "PAUSED", now, case.history.edited, seen)
    return next_step(case.rollout, seen, now)


def _tell_state(case: Case, decision: Decision) -> Outcome:
    state = f"{case.rollout.state.lower().replace('_', ' ')} at {case.rollout.weight} %"
    reasons = (decision.reason, *decision.notes)
    return Outcome(str(case.release.key), state, case.rollout.candidate, 0, reasons)


def _recover(
    scene: Scene, case: Case, observers: Observers, pulls: Sequence[PullRequest]
) -> Iterator[Outcome]:
    """Write rollout.yaml again where it was deleted, with all requests at the stable version."""
    now = scene.clock()
    try:
        with apart("a rollout", git.RefMovedError):
            decision = recover(case.rollout, observe(case, observers, None, now), now)
            write: Write | None = decision.write
            if write is not None:
                outcome = apply(scene, case, write, pulls)
                yield refresh(scene, case.release, observers, case.base.commit, outcome)
    except git.RefMovedError as error:
        yield failure(str(case.release.key), UsageError(str(error)), case.rollout.candidate)
    except UsageError as error:
        yield failure(str(case.release.key), error, case.rollout.candidate)


def _sweep_rest(scene: Scene, living: set[str], observers: Observers) -> None:
    """Close and delete what is left of rollouts that are over."""
    heads = git.list_refs(scene.repository, f"{ref_of(BRANCHES)}/")
    names = {ref.removeprefix("refs/heads/"): head for ref, head in heads.items()}
    stale = {n: h for n, h in names.items() if n.endswith(SUFFIX) and n not in living}
    pulls = _list_pulls(scene, observers) if stale and not scene.dry_run else None
    if pulls is None:
        return
    for pull in [pull for listed in pulls.values() for pull in listed]:
        if pull.state == "open" and pull.branch in stale:
            scene.pen.close_pull(pull.number, "its rollout is over", None, "")
    for name, head in stale.items():
        if not is_persons(scene.repository, head):
            with suppress(git.RefMovedError):
                scene.pen.move(ref_of(name), None, head)


def _list_pulls(scene: Scene, observers: Observers) -> Proposed | None:
    """The pull requests by branch; None when the forge does not say."""
    found: dict[str, list[PullRequest]] = {}
    try:
        with isolated("the forge"):
            pulls = scene.pulls() if scene.pulls else scene.forge.list()
    except UsageError as error:
        observers.problems.append(str(error))
        return None
    for pull in pulls:
        found.setdefault(pull.branch, []).append(pull)
    return found
