"""`sluice rollout promote`."""

from sluice.reconciler.rollouts.by_hand import Asked, move_by_hand
from sluice.workspace.connection import Place


def run(*, release: str, reason: str, ready: bool, **where: str | None) -> int:
    """Take the next step on a person's word."""
    return move_by_hand("promote", Asked(release, reason, Place(**where)), ready=ready)
