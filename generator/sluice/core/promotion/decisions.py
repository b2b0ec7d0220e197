"""What the reconciler decides to do, as values: each says what, about which release, and why.

Nothing here does anything. `preview` tells what a decision would come to, for a dry run.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sluice.core.forge import PullRequest
from sluice.core.layout import Key
from sluice.core.promotion.converge import Proposal
from sluice.core.promotion.outcome import Outcome
from sluice.core.promotion.signals import Signal

Missing = tuple[Key, str]
"""Something that the registry does not show: of which release, and what."""


@dataclass(frozen=True, slots=True)
class Report:
    """Nothing is to be done, but for deleting the branch `leftover` if nobody works on it."""

    outcome: Outcome
    leftover: str = ""
    pulls: Sequence[PullRequest] = ()


@dataclass(frozen=True, slots=True)
class Propose:
    """The branch and its pull request are brought to a proposal, and merged where that may be.

    `members` are the releases that it is told of, each with its version; `note` is told with it.
    """

    proposal: Proposal
    pulls: Sequence[PullRequest]
    members: tuple[tuple[str, str], ...]
    note: str = ""

    @property
    def current(self) -> PullRequest | None:
        """The oldest pull request that is open: the one that is brought to the proposal."""
        living = [pull for pull in self.pulls if pull.state == "open"]
        return min(living, key=lambda pull: pull.number, default=None)


@dataclass(frozen=True, slots=True)
class Withdraw:
    """A pull request of ours is closed, in words that do not reject its version.

    `signal` is said on its commit before, where a refusal is the reason.
    """

    release: str
    pull: PullRequest
    version: str
    reason: str
    signal: Signal | None = None


@dataclass(frozen=True, slots=True)
class Settle:
    """The forge is told that main has a pull request since a commit, which it has not noticed."""

    release: str
    pull: PullRequest
    version: str
    commit: str
    reason: str


@dataclass(frozen=True, slots=True)
class Keep:
    """A pull request stays open until it is confirmed that nobody wants it, and must not merge.

    `missing` is what the registry does not show; with `counts`, the time that it does not runs.
    """

    release: str
    pull: PullRequest
    version: str
    reasons: tuple[str, ...]
    missing: Missing | None = None
    counts: bool = True

    @property
    def outcome(self) -> Outcome:
        """What is told of it, whether or not anything had to be done."""
        said = f"pull request #{self.pull.number} stays open until that is seen again or confirmed"
        reasons = (*self.reasons, said)
        return Outcome(
            self.release, "not confirmed", self.version, self.pull.number, reasons, refused=True
        )


@dataclass(frozen=True, slots=True)
class Refuse:
    """A version is not proposed; what is open of its release is withdrawn, or kept for now."""

    outcome: Outcome
    about: tuple[Withdraw | Keep, ...] = ()


@dataclass(frozen=True, slots=True)
class Quarantine:
    """A version that a person took back is written into the quarantine of its release, on main.

    `content` is what its release.yaml at `path` becomes; `living` are pull requests that are open
    and must not merge meanwhile.
    """

    key: Key
    version: str
    path: str
    content: bytes
    message: str
    how: str
    living: tuple[PullRequest, ...] = ()

    @property
    def reason(self) -> str:
        """Why, for people."""
        return f"a person {self.how}: it goes into quarantine"


@dataclass(frozen=True, slots=True)
class Reword:
    """A pull request that was merged tells of what was merged."""

    release: str
    pull: PullRequest
    version: str
    title: str
    body: str

    @property
    def reason(self) -> str:
        """Why it gets other words."""
        return f"it was merged as {self.pull.head[:12]}, and its text was about another commit"


@dataclass(frozen=True, slots=True)
class HoldBack:
    """What was left to the forge to merge is taken back for good."""

    release: str
    pull: PullRequest
    version: str
    reason: str


@dataclass(frozen=True, slots=True)
class Sweep:
    """A branch that nobody needs any more is deleted, unless somebody works on it."""

    branch: str
    pulls: Sequence[PullRequest] = ()


Change = Withdraw | Settle | Reword | HoldBack
"""What is done to a pull request that is there."""
Decision = Report | Propose | Keep | Refuse | Quarantine | Sweep | Change


def preview(decision: Decision, differing: Callable[[Proposal], Sequence[str]]) -> list[Outcome]:
    """What would become of it.

    Args:
        decision: what was decided.
        differing: gives the files that a proposal changes.
    """
    outcomes: list[Outcome] = []
    match decision:
        case Report() | Keep():
            outcomes.append(decision.outcome)
        case Refuse():
            outcomes.append(_preview_refusal(decision))
        case Propose():
            outcomes += _preview_proposal(decision, differing)
        case Quarantine():
            release, reasons = str(decision.key), (decision.reason,)
            outcomes.append(Outcome(release, "would quarantine", decision.version, 0, reasons))
        case Sweep():
            pass
        case _:
            outcomes.append(tell(decision, _WOULD[type(decision)]))
    return outcomes


def tell(decision: Change, what: str) -> Outcome:
    """The outcome of what is done to a pull request, with its reason."""
    number, reasons = decision.pull.number, (decision.reason,)
    return Outcome(decision.release, what, decision.version, number, reasons)


_WOULD = {
    Withdraw: "would close",
    Settle: "would settle",
    Reword: "would be worded anew",
    HoldBack: "would keep from merging",
}


def _preview_refusal(decision: Refuse) -> Outcome:
    kept = next((about for about in decision.about if isinstance(about, Keep)), None)
    return kept.outcome if kept else decision.outcome


def _preview_proposal(
    decision: Propose, differing: Callable[[Proposal], Sequence[str]]
) -> list[Outcome]:
    proposal, current = decision.proposal, decision.current
    what = "would update" if current else "would propose"
    note = (decision.note,) if decision.note else ()
    reasons = (proposal.title, *differing(proposal), *proposal.waits, *note)
    number = current.number if current else 0
    return [Outcome(name, what, version, number, reasons) for name, version in decision.members]
