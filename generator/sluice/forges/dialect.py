"""What one kind of forge says in its own words; what all have in common is in remote.py."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from sluice.core.forge import Capabilities, Hook, PullRequest, State, Status
from sluice.forges.answers import RefusedError
from sluice.forges.rights import Standing, Trial


@dataclass(frozen=True, slots=True)
class Words:
    """What a pull request is to say; `head` is the commit that it is about, if that matters."""

    branch: str
    base: str
    title: str
    body: str
    labels: frozenset[str]
    head: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be different; None stays as it is."""

    title: str | None = None
    body: str | None = None
    base: str | None = None
    state: Literal["closed"] | None = None
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


class Comment(NamedTuple):
    """A comment as the forge tells it."""

    id: int
    author: str
    text: str


class Dialect(Protocol):
    """The calls of one kind of forge, each as plain as can be. Forks are never shown."""

    git_user: str
    past: tuple[State, ...]  # the lists that together show what is no longer open

    # Whether `list_open` shows all of a branch at once; without that a list must have shown them.
    shows_twins: bool
    drafts_by_title: bool  # whether words in the title are what makes a draft

    # Whether the style of the last merge moves a base only forward, to a branch that begins there.
    # None as long as nothing was merged.
    is_linear: bool | None

    def check_linear(self, base: str) -> bool:
        """Ask whether the next merge would be by such a style, and remember it."""

    @property
    def capabilities(self) -> Capabilities:
        """What fits."""

    def list_pulls(self, state: State) -> Iterable[PullRequest]:
        """All open ones; of the others the ones that changed last. May give other states too."""

    def list_open(self, branch: str, base: str) -> Iterable[PullRequest]:
        """The open ones of a branch, preferably whatever their base."""

    def list_of_branch(self, branch: str) -> Iterable[PullRequest]:
        """All of a branch."""

    def get_pull(self, number: int) -> PullRequest:
        """One of them."""

    def create(self, words: Words) -> PullRequest:
        """Open one, with its labels."""

    def change(self, pull: PullRequest, change: Change) -> PullRequest:
        """Change one, and return it as it is now."""

    def merge(self, pull: PullRequest) -> PullRequest:
        """Merge it at its head, and return it as it is now."""

    def merge_when_ready(self, pull: PullRequest) -> PullRequest:
        """Merge it at its head once the forge's own conditions are met."""

    def cancel_merge(self, pull: PullRequest) -> None:
        """Take that back, also of a closed one; nothing when it is not going to merge."""

    def find_withdrawer(self, number: int) -> str:
        """Who took a later merge back, if nobody has asked for one again; else nothing."""

    def note_merge(self, pull: PullRequest, commit: str) -> bool:
        """Tell of a merge that was not noticed; False where one cannot be told of it."""

    def has_lost_branch(self, pull: PullRequest) -> bool:
        """Whether a closed one was closed by deleting its branch."""

    def list_objectors(self, number: int) -> Collection[str]:
        """Who asked for changes, and has not taken that back."""

    def may_pass(self, error: RefusedError) -> bool:
        """Whether another look may find what was refused as done, or doable."""

    def find_tip(self, branch: str) -> str | None:
        """The commit of a branch."""

    def delete_branch(self, branch: str) -> None:
        """Delete a branch."""

    def list_comments(self, number: int) -> Iterable[Comment]:
        """Oldest first."""

    def add_comment(self, number: int, text: str) -> None:
        """Add one."""

    def replace_comment(self, number: int, comment: int, text: str) -> None:
        """Replace one."""

    def delete_comment(self, number: int, comment: int) -> None:
        """Delete one; fine if it is gone."""

    def list_reviewers(self, number: int) -> Collection[str]:
        """Who was asked or has reviewed, in lower case."""

    def ask_review(self, number: int, kind: str, name: str) -> bool:
        """Ask for a review; False when there is nobody of this name."""

    def find_status(self, commit: str, context: str) -> Status | None:
        """What is said of a commit in this context."""

    def set_status(self, commit: str, status: Status) -> None:
        """Say it."""

    def list_hooks(self) -> Iterable[Hook]:
        """The webhooks of the repository."""

    def read_standing(self) -> Standing:
        """What is said of the repository and of our account in it."""

    def list_trials(self) -> Collection[Trial]:
        """Calls that find nothing, for each right that reconciling takes."""

    def whoami(self) -> str:
        """The account that we act as."""
