"""How a rollout ends: with the candidate that has everything, or on the way back."""

from sluice.core.rollout.checks import (
    age,
    drifts,
    elapsed,
    reason_of,
    verdict_of,
    waited,
    why_not_more,
)
from sluice.core.rollout.model import Decision, Observation, Rollout, Write
from sluice.core.rollout.transitions import act, roll_back, set_aside, wait

SERVED_SHARE = 0.99
"""The candidate serves everything once this share is observed; some connections live long."""


def promoting(rollout: Rollout, seen: Observation, now: int) -> Decision:
    decision = _served(rollout, seen, now)
    longest = rollout.plan.rollback_window + rollout.plan.whole.longest
    over = waited(seen, now) >= longest
    if over and (decision.write is None or decision.write.approval) and not rollout.returning:
        said = f"the end of this promotion is not in sight: {decision.reason}"
        return set_aside(rollout, seen, now, said)
    return decision


def _served(rollout: Rollout, seen: Observation, now: int) -> Decision:
    """The end of the rollback window, once it is seen who serves; else a person's word."""
    waiting = why_not_more(rollout, seen)
    if waiting:
        return wait(waiting)
    window_is_over = elapsed(seen, now) >= rollout.plan.rollback_window
    waiting = _why_kept(seen)
    if verdict_of(seen) is None or (seen.share is None and not waiting):
        said = "the stable version is kept until metrics show who serves"
        return _finalized(rollout, seen, said, approval=True) if window_is_over else wait(said)
    if not waiting and seen.blind:
        waiting = f"the stable version is kept: {seen.blind}"
    if waiting:
        return Decision(None, waiting, asks="decide" if _only_a_person_helps(seen) else "")
    if not window_is_over:
        return wait("the stable version is kept warm for the rollback window")
    said = "nothing failed in the rollback window"
    if rollout.plan.whole.manual and not rollout.returning:
        return _finalized(rollout, seen, f"{said}; a person decides", approval=True)
    return _finalized(rollout, seen, said)


def _only_a_person_helps(seen: Observation) -> bool:
    """Whether the candidate is bad, and nothing takes it away: a person wanted it, or long ago."""
    return bool(seen.alarms) or verdict_of(seen) in ("FAIL", "UNEXPLAINED")


def _why_kept(seen: Observation) -> str:
    """What speaks against taking the stable version away, of what was counted."""
    if seen.alarms or verdict_of(seen) in ("ENV_DEGRADED", "FAIL", "UNEXPLAINED"):
        said = "; ".join(seen.alarms) or f"{reason_of(seen)}; pause and resume to count anew"
        return f"the stable version is kept: {said}"
    if suspects := _suspects(seen):
        return f"the stable version is kept: {', '.join(suspects)} may have turned bad just now"
    if seen.share is not None and seen.share < SERVED_SHARE:
        return f"the candidate gets {seen.share:.1%} of the requests"
    return ""


def _suspects(seen: Observation) -> list[str]:
    """Gates that look bad by now, which is no proof yet."""
    gates = seen.judgement.gates if seen.judgement else ()
    return [gate.name for gate in gates if gate.sprt == "reject" and not gate.observe]


def _finalized(
    rollout: Rollout, seen: Observation, reason: str, *, approval: bool = False
) -> Decision:
    after = rollout.to("FINALIZING", reason)
    return act(Write("finalize", after, reason, seen.judgement, approval=approval))


def finalizing(rollout: Rollout, seen: Observation, now: int) -> Decision:
    del now
    waiting = why_not_more(rollout, seen)
    if waiting:
        return wait(waiting)
    reason = f"version {rollout.candidate} is stable; version {rollout.stable} is removed"
    return act(Write("settle", None, reason))


def rolling_back(rollout: Rollout, seen: Observation, now: int) -> Decision:
    if rollout.weight != 0:
        return roll_back(rollout, seen, now, rollout.reason)
    sync = seen.sync
    if sync is None or not (sync.contains and sync.synced) or drifts(rollout, seen):
        return wait("waits for the routes to lead to the stable version only")
    reason = f"no request goes to version {rollout.candidate} any more: {rollout.reason}"
    after = rollout.to("ROLLED_BACK", rollout.reason, since=now)
    return act(Write("hold", after, reason, quarantine=rollout.candidate))


def rolled_back(rollout: Rollout, seen: Observation, now: int) -> Decision:
    if rollout.weight != 0:
        return roll_back(rollout, seen, now, rollout.reason)
    if rollout.since > now + rollout.plan.drain:
        reason = "the time in rollout.yaml lies in the future"
        return act(Write("hold", rollout.to("ROLLED_BACK", rollout.reason, since=now), reason))
    if age(rollout.since, now) < rollout.plan.drain:
        return wait("the candidate finishes what it still answers")
    if seen.sync is None or not (seen.sync.contains and seen.sync.synced):
        return wait("waits for the routes to name the stable version only")
    reason = f"version {rollout.stable} stays; version {rollout.candidate} is in quarantine"
    if rollout.returning:
        reason += f", and version {rollout.stable} is not any more"
    return act(Write("restore", None, reason, quarantine=rollout.candidate))
