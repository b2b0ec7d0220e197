"""Branches are brought to proposals: only where nobody was faster, and only where they differ."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from sluice import git
from sluice.core.finding import UsageError
from sluice.core.forge import PullRequest
from sluice.core.promotion.branches import BRANCHES, ref_of
from sluice.core.promotion.converge import Proposal
from sluice.core.promotion.decisions import Propose
from sluice.core.promotion.signals import is_left_to_forge
from sluice.reconciler.ownership import may_move
from sluice.reconciler.runtime import Runtime
from sluice.workspace.identity import MAIN


class Pushed(NamedTuple):
    """The commit that the branch is at, and whether it was brought there just now."""

    head: str
    moved: bool


def push(runtime: Runtime, base: str, proposal: Proposal, pulls: Sequence[PullRequest]) -> Pushed:
    """Bring the branch to the proposal, unless it says all of it already.

    What was left to the forge is taken back before: it was about what the branch had.

    Raises:
        RefMovedError: somebody was first; look again.
        PushRefusedError: the server does not let us.
    """
    ref = ref_of(proposal.branch)
    head, commit = _make_commits(runtime, base, proposal, pulls)
    if head == commit:
        return Pushed(commit, moved=False)
    hold_back(runtime, pulls)
    try:
        runtime.pen.move(ref, commit, head)
    except git.PushRefusedError as error:
        raise git.PushRefusedError(
            f"{error}: let the account create, force-push and delete branches under {BRANCHES}/"
        ) from None
    # Who was faster may have merged this very version and dropped its branch. From here on the
    # branch is in everybody's way.
    try:
        check_base(runtime, base, proposal)
    except git.RefMovedError:
        runtime.pen.move(ref, head, commit)
        raise
    return Pushed(commit, moved=True)


def push_ahead(
    runtime: Runtime, base: str, decisions: Sequence[Propose]
) -> dict[str, Pushed | git.RefMovedError]:
    """Bring the branches of several proposals to them in one conversation.

    By branch; what keeps one that is missing here is told when it is pushed by itself.
    """
    ends: dict[str, tuple[str | None, str]] = {}
    for decision in decisions:
        proposal = decision.proposal
        with suppress(UsageError, git.RefMovedError):
            old, new = ends[proposal.branch] = _make_commits(
                runtime, base, proposal, decision.pulls
            )
            if old != new or not proposal.later:
                hold_back(runtime, decision.pulls)
    moves = {ref_of(branch): move for branch, move in ends.items() if move[0] != move[1]}
    try:
        moved = runtime.pen.move_each(moves) if moves else ()
        pushed: dict[str, Pushed | git.RefMovedError] = {
            branch: Pushed(new, moved=old != new)
            for branch, (old, new) in ends.items()
            if old == new or ref_of(branch) in moved
        }
        proposals = [decision.proposal for decision in decisions]
        fresh = {p.branch: p for p in proposals if ref_of(p.branch) in moved}
        return pushed | dict(_take_back(runtime, base, fresh, ends) if fresh else ())
    except git.CredentialsRefusedError:  # asking again for each would lock the account
        raise
    except UsageError:
        return {}


def check_base(runtime: Runtime, base: str, proposal: Proposal) -> None:
    """See that main has not changed what a proposal is about.

    Raises:
        RefMovedError: it has.
    """
    runtime.upstream.refresh()
    now = git.resolve(runtime.repository, MAIN)
    if now != base and set(git.changed_paths(runtime.repository, base, now)) & set(
        proposal.changes
    ):
        raise git.RefMovedError(MAIN, base, now)


def list_differing(repository: git.Repository, base: str, proposal: Proposal) -> list[str]:
    """The files that a proposal changes: of those that it renders, many stay as they are."""
    paths = sorted(proposal.changes)
    there = git.read_tree(repository, base, paths).files
    return [path for path in paths if there.get(path) != proposal.changes[path]]


def _take_back(
    runtime: Runtime,
    base: str,
    fresh: Mapping[str, Proposal],
    ends: Mapping[str, tuple[str | None, str]],
) -> Iterator[tuple[str, git.RefMovedError]]:
    """Take back what was pushed where somebody who was faster has changed main; see `push`."""
    runtime.upstream.refresh()
    now = git.resolve(runtime.repository, MAIN)
    touched = git.changed_paths(runtime.repository, base, now) if now != base else ()
    for branch, proposal in fresh.items():
        if set(touched) & proposal.changes.keys():
            old, new = ends[branch]
            with suppress(git.RefMovedError):
                runtime.pen.move(ref_of(branch), old, new)
            yield branch, git.RefMovedError(MAIN, base, now)


def hold_back(runtime: Runtime, pulls: Sequence[PullRequest]) -> None:
    """Keep the forge from merging what was left to it and must wait now; before any new push.

    The label and the text said so before it was told to merge, and say so until after this.
    """
    for pull in pulls:
        if pull.state == "open" and is_left_to_forge(pull):
            runtime.pen.cancel_merge(pull.number)


def _make_commits(
    runtime: Runtime, base: str, proposal: Proposal, pulls: Sequence[PullRequest]
) -> tuple[str | None, str]:
    """Where the branch is and where it should be; the same if it says all of it already.

    Raises:
        RefMovedError: somebody else has committed to it.
    """
    repository, ref = runtime.repository, ref_of(proposal.branch)
    head = git.tip(repository, ref)
    if not may_move(repository, head, pulls):
        raise git.RefMovedError(ref, None, head)
    tree = runtime.pen.tree(base, proposal.changes)
    if head and _says(repository, head, tree, base) and _may_stay(runtime, proposal, head, base):
        return head, head
    return head, runtime.pen.commit(base, proposal.parts)


def _may_stay(runtime: Runtime, proposal: Proposal, head: str, base: str) -> bool:
    """Whether a branch that says all of it may stay where it begins.

    It may not where it is to merge by itself and the forge moves a base only forward.
    """
    if not proposal.automatic or git.is_ancestor(runtime.repository, base, head):
        return True
    return not runtime.forge.is_linear()


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
