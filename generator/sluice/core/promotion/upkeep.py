"""What is seen to before anything is proposed: merges to take back, to tell of, and to word anew.

A forge that was told to merge later does so whatever people say meanwhile; it may never notice a
merge by hand; and what is merged in the moment between a push and its words has those of before.
"""

from collections.abc import Sequence

from sluice.core.forge import PullRequest
from sluice.core.promotion.branches import BASE, BRANCHES
from sluice.core.promotion.decide import settle
from sluice.core.promotion.decisions import HoldBack, Reword, Settle
from sluice.core.promotion.mending import mended, mended_step
from sluice.core.promotion.message import is_about, written_in
from sluice.core.promotion.rejection import proposed_version
from sluice.core.promotion.signals import is_left_to_forge
from sluice.core.promotion.snapshot import Snapshot


def decide_upkeep(
    snapshot: Snapshot, branch: str, pull: PullRequest, listed: Sequence[PullRequest]
) -> Settle | Reword | HoldBack | None:
    """What is to be done about a pull request, whatever its release asks for.

    Args:
        snapshot: Git.
        branch: of the pull request.
        pull: the pull request.
        listed: all that are listed of this branch.
    """
    name = name_of(pull)
    if pull.unnoticed:
        # One whose branch was put back is brought to what it proposes again.
        return None if _is_reset(snapshot, pull) else settle(snapshot, name, pull, pull.merged_as)
    if pull.state == "merged":
        return _decide_words(snapshot, name, pull)
    reason = _why_not(snapshot, branch, pull, listed)
    if reason and snapshot.merges_later:
        return HoldBack(name, pull, proposed_version(pull), reason)
    return None


def name_of(pull: PullRequest) -> str:
    """What a pull request of ours is about, in outcomes."""
    return pull.branch.removeprefix(f"{BRANCHES}/")


def _is_reset(snapshot: Snapshot, pull: PullRequest) -> bool:
    """Whether main has the head of a pull request only since somebody put its branch back there."""
    proposed = written_in(pull.body).get("commit")
    if not isinstance(proposed, str) or is_about(pull.body, pull.head):
        return False
    commit = snapshot.commit(proposed)
    if commit is None or snapshot.contains(snapshot.base, proposed) is not False:
        return False
    return any(snapshot.contains(parent, pull.head) for parent in commit.parents)


def _decide_words(snapshot: Snapshot, name: str, pull: PullRequest) -> Reword | None:
    """Let a merged pull request tell of the version that was merged."""
    if is_about(pull.body, pull.head):
        return None
    words = mended(pull, snapshot.promotions_at(pull.head))
    if words is None:
        head = snapshot.commit(pull.head)
        words = mended_step(pull, head) if head else None
    return Reword(name, pull, proposed_version(pull), *words) if words else None


def _why_not(
    snapshot: Snapshot, branch: str, pull: PullRequest, listed: Sequence[PullRequest]
) -> str:
    """Why the forge must not merge what was left to it; nothing where it may, or was not told."""
    if not is_left_to_forge(pull):
        return ""
    if pull.state == "closed":
        return "it was closed"
    if pull.draft:
        return "it is a draft"
    if pull.base != BASE:
        return f"it goes into {pull.base} now"
    return "" if snapshot.is_free(branch, listed) else "somebody committed to its branch"
