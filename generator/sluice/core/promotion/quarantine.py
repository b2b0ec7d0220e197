"""A promotion that a person took back puts its version in quarantine.

What was merged and what was taken back is read from Git: the forge may never have noticed a merge
by hand, or call a pull request closed whose branch somebody deleted.
"""

from collections.abc import Sequence

from sluice.core import layout
from sluice.core.documents.edit import append_text
from sluice.core.forge import PullRequest
from sluice.core.promotion.branches import BASE
from sluice.core.promotion.decisions import Quarantine, Report
from sluice.core.promotion.message import concerns, is_about
from sluice.core.promotion.outcome import Outcome
from sluice.core.promotion.reverts import quarantine_message, taken_back, was_there
from sluice.core.promotion.snapshot import Snapshot
from sluice.core.promotion.wants import Want

# Seconds in which a forge may say of a merge what its repository does not show yet.
_PATIENCE = 300


def decide_quarantine(
    snapshot: Snapshot, want: Want, pulls: Sequence[PullRequest]
) -> Quarantine | Report | None:
    """Whether a version was merged once and then taken back by a person.

    Args:
        snapshot: Git's history, and the time.
        want: the version.
        pulls: all pull requests that may have proposed it.
    """
    past = [pull for pull in pulls if pull.state != "open" and _speaks_of(pull, want)]
    living = [pull for pull in pulls if pull.state == "open"]
    if not past and not living:
        return None
    key, version = want.release.key, want.version.version
    revert = taken_back(snapshot.history(key), version)
    if revert and (past or any(_is_before(snapshot, pull, revert.commit) for pull in living)):
        return _quarantine(want, f"reverted its promotion in {revert.commit[:12]}", living)
    gone = next((pull for pull in past if _is_gone(snapshot, pull)), None)
    if gone is None or was_there(snapshot.history(key), version):
        return None
    if abs(snapshot.now - gone.updated) < _PATIENCE:
        reason = f"main does not have yet what #{gone.number} merged: {gone.merged_as[:12]}"
        return Report(Outcome(str(key), "waits for main", version, gone.number, (reason,)))
    how = f"moved main back before {gone.merged_as[:12]}, by which #{gone.number} merged it"
    return _quarantine(want, how, ())


def _quarantine(want: Want, how: str, living: Sequence[PullRequest]) -> Quarantine:
    release, version = want.release, want.version.version
    content = append_text(release.document.raw, ("spec", "model", "quarantine"), version)
    message = quarantine_message(release.key, version, release.spec.model.version, how)
    path = layout.release_path(release.key)
    return Quarantine(release.key, version, path, content, message, how, tuple(living))


def _speaks_of(pull: PullRequest, want: Want) -> bool:
    """Whether a version is what a pull request proposed, or may be in spite of its words."""
    untied = pull.state == "merged" and not is_about(pull.body, pull.head)
    return untied or concerns(pull.body, want.version)


def _is_before(snapshot: Snapshot, pull: PullRequest, commit: str) -> bool:
    """Whether a pull request is from before a commit of main.

    Somebody may have brought a part of it to main by hand, and that back, while it stayed open.
    """
    return snapshot.contains(pull.head, commit) is False


def _is_gone(snapshot: Snapshot, pull: PullRequest) -> bool:
    """Whether main does not contain what the forge says was merged into it."""
    if pull.state != "merged" or pull.base != BASE or not pull.merged_as:
        return False
    return snapshot.contains(snapshot.base, pull.merged_as) is not True
