"""`sluice rollout resume`."""

from sluice.commands.rollout_by_hand import Asked, act


def run(*, release: str, reason: str, ready: bool, repository: str | None, root: str | None) -> int:
    """Go on where it stopped."""
    return act("resume", Asked(release, reason, repository, root), ready=ready)
