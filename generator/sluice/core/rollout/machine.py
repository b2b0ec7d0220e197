"""The rollout as a pure function: where Git says it stands, what is seen, and the time.

Nothing is remembered between ticks, so a reconciler may be killed at any point, and two of them
decide alike: each tick asks for at most one commit, and the one that loses the race reads again.
Traffic moves towards the candidate only on evidence, never because time has passed; it moves back
from every state at once. What is not known keeps traffic where it is.
"""

from collections.abc import Callable, Mapping

from sluice.core.rollout.checks import (
    age,
    contradiction,
    drifts,
    elapsed,
    has_failed,
    is_judgeable,
    reason_of,
    why_not,
)
from sluice.core.rollout.model import (
    FULL,
    HELD,
    LEAVING,
    SERVED,
    Decision,
    Observation,
    Rollout,
    State,
    Write,
)
from sluice.core.rollout.moves import act, hold, onwards, roll_back, step_down, wait

SERVED_SHARE = 0.99
"""The candidate serves everything once this share is observed; some connections live long."""

Handler = Callable[[Rollout, Observation, int], Decision]


def next_step(rollout: Rollout, seen: Observation, now: int) -> Decision:
    """What a tick does.

    Args:
        rollout: what Git says at the head of the base branch.
        seen: what was observed of that.
        now: seconds since the epoch.
    """
    decision = _decided(rollout, seen, now)
    notes = list(decision.notes)
    if seen.newer and seen.newer != rollout.candidate and rollout.state != "STABLE":
        notes.append(f"version {seen.newer} waits until the rollout of {rollout.candidate} is over")
    if drifts(rollout, seen):
        notes.append(f"Git says {rollout.weight} %, the cluster gives {seen.weight} %")
    if rollout.state != "STABLE":
        notes += [said for said in (seen.misrouted, seen.unseen) if said]
    write, reason = decision.write, decision.reason
    free = write is None or write.kind != "raise" or write.approval or rollout.returning
    if seen.held and not free:
        write, reason = None, f"{reason}, but {seen.held}"
    return Decision(write, reason, tuple(notes))


def _decided(rollout: Rollout, seen: Observation, now: int) -> Decision:
    if rollout.state == "STABLE":
        return wait("nothing is under way")
    if rollout.state not in LEAVING:
        urgent = _urgent(rollout, seen, now)
        if urgent is not None:
            return urgent
    return _HANDLERS[rollout.state](rollout, seen, now)


def _urgent(rollout: Rollout, seen: Observation, now: int) -> Decision | None:
    """What comes before a state's own work: away from a bad version, then hands off."""
    if seen.reverted:
        return roll_back(rollout, seen, now, "a person reverted a commit of this rollout")
    if has_failed(rollout, seen, now) and not rollout.returning:
        return roll_back(rollout, seen, now, reason_of(seen))
    if seen.ready is False and (rollout.weight > 0 or rollout.state == "STEP"):
        return _unready(rollout, seen, now)
    problem = contradiction(rollout)
    if problem and rollout.state != "PAUSED":
        return hold(rollout, "PAUSED", now, problem, seen)
    return None


def _unready(rollout: Rollout, seen: Observation, now: int) -> Decision:
    """Nothing may be routed to a version without a ready replica."""
    if rollout.state in SERVED:
        return roll_back(rollout, seen, now, "the candidate has no ready replica")
    state: State = "PAUSED" if rollout.state in HELD else "WARMING"
    return step_down(rollout, state, seen, now)


def _warming(rollout: Rollout, seen: Observation, now: int) -> Decision:
    sync = seen.sync
    if sync is None or not sync.contains:
        return wait("waits for Argo CD to apply the candidate")
    if rollout.returning and sync.synced and seen.ready:
        reason = f"version {rollout.candidate} is ready: it gets all requests again"
        return act(Write("raise", rollout.to("PROMOTING", reason, weight=FULL), reason))
    if is_judgeable(rollout, seen) and seen.ready:
        weight = rollout.plan.steps[rollout.step].weight
        reason = f"the candidate is ready: {weight} % of the requests"
        return act(Write("raise", rollout.to("STEP", reason, weight=weight), reason))
    if not seen.ready and sync.deployed is not None:
        since = max(sync.deployed, sync.unhealthy or 0)
        if age(since, now) >= rollout.plan.warming:
            return roll_back(rollout, seen, now, "the candidate did not become ready in time")
    return wait("the candidate warms up")


def _step(rollout: Rollout, seen: Observation, now: int) -> Decision:
    if seen.alarms:
        return hold(rollout, "PAUSED", now, "; ".join(seen.alarms), seen)
    if not is_judgeable(rollout, seen):
        return wait(why_not(rollout, seen))
    verdict = seen.judgement.verdict if seen.judgement else "CONTINUE"
    if verdict == "PASS":
        return _passed(rollout, seen, now)
    said = reason_of(seen)
    if verdict == "ENV_DEGRADED":
        return hold(rollout, "FROZEN", now, said, seen)
    if verdict == "FAIL":
        said = f"{said}, but that is long ago: a person decides"
    elif elapsed(seen, now) >= rollout.plan.steps[rollout.step].longest:
        said = f"undecided after the longest time of this step: {said}"
    else:
        return wait(f"{rollout.weight} % for {elapsed(seen, now)} s: {said}")
    return hold(rollout, "INCONCLUSIVE", now, said, seen)


def _passed(rollout: Rollout, seen: Observation, now: int) -> Decision:
    """Every gate passes: on, after the least time and a person's word where one is wanted."""
    step, spent, said = rollout.plan.steps[rollout.step], elapsed(seen, now), reason_of(seen)
    if spent < step.soak:
        return wait(f"{rollout.weight} % for {spent} of {step.soak} s: {said}")
    if step.manual:
        return hold(rollout, "GATED", now, f"{said}; a person decides", seen)
    return onwards(rollout, seen, said)


def _held(rollout: Rollout, seen: Observation, now: int) -> Decision:
    """Waits for a person; after the longest time the way is back, never on."""
    patience = rollout.plan.patience
    if patience is not None and age(rollout.since, now) >= patience:
        return roll_back(rollout, seen, now, f"nobody decided: {rollout.reason}")
    return wait(f"waits for a person: {rollout.reason}")


def _gated(rollout: Rollout, seen: Observation, now: int) -> Decision:
    """The next step is prepared, for a person to merge, while every gate passes."""
    decision = _held(rollout, seen, now)
    passes = seen.judgement is not None and seen.judgement.verdict == "PASS"
    if decision.write or not passes or not is_judgeable(rollout, seen):
        return decision
    return onwards(rollout, seen, "approved", approval=True)


def _inconclusive(rollout: Rollout, seen: Observation, now: int) -> Decision:
    """Goes on when evidence comes late; until then the next step is prepared for a person."""
    decision = _held(rollout, seen, now)
    if decision.write or seen.judgement is None or not is_judgeable(rollout, seen):
        return decision
    if seen.judgement.verdict == "PASS":
        return _passed(rollout, seen, now)
    if seen.judgement.verdict in ("CONTINUE", "INCONCLUSIVE"):
        return onwards(rollout, seen, "approved without a verdict", approval=True)
    return decision


def _promoting(rollout: Rollout, seen: Observation, now: int) -> Decision:
    if not is_judgeable(rollout, seen):
        return wait(why_not(rollout, seen))
    verdict = seen.judgement.verdict if seen.judgement else None
    if seen.alarms or verdict in ("ENV_DEGRADED", "FAIL"):
        said = "; ".join(seen.alarms) or f"{reason_of(seen)}; pause and resume to count anew"
        return wait(f"the stable version is kept: {said}")
    if verdict is None or seen.share is None:
        return wait("the stable version is kept until metrics show who serves")
    if seen.share < SERVED_SHARE:
        return wait(f"the candidate gets {seen.share:.1%} of the requests")
    if elapsed(seen, now) < rollout.plan.rollback_window:
        return wait("the stable version is kept warm for the rollback window")
    reason = "nothing failed in the rollback window"
    return act(Write("finalize", rollout.to("FINALIZING", reason), reason, seen.judgement))


def _finalizing(rollout: Rollout, seen: Observation, now: int) -> Decision:
    del now
    if not is_judgeable(rollout, seen):
        return wait(why_not(rollout, seen))
    reason = f"version {rollout.candidate} is stable; version {rollout.stable} is removed"
    return act(Write("settle", None, reason))


def _rolling_back(rollout: Rollout, seen: Observation, now: int) -> Decision:
    if rollout.weight != 0:
        return roll_back(rollout, seen, now, rollout.reason)
    sync = seen.sync
    if sync is None or not (sync.contains and sync.synced) or drifts(rollout, seen):
        return wait("waits for the routes to lead to the stable version only")
    reason = f"no request goes to version {rollout.candidate} any more: {rollout.reason}"
    after = rollout.to("ROLLED_BACK", rollout.reason, since=now)
    return act(Write("hold", after, reason, quarantine=rollout.candidate))


def _rolled_back(rollout: Rollout, seen: Observation, now: int) -> Decision:
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


_HANDLERS: Mapping[State, Handler] = {
    "WARMING": _warming,
    "STEP": _step,
    "GATED": _gated,
    "INCONCLUSIVE": _inconclusive,
    "FROZEN": _held,
    "PAUSED": _held,
    "PROMOTING": _promoting,
    "FINALIZING": _finalizing,
    "ROLLING_BACK": _rolling_back,
    "ROLLED_BACK": _rolled_back,
}
