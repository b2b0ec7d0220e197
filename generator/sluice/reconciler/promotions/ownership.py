"""Who made the commit that a branch is at: what a person committed is never replaced or deleted.

The last commit of a branch tells of all of them, since its id names those below it. One that was
written anew (amended, rebased, picked) keeps its author, who then is no longer who wrote it.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Literal

from sluice import git
from sluice.core.finding import UsageError
from sluice.core.forge import PullRequest
from sluice.core.model import Commit
from sluice.core.promotion.message import line
from sluice.reconciler.runtime import World
from sluice.workspace.identity import AUTHOR, BASE, MAIN

Maker = Literal["reconciler", "verb", "person"]


def maker_of(commit: Commit) -> Maker:
    """Who made a commit: the reconciler, a verb that a person called, or a person without us."""
    if commit.rewritten:
        return "person"
    if commit.email == AUTHOR.email:
        return "reconciler"
    by_verb = commit.trailers.get("Actor") == line(f"{commit.author} <{commit.email}>")
    return "verb" if by_verb and "Release" in commit.trailers else "person"


def is_reconcilers(repository: git.Repository, head: str | None) -> bool:
    """Whether the reconciler made what a branch has; so it is where there is no branch."""
    return head is None or maker_of(git.commit_of(repository, head)) == "reconciler"


def is_persons(repository: git.Repository, head: str | None) -> bool:
    """Whether a person committed to a branch without us."""
    return head is not None and maker_of(git.commit_of(repository, head)) == "person"


def is_ours(world: World, branch: str) -> bool:
    """Whether nobody else has committed to a branch.

    The branch itself counts, not what the forge thinks of it, which may be a little old.
    """
    return is_reconcilers(world.repository, git.tip(world.repository, _ref(branch)))


def is_free(world: World, branch: str, pulls: Sequence[PullRequest]) -> bool:
    """Whether a branch may be moved: it is ours, or what others did to it was merged."""
    return may_move(world, git.tip(world.repository, _ref(branch)), pulls)


def may_move(world: World, head: str | None, pulls: Sequence[PullRequest]) -> bool:
    """The same of a branch that is at `head`."""
    merged = any(pull.state == "merged" and pull.head == head for pull in pulls)
    return merged or is_reconcilers(world.repository, head)


def place_of(pulls: Iterable[PullRequest]) -> str:
    """Where else than to main a person has directed what is open; nothing where nobody has."""
    return next((p.base for p in pulls if p.state == "open" and p.base != BASE), "")


def is_withdrawable(world: World, pull: PullRequest) -> bool:
    """Whether a pull request is still open and ours alone."""
    return pull.state == "open" and pull.base == BASE and is_ours(world, pull.branch)


def sweep(world: World, branch: str, pulls: Sequence[PullRequest] = ()) -> tuple[str, ...]:
    """Delete a branch that a merge or a withdrawal left behind, unless others work on it.

    Returns:
        What keeps us from it, if the server does.
    """
    ref = _ref(branch)
    head = git.tip(world.repository, ref)
    if head is None or world.dry_run or place_of(pulls):
        return ()
    if is_reconcilers(world.repository, head) or git.is_ancestor(world.repository, head, MAIN):
        try:
            world.upstream.move(ref, None, head)
        except git.PushRefusedError as error:
            return (f"the branch {branch} is left: {error}",)
        except git.RefMovedError:
            return ()
    return ()


def _ref(branch: str) -> str:
    return f"refs/heads/{branch}"


def promotions_at(repository: git.Repository, head: str) -> list[Commit]:
    """The reconciler's commits of promotions at a head, newest first; none that is not known here.

    Where main moves only forward, those of what was merged before are among them.
    """
    found: list[Commit] = []
    with suppress(UsageError):
        commit = git.commit_of(repository, head)
        while maker_of(commit) == "reconciler" and "Follows" in commit.trailers:
            found.append(commit)
            commit = git.commit_of(repository, commit.parents[0])
    return found


def left_alone(branch: str) -> UsageError:
    """What a verb says of a branch that it must not move."""
    return UsageError(
        f"somebody committed to the branch {branch}: merge its pull request, or delete the branch "
        "and call this again"
    )
