"""`sluice rollout pause`."""

from sluice.commands.rollout_by_hand import Asked, act


def run(*, release: str, reason: str, repository: str | None, root: str | None) -> int:
    """Hold the weight."""
    return act("pause", Asked(release, reason, repository, root))
