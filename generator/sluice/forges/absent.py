"""No forge: what does not need one goes on, and the rest says what is missing."""

from collections.abc import Iterable, Sequence
from typing import NoReturn

from sluice.core.finding import UsageError
from sluice.core.forge import PullRequest, State
from sluice.forges.plain import PlainForge


class AbsentForge(PlainForge):
    """A forge that cannot be asked, since nobody said where it is or the credentials are missing.

    Args:
        reason: why, for who asks it for anything: a UsageError.
    """

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def list(self, state: State | None = None) -> Sequence[PullRequest]:
        """Nothing is known."""
        del state
        self._refuse()

    def of_branch(self, branch: str) -> Sequence[PullRequest]:
        """Nothing is known."""
        del branch
        self._refuse()

    def get(self, number: int) -> PullRequest:
        """Nothing is known."""
        del number
        self._refuse()

    def lost_branch(self, number: int) -> bool:
        """Nothing is known."""
        del number
        self._refuse()

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
        """Nothing can be opened."""
        del branch, base, title, body, labels, head
        self._refuse()

    def reword(self, number: int, title: str, body: str, head: str = "") -> PullRequest:
        """Nothing can be changed."""
        del number, title, body, head
        self._refuse()

    def close(
        self, number: int, reason: str, body: str | None = None, head: str = ""
    ) -> PullRequest:
        """Nothing can be closed."""
        del number, reason, body, head
        self._refuse()

    def settle(self, number: int, commit: str, reason: str, body: str) -> None:
        """Nothing can be told."""
        del number, commit, reason, body
        self._refuse()

    def whoami(self) -> str:
        """Nobody."""
        self._refuse()

    def merge(self, number: int, expected_head: str) -> PullRequest:
        """Nothing can be merged."""
        del number, expected_head
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise UsageError(self._reason)
