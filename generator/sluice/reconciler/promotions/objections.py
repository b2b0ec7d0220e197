"""What people say of a pull request keeps it from merging by itself, on the forge as well."""

from collections.abc import Iterator, Sequence

from sluice.core.forge import PullRequest
from sluice.core.promotion.converge import Proposal
from sluice.core.promotion.message import is_alike
from sluice.core.promotion.notice import held_back, objections
from sluice.core.promotion.signals import LATER, is_left_to_forge
from sluice.reconciler.runtime import World


def heeded(world: World, proposal: Proposal, current: PullRequest | None) -> Proposal:
    """The proposal as people let it be: what they object to does not merge by itself."""
    if current is None or not proposal.automatic:
        return proposal
    found = objections(current, world.forge.objectors(current.number))
    found = (*found, *_withdrawals(world, proposal, current))
    return held_back(proposal, found) if found else proposal


def _withdrawals(world: World, proposal: Proposal, current: PullRequest) -> Iterator[str]:
    """Who took back on the forge that it merges these very versions; that holds for no others."""
    if not proposal.later or not is_alike(current.body, proposal.body):
        return
    name = world.forge.withdrawer(current.number)
    if name:
        yield f"{name} took its automatic merge back: turn that on again, or merge it yourself"


def let_wait(world: World, pulls: Sequence[PullRequest]) -> None:
    """Take back what was left to the forge about the pull requests that are open."""
    for pull in pulls:
        if pull.state == "open":
            hold_back(world, pull)


def hold_back(world: World, pull: PullRequest) -> None:
    """Keep the forge from merging what was left to it and must wait now; before any new push.

    The label and the text said so before it was told to merge, and say so until after this.
    """
    if is_left_to_forge(pull):
        world.forge.cancel_merge(pull.number)


def give_back(world: World, pull: PullRequest) -> None:
    """Take back for good what was left to the forge, and the label with it."""
    if is_left_to_forge(pull):
        world.forge.cancel_merge(pull.number)
        world.forge.unlabel(pull.number, LATER)
