"""`sluice rollout abort`."""

from sluice.commands.connect import Place
from sluice.commands.rollout_by_hand import Asked, act


def run(*, release: str, reason: str, **where: str | None) -> int:
    """Give every request back to the stable version."""
    return act("abort", Asked(release, reason, Place(**where)))
