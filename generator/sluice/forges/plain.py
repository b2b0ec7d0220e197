"""What a forge answers that keeps pull requests and nothing beside them."""

from collections.abc import Collection, Sequence

from sluice.core.forge import Capabilities, Hook, PullRequest, Right, Status, Truth, Usage


class PlainForge:
    """No reviews, no statuses, no comments, no webhooks, no limits; it merges when it is told to.

    Whoever tells it of a status or asks for a review is not refused: there is nobody to see it.
    """

    capabilities = Capabilities(body=1_000_000, reviews=False, teams=False, merges_later=False)
    usage: Usage | None = None
    room: int | None = None

    def believe(self, truth: Truth) -> None:
        """It looks into Git itself."""

    def is_linear(self) -> bool:
        """It merges whatever can be merged."""
        return False

    def cancel_merge(self, number: int) -> None:
        """Nothing is ever left to it."""

    def unlabel(self, number: int, label: str) -> None:
        """Its labels are words of the pull request."""

    def request_reviews(
        self, number: int, users: Collection[str], teams: Collection[str] = ()
    ) -> tuple[str, ...]:
        """There are no reviews."""
        del number, users, teams
        return ()

    def objectors(self, number: int) -> Sequence[str]:
        """There are no reviews."""
        del number
        return ()

    def withdrawer(self, number: int) -> str:
        """Nothing is ever left to it."""
        del number
        return ""

    def has_status(self, commit: str, status: Status) -> bool:
        """There are no statuses."""
        del commit, status
        return True

    def set_status(self, commit: str, status: Status, *, unsaid: bool = False) -> None:
        """There are no statuses."""

    def upsert_comment(self, number: int, key: str, text: str, head: str = "") -> None:
        """There are no comments."""

    def hooks(self) -> Sequence[Hook] | None:
        """There are no webhooks."""
        return None

    def rights(self) -> Sequence[Right]:
        """Who can write to the repository may do everything."""
        return ()

    def git_login(self) -> tuple[str, str]:
        """Git needs no login of its."""
        return "", ""

    def merge(self, number: int, expected_head: str) -> PullRequest:
        """Merge, if the head is still the expected one."""
        raise NotImplementedError

    def merge_when_ready(self, number: int, expected_head: str) -> PullRequest:
        """Merge now: nobody has to be waited for."""
        return self.merge(number, expected_head)
