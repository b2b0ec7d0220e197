"""The commits that a rollout can ask for."""

from sluice.core.rollout.checks import is_away, is_stable_away, replicas_for
from sluice.core.rollout.model import SETBACKS, Decision, Observation, Rollout, State, Write
from sluice.core.specs.rollout_plan import FULL


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
    """All traffic to the stable version, unless that one is known to have no ready replica.

    Then a candidate that answers some is better than nobody, and only a person can help.
    """
    if is_stable_away(seen) and rollout.weight > 0:
        reason = f"should roll back ({reason}), but the stable version has no ready replica"
        return Decision(None, reason, asks="rescue")
    after = rollout.to("ROLLING_BACK", reason, since=now, weight=0)
    return act(Write("lower", after, reason, seen.judgement))


def set_aside(rollout: Rollout, seen: Observation, now: int, reason: str) -> Decision:
    """No traffic for a candidate that nothing was proved against: a person resumes or aborts."""
    return _lowered(rollout, "PAUSED", seen, now, reason)


def begin_again(rollout: Rollout, seen: Observation, now: int, reason: str) -> Decision:
    """No traffic for a candidate that is away, which gets it again once it is back.

    What was evicted is not to blame. What restarts by itself again and again is, and what is away
    too often waits for a person.
    """
    setbacks = rollout.setbacks + 1
    if setbacks < SETBACKS:
        return _lowered(rollout, "WARMING", seen, now, reason, setbacks=setbacks)
    often = f"{reason}, {setbacks} times"
    if seen.restarts:
        return roll_back(rollout, seen, now, f"{often}, and restarts by itself")
    return _lowered(rollout, "PAUSED", seen, now, often)


def ease(rollout: Rollout, seen: Observation, now: int, reason: str) -> Decision:
    """One step less for a candidate that cannot keep up; then a person decides."""
    steps = rollout.plan.steps
    before = rollout.step if rollout.weight == FULL else rollout.step - 1
    if not 0 <= before < len(steps) or steps[before].weight >= rollout.weight:
        return set_aside(rollout, seen, now, reason)
    weight = steps[before].weight
    after = rollout.to("PAUSED", reason, since=now, step=before, weight=weight)
    return _withheld(rollout, seen, reason) or act(Write("lower", after, reason, seen.judgement))


def _lowered(
    rollout: Rollout, state: State, seen: Observation, now: int, reason: str, **more: int
) -> Decision:
    after = rollout.to(state, reason, since=now, weight=0, **more)
    return _withheld(rollout, seen, reason) or act(Write("lower", after, reason, seen.judgement))


def _withheld(rollout: Rollout, seen: Observation, why: str) -> Decision | None:
    """Traffic is not moved to a stable version that cannot take it."""
    if not is_stable_away(seen) or rollout.weight == 0:
        return None
    reason = "neither version has a ready replica; traffic stays where it is"
    if not is_away(seen):
        away = "the stable version has no ready replica"
        reason = f"the candidate should get less ({why}), but {away}"
    return Decision(None, reason, asks="rescue")


def onwards(
    rollout: Rollout, seen: Observation, reason: str, *, approval: bool = False
) -> Decision:
    """To the next weight, or to all of it, if the candidate's replicas can carry it."""
    following = rollout.step + 1
    last = following >= len(rollout.plan.steps)
    weight = FULL if last else rollout.plan.steps[following].weight
    waiting = lacking(rollout, weight, seen)
    if waiting is not None:
        return waiting
    if last:
        reason = f"{reason}: on to all requests; the stable version is kept warm"
        # Setbacks there lead to this step again and not to another: they are counted on.
        after = rollout.to("PROMOTING", reason, weight=FULL)
    else:
        reason = f"{reason}: on to {weight} %"
        after = rollout.to("STEP", reason, step=following, weight=weight, setbacks=0)
    return act(Write("raise", after, reason, seen.judgement, approval=approval))


def lacking(rollout: Rollout, weight: int, seen: Observation) -> Decision | None:
    """What must come before the candidate can carry a weight; None when it can.

    Where a scaler sets the number of replicas, Git first says how many served all requests, so that
    it starts as many as the weight takes.
    """
    if not seen.ready:
        return wait("waits for the candidate's replicas to be ready")
    ready, wanted = seen.replicas.ready, replicas_for(weight, seen, rollout)
    lacks, whole = ready is not None and ready < wanted, seen.replicas.stable or 0
    unsaid = seen.replicas.scaled and whole > max(1, rollout.replicas)
    if unsaid and (lacks or rollout.state == "WARMING"):
        reason = f"{whole} replicas serve all requests: the candidate is scaled for {weight} %"
        after = rollout.to(rollout.state, reason, since=rollout.since, replicas=whole)
        return act(Write("hold", after, reason, seen.judgement))
    said = f"waits for replicas: {ready} of the {wanted} that {weight} % take are ready"
    return wait(said) if lacks else None


def recover(last: Rollout, seen: Observation, now: int) -> Decision:
    """rollout.yaml was deleted in mid-rollout, so that Git gives the candidate everything.

    Args:
        last: what the file said last.
        seen: what is observed.
        now: seconds since the epoch.
    """
    reason = "rollout.yaml was deleted while its rollout was under way"
    if is_stable_away(seen):
        return act(Write("hold", last.to("PAUSED", reason, since=now), reason))
    return act(Write("lower", last.to("ROLLING_BACK", reason, since=now, weight=0), reason))
