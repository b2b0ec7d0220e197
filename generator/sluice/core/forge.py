"""A forge, where pull requests live: its records, and all that it can be asked."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

State = Literal["open", "merged", "closed"]


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A pull request as the forge tells it, and Git: what its base contains is merged.

    `head` is the commit id it would merge, `url` where people see it, nothing where the forge has
    no pages. `unnoticed` says that the forge still shows it as open though it is merged.
    """

    number: int
    branch: str
    base: str
    title: str
    body: str
    head: str
    state: State = "open"
    author: str = ""
    merged_as: str = ""
    labels: tuple[str, ...] = ()
    updated: int = 0
    url: str = ""
    draft: bool = False
    unnoticed: bool = False


Verdict = Literal["pending", "success", "failure"]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """Lengths in characters; whether people and teams review, and whether merges are left to it."""

    body: int
    title: int = 250
    label: int = 50
    description: int = 140
    reviews: bool = True
    teams: bool = True
    merges_later: bool = True


@dataclass(frozen=True, slots=True)
class Status:
    """What a commit status says; `context` names it, one of each on a commit."""

    context: str
    verdict: Verdict
    description: str
    url: str = ""


@dataclass(slots=True)
class Usage:
    """What a forge has cost so far; `remaining` is what it says is left, None if it does not."""

    calls: int = 0
    writes: int = 0
    unchanged: int = 0
    retries: int = 0
    remaining: int | None = None


@dataclass(frozen=True, slots=True)
class Right:
    """Something that the reconciler needs: whether it is there, and what to do if it is not."""

    ok: bool
    said: str
    remedy: str = ""


class Truth(Protocol):
    """What the branches of the repository contain."""

    def merged_as(self, base: str, head: str) -> str | None:
        """The commit by which a branch got a commit; None when it does not contain it."""

    def squashed_as(self, base: str, head: str) -> str | None:
        """The commit by which a branch got the content of a commit; None when it did not."""


@dataclass(frozen=True, slots=True)
class Hook:
    """An address that the forge calls; `tells_pushes` when it does so for each push now."""

    address: str
    tells_pushes: bool


class Forge(Protocol):
    """Where pull requests live. Every call looks before it acts and may be repeated.

    A call that is refused is a UsageError with one clear line.
    """

    @property
    def capabilities(self) -> Capabilities:
        """What fits, and what it can do."""

    @property
    def usage(self) -> Usage | None:
        """What was used up so far; None where it costs nothing to ask again."""

    @property
    def room(self) -> int | None:
        """How many pull requests may be opened without a long wait; None: as many as one likes."""

    def believe(self, truth: Truth) -> None:
        """Take from Git what is merged."""

    def is_linear(self) -> bool:
        """Whether it merges only branches that begin at the tip of their base; it may be asked."""

    def list(self, state: State | None = None) -> Sequence[PullRequest]:
        """Pull requests, newest first, or those in one state: all open ones, of others the late."""

    def of_branch(self, branch: str) -> Sequence[PullRequest]:
        """All pull requests of one branch, newest first: what `list` may no longer show."""

    def get(self, number: int) -> PullRequest:
        """One pull request; UsageError when there is none."""

    def lost_branch(self, number: int) -> bool:
        """Whether a closed one was closed by deleting its branch, which is nobody's no."""

    def ensure(
        self,
        *,
        branch: str,
        base: str,
        title: str,
        body: str,
        labels: Iterable[str] = (),
        head: str = "",
    ) -> PullRequest:
        """Open a pull request, or bring the open one of this branch to these words.

        Only while the branch is at `head`, if that is given, and around the words of people.
        """

    def reword(self, number: int, title: str, body: str, head: str = "") -> PullRequest:
        """Change what one says, in whatever state it is, around the words of people.

        Only while it is at `head`, if that is given; an empty title stays what it is.
        """

    def close(
        self, number: int, reason: str, body: str | None = None, head: str = ""
    ) -> PullRequest:
        """Close without merging, while it is at `head` if that is given.

        `body` is what it says from then on, but for what people wrote into it meanwhile.
        """

    def merge(self, number: int, expected_head: str) -> PullRequest:
        """Merge, if the head is still the expected one."""

    def merge_when_ready(self, number: int, expected_head: str) -> PullRequest:
        """Merge once what the forge asks for is there, or now if nothing is missing."""

    def cancel_merge(self, number: int) -> None:
        """Take back what `merge_when_ready` left to the forge; nothing when that is nothing."""

    def settle(self, number: int, commit: str, reason: str, body: str) -> None:
        """Tell the forge of a merge that it has not noticed; where it does not listen, close."""

    def unlabel(self, number: int, label: str) -> None:
        """Take a label off; nothing when it is not on."""

    def request_reviews(
        self, number: int, users: Collection[str], teams: Collection[str] = ()
    ) -> tuple[str, ...]:
        """Ask each person once; return those that the forge does not accept."""

    def objectors(self, number: int) -> Sequence[str]:
        """Who asked for changes, and has not taken that back; in order."""

    def withdrawer(self, number: int) -> str:
        """Which person took back on the forge what was left to it, and has not asked for it again.

        Nothing when nobody did, or nobody but us.
        """

    def has_status(self, commit: str, status: Status) -> bool:
        """Whether that is what is said of a commit already."""

    def set_status(self, commit: str, status: Status, *, unsaid: bool = False) -> None:
        """Say what we think of a commit, unless it is said already; not asked where `unsaid`."""

    def upsert_comment(self, number: int, key: str, text: str, head: str = "") -> None:
        """Keep one comment of this key, ours, at this text (Markdown), while it is at `head`."""

    def hooks(self) -> Sequence[Hook] | None:
        """The webhooks of the repository; None where the forge has none at all."""

    def rights(self) -> Sequence[Right]:
        """What reconciling takes and whether it is there; nothing is left behind by looking."""

    def whoami(self) -> str:
        """The account that we act as."""

    def git_login(self) -> tuple[str, str]:
        """User name and password for Git over HTTPS; the password is a secret that may expire."""
