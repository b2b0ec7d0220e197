"""Merging on a forge on the network: press its button, and find out what became of that.

A button may be refused for reasons that pass, somebody else may be faster, and the forge may not
have noticed yet what was pushed: so it is looked at again until that is clear.
"""

from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus

from sluice.core.finding import UsageError
from sluice.core.forge import PullRequest
from sluice.forges.answers import RefusedError
from sluice.forges.bodies import replace_part
from sluice.forges.dialect import Change
from sluice.forges.saying import ANSWERED, LOOKS, Sayings
from sluice.forges.truth import apply_truth

_FORBIDDEN = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
# What a merge button answers that is about the pull request rather than about the call.
_UNMERGEABLE = (
    *(HTTPStatus.BAD_REQUEST, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_ACCEPTABLE),
    *ANSWERED,
)


class Merges(Sayings):
    """The part of a forge that merges, and tells of merges."""

    def get(self, number: int) -> PullRequest:
        """One pull request; UsageError when there is none."""
        return apply_truth(self._get(number), self._truth)

    def merge(self, number: int, expected_head: str) -> PullRequest:
        """Merge, if the head is still the expected one, and drop the branch.

        One that is merged or closed already is returned as it is.

        Raises:
            UsageError: the head moved, or the forge does not let us merge.
        """
        return self._press(number, expected_head, self._dialect.merge)

    def merge_when_ready(self, number: int, expected_head: str) -> PullRequest:
        """Merge once what the forge asks for is there, or now if nothing is missing."""
        return self._press(number, expected_head, self._dialect.merge_when_ready)

    def cancel_merge(self, number: int) -> None:
        """Take back what `merge_when_ready` left to the forge; nothing when that is nothing."""
        pull = self._get(number)
        if pull.state != "merged":
            self._dialect.cancel_merge(pull)

    def settle(self, number: int, commit: str, reason: str, body: str) -> None:
        """Tell the forge of a merge that it has not noticed; where it does not listen, close.

        Args:
            number: of the pull request.
            commit: by which it was merged.
            reason: not used, since people see the commit itself.
            body: our part of it as it is to be.
        """
        del reason  # people see the commit itself
        pull = self._get(number)
        if pull.state != "open" or self._dialect.note_merge(pull, commit):
            return
        notice = f"{pull.base} has what this proposes since {commit}, which was not noticed here"
        self._say_why_closed(number, notice)
        text = replace_part(pull.body, body, self.capabilities.body)
        self._dialect.change(pull, Change(body=text, state="closed"))

    def _press(
        self, number: int, expected_head: str, press: Callable[[PullRequest], PullRequest]
    ) -> PullRequest:
        """Press one of the merge buttons until it is clear what became of it."""
        for attempt in range(LOOKS):
            pull = self._look_at(number, expected_head)
            if pull.state != "open":
                break
            try:
                pull = press(pull)
                break
            except RefusedError as error:
                if attempt + 1 == LOOKS or not self._dialect.may_pass(error):
                    pull = self._explain(number, expected_head, error)
                    break
            self._http.pause(attempt)
        if pull.state == "merged":
            self._drop(pull)
        return pull

    def _look_at(self, number: int, expected_head: str) -> PullRequest:
        """Look until the forge has noticed the push of this head; UsageError if it moved on."""
        for attempt in range(LOOKS):
            pull = self.get(number)
            if pull.state != "open" or pull.head == expected_head:
                return pull
            if self._dialect.find_tip(pull.branch) != expected_head:
                break
            self._http.pause(attempt)
        raise UsageError(
            f"pull request #{number} moved: its head is {self._http.quote(pull.head)}, not "
            f"{expected_head}; look at it again"
        )

    def _explain(self, number: int, expected_head: str, error: RefusedError) -> PullRequest:
        """Raise why it was not merged, unless somebody else has merged or closed it."""
        pull = self._look_at(number, expected_head)
        if pull.state != "open":
            return pull
        if error.status in _FORBIDDEN and error.reason:  # of all calls this one only
            raise UsageError(
                f"{self._http.site} answers {error.status} ({error.reason}): the account of the "
                f"credentials may not merge into {pull.base}; let it in the rules of that branch"
            )
        if error.status not in _UNMERGEABLE:
            raise error
        reason = error.reason or f"{self._http.site} answers {error.status}"
        raise UsageError(
            f"pull request #{number} cannot be merged now: {reason}; look at its checks, reviews "
            "and conflicts"
        )

    def _drop(self, pull: PullRequest) -> None:
        """Delete a merged branch, if it still is what was merged; it is merged either way."""
        with suppress(UsageError):
            if self._dialect.find_tip(pull.branch) == pull.head:
                self._dialect.delete_branch(pull.branch)
