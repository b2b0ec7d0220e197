"""The rollout as a pure function: where Git says it stands, what is seen, and the time.

Nothing is remembered between ticks, so a reconciler may be killed at any point, and two of them
decide alike: each tick asks for at most one commit, and the one that loses the race reads again.
Traffic moves towards the candidate only on evidence, never because time has passed; it moves back
from every state at once. What is not known keeps traffic where it is, but not for ever: every wait
at a weight has an end, and there the candidate loses it.
"""

from collections.abc import Callable, Mapping

from sluice.core.rollout import endings
from sluice.core.rollout.checks import (
    age,
    contradiction,
    drifts,
    elapsed,
    has_failed,
    is_away,
    is_in_force,
    is_judgeable,
    patience_of,
    reason_of,
    verdict_of,
    waited,
    why_not,
    why_not_more,
)
from sluice.core.rollout.model import (
    LEAVING,
    SETBACKS,
    Decision,
    Observation,
    Rollout,
    State,
    Write,
)
from sluice.core.rollout.transitions import (
    act,
    begin_again,
    ease,
    hold,
    lacking,
    onwards,
    roll_back,
    set_aside,
    wait,
)
from sluice.core.rollout.waits import asks_of
from sluice.core.specs.rollout_plan import DAY, FULL

ASKED = {
    "decide": "decide whether it goes on",
    "rescue": "help at once: clients suffer, and no weight can be moved to a version that answers",
}
"""What a person is asked for, in words."""
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
    asks = asks_of(rollout, seen, now, decision)
    if asks:
        notes.append(f"a person is asked to {ASKED[asks]}")
    write, reason = decision.write, decision.reason
    free = write is None or write.kind != "raise" or write.approval or rollout.returning
    if seen.held and not free:
        write, reason = None, f"{reason}, but {seen.held}"
    return Decision(write, reason, tuple(notes), asks)


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
    if rollout.weight > 0 or rollout.state == "STEP":
        lower = _without_proof(rollout, seen, now)
        if lower is not None:
            return lower
    problem = contradiction(rollout)
    if problem and rollout.state != "PAUSED":
        return hold(rollout, "PAUSED", now, problem, seen)
    return None


def _without_proof(rollout: Rollout, seen: Observation, now: int) -> Decision | None:
    """What takes weight from a candidate that no count has proved to be worse."""
    if is_away(seen):
        reason = "the candidate has no ready replica"
        if rollout.state == "PAUSED":
            return set_aside(rollout, seen, now, reason)
        return begin_again(rollout, seen, now, reason)
    if rollout.returning or not is_in_force(rollout, seen):
        return None
    if verdict_of(seen) == "UNANSWERED":
        lower = set_aside if seen.ready else begin_again
        return lower(rollout, seen, now, reason_of(seen))
    if verdict_of(seen) == "UNEXPLAINED":  # less: the stable version beside it tells whose it is
        return ease(rollout, seen, now, reason_of(seen))
    return _alarmed(rollout, seen, now) if seen.alarms else None


def _alarmed(rollout: Rollout, seen: Observation, now: int) -> Decision:
    """Less for one that cannot keep up; copies that overwhelm it only end."""
    reason = "; ".join(seen.alarms)
    if rollout.weight == 0:
        return hold(rollout, "PAUSED", now, reason, seen)
    return ease(rollout, seen, now, reason)


def _warming(rollout: Rollout, seen: Observation, now: int) -> Decision:
    """Until the first weight is given: by `maxWait` at the latest, whatever it waits for."""
    decision, patience = _warmed(rollout, seen, now), rollout.plan.patience
    moves = decision.write is not None and decision.write.lane == "push"
    if patience is None or moves or rollout.returning:
        return decision
    if waited(seen, now) >= rollout.plan.warming + patience:
        return roll_back(rollout, seen, now, f"nobody gave it a first weight: {decision.reason}")
    return decision


def _warmed(rollout: Rollout, seen: Observation, now: int) -> Decision:
    sync = seen.sync
    if sync is None or not sync.contains:
        return wait("waits for Argo CD to apply the candidate")
    if rollout.returning and sync.synced and seen.ready:
        reason = f"version {rollout.candidate} is ready: it gets all requests again"
        return act(Write("raise", rollout.to("PROMOTING", reason, weight=FULL), reason))
    waiting = why_not_more(rollout, seen) or (f"waits: {seen.blind}" if seen.blind else "")
    if seen.ready and not waiting:
        weight = rollout.plan.steps[rollout.step].weight
        reason = f"the candidate is ready: {weight} % of the requests"
        after = rollout.to("STEP", reason, weight=weight)
        return lacking(rollout, weight, seen) or act(Write("raise", after, reason))
    if not seen.ready and sync.deployed is not None:
        since = max(sync.deployed, sync.unhealthy or 0, rollout.since if rollout.setbacks else 0)
        if age(since, now) >= rollout.plan.warming:
            return _late(rollout, seen, now)
    return wait(waiting if seen.ready else "the candidate warms up")


def _late(rollout: Rollout, seen: Observation, now: int) -> Decision:
    """One that was ready before and whose replicas do not come back is not to blame."""
    if rollout.setbacks:
        reason = "the candidate's replicas did not come back in time"
        return hold(rollout, "PAUSED", now, reason, seen)
    return roll_back(rollout, seen, now, "the candidate did not become ready in time")


def _step(rollout: Rollout, seen: Observation, now: int) -> Decision:
    decision = _judged(rollout, seen, now)
    longest = rollout.plan.steps[rollout.step].longest
    proposed = decision.write is not None and decision.write.kind == "raise"
    if proposed and waited(seen, now) >= longest + DAY:
        return hold(rollout, "INCONCLUSIVE", now, f"nobody merged it: {decision.reason}", seen)
    if decision.write is None and waited(seen, now) >= longest:
        said = f"undecided after the longest time of this step: {decision.reason}"
        return hold(rollout, "INCONCLUSIVE", now, said, seen)
    return decision


def _judged(rollout: Rollout, seen: Observation, now: int) -> Decision:
    """What follows from the verdict, as long as there is time."""
    if not is_judgeable(rollout, seen):
        return wait(why_not(rollout, seen))
    verdict, said = verdict_of(seen), reason_of(seen)
    if verdict == "PASS":
        return _passed(rollout, seen, now)
    if verdict == "ENV_DEGRADED":
        return hold(rollout, "FROZEN", now, said, seen)
    if verdict == "FAIL":
        said = f"{said}, but that is long ago: a person decides"
        return hold(rollout, "INCONCLUSIVE", now, said, seen)
    return wait(f"{rollout.weight} % for {elapsed(seen, now)} s: {said}{_blind(seen)}")


def _passed(rollout: Rollout, seen: Observation, now: int) -> Decision:
    """Every gate passes: on, after the least time and a person's word where one is wanted.

    Time of which nothing was counted is no time that the candidate stood.
    """
    step, spent, said = rollout.plan.steps[rollout.step], elapsed(seen, now), reason_of(seen)
    if spent - seen.gap < step.soak:
        unseen = f", of which nothing was counted for {seen.gap} s" if seen.gap else ""
        return wait(f"{rollout.weight} % for {spent} of {step.soak} s{unseen}: {said}")
    if step.manual:
        return hold(rollout, "GATED", now, f"{said}; a person decides", seen)
    return _more(rollout, seen, said)


def _more(rollout: Rollout, seen: Observation, reason: str, *, approval: bool = False) -> Decision:
    """The next weight, unless the cluster is unwell; or blindly, which only a person may."""
    waiting = why_not_more(rollout, seen)
    if not waiting and seen.blind and not approval:
        waiting = f"waits: {seen.blind}"
    return wait(waiting) if waiting else onwards(rollout, seen, reason, approval=approval)


def _blind(seen: Observation) -> str:
    return f"; {seen.blind}" if seen.blind else ""


def _held(rollout: Rollout, seen: Observation, now: int) -> Decision:
    """Waits for a person; after the longest time the way is back, never on."""
    if rollout.since > now + DAY or (not rollout.since and rollout.weight):
        reason = "rollout.yaml does not say since when: the wait begins now"
        after = rollout.to(rollout.state, rollout.reason, since=now)
        return act(Write("hold", after, reason))
    patience, spent = rollout.plan.patience, age(rollout.since, now)
    if patience is not None and spent >= patience:
        return roll_back(rollout, seen, now, f"nobody decided: {rollout.reason}")
    if patience is None and rollout.weight and spent >= patience_of(rollout):
        return set_aside(rollout, seen, now, f"nobody decided: {rollout.reason}")
    return wait(f"waits for a person: {rollout.reason}")


def _frozen(rollout: Rollout, seen: Observation, now: int) -> Decision:
    """A fault of both versions: goes on when it is over, but not again and again."""
    decision = _held(rollout, seen, now)
    if decision.write or seen.blind or not is_judgeable(rollout, seen):
        return decision
    if verdict_of(seen) not in ("PASS", "CONTINUE", "INCONCLUSIVE"):
        return decision
    setbacks = rollout.setbacks + 1
    if setbacks >= SETBACKS:
        return wait(f"both versions were bad {setbacks} times: a person decides")
    reason = "what both versions had is over: the step begins anew"
    return act(Write("hold", rollout.to("STEP", reason, setbacks=setbacks), reason, seen.judgement))


def _gated(rollout: Rollout, seen: Observation, now: int) -> Decision:
    """The next step is prepared, for a person to merge, while every gate passes."""
    decision = _held(rollout, seen, now)
    if decision.write or verdict_of(seen) != "PASS" or not is_judgeable(rollout, seen):
        return decision
    return _more(rollout, seen, "approved", approval=True)


def _inconclusive(rollout: Rollout, seen: Observation, now: int) -> Decision:
    """Goes on when evidence comes late; until then the next step is prepared for a person."""
    decision = _held(rollout, seen, now)
    if decision.write or seen.judgement is None or not is_judgeable(rollout, seen):
        return decision
    if seen.judgement.verdict == "PASS":
        return _passed(rollout, seen, now)
    if seen.judgement.verdict in ("CONTINUE", "INCONCLUSIVE"):
        return _more(rollout, seen, "approved without a verdict", approval=True)
    return decision


_HANDLERS: Mapping[State, Handler] = {
    "WARMING": _warming,
    "STEP": _step,
    "GATED": _gated,
    "INCONCLUSIVE": _inconclusive,
    "FROZEN": _frozen,
    "PAUSED": _held,
    "PROMOTING": endings.promoting,
    "FINALIZING": endings.finalizing,
    "ROLLING_BACK": endings.rolling_back,
    "ROLLED_BACK": endings.rolled_back,
}
