"""`sluice rollout pause`."""

from sluice.reconciler.rollouts.by_hand import Asked, act
from sluice.workspace.connection import Place


def run(*, release: str, reason: str, **where: str | None) -> int:
    """Hold the weight."""
    return act("pause", Asked(release, reason, Place(**where)))
