"""`sluice rollout abort`."""

from sluice.reconciler.rollouts.by_hand import Asked, act
from sluice.workspace.connection import Place


def run(*, release: str, reason: str, **where: str | None) -> int:
    """Give every request back to the stable version."""
    return act("abort", Asked(release, reason, Place(**where)))
