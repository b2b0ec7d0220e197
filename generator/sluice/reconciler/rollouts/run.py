"""Rollouts in the world of a cycle; a broken spec elsewhere does not keep them from moving."""

from collections.abc import Iterator

from sluice.core.promotion.outcome import Outcome, failure
from sluice.core.unforeseen import UnforeseenError, isolated
from sluice.reconciler.rollouts.observers import open_observers
from sluice.reconciler.rollouts.scene import Scene
from sluice.reconciler.rollouts.tick import move_each
from sluice.reconciler.runtime import Runtime


def move_rollouts(runtime: Runtime) -> Iterator[Outcome]:
    """Move every rollout at most one write further.

    Raises:
        UsageError: when the repository cannot be read.
    """
    try:
        with isolated("rollouts"):
            yield from _move_rollouts(runtime)
    except UnforeseenError as error:  # promotions go on
        yield failure("rollouts", error)


def _move_rollouts(runtime: Runtime) -> Iterator[Outcome]:
    place = runtime.upstream
    runtime.look()
    scene = Scene(
        place.repository,
        place.move,
        runtime.forge,
        runtime.clock,
        runtime.dry_run,
        look=place.refresh,
        shown=runtime.shown,
        pulls=runtime.pulls,
    )
    yield from move_each(scene, open_observers())
