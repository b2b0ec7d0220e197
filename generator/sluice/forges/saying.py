"""What is said on a pull request beside its words: statuses, comments, requests for reviews."""

from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from http import HTTPStatus

from sluice.core.forge import Capabilities, Status
from sluice.forges.answers import HeadMovedError, RefusedError
from sluice.forges.bodies import clean, fit, is_same, shorten
from sluice.forges.dialect import Comment, Dialect
from sluice.forges.http import Transport
from sluice.forges.opinions import Opinions

LOOKS = 5
ANSWERED = (HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY)


class Sayings(Opinions):
    """The part of a forge that says what we think, once and about the right commit."""

    def __init__(self, dialect: Dialect, http: Transport) -> None:
        super().__init__(dialect)
        self._http = http

    @property
    def capabilities(self) -> Capabilities:
        """What fits."""
        return self._dialect.capabilities

    def request_reviews(
        self, number: int, users: Collection[str], teams: Collection[str] = ()
    ) -> tuple[str, ...]:
        """Ask each person once; return those that the forge does not accept."""
        reviewers = self._dialect.list_reviewers(number)
        refused = []
        for kind, names in (("user", users), ("team", teams)):
            for name in dict.fromkeys(names):
                if name.lower() in reviewers:
                    continue
                if not self._ask_review(number, kind, name):
                    refused.append(name)
        return tuple(refused)

    def has_status(self, commit: str, status: Status) -> bool:
        """Whether that is what is said of a commit already."""
        return self._dialect.find_status(commit, status.context) == self._fit(status)

    def set_status(self, commit: str, status: Status, *, unsaid: bool = False) -> None:
        """Say what we think of a commit, unless it is said already; not asked where `unsaid`."""
        if unsaid or not self.has_status(commit, status):
            self._dialect.set_status(commit, self._fit(status))

    def upsert_comment(self, number: int, key: str, text: str, head: str = "") -> None:
        """Keep one comment of this key, ours, at this text (Markdown); what is added to it stays.

        Args:
            number: of the pull request.
            key: tells our comments apart.
            text: Markdown.
            head: the commit that this is about; empty where it does not matter.

        Raises:
            HeadMovedError: the pull request is not at `head`, the commit that this is about.
            UsageError: the forge does not take it.
        """
        plain = clean(text).strip()
        body = fit(f"{plain}\n\n{_marker(key)}", self.capabilities.body)
        comment = self.single_comment(number, key)
        if comment and plain in comment.text.replace("\r\n", "\n"):
            return
        branch = self._get(number).branch if head else ""
        self._check_head(branch, head)
        if comment is None:
            self._dialect.add_comment(number, body)
            # Nothing keeps another who is as fast from writing it too.
            comment = self.single_comment(number, key)
        if comment and not is_same(comment.text, body):
            self._dialect.replace_comment(number, comment.id, body)
        self._check_head(branch, head)

    def single_comment(self, number: int, key: str) -> Comment | None:
        """Return our comment of this key; of several the oldest, and the others are deleted."""
        mine = []
        for comment in self._dialect.list_comments(number):
            is_of_key = comment.text.rstrip().endswith(_marker(key))
            # Somebody else may have copied the marker.
            if is_of_key and comment.author == self.whoami():
                mine.append(comment)
        if not mine:
            return None
        mine.sort(key=lambda comment: comment.id)
        for twin in mine[1:]:
            self._dialect.delete_comment(number, twin.id)
        return mine[0]

    def _say_why_closed(self, number: int, reason: str) -> None:
        """Tell it in a comment; where a conversation is locked, closing has to do without."""
        with suppress(RefusedError):
            # Indented, so that it is shown as it is and mentions nobody.
            self.upsert_comment(number, "closed", f"Closed by sluice:\n\n    {reason}")

    def _check_head(self, branch: str, head: str, shown: str = "") -> None:
        """See that what is said is about what a branch has; a forge may show an older head.

        Raises:
            HeadMovedError: it is about another commit.
        """
        if head and shown != head:
            tip = self._dialect.find_tip(branch)
            if tip != head:
                raise HeadMovedError(branch, head, tip)

    def _fit(self, status: Status) -> Status:
        text = shorten(status.description, self.capabilities.description)
        return replace(status, description=text)

    def _ask_review(self, number: int, kind: str, name: str) -> bool:
        for attempt in range(LOOKS):
            try:
                return self._dialect.ask_review(number, kind, name)
            except RefusedError as error:
                if error.status not in (HTTPStatus.NOT_FOUND, *ANSWERED):
                    raise
                if not self._dialect.may_pass(error):
                    break
            self._http.pause(attempt)
        return False


def _marker(key: str) -> str:
    return f"<!-- sluice:comment {key} -->"
