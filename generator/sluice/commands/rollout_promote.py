"""`sluice rollout promote`."""

from sluice.commands.connect import Place
from sluice.commands.rollout_by_hand import Asked, act


def run(*, release: str, reason: str, ready: bool, **where: str | None) -> int:
    """Take the next step on a person's word."""
    return act("promote", Asked(release, reason, Place(**where)), ready=ready)
