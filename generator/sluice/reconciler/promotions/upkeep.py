"""What is seen to before anything is proposed: merges to take back, to tell of, and to word anew.

A forge that was told to merge later does so whatever people say meanwhile; it may never notice a
merge by hand; and what is merged in the moment between a push and its words has those of before.
"""

from collections.abc import Iterator, Mapping, Sequence

from sluice import git
from sluice.core.finding import UsageError
from sluice.core.forge import PullRequest
from sluice.core.promotion.converge import BRANCHES
from sluice.core.promotion.mending import mended, mended_step
from sluice.core.promotion.message import given_back, is_about, read_marker, says_left, written_in
from sluice.core.promotion.signals import is_left_to_forge
from sluice.core.unforeseen import apart
from sluice.forges.answers import HeadMovedError
from sluice.forges.limits import RateLimitedError
from sluice.reconciler.promotions import publish
from sluice.reconciler.promotions.objections import give_back
from sluice.reconciler.promotions.ownership import is_free, promotions_at
from sluice.reconciler.runtime import Outcome, World, failure
from sluice.workspace.identity import BASE, MAIN


def attended(world: World, pulls: Mapping[str, Sequence[PullRequest]]) -> Iterator[Outcome]:
    """See to the pull requests of all branches; what goes wrong with one is its outcome.

    Args:
        world: the repository and the forge.
        pulls: what the forge lists, by branch.
    """
    for branch, listed in pulls.items():
        for pull in listed:
            try:
                with apart("a pull request", git.RefMovedError):
                    yield from _attended(world, pull, _why_not(world, branch, pull, listed))
            except RateLimitedError:
                raise
            except HeadMovedError:  # who moved it has words for it, and the next turn sees them
                continue
            except UsageError as error:
                yield failure(_name(pull), error, _version(pull), pull.number)


def _attended(world: World, pull: PullRequest, why_not: str) -> Iterator[Outcome]:
    if pull.unnoticed and _is_reset(world, pull):
        return  # its branch is brought to what it proposes again
    if pull.unnoticed:
        yield publish.settled(world, _name(pull), pull, pull.merged_as)
    elif pull.state == "merged":
        yield from _reworded(world, pull)
    elif why_not and world.forge.capabilities.merges_later:
        if not world.dry_run:
            give_back(world, pull)
            if says_left(pull.body):
                world.forge.reword(pull.number, "", given_back(pull.body), pull.head)
        what = "would keep from merging" if world.dry_run else "kept from merging"
        yield Outcome(_name(pull), what, _version(pull), pull.number, (why_not,))


def _is_reset(world: World, pull: PullRequest) -> bool:
    """Whether main has the head of a pull request only since somebody put its branch back there."""
    proposed = written_in(pull.body).get("commit")
    if not isinstance(proposed, str) or is_about(pull.body, pull.head):
        return False
    try:
        begun = git.commit_of(world.repository, proposed).parents
        return not git.is_ancestor(world.repository, proposed, MAIN) and (
            any(git.is_ancestor(world.repository, pull.head, parent) for parent in begun)
        )
    except UsageError:  # what it proposed is not known here any more
        return False


def _reworded(world: World, pull: PullRequest) -> Iterator[Outcome]:
    """Let a merged pull request tell of the version that was merged."""
    if is_about(pull.body, pull.head):
        return
    words = mended(pull, promotions_at(world.repository, pull.head)) or _step(world, pull)
    if words:
        if not world.dry_run:
            world.forge.reword(pull.number, *words, pull.head)
        what = "would be worded anew" if world.dry_run else "worded anew"
        said = f"it was merged as {pull.head[:12]}, and its text was about another commit"
        yield Outcome(_name(pull), what, _version(pull), pull.number, (said,))


def _step(world: World, pull: PullRequest) -> tuple[str, str] | None:
    """The words of a rollout's step that was merged, where those of the pull request are others."""
    try:
        return mended_step(pull, git.commit_of(world.repository, pull.head))
    except UsageError:  # its head is not known here
        return None


def _why_not(world: World, branch: str, pull: PullRequest, listed: Sequence[PullRequest]) -> str:
    """Why the forge must not merge what was left to it; nothing where it may, or was not told."""
    if not is_left_to_forge(pull) or pull.state == "merged":
        return ""
    if pull.state == "closed":
        return "it was closed"
    if pull.draft:
        return "it is a draft"
    if pull.base != BASE:
        return f"it goes into {pull.base} now"
    return "" if is_free(world, branch, listed) else "somebody committed to its branch"


def _name(pull: PullRequest) -> str:
    return pull.branch.removeprefix(f"{BRANCHES}/")


def _version(pull: PullRequest) -> str:
    said = read_marker(pull.body)
    return said[0] if said else ""
