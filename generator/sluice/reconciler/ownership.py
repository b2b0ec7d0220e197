"""Who made the commit that a branch is at: what a person committed is never replaced or deleted.

The last commit of a branch tells of all of them, since its id names those below it. One that was
written anew (amended, rebased, picked) keeps its author, who then is no longer who wrote it.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Literal

from sluice import git
from sluice.core.finding import UsageError
from sluice.core.forge import PullRequest
from sluice.core.model import Commit
from sluice.core.promotion.message import line
from sluice.workspace.identity import AUTHOR

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


def may_move(repository: git.Repository, head: str | None, pulls: Sequence[PullRequest]) -> bool:
    """Whether a branch at `head` may be moved: it is ours, or what others did to it was merged."""
    merged = any(pull.state == "merged" and pull.head == head for pull in pulls)
    return merged or is_reconcilers(repository, head)


def promotions_at(repository: git.Repository, head: str) -> list[Commit]:
    """The reconciler's commits of promotions at a head, newest first; none that is not known here.

    Where main moves only forward, those of what was merged before are among them.
    """
    promotions: list[Commit] = []
    with suppress(UsageError):
        commit = git.commit_of(repository, head)
        while maker_of(commit) == "reconciler" and "Follows" in commit.trailers:
            promotions.append(commit)
            commit = git.commit_of(repository, commit.parents[0])
    return promotions


def left_alone(branch: str) -> UsageError:
    """What a verb says of a branch that it must not move."""
    return UsageError(
        f"somebody committed to the branch {branch}: merge its pull request, or delete the branch "
        "and call this again"
    )
