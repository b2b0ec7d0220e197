"""Rollouts in the world of a cycle; a broken spec elsewhere does not keep them from moving."""

from collections.abc import Iterator

from sluice.core.promotion.outcome import Outcome, failure
from sluice.core.unforeseen import UnforeseenError, isolated
from sluice.reconciler.rollouts.observers import observers
from sluice.reconciler.rollouts.scene import Scene
from sluice.reconciler.rollouts.tick import tick
from sluice.reconciler.runtime import World


def rolling(world: World) -> Iterator[Outcome]:
    """Move every rollout at most one write further.

    Raises:
        UsageError: when the repository cannot be read.
    """
    try:
        with isolated("rollouts"):
            yield from _rolling(world)
    except UnforeseenError as error:  # promotions go on
        yield failure("rollouts", error)


def _rolling(world: World) -> Iterator[Outcome]:
    place = world.upstream
    world.look()
    scene = Scene(
        place.repository,
        place.move,
        world.forge,
        world.clock,
        world.dry_run,
        look=place.refresh,
        shown=world.shown,
        pulls=world.pulls,
    )
    yield from tick(scene, observers())
