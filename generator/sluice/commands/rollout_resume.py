"""`sluice rollout resume`."""

from sluice.reconciler.rollouts.by_hand import Asked, move_by_hand
from sluice.workspace.connection import Place


def run(*, release: str, reason: str, ready: bool, **where: str | None) -> int:
    """Go on where it stopped."""
    return move_by_hand("resume", Asked(release, reason, Place(**where)), ready=ready)
