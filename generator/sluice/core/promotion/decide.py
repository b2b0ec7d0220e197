"""What to do about one release: the reconciler's decision, from a snapshot, without doing anything.

A decision goes from what costs nothing to know to what has to be asked for: what people did comes
first, then the registry's numbers, then the gates.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from sluice.core.forge import PullRequest
from sluice.core.promotion.branches import BASE, branch_of
from sluice.core.promotion.confirmation import find_doubt, find_refusal_doubt
from sluice.core.promotion.converge import Proposal, Refusal, propose, rejected
from sluice.core.promotion.decisions import (
    Decision,
    Keep,
    Propose,
    Refuse,
    Report,
    Settle,
    Withdraw,
)
from sluice.core.promotion.message import is_alike
from sluice.core.promotion.notice import held_back, objections
from sluice.core.promotion.outcome import Outcome
from sluice.core.promotion.quarantine import decide_quarantine
from sluice.core.promotion.rejection import (
    decide_rejection,
    former_shares,
    is_open,
    is_withdrawable,
    proposed_version,
    pulls_about,
)
from sluice.core.promotion.signals import refusal
from sluice.core.promotion.snapshot import Snapshot
from sluice.core.promotion.wants import Idle, Want


def decide(snapshot: Snapshot, want: Want) -> Decision:
    """What is done about a release for which the registry asks for another version."""
    pulls = _all_pulls(snapshot, want)
    about = [*pulls, *pulls_about(snapshot, want.release.key)]
    return (
        decide_quarantine(snapshot, want, about)
        or decide_rejection(snapshot, want, about)
        or _decide_proposal(snapshot, want, pulls)
    )


def decide_idle(snapshot: Snapshot, idle: Idle) -> Iterator[Decision]:
    """Close what nobody asks for any more, once that is sure."""
    release, branch = str(idle.release.key), branch_of(idle.release.key)
    pulls, stays = snapshot.pulls.get(branch, ()), False
    for pull in pulls:
        if not is_withdrawable(snapshot, pull):
            continue
        proposed = proposed_version(pull)
        if proposed and proposed == idle.release.spec.model.version:
            yield settle(snapshot, release, pull, snapshot.base)
        elif doubt := find_doubt(snapshot, idle, proposed):
            stays = True
            yield Keep(release, pull, proposed, (idle.reason,), *doubt)
        else:
            yield Withdraw(release, pull, proposed, f"pointless now: {idle.reason}")
    if not stays:
        what = "cannot follow" if idle.problem else "nothing to do"
        outcome = Outcome(release, what, reasons=(idle.reason,), refused=idle.problem)
        yield Report(outcome, branch, pulls)


def settle(snapshot: Snapshot, release: str, pull: PullRequest, commit: str) -> Settle:
    """Tell the forge that main has a pull request since `commit`, and what of it main lacks."""
    reason = f"main has it since {commit[:12]}"
    if missing := snapshot.unlike(pull, commit):
        more = f" and {len(missing) - 1} more" if missing[1:] else ""
        reason += f", but not {missing[0]}{more} as proposed: see that `sluice check` passes there"
    return Settle(release, pull, proposed_version(pull), commit, reason)


def judge_version(
    snapshot: Snapshot, want: Want, pulls: Sequence[PullRequest]
) -> Proposal | Refusal:
    """Ask the registry about a version and Git about its history, and judge it by the gates."""
    want, facts = snapshot.ask_facts(want, pulls)
    return propose(want, facts, snapshot.all_specs, snapshot.files, snapshot.tools)


def refuse(snapshot: Snapshot, result: Refusal, pulls: Sequence[PullRequest]) -> Refuse:
    """Propose nothing, and withdraw what is open of a release, unless it is too early for that."""
    release = str(result.key)
    about: list[Withdraw | Keep] = []
    for pull in pulls:
        if not is_withdrawable(snapshot, pull):
            continue
        if doubt := find_refusal_doubt(snapshot, result, pull):
            about.append(Keep(release, pull, result.version, result.reasons, *doubt))
            continue
        reason = f"version {result.version} took its place and was refused"
        signal = refusal(result.version, result.reasons)
        about.append(Withdraw(release, pull, proposed_version(pull), reason, signal))
    return Refuse(refused(result), tuple(about))


def refused(result: Refusal) -> Outcome:
    """The outcome of a version that is not proposed."""
    return Outcome(str(result.key), "refused", result.version, 0, result.reasons, refused=True)


def why_not_ours(snapshot: Snapshot, branch: str, pulls: Sequence[PullRequest]) -> str:
    """What a person has made of a branch or its pull request; nothing when it is still ours."""
    if not snapshot.is_free(branch, pulls):
        return f"somebody committed to the branch {branch}; delete it to hand it back"
    place = place_of(pulls)
    return f"it goes into {place} now: change that back to {BASE}, or close it" if place else ""


def place_of(pulls: Sequence[PullRequest]) -> str:
    """Where else than to main a person has directed what is open; nothing where nobody has."""
    return next((p.base for p in pulls if p.state == "open" and p.base != BASE), "")


def heed(snapshot: Snapshot, propose: Propose) -> Propose:
    """The proposal as people let it be: what they object to does not merge by itself."""
    proposal, current = propose.proposal, propose.current
    if current is None or not proposal.automatic:
        return propose
    reasons = [*objections(current, snapshot.objectors(current))]
    # Who took a merge back on the forge meant these very versions, and no others.
    if proposal.later and is_alike(current.body, proposal.body):
        name = snapshot.withdrawer(current)
        said = "took its automatic merge back: turn that on again, or merge it yourself"
        reasons += [f"{name} {said}"] if name else []
    return replace(propose, proposal=held_back(proposal, reasons)) if reasons else propose


def _decide_proposal(
    snapshot: Snapshot, want: Want, pulls: Sequence[PullRequest]
) -> Report | Refuse | Propose:
    result = judge_version(snapshot, want, pulls)
    if isinstance(result, Refusal):
        return refuse(snapshot, result, pulls)
    if not is_open(pulls):
        rejection = decide_rejection(snapshot, want, former_shares(snapshot, want.release.key))
        if rejection:
            return rejection
    release = str(result.key)
    decision = Propose(result, pulls, ((release, result.version),))
    obstacle = why_not_ours(snapshot, result.branch, pulls)
    if obstacle:
        number = decision.current.number if decision.current else 0
        return Report(Outcome(release, "left alone", result.version, number, (obstacle,)))
    return heed(snapshot, decision)


def _all_pulls(snapshot: Snapshot, want: Want) -> Sequence[PullRequest]:
    """All pull requests of a release, where those that were listed do not decide by themselves.

    A version may have been rejected so long ago that it is not listed any more.
    """
    branch = branch_of(want.release.key)
    pulls = snapshot.pulls.get(branch, ())
    if is_open(pulls) or rejected(want, pulls):
        return pulls
    return snapshot.pulls_of(branch)
