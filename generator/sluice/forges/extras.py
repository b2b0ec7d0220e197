"""What a forge can do beyond holding pull requests; the embedded one has none of it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from sluice.core.model import PullRequest
from sluice.forges.http import Usage
from sluice.forges.rights import Right
from sluice.forges.truth import Truth

Verdict = Literal["pending", "success", "failure"]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """Lengths in characters; whether teams can review."""

    body: int
    title: int = 250
    label: int = 50
    description: int = 140
    teams: bool = True


@dataclass(frozen=True, slots=True)
class Status:
    """What a commit status says; `context` names it, one of each on a commit."""

    context: str
    verdict: Verdict
    description: str
    url: str = ""


@runtime_checkable
class ForgeExtras(Protocol):
    """Every call looks before it acts and may be repeated. UsageError: it was refused."""

    @property
    def capabilities(self) -> Capabilities:
        """What fits."""

    def is_linear(self) -> bool:
        """Whether it merges only branches that begin at the tip of their base; it may be asked."""

    @property
    def usage(self) -> Usage:
        """What was used up so far."""

    @property
    def room(self) -> int | None:
        """How many pull requests may be opened without a long wait; None: as many as one likes."""

    def believe(self, truth: Truth) -> None:
        """Take from Git what is merged."""

    def of_branch(self, branch: str) -> Sequence[PullRequest]:
        """All pull requests of one branch, newest first: what `list` may no longer show."""

    def request_reviews(
        self, number: int, users: Collection[str], teams: Collection[str] = ()
    ) -> tuple[str, ...]:
        """Ask each person once; return those that the forge does not accept."""

    def has_status(self, commit: str, status: Status) -> bool:
        """Whether that is what is said of a commit already."""

    def set_status(self, commit: str, status: Status, *, unsaid: bool = False) -> None:
        """Say what we think of a commit, unless it is said already; not asked where `unsaid`."""

    def upsert_comment(self, number: int, key: str, text: str, head: str = "") -> None:
        """Keep one comment of this key, ours, at this text (Markdown), while it is at `head`."""

    def merge_when_ready(self, number: int, expected_head: str) -> PullRequest:
        """Merge once what the forge asks for is there, or now if nothing is missing."""

    def cancel_merge(self, number: int) -> None:
        """Take back what `merge_when_ready` left to the forge; nothing when that is nothing."""

    def objectors(self, number: int) -> Sequence[str]:
        """Who asked for changes, and has not taken that back; in order."""

    def withdrawer(self, number: int) -> str:
        """Which person took back on the forge what was left to it, and has not asked for it again.

        Nothing when nobody did, or nobody but us.
        """

    def unlabel(self, number: int, label: str) -> None:
        """Take a label off; nothing when it is not on."""

    def settle(self, number: int, commit: str, body: str) -> None:
        """Tell the forge of a merge that it has not noticed; where it does not listen, close."""

    def rights(self) -> Sequence[Right]:
        """What reconciling takes and whether it is there; nothing is left behind by looking."""

    def whoami(self) -> str:
        """The account that we act as."""

    def git_login(self) -> tuple[str, str]:
        """User name and password for Git over HTTPS; the password is a secret that may expire."""
