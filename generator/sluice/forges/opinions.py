"""What Git and people say of the pull requests of a forge on the network."""

from collections.abc import Sequence
from http import HTTPStatus

from sluice.core.finding import UsageError
from sluice.core.forge import PullRequest, Truth
from sluice.forges.answers import RefusedError
from sluice.forges.dialect import Change, Dialect
from sluice.forges.truth import apply_truth

# What a forge answers that does not tell us what happened to a pull request.
_UNREADABLE = (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE)


class Opinions:
    """The part of a forge that asks what others think, and believes Git more than the forge."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._truth: Truth | None = None
        self._me = ""

    def believe(self, truth: Truth) -> None:
        """Take from Git what is merged."""
        self._truth = truth

    def _get(self, number: int) -> PullRequest:
        """Get one as the forge alone has it."""
        try:
            return self._dialect.get_pull(number)
        except RefusedError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            raise UsageError(
                f"there is no pull request #{number} that the credentials can see: {error}"
            ) from None

    def lost_branch(self, number: int) -> bool:
        """Whether a closed one was closed by deleting its branch, which is nobody's no."""
        pull = apply_truth(self._get(number), self._truth)
        try:
            return pull.state == "closed" and self._dialect.has_lost_branch(pull)
        except RefusedError as error:
            if error.status not in _UNREADABLE:
                raise
            return False  # a no is not taken back by what cannot be read

    def objectors(self, number: int) -> Sequence[str]:
        """Who asked for changes, and has not taken that back; in order."""
        return sorted(set(self._dialect.list_objectors(number)))

    def withdrawer(self, number: int) -> str:
        """Which person took back on the forge what was left to it; nothing when it was us."""
        try:
            name = self._dialect.find_withdrawer(number)
            is_person = bool(name) and not self._is_ours(name)
        except RefusedError as error:
            if error.status not in _UNREADABLE:
                raise
            return ""
        return name if is_person else ""

    def _is_ours(self, name: str) -> bool:
        """Whether an account is ours; the token of a workflow cannot ask, and is a robot's."""
        try:
            return name == self.whoami()
        except RefusedError as error:
            if error.status not in _UNREADABLE:
                raise
            return name.endswith("[bot]")

    def whoami(self) -> str:
        """The account that we act as."""
        self._me = self._me or self._dialect.whoami()
        return self._me

    def unlabel(self, number: int, label: str) -> None:
        """Take a label off; nothing when it is not on."""
        pull = self._get(number)
        labels = tuple(name for name in pull.labels if name.casefold() == label.casefold())
        if labels:
            self._dialect.change(pull, Change(remove=labels))
