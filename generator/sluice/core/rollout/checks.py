"""What a rollout's state is checked against: the release in Git, and what is seen of it."""

from sluice.core.analysis.judgement import Verdict
from sluice.core.rollout.model import LEAVING, SERVED, Observation, Rollout
from sluice.core.specs.rollout_plan import DAY, FULL


def contradiction(rollout: Rollout) -> str:
    """What in Git contradicts itself, which only a person can have written; empty when nothing."""
    if rollout.spec_hash != rollout.current_hash:
        return "the release was edited while its rollout is under way"
    if not 0 <= rollout.step < len(rollout.plan.steps):
        return f"the release has no step {rollout.step + 1}"
    wanted = rightful_weight(rollout)
    if wanted is not None and rollout.weight != wanted:
        return f"rollout.yaml gives {rollout.weight} % in {rollout.state}, where it is {wanted} %"
    return ""


def rightful_weight(rollout: Rollout) -> int | None:
    """The candidate's weight in this state; None when it may be any."""
    if rollout.state == "PAUSED":
        return None
    if rollout.state in SERVED:
        return FULL
    if rollout.state in (*LEAVING, "WARMING", "STABLE"):
        return 0
    return rollout.plan.steps[rollout.step].weight


def has_failed(rollout: Rollout, seen: Observation, now: int) -> bool:
    """Whether there is a failure to act on, and not an old one.

    That nobody knows which weight is in force forbids more of it. It excuses nothing: the versions
    are compared as they were served.
    """
    judgement = seen.judgement
    if judgement is None or judgement.verdict != "FAIL":
        return False
    if judgement.failed_at is None:
        return judgement.hard
    return age(judgement.failed_at, now) <= rollout.plan.failure_age


def is_judgeable(rollout: Rollout, seen: Observation) -> bool:
    """Whether what is measured is what Git says."""
    return not why_not(rollout, seen)


def why_not(rollout: Rollout, seen: Observation) -> str:
    """Why nothing measured may be judged now; empty when it may.

    Requests that contradict the weight speak for nothing, but against the candidate all the same:
    the versions are compared as they were served.
    """
    reason = _not_applied(rollout, seen)
    return reason or (f"waits: {seen.misrouted}" if seen.misrouted else "")


def why_not_more(rollout: Rollout, seen: Observation) -> str:
    """Why the candidate may get no more now, nor the stable version be removed; empty: it may.

    Health forbids only this: what is sick is measured and judged all the same.
    """
    reason = why_not(rollout, seen)
    if not reason and not (seen.sync and seen.sync.healthy):
        reason = "waits: Argo CD reports the release as not healthy"
    return reason


def is_in_force(rollout: Rollout, seen: Observation) -> bool:
    """Whether the cluster is known to give the weight that Git says."""
    return not _not_applied(rollout, seen)


def _not_applied(rollout: Rollout, seen: Observation) -> str:
    sync = seen.sync
    if sync is None:
        return "waits: Argo CD does not answer for this release"
    if not sync.contains:
        return "waits for Argo CD to apply the weight"
    if not sync.synced or sync.since is None:
        return "waits: Argo CD reports the release as out of sync"
    return "waits: the route has another weight than Git" if drifts(rollout, seen) else ""


def drifts(rollout: Rollout, seen: Observation) -> bool:
    """Whether the live route is known to have another weight than Git."""
    return seen.weight is not None and seen.weight != rollout.weight


def elapsed(seen: Observation, now: int) -> int:
    """Seconds that the committed weight has been in force: the step's clock."""
    since = seen.sync.since if seen.sync else None
    return 0 if since is None else age(since, now)


def waited(seen: Observation, now: int) -> int:
    """Seconds at this weight, for the end of every wait.

    Where nobody says when it came into force, since its commit.
    """
    since = seen.sync.since if seen.sync else None
    begin = seen.committed if since is None else since
    return 0 if begin is None else age(begin, now)


def age(then: int, now: int) -> int:
    """Seconds since then; a clock that runs ahead of ours makes nothing older."""
    return max(0, now - then)


def reason_of(seen: Observation) -> str:
    """What the judgement says."""
    silent = "there are no metrics from monitoring.prometheus.address"
    return seen.judgement.reason if seen.judgement else silent


def verdict_of(seen: Observation) -> Verdict | None:
    """The verdict on the counts; None without metrics."""
    return seen.judgement.verdict if seen.judgement else None


def patience_of(rollout: Rollout) -> int:
    """Seconds that a weight waits for a person where the release does not say.

    One that nothing speaks for waits once more as long as its step could last.
    """
    if rollout.state == "INCONCLUSIVE" and 0 <= rollout.step < len(rollout.plan.steps):
        return rollout.plan.steps[rollout.step].longest
    return DAY


def is_away(seen: Observation) -> bool:
    """Whether the candidate is known to have no ready replica."""
    return seen.ready is False or seen.replicas.ready == 0


def is_stable_away(seen: Observation) -> bool:
    """Whether the stable version is known to have no ready replica: one that is left is enough."""
    return seen.stable_ready is False and not seen.replicas.stable


def replicas_for(weight: int, seen: Observation, rollout: Rollout) -> int:
    """Ready replicas of the candidate that a weight takes: its share of what serves everything.

    Never more than the candidate's own spec allows, which a person wrote and merged.
    """
    whole = max(rollout.replicas, seen.replicas.stable or 0)
    return max(1, min(-(-whole * weight // FULL), seen.replicas.most))
