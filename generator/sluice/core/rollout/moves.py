"""The commits that a rollout can ask for."""

from sluice.core.rollout.model import FULL, Decision, Observation, Rollout, State, Write


def act(write: Write) -> Decision:
    """Ask for a commit."""
    return Decision(write, write.reason)


def wait(reason: str) -> Decision:
    """Leave everything as it is."""
    return Decision(None, reason)


def hold(rollout: Rollout, state: State, now: int, reason: str, seen: Observation) -> Decision:
    """Another state with the same weight."""
    return act(Write("hold", rollout.to(state, reason, since=now), reason, seen.judgement))


def roll_back(rollout: Rollout, seen: Observation, now: int, reason: str) -> Decision:
    """All traffic to the stable version, unless that one is known to have no ready replica."""
    if seen.stable_ready is False and rollout.weight > 0:
        return wait(f"should roll back ({reason}), but the stable version has no ready replica")
    after = rollout.to("ROLLING_BACK", reason, since=now, weight=0)
    return act(Write("lower", after, reason, seen.judgement))


def step_down(rollout: Rollout, state: State, seen: Observation, now: int) -> Decision:
    """No traffic for a candidate that has no ready replica, without giving it up."""
    if seen.stable_ready is False and rollout.weight > 0:
        return wait("neither version has a ready replica; traffic stays where it is")
    reason = "the candidate has no ready replica"
    return act(Write("lower", rollout.to(state, reason, since=now, weight=0), reason))


def onwards(
    rollout: Rollout, seen: Observation, reason: str, *, approval: bool = False
) -> Decision:
    """To the next weight, or to all of it, if the candidate is ready."""
    if not seen.ready:
        return wait("waits for the candidate's replicas to be ready")
    following = rollout.step + 1
    if following < len(rollout.plan.steps):
        weight = rollout.plan.steps[following].weight
        reason = f"{reason}: on to {weight} %"
        after = rollout.to("STEP", reason, step=following, weight=weight)
    else:
        reason = f"{reason}: on to all requests; the stable version is kept warm"
        after = rollout.to("PROMOTING", reason, weight=FULL)
    return act(Write("raise", after, reason, seen.judgement, approval=approval))


def recover(last: Rollout, seen: Observation, now: int) -> Decision:
    """rollout.yaml was deleted in mid-rollout, so that Git gives the candidate everything.

    Args:
        last: what the file said last.
        seen: what is observed.
        now: seconds since the epoch.
    """
    reason = "rollout.yaml was deleted while its rollout was under way"
    if seen.stable_ready is False:
        return act(Write("hold", last.to("PAUSED", reason, since=now), reason))
    return act(Write("lower", last.to("ROLLING_BACK", reason, since=now, weight=0), reason))
