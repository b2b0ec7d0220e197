"""What people have said no to: a version whose pull request they closed."""

from collections.abc import Sequence

from sluice.core.forge import PullRequest
from sluice.core.layout import Key
from sluice.core.promotion.branches import BASE, branch_of, branches_at
from sluice.core.promotion.converge import rejected
from sluice.core.promotion.decisions import Report
from sluice.core.promotion.group import share_of
from sluice.core.promotion.message import is_emptied, read_marker
from sluice.core.promotion.outcome import Outcome
from sluice.core.promotion.snapshot import Snapshot
from sluice.core.promotion.wants import Want


def pulls_about(snapshot: Snapshot, key: Key) -> list[PullRequest]:
    """The listed pull requests of a release: its own, and its share in those with others."""
    shares = [
        share_of(pull, str(key))
        for branch in branches_at(key)
        for pull in snapshot.pulls.get(branch, ())
    ]
    return [*snapshot.pulls.get(branch_of(key), ()), *shares]


def former_shares(snapshot: Snapshot, key: Key) -> list[PullRequest]:
    """What became of a release in the pull requests that it shared, however long ago."""
    return [
        share_of(pull, str(key))
        for branch in branches_at(key)
        for pull in snapshot.pulls_of(branch)
    ]


def decide_rejection(snapshot: Snapshot, want: Want, pulls: Sequence[PullRequest]) -> Report | None:
    """Whether a person said no to a version by closing one of these pull requests.

    Who deletes a branch of ours hands it back, though that closes its pull request.
    """
    for pull in pulls:
        says_no = rejected(want, [pull]) or _is_wordless_no(snapshot, want, pull)
        if says_no and not snapshot.lost_branch(pull):
            reason = f"pull request #{pull.number} was closed, which rejects this version"
            name, version = str(want.release.key), want.version.version
            return Report(Outcome(name, "rejected", version, pull.number, (reason,)))
    return None


def _is_wordless_no(snapshot: Snapshot, want: Want, pull: PullRequest) -> bool:
    """Whether a person closed a pull request whose text they had emptied; its commits tell it."""
    key, version = want.release.key, want.version
    branches = (branch_of(key), *branches_at(key))
    if pull.state != "closed" or pull.branch not in branches or not is_emptied(pull.body):
        return False
    wanted = [str(key), version.version, str(version.created)]
    named = ("Release", "Model-Version", "Registered-At")
    for commit in snapshot.promotions_at(pull.head):
        if [commit.trailers.get(name) for name in named] == wanted:
            return True
    return False


def is_open(pulls: Sequence[PullRequest]) -> bool:
    """Whether one of them is open."""
    return any(pull.state == "open" for pull in pulls)


def is_withdrawable(snapshot: Snapshot, pull: PullRequest) -> bool:
    """Whether a pull request is still open and ours alone."""
    return pull.state == "open" and pull.base == BASE and snapshot.is_ours(pull.branch)


def proposed_version(pull: PullRequest) -> str:
    """The version that a pull request says it proposes; nothing where it says none."""
    marker = read_marker(pull.body)
    return marker[0] if marker else ""
