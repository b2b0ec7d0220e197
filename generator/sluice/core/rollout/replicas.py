"""For which share of all requests each version has replicas, which come before the weight."""

from sluice.core.rollout.model import LEAVING, SERVED, Rollout
from sluice.core.specs.rollout_plan import FULL


def floor(rollout: Rollout, bounds: tuple[int, int], *, stable: bool) -> int:
    """The least replicas that a scaler may keep of a version while a rollout is under way.

    Args:
        rollout: where it stands, with the replicas that served all requests before.
        bounds: the least and the most replicas that the version's own spec allows.
        stable: of which version; the stable one must be able to take everything back at once.
    """
    least, most = bounds
    share = FULL if stable else candidate_share(rollout)
    return min(most, max(least, -(-rollout.replicas * share // FULL)))


def candidate_share(rollout: Rollout) -> int:
    """Percent of the requests for which the candidate has replicas: those of the next weight."""
    steps, step = rollout.plan.steps, rollout.step
    if rollout.state in (*LEAVING, "STABLE"):
        return 0
    if rollout.state in SERVED or rollout.returning:
        return FULL
    if rollout.state == "PAUSED":
        return rollout.weight
    following = step if rollout.state == "WARMING" else step + 1
    return steps[following].weight if following < len(steps) else FULL
