"""`sluice rollout resume`."""

from sluice.commands.connect import Place
from sluice.commands.rollout_by_hand import Asked, act


def run(*, release: str, reason: str, ready: bool, **where: str | None) -> int:
    """Go on where it stopped."""
    return act("resume", Asked(release, reason, Place(**where)), ready=ready)
