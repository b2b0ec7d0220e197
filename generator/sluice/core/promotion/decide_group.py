"""What to do about the releases that share a pull request."""

from collections.abc import Iterator, Sequence

from sluice.core.finding import UsageError
from sluice.core.forge import PullRequest
from sluice.core.promotion.branches import branch_of
from sluice.core.promotion.confirmation import Doubt, find_doubt, find_refusal_doubt
from sluice.core.promotion.converge import Proposal, Refusal
from sluice.core.promotion.decide import heed, judge_version, refused, settle, why_not_ours
from sluice.core.promotion.decisions import Decision, Keep, Propose, Report, Sweep, Withdraw
from sluice.core.promotion.group import (
    Demand,
    branch_of_group,
    demand_text,
    grouped,
    members_of,
    share_of,
)
from sluice.core.promotion.message import read_marker
from sluice.core.promotion.outcome import ALIKE, Outcome, failure
from sluice.core.promotion.quarantine import decide_quarantine
from sluice.core.promotion.rejection import (
    decide_rejection,
    is_open,
    is_withdrawable,
    proposed_version,
    pulls_about,
)
from sluice.core.promotion.snapshot import Snapshot
from sluice.core.promotion.wants import Want
from sluice.core.unforeseen import UnforeseenError, apart

# A pull request of more is read by nobody, and its list does not fit.
MOST = 500


def decide_group(snapshot: Snapshot, branch: str, wants: Sequence[Want]) -> Iterator[Decision]:
    """What is done about the releases that share a branch; decisions for each of them.

    Raises:
        UsageError: what fails for many alike is not the trouble of one release.
    """
    pulls = all_pulls(snapshot, branch)
    members, others = _split(snapshot, branch, wants, pulls)
    yield from others
    living = next((pull for pull in pulls if pull.state == "open"), None)
    if living:
        reason, doubt = _find_loss(snapshot, living, others)
        if reason:
            # Without a member that is not known to be gone it would be another pull request.
            for member in members:
                name, version = str(member.key), member.version
                yield Keep(name, living, version, (reason,), *(doubt or (None, True)))
            return
    if members:
        yield from _decide_members(snapshot, branch, wants, members, pulls)
    elif not any(_is_failure(decision) for decision in others):
        # What cannot be judged is not what nobody wants.
        yield from decide_emptied(snapshot, branch, pulls)


def decide_emptied(
    snapshot: Snapshot, branch: str, pulls: Sequence[PullRequest]
) -> Iterator[Decision]:
    """Withdraw the shared pull requests of a branch that no release needs any more."""
    stays = False
    for pull in pulls:
        if not is_withdrawable(snapshot, pull):
            continue
        if _is_deployed(snapshot, pull):
            yield settle(snapshot, branch, pull, snapshot.base)
            continue
        reason, doubt = _find_idle_doubt(snapshot, pull)
        if reason:
            stays = True
            yield Keep(branch, pull, "", (reason,), *(doubt or (None, True)))
        else:
            version = proposed_version(pull)
            yield Withdraw(branch, pull, version, "pointless now: nothing is left in it")
    if not stays:
        yield Sweep(branch, pulls)


def all_pulls(snapshot: Snapshot, branch: str) -> Sequence[PullRequest]:
    """The pull requests of a shared branch, also those that are not listed any more."""
    pulls = snapshot.pulls.get(branch, ())
    return pulls if is_open(pulls) else snapshot.pulls_of(branch)


def _split(
    snapshot: Snapshot, branch: str, wants: Sequence[Want], pulls: Sequence[PullRequest]
) -> tuple[list[Proposal], list[Decision]]:
    """What releases add to a shared pull request, and what is done about those that add nothing."""
    members: list[Proposal] = []
    others: list[Decision] = []
    failures: list[str] = []
    for want in wants:
        result = _decide_member_apart(snapshot, want, pulls, failures)
        if not isinstance(result, Proposal):
            others.append(result)
        elif len(members) < MOST:
            members.append(result)
        else:
            reason = f"{branch} has {MOST} releases; this one comes after them"
            outcome = Outcome(str(result.key), "comes later", result.version, reasons=(reason,))
            others.append(Report(outcome))
    return members, others


def _decide_member_apart(
    snapshot: Snapshot, want: Want, pulls: Sequence[PullRequest], failures: list[str]
) -> Proposal | Decision:
    name, version = str(want.release.key), want.version.version
    try:
        with apart("a promotion"):
            return _decide_member(snapshot, want, pulls)
    except UnforeseenError as error:
        return Report(failure(name, error, version))
    except UsageError as error:
        failures.append(str(error))
        if failures[-ALIKE:] == [str(error)] * ALIKE:
            raise
        return Report(failure(name, error, version))


def _decide_member(
    snapshot: Snapshot, want: Want, pulls: Sequence[PullRequest]
) -> Proposal | Decision:
    """What one release adds, or what is done instead."""
    key, name = want.release.key, str(want.release.key)
    about = [*pulls_about(snapshot, key), *(share_of(pull, name) for pull in pulls)]
    earlier = decide_quarantine(snapshot, want, about) or decide_rejection(snapshot, want, about)
    if earlier:
        return earlier
    if not snapshot.is_ours(branch_of(key)):
        reason = "somebody committed to its own branch; delete that to hand it back"
        return Report(Outcome(name, "left alone", want.version.version, reasons=(reason,)))
    result = judge_version(snapshot, want, ())
    if not isinstance(result, Refusal):
        return result
    for pull in about:
        doubt = find_refusal_doubt(snapshot, result, pull) if pull.state == "open" else None
        if doubt:
            return Keep(name, pull, result.version, result.reasons, *doubt)
    return Report(refused(result))


def _decide_members(
    snapshot: Snapshot,
    branch: str,
    wants: Sequence[Want],
    members: Sequence[Proposal],
    pulls: Sequence[PullRequest],
) -> Iterator[Decision]:
    """One pull request for all members, in place of those that they had for themselves."""
    for member in members:
        yield from _decide_own(snapshot, member, branch)
    demand = _demand(snapshot, branch, wants)
    note = demand_text(demand) if demand else ""
    proposal = grouped(branch, members, pulls, demand)
    told = tuple((str(member.key), member.version) for member in members)
    decision = Propose(proposal, pulls, told, note)
    obstacle = why_not_ours(snapshot, branch, pulls)
    if not obstacle:
        yield heed(snapshot, decision)
        return
    number = decision.current.number if decision.current else 0
    reasons = (obstacle, *([note] if note else []))
    for name, version in told:
        yield Report(Outcome(name, "left alone", version, number, reasons))


def _decide_own(snapshot: Snapshot, member: Proposal, branch: str) -> Iterator[Decision]:
    """Withdraw the pull request that a release had for itself: there is never more than one."""
    own = branch_of(member.key)
    for pull in snapshot.pulls.get(own, ()):
        if pull.state == "open":
            reason = f"it is part of the pull request of {branch} now"
            yield Withdraw(str(member.key), pull, proposed_version(pull), reason)
    yield Sweep(own)


def _find_loss(
    snapshot: Snapshot, pull: PullRequest, others: Sequence[Decision]
) -> tuple[str, Doubt | None]:
    """Why it is not sure that a shared pull request has lost one of its releases.

    Args:
        snapshot: the registry.
        pull: the open pull request.
        others: what is done about releases that add nothing to it this time.
    """
    names = {str(key) for key in members_of(pull)}
    for decision in others:
        if isinstance(decision, Keep) and decision.release in names:
            return f"{decision.release}: {decision.reasons[0]}", None
        if isinstance(decision, Report) and _is_failure(decision):
            outcome = decision.outcome
            if outcome.release in names:
                return f"{outcome.release}: {outcome.reasons[0]}", None
    return _find_idle_doubt(snapshot, pull)


def _is_failure(decision: Decision) -> bool:
    return isinstance(decision, Report) and decision.outcome.what == "failed"


def _find_idle_doubt(snapshot: Snapshot, pull: PullRequest) -> tuple[str, Doubt | None]:
    """Why it is not sure that nobody asks for a release of a shared pull request any more."""
    for key in sorted(members_of(pull)):
        idle = snapshot.idle.get(key)
        if idle is None:
            continue
        doubt = find_doubt(snapshot, idle, proposed_version(share_of(pull, str(key))))
        if doubt:
            return f"{key}: {idle.reason}", doubt
    return "", None


def _is_deployed(snapshot: Snapshot, pull: PullRequest) -> bool:
    """Whether somebody brought to main by hand all that a shared pull request proposes."""
    releases, members = snapshot.specs.releases, members_of(pull)
    for key in members:
        marker = read_marker(share_of(pull, str(key)).body)
        if marker is None or key not in releases:
            return False
        if releases[key].spec.model.version != marker[0]:
            return False
    return bool(members)


def _demand(snapshot: Snapshot, branch: str, wants: Sequence[Want]) -> Demand | None:
    """Why releases share a pull request where their environment does not ask for it."""
    if any(branch_of_group(want.release) == branch for want in wants):
        return None
    group = snapshot.sharing.groups.get(branch)
    return group.demand if group else None
