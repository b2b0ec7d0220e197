"""The effects of a cycle: push a branch, open its pull request, merge it, close it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from sluice import git
from sluice.core.finding import UsageError
from sluice.core.model import PullRequest
from sluice.core.promotion.converge import BRANCHES, Proposal, branch_of
from sluice.core.promotion.message import merged_by_hand, read_marker, withdrawn
from sluice.core.promotion.notice import of_proposal
from sluice.core.promotion.wants import Idle
from sluice.forges.answers import HeadMovedError
from sluice.forges.extras import ForgeExtras
from sluice.forges.limits import RateLimitedError
from sluice.reconciler.promotions.confirmation import Observed, is_confirmed, kept_open
from sluice.reconciler.promotions.objections import give_back, heeded, let_wait
from sluice.reconciler.promotions.ownership import (
    is_free,
    is_withdrawable,
    may_move,
    place_of,
    sweep,
)
from sluice.reconciler.promotions.presentation import published
from sluice.reconciler.runtime import Outcome, World
from sluice.workspace.identity import AUTHOR, BASE, MAIN


class Pushed(NamedTuple):
    """The commit that the branch is at, and whether it was brought there just now."""

    head: str
    moved: bool


# Of a branch that was pushed with others: where it is now, or who moved what it is about.
Ahead = Pushed | git.RefMovedError


def idle(
    world: World, want: Idle, observed: Observed, pulls: Sequence[PullRequest]
) -> Iterator[Outcome]:
    """Close what nobody asks for any more, once that is sure."""
    release, stays = str(want.release.key), False
    for pull in pulls:
        if not is_withdrawable(world, pull):
            continue
        proposed = _proposed(pull)
        if _is_deployed(pull, want):
            yield settled(world, release, pull, git.resolve(world.repository, MAIN))
        elif is_confirmed(world, want, observed, proposed):
            yield closed(world, release, pull, f"pointless now: {want.reason}")
        else:
            stays = True
            yield kept_open(world, release, pull, proposed, (want.reason,))
    if stays:
        return
    left = sweep(world, branch_of(want.release.key), pulls)
    what = "cannot follow" if want.problem else "nothing to do"
    yield Outcome(release, what, reasons=(want.reason, *left), refused=want.problem)


def _proposed(pull: PullRequest) -> str:
    said = read_marker(pull.body)
    return said[0] if said else ""


def _is_deployed(pull: PullRequest, want: Idle) -> bool:
    """Whether somebody brought to main by hand what a pull request proposes."""
    said = read_marker(pull.body)
    return said is not None and said[0] == want.release.spec.model.version


def settled(world: World, release: str, pull: PullRequest, commit: str) -> Outcome:
    """Tell the forge that main has a pull request since `commit`, which it has not noticed."""
    said = read_marker(pull.body)
    version, reason = said[0] if said else "", f"main has it since {commit[:12]}"
    missing = _missing(world, pull, commit)
    if missing:
        more = f" and {len(missing) - 1} more" if missing[1:] else ""
        reason += f", but not {missing[0]}{more} as proposed: see that `sluice check` passes there"
    if not world.dry_run:
        give_back(world, pull)
        if isinstance(world.forge, ForgeExtras):
            world.forge.settle(pull.number, commit, merged_by_hand(pull.body, commit))
        else:
            world.forge.close(pull.number, reason, merged_by_hand(pull.body, commit))
        reason = "; ".join((reason, *sweep(world, pull.branch)))
    what = "would settle" if world.dry_run else "merged by hand"
    return Outcome(release, what, version, pull.number, (reason,))


def _missing(world: World, pull: PullRequest, commit: str) -> Sequence[str]:
    """The files that are not in `commit` as a pull request has them; none where it is not known."""
    repository = world.repository
    try:
        begun = git.merge_base(repository, pull.head, commit)
        if begun is None or begun == pull.head:
            return ()
        ours = set(git.changed_paths(repository, begun, pull.head))
        return sorted(ours & set(git.changed_paths(repository, pull.head, commit)))
    except UsageError:
        return ()


def applied(
    world: World,
    base: str,
    proposal: Proposal,
    pulls: Sequence[PullRequest],
    ahead: Ahead | None = None,
) -> Outcome:
    """Bring the branch and its pull request to a proposal on the commit `base`.

    `ahead` is what became of the branch if it was pushed with others before.
    """
    release = str(proposal.key)
    living = [pull for pull in pulls if pull.state == "open"]
    current = min(living, key=lambda pull: pull.number, default=None)
    taken_over = _taken_over(world, proposal.branch, pulls)
    if taken_over:
        number = current.number if current else 0
        return Outcome(release, "left alone", proposal.version, number, (taken_over,))
    proposal = heeded(world, proposal, current)
    if world.dry_run:
        what = "would update" if current else "would propose"
        reasons = (proposal.title, *_differing(world, base, proposal), *proposal.waits)
        return Outcome(release, what, proposal.version, current.number if current else 0, reasons)
    if isinstance(ahead, git.RefMovedError):
        raise ahead
    if not proposal.later:
        let_wait(world, pulls)
    pushed = ahead or _push(world, base, proposal, pulls)
    pull, problems = _opened(world, base, proposal, pushed.head)
    reasons = (*proposal.waits, *problems)
    if proposal.automatic and pull.state == "open" and not pull.draft:
        return _merged(world, release, proposal, pull.number, pushed.head)
    if current is None:
        return Outcome(release, "proposed", proposal.version, pull.number, reasons)
    told = pushed.moved or _words(current) != _words(pull)
    what = "updated" if told else "unchanged"
    return Outcome(release, what, proposal.version, pull.number, reasons)


def _taken_over(world: World, branch: str, pulls: Sequence[PullRequest]) -> str:
    """What a person has made of a branch or its pull request; nothing when it is still ours."""
    if not is_free(world, branch, pulls):
        return f"somebody committed to the branch {branch}; delete it to hand it back"
    place = place_of(pulls)
    return f"it goes into {place} now: change that back to {BASE}, or close it" if place else ""


def _differing(world: World, base: str, proposal: Proposal) -> list[str]:
    """The files that a proposal changes: of those that it renders, many stay as they are."""
    paths = sorted(proposal.changes)
    there = git.read_tree(world.repository, base, paths).files
    return [path for path in paths if there.get(path) != proposal.changes[path]]


def pushed_ahead(
    world: World, base: str, ready: Sequence[tuple[Proposal, Sequence[PullRequest]]]
) -> dict[str, Ahead]:
    """Bring the branches of several proposals to them in one conversation.

    By branch; what keeps one that is missing here is told when it is pushed by itself.
    """
    ends: dict[str, tuple[str | None, str]] = {}
    for proposal, pulls in ready:
        if place_of(pulls):
            continue
        with suppress(UsageError, git.RefMovedError):
            old, new = ends[proposal.branch] = _commits(world, base, proposal, pulls)
            if old != new or not proposal.later:
                let_wait(world, pulls)
    moves = {_ref(branch): each for branch, each in ends.items() if each[0] != each[1]}
    try:
        moved = world.upstream.move_each(moves) if moves else ()
        found: dict[str, Ahead] = {
            branch: Pushed(new, moved=old != new)
            for branch, (old, new) in ends.items()
            if old == new or _ref(branch) in moved
        }
        pushed = {p.branch: p for p, _ in ready if _ref(p.branch) in moved}
        return found | dict(_overtaken(world, base, pushed, ends) if pushed else ())
    except git.CredentialsRefusedError:  # asking again for each would lock the account
        raise
    except UsageError:
        return {}


def _overtaken(
    world: World,
    base: str,
    pushed: Mapping[str, Proposal],
    ends: Mapping[str, tuple[str | None, str]],
) -> Iterator[tuple[str, git.RefMovedError]]:
    """Take back what was pushed where somebody who was faster has changed main; see `_push`."""
    world.upstream.refresh()
    now = git.resolve(world.repository, MAIN)
    touched = git.changed_paths(world.repository, base, now) if now != base else ()
    for branch, proposal in pushed.items():
        if set(touched) & proposal.changes.keys():
            old, new = ends[branch]
            with suppress(git.RefMovedError):
                world.upstream.move(_ref(branch), old, new)
            yield branch, git.RefMovedError(MAIN, base, now)


def _ref(branch: str) -> str:
    return f"refs/heads/{branch}"


def _words(pull: PullRequest) -> tuple[str, str, tuple[str, ...]]:
    return pull.title, pull.body, pull.labels


def _opened(
    world: World, base: str, proposal: Proposal, head: str
) -> tuple[PullRequest, tuple[str, ...]]:
    try:
        return published(world, base, of_proposal(proposal), head)
    except RateLimitedError:
        raise
    except UsageError:
        _check_base(world, base, proposal)  # somebody may have merged it in between
        raise


def _check_base(world: World, base: str, proposal: Proposal) -> None:
    """See that main has not changed what a proposal is about; RefMovedError when it has."""
    world.upstream.refresh()
    now = git.resolve(world.repository, MAIN)
    if now != base and set(git.changed_paths(world.repository, base, now)) & set(proposal.changes):
        raise git.RefMovedError(MAIN, base, now)


def _merged(world: World, release: str, proposal: Proposal, number: int, head: str) -> Outcome:
    """Merge the commit that was pushed, or let the forge do it once its checks have passed."""
    try:
        pull = _pressed(world, number, head, later=proposal.later)
    except UsageError as error:
        return Outcome(release, "could not merge", proposal.version, number, (str(error),))
    what = "merged" if pull.state == "merged" else "merges when ready"
    return Outcome(release, what, proposal.version, number)


def _pressed(world: World, number: int, head: str, *, later: bool) -> PullRequest:
    if later and isinstance(world.forge, ForgeExtras):
        try:
            return world.forge.merge_when_ready(number, head)
        except UsageError:  # not every repository lets its forge merge: then we do
            return world.forge.merge(number, head)
    return world.forge.merge(number, head)


def _push(world: World, base: str, proposal: Proposal, pulls: Sequence[PullRequest]) -> Pushed:
    """Bring the branch to the proposal, unless it says all of it already.

    What was left to the forge is taken back before: it was about what the branch had.
    """
    ref = _ref(proposal.branch)
    head, commit = _commits(world, base, proposal, pulls)
    if head == commit:
        return Pushed(commit, moved=False)
    let_wait(world, pulls)
    try:
        world.upstream.move(ref, commit, head)
    except git.PushRefusedError as error:
        raise git.PushRefusedError(
            f"{error}: let the account create, force-push and delete branches under {BRANCHES}/"
        ) from None
    # Who was faster may have merged this very version and dropped its branch. From here on the
    # branch is in everybody's way.
    try:
        _check_base(world, base, proposal)
    except git.RefMovedError:
        world.upstream.move(ref, head, commit)
        raise
    return Pushed(commit, moved=True)


def _commits(
    world: World, base: str, proposal: Proposal, pulls: Sequence[PullRequest]
) -> tuple[str | None, str]:
    """Where the branch is and where it should be; the same if it says all of it already.

    Raises:
        RefMovedError: somebody else has committed to it.
    """
    repository, ref = world.repository, _ref(proposal.branch)
    head = git.tip(repository, ref)
    if not may_move(world, head, pulls):
        raise git.RefMovedError(ref, None, head)
    tree = git.write_tree(repository, base, proposal.changes)
    if head and _says(repository, head, tree, base) and _may_stay(world, proposal, head, base):
        return head, head
    commit = base
    for changes, message in proposal.parts:
        tree = git.write_tree(repository, commit, changes)
        commit = git.commit(repository, tree, [commit], message, AUTHOR, time=world.clock())
    return head, commit


def _may_stay(world: World, proposal: Proposal, head: str, base: str) -> bool:
    """Whether a branch that says all of it may stay where it begins.

    It may not where it is to merge by itself and the forge moves a base only forward.
    """
    if not proposal.automatic or git.is_ancestor(world.repository, base, head):
        return True
    return not (isinstance(world.forge, ForgeExtras) and world.forge.is_linear())


def _says(repository: git.Repository, head: str, tree: str, base: str) -> bool:
    """Whether a branch already makes this change, though perhaps to an older base.

    It does when it touches the same files with the same content and the base has not touched
    any of them since; then a push would only make reviews and checks start again.
    """
    begun = git.merge_base(repository, head, base)
    if begun is None or len(git.commit_of(repository, head).parents) != 1:
        return False
    wanted = git.changed_paths(repository, base, tree)
    return (
        git.changed_paths(repository, begun, head) == wanted
        and not set(git.changed_paths(repository, head, tree)) & set(wanted)
        and not set(git.changed_paths(repository, begun, base)) & set(wanted)
    )


def closed(world: World, release: str, pull: PullRequest, reason: str) -> Outcome:
    """Close a pull request of ours, in words that do not reject its version."""
    said = read_marker(pull.body)
    version = said[0] if said else ""
    if world.dry_run:
        return Outcome(release, "would close", version, pull.number, (reason,))
    give_back(world, pull)
    head = git.tip(world.repository, _ref(pull.branch)) or ""
    try:
        world.forge.close(pull.number, reason, withdrawn(pull.body), head)
    except HeadMovedError as error:
        return Outcome(release, "moved meanwhile", version, pull.number, (str(error),))
    left = sweep(world, pull.branch)
    return Outcome(release, "closed", version, pull.number, (reason, *left))
