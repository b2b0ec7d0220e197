"""`sluice rollout pause`."""

from sluice.commands.connect import Place
from sluice.commands.rollout_by_hand import Asked, act


def run(*, release: str, reason: str, **where: str | None) -> int:
    """Hold the weight."""
    return act("pause", Asked(release, reason, Place(**where)))
