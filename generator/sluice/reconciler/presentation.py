"""Showing a pull request to people: its words, then status, reviewers and one comment.

Every pull request of ours is shown by `show`, whatever it proposes. The status comes last,
so that a run that was killed in between is finished by the next one. Beside the words none of this
decides anything: what a forge does not let us say is told, and the pull request stands.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from sluice import git
from sluice.core import layout
from sluice.core.finding import UsageError
from sluice.core.forge import Forge, PullRequest, Status
from sluice.core.promotion.branches import BASE, ref_of
from sluice.core.promotion.codeowners import PLACES, Reviewers, owners
from sluice.core.promotion.message import stamped
from sluice.core.promotion.notice import Notice
from sluice.core.promotion.signals import CONTEXT, LATER, Signal
from sluice.core.unforeseen import apart
from sluice.forges.answers import HeadMovedError
from sluice.forges.limits import RateLimitedError
from sluice.reconciler.pen import Pen

_COMMENT = "superseded"


class Place(Protocol):
    """Where a pull request is shown; `shown` is what was shown of which, only to save work."""

    @property
    def repository(self) -> git.Repository:
        """What is read of it."""

    @property
    def forge(self) -> Forge:
        """Where pull requests live."""

    @property
    def pen(self) -> Pen:
        """What it is written with."""

    @property
    def shown(self) -> dict[object, object]:
        """What was shown, by what shows it."""


@dataclass(frozen=True, slots=True)
class _Shown:
    """All that is to be seen on one pull request beside its words."""

    status: Status
    commit: str
    people: Reviewers
    comment: str


def show(place: Place, base: str, notice: Notice, head: str) -> tuple[PullRequest, tuple[str, ...]]:
    """Open or update a pull request, and show all that belongs to it.

    Args:
        place: where.
        base: the commit whose CODEOWNERS say who is asked.
        notice: what there is to see.
        head: the commit that it is about; nothing is written of another one.

    Returns:
        The pull request, and what the forge did not let us show.

    Raises:
        RefMovedError: the branch is somewhere else; look again.
        UsageError: it cannot be opened or changed.
    """
    try:
        body = stamped(notice.body, head, left=LATER in notice.labels)
        pull = place.pen.open_pull(notice.branch, BASE, notice.title, body, notice.labels, head)
    except HeadMovedError as error:
        raise _as_moved(error) from None
    return pull, show_signals(place, base, notice, pull, head)


def ask_for_review(place: Place, base: str, notice: Notice, pull: PullRequest) -> tuple[str, ...]:
    """Ask people for a review of what was to merge without one; return what kept us from it."""
    people = _find_reviewers(place, base, notice)
    if place.shown.get(("asked", pull.number)) == people:
        return ()
    place.shown["asked", pull.number] = people
    return tuple(_try([lambda: _ask(place, pull.number, people)]))


def show_refusal(place: Place, pull: PullRequest, signal: Signal) -> None:
    """Say on its commit why a pull request is withdrawn."""
    list(_try([lambda: place.pen.set_status(pull.head, _status(signal))]))


def show_signals(
    place: Place, base: str, notice: Notice, pull: PullRequest, head: str
) -> tuple[str, ...]:
    """Show what belongs to a pull request beside its words; return what the forge did not let us.

    Arguments and errors as those of `show`, of which this is the second half.
    """
    if pull.state != "open":
        return ()
    people = _find_reviewers(place, base, notice) if notice.asks else Reviewers()
    shown = _Shown(_status(notice.signal), head, people, notice.comment)
    if place.shown.get(pull.number) == shown:
        return ()
    try:
        problems = tuple(_try(_steps(place, pull.number, shown)))
    except HeadMovedError as error:
        raise _as_moved(error) from None
    place.shown[pull.number] = shown
    return problems


def _as_moved(error: HeadMovedError) -> git.RefMovedError:
    return git.RefMovedError(ref_of(error.branch), error.expected, error.actual)


Step = Callable[[], object]


def _steps(place: Place, number: int, shown: _Shown) -> list[Step]:
    """Everything that there is to say, the status last; if that is said already, so is the rest."""

    def note() -> None:
        if shown.comment:
            place.pen.comment(number, _COMMENT, shown.comment, shown.commit)

    if place.forge.has_status(shown.commit, shown.status):
        # Two who were at it at once may have left two comments, or one about another version.
        return [note]
    return [
        lambda: _ask(place, number, shown.people),
        note,
        lambda: place.pen.set_status(shown.commit, shown.status, unsaid=True),
    ]


def _ask(place: Place, number: int, people: Reviewers) -> None:
    """Ask each of them once.

    Raises:
        UsageError: whom the forge does not ask.
    """
    teams = people.teams if place.forge.capabilities.teams else ()
    if not people.users and not teams:
        return
    missed = place.pen.request_reviews(number, people.users, teams)
    if missed:
        raise UsageError(
            f"the forge does not ask {', '.join(missed)} for a review: give them access, or "
            "name others in promotion.reviewers or CODEOWNERS"
        )


def _try(steps: list[Step]) -> Iterator[str]:
    for step in steps:
        try:
            with apart("what is shown on a pull request", git.RefMovedError):
                step()
        except (RateLimitedError, HeadMovedError):
            raise
        except UsageError as error:
            yield str(error)


def _status(signal: Signal) -> Status:
    return Status(CONTEXT, signal.verdict, signal.text)


def _find_reviewers(place: Place, base: str, notice: Notice) -> Reviewers:
    """Whom the environment names, or else CODEOWNERS for the releases."""
    if not place.forge.capabilities.reviews:
        return Reviewers()
    if notice.named:
        return notice.people
    files = git.read_tree(place.repository, base, PLACES).files
    text = next((files[path] for path in PLACES if path in files), b"")
    found = [owners(text.decode(errors="replace"), layout.release_path(k)) for k in notice.keys]
    users = dict.fromkeys(name for each in found for name in each.users)
    return Reviewers(tuple(users), tuple(dict.fromkeys(n for each in found for n in each.teams)))
