"""`sluice rollout abort`."""

from sluice.reconciler.rollouts.by_hand import Asked, move_by_hand
from sluice.workspace.connection import Place


def run(*, release: str, reason: str, **where: str | None) -> int:
    """Give every request back to the stable version."""
    return move_by_hand("abort", Asked(release, reason, Place(**where)))
