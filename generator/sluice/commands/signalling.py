"""What a forge shows beside the words of a pull request: status, reviewers, one comment.

The status comes last, so that a run that was killed in between is finished by the next one. None
of this decides anything: what a forge does not let us say is told, and the pull request stands.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sluice import git
from sluice.commands.world import World
from sluice.core import layout
from sluice.core.finding import UsageError
from sluice.core.model import PullRequest
from sluice.core.promotion.codeowners import PLACES, Reviewers, owners, reviewers
from sluice.core.promotion.converge import Proposal
from sluice.core.promotion.message import superseding
from sluice.core.promotion.signals import CONTEXT, Signal
from sluice.forges.extras import ForgeExtras, Status
from sluice.forges.limits import RateLimitedError

_COMMENT = "superseded"


@dataclass(frozen=True, slots=True)
class _Shown:
    """All that is to be seen on one pull request."""

    status: Status
    commit: str
    people: Reviewers
    comment: str


def signalled(
    world: World, base: str, proposal: Proposal, pull: PullRequest, head: str
) -> tuple[str, ...]:
    """Show what a proposal came to; return what the forge did not let us show."""
    forge = world.forge
    if not isinstance(forge, ForgeExtras) or pull.state != "open":
        return ()
    shown = _Shown(
        _status(proposal.signal),
        head,
        Reviewers() if proposal.automatic else _people(world, base, proposal),
        superseding(proposal.version, proposal.superseded),
    )
    if world.memory.shown.get(pull.number) == shown:
        return ()
    problems = tuple(_tried(_steps(forge, pull.number, shown)))
    world.memory.shown[pull.number] = shown
    return problems


def refused(world: World, pull: PullRequest, signal: Signal) -> None:
    """Say on its commit why a pull request is withdrawn."""
    if isinstance(world.forge, ForgeExtras) and not world.dry_run:
        forge = world.forge
        list(_tried([lambda: forge.set_status(pull.head, _status(signal))]))


Step = Callable[[], object]


def _steps(forge: ForgeExtras, number: int, shown: _Shown) -> list[Step]:
    """Everything that there is to say, the status last; if that is said already, so is the rest."""
    people, comment = shown.people, shown.comment
    teams = people.teams if forge.capabilities.teams else ()

    def rest() -> None:
        if not people.users and not teams:
            return
        missed = forge.request_reviews(number, people.users, teams)
        if missed:
            raise UsageError(
                f"the forge does not ask {', '.join(missed)} for a review: give them access, or "
                "name others in promotion.reviewers or CODEOWNERS"
            )

    def note() -> None:
        if comment:
            forge.upsert_comment(number, _COMMENT, comment)

    if forge.has_status(shown.commit, shown.status):
        # Two who were at it at once, and one of them killed, may have left two comments.
        return [lambda: forge.single_comment(number, _COMMENT)] if comment else []
    return [rest, note, lambda: forge.set_status(shown.commit, shown.status)]


def _tried(steps: list[Step]) -> Iterator[str]:
    for step in steps:
        try:
            step()
        except RateLimitedError:
            raise
        except UsageError as error:
            yield str(error)


def _status(signal: Signal) -> Status:
    return Status(CONTEXT, signal.verdict, signal.text)


def _people(world: World, base: str, proposal: Proposal) -> Reviewers:
    """Whom the environment names, or else CODEOWNERS for the release."""
    if proposal.reviewers:
        return reviewers(proposal.reviewers)
    files = git.read_tree(world.repository, base, PLACES).files
    text = next((files[place] for place in PLACES if place in files), b"")
    found = [owners(text.decode(errors="replace"), layout.release_path(k)) for k in proposal.keys]
    users = dict.fromkeys(name for each in found for name in each.users)
    return Reviewers(tuple(users), tuple(dict.fromkeys(n for each in found for n in each.teams)))
