"""`sluice rollout pause`."""

from sluice.reconciler.rollouts.by_hand import Asked, move_by_hand
from sluice.workspace.connection import Place


def run(*, release: str, reason: str, **where: str | None) -> int:
    """Hold the weight."""
    return move_by_hand("pause", Asked(release, reason, Place(**where)))
