"""`sluice rollout resume`."""

from sluice.reconciler.rollouts.by_hand import Asked, act
from sluice.workspace.connection import Place


def run(*, release: str, reason: str, ready: bool, **where: str | None) -> int:
    """Go on where it stopped."""
    return act("resume", Asked(release, reason, Place(**where)), ready=ready)
