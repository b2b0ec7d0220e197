"""Decisions become effects: the only way from what was decided to what the pen writes.

Every effect looks before it acts, so that a run that was killed is finished by the next one.
"""

from collections.abc import Sequence

from sluice import git
from sluice.core.finding import UsageError
from sluice.core.forge import PullRequest
from sluice.core.promotion.branches import ref_of
from sluice.core.promotion.converge import Proposal
from sluice.core.promotion.decide import place_of
from sluice.core.promotion.decisions import (
    Change,
    Decision,
    HoldBack,
    Keep,
    Propose,
    Quarantine,
    Refuse,
    Report,
    Reword,
    Settle,
    Sweep,
    Withdraw,
    preview,
    tell,
)
from sluice.core.promotion.message import given_back, merged_by_hand, says_left, withdrawn
from sluice.core.promotion.notice import of_proposal
from sluice.core.promotion.outcome import Outcome
from sluice.core.promotion.signals import LATER, is_left_to_forge
from sluice.forges.answers import HeadMovedError
from sluice.forges.limits import RateLimitedError
from sluice.reconciler.ownership import is_reconcilers
from sluice.reconciler.presentation import show, show_refusal
from sluice.reconciler.pushing import Pushed, check_base, hold_back, list_differing, push
from sluice.reconciler.runtime import Runtime
from sluice.workspace.identity import MAIN

Ahead = Pushed | git.RefMovedError
"""Of a branch that was pushed with others: where it is now, or who moved what it is about."""


def publish(
    runtime: Runtime, base: str, decision: Decision, ahead: Ahead | None = None
) -> list[Outcome]:
    """Do what was decided; in a dry run, tell it.

    Args:
        runtime: where.
        base: the commit of main that it was decided on.
        decision: what is to be done.
        ahead: what became of the branch if it was pushed with others before.

    Returns:
        What became of each release that it is about.

    Raises:
        RefMovedError: somebody was first; look again.
        UsageError: the server refuses, or does not answer.
    """
    if runtime.dry_run:
        return preview(
            decision, lambda proposal: list_differing(runtime.repository, base, proposal)
        )
    outcomes: list[Outcome] = []
    match decision:
        case Propose():
            outcomes += _propose(runtime, base, decision, ahead)
        case Report():
            outcomes.append(_report(runtime, decision))
        case Refuse():
            outcomes.append(_refuse(runtime, decision))
        case Keep():
            hold_back(runtime, [decision.pull])
            outcomes.append(decision.outcome)
        case Quarantine():
            outcomes.append(_quarantine(runtime, base, decision))
        case Sweep():
            sweep(runtime, decision.branch, decision.pulls)
        case _:
            outcomes.append(_change(runtime, decision))
    return outcomes


def _change(runtime: Runtime, decision: Change) -> Outcome:
    """Do something to a pull request that is there."""
    match decision:
        case Withdraw():
            return _withdraw(runtime, decision)
        case Settle():
            return _settle(runtime, decision)
        case Reword():
            runtime.pen.reword(decision.pull, decision.title, decision.body)
            return tell(decision, "worded anew")
        case HoldBack():
            return _hold_back_for_good(runtime, decision)


def sweep(runtime: Runtime, branch: str, pulls: Sequence[PullRequest] = ()) -> tuple[str, ...]:
    """Delete a branch that a merge or a withdrawal left behind, unless others work on it.

    Returns:
        What keeps us from it, if the server does.
    """
    repository, ref = runtime.repository, ref_of(branch)
    head = git.tip(repository, ref)
    if head is None or place_of(pulls):
        return ()
    if is_reconcilers(repository, head) or git.is_ancestor(repository, head, MAIN):
        try:
            runtime.pen.move(ref, None, head)
        except git.PushRefusedError as error:
            return (f"the branch {branch} is left: {error}",)
        except git.RefMovedError:
            return ()
    return ()


def _report(runtime: Runtime, decision: Report) -> Outcome:
    outcome = decision.outcome
    if not decision.leftover:
        return outcome
    problems = sweep(runtime, decision.leftover, decision.pulls)
    return outcome.with_reasons(*problems)


def _refuse(runtime: Runtime, decision: Refuse) -> Outcome:
    """Withdraw what is open; what stays for now is what is told."""
    kept = None
    for about in decision.about:
        if isinstance(about, Keep):
            hold_back(runtime, [about.pull])
            kept = kept or about.outcome
        else:
            _withdraw(runtime, about)
    return kept or decision.outcome


def _withdraw(runtime: Runtime, decision: Withdraw) -> Outcome:
    """Close a pull request of ours, in words that do not reject its version."""
    pull = decision.pull
    if decision.signal:
        show_refusal(runtime, pull, decision.signal)
    _give_back(runtime, pull)
    head = git.tip(runtime.repository, ref_of(pull.branch)) or ""
    try:
        runtime.pen.close_pull(pull.number, decision.reason, withdrawn(pull.body), head)
    except HeadMovedError as error:
        outcome = tell(decision, "moved meanwhile")
        return outcome.with_only(str(error))
    problems = sweep(runtime, pull.branch)
    return tell(decision, "closed").with_reasons(*problems)


def _settle(runtime: Runtime, decision: Settle) -> Outcome:
    pull, commit = decision.pull, decision.commit
    _give_back(runtime, pull)
    runtime.pen.settle(pull.number, commit, decision.reason, merged_by_hand(pull.body, commit))
    problems = sweep(runtime, pull.branch)
    reason = "; ".join((decision.reason, *problems))
    return tell(decision, "merged by hand").with_only(reason)


def _quarantine(runtime: Runtime, base: str, decision: Quarantine) -> Outcome:
    """Write a version that was taken back into the quarantine of its release, straight to main."""
    release, version = str(decision.key), decision.version
    hold_back(runtime, decision.living)
    commit = runtime.pen.commit(base, [({decision.path: decision.content}, decision.message)])
    try:
        runtime.pen.move(MAIN, commit, base)
    except git.PushRefusedError as error:
        advice = f"add {version!r} to spec.model.quarantine by a pull request"
        reason = f"a person {decision.how}, and {error}: {advice}"
        return Outcome(release, "held", version, 0, (reason,), refused=True)
    return Outcome(release, "quarantined", version, 0, (decision.reason,))


def _hold_back_for_good(runtime: Runtime, decision: HoldBack) -> Outcome:
    pull = decision.pull
    _give_back(runtime, pull)
    if says_left(pull.body):
        runtime.pen.reword(pull, "", given_back(pull.body))
    return tell(decision, "kept from merging")


def _give_back(runtime: Runtime, pull: PullRequest) -> None:
    """Take back for good what was left to the forge, and the label with it."""
    if is_left_to_forge(pull):
        runtime.pen.cancel_merge(pull.number)
        runtime.pen.unlabel(pull.number, LATER)


def _propose(runtime: Runtime, base: str, decision: Propose, ahead: Ahead | None) -> list[Outcome]:
    """Bring the branch and its pull request to a proposal, and merge it where that may be."""
    proposal, current = decision.proposal, decision.current
    if isinstance(ahead, git.RefMovedError):
        raise ahead
    if not proposal.later:
        hold_back(runtime, decision.pulls)
    pushed = ahead or push(runtime, base, proposal, decision.pulls)
    pull, problems = _open(runtime, base, proposal, pushed.head)
    reasons = (*proposal.waits, *problems)
    if proposal.automatic and pull.state == "open" and not pull.draft:
        what, reasons = _merge(runtime, proposal, pull.number, pushed.head)
    elif current is None:
        what = "proposed"
    else:
        changed = pushed.moved or _words(current) != _words(pull)
        what = "updated" if changed else "unchanged"
    note = (decision.note,) if decision.note else ()
    reasons = (*reasons, *note)
    number = pull.number
    return [Outcome(name, what, version, number, reasons) for name, version in decision.members]


def _open(
    runtime: Runtime, base: str, proposal: Proposal, head: str
) -> tuple[PullRequest, tuple[str, ...]]:
    try:
        return show(runtime, base, of_proposal(proposal), head)
    except RateLimitedError:
        raise
    except UsageError:
        check_base(runtime, base, proposal)  # somebody may have merged it in between
        raise


def _merge(
    runtime: Runtime, proposal: Proposal, number: int, head: str
) -> tuple[str, tuple[str, ...]]:
    """Merge the commit that was pushed, or let the forge do it once its checks have passed."""
    try:
        pull = _press(runtime, number, head, later=proposal.later)
    except UsageError as error:
        return "could not merge", (str(error),)
    return ("merged" if pull.state == "merged" else "merges when ready"), ()


def _press(runtime: Runtime, number: int, head: str, *, later: bool) -> PullRequest:
    if later:
        try:
            return runtime.pen.merge_when_ready(number, head)
        except UsageError:  # not every repository lets its forge merge: then we do
            return runtime.pen.merge(number, head)
    return runtime.pen.merge(number, head)


def _words(pull: PullRequest) -> tuple[str, str, tuple[str, ...]]:
    return pull.title, pull.body, pull.labels
