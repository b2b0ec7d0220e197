"""A rollout moved by hand: the same commits, asked for by a person."""

from collections.abc import Callable, Mapping

from sluice.core.finding import UsageError
from sluice.core.rollout.checks import rightful_weight
from sluice.core.rollout.model import (
    LEAVING,
    SERVED,
    Decision,
    Kind,
    Observation,
    Rollout,
    State,
    Write,
)
from sluice.core.rollout.transitions import onwards, roll_back
from sluice.core.specs.rollout_plan import FULL

Verb = Callable[[Rollout, Observation, int, str], Write]


def pause(rollout: Rollout, seen: Observation, now: int, reason: str) -> Write:
    """Hold the weight until a person resumes; a failure still rolls back."""
    del seen
    _refuse(rollout, (*LEAVING, "PAUSED"), "pause")
    return Write("hold", rollout.to("PAUSED", reason, since=now), reason)


def resume(rollout: Rollout, seen: Observation, now: int, reason: str) -> Write:
    """Go on where it stopped, with the release as it is now; the step's clock starts anew."""
    del now
    held: tuple[State, ...] = ("PAUSED", "FROZEN", "INCONCLUSIVE", "GATED")
    if rollout.state not in held:
        raise UsageError(f"the rollout is {rollout.state}: {_instead(rollout, 'resume')}")
    step = min(rollout.step, len(rollout.plan.steps) - 1)
    state: State = "STEP"
    if rollout.weight in (0, FULL):
        state = "PROMOTING" if rollout.weight else "WARMING"
    after = rollout.to(state, reason, step=step, setbacks=0).acknowledged()
    weight = rightful_weight(after) or 0
    if weight > rollout.weight:
        _must_be_ready(seen)
    kinds: Mapping[int, Kind] = {1: "raise", 0: "hold", -1: "lower"}
    change = (weight > rollout.weight) - (weight < rollout.weight)
    return Write(kinds[change], after.to(state, reason, weight=weight), reason)


def abort(rollout: Rollout, seen: Observation, now: int, reason: str) -> Write:
    """Roll back, from every state."""
    _refuse(rollout, LEAVING, "abort")
    return _write(roll_back(rollout, seen, now, reason))


def promote(rollout: Rollout, seen: Observation, now: int, reason: str) -> Write:
    """The next step on a person's word; the pull request is that person's to merge."""
    del now
    _refuse(rollout, (*LEAVING, *SERVED, "WARMING"), "promote")
    if not rollout.plan.steps or rollout.weight == FULL:
        raise UsageError("there is no further step")
    _must_be_ready(seen)
    return _write(onwards(rollout, seen, reason, approval=True))


def _refuse(rollout: Rollout, states: tuple[State, ...], what: str) -> None:
    if rollout.state == "STABLE":
        raise UsageError("no rollout is under way")
    if rollout.state in states:
        raise UsageError(f"the rollout is {rollout.state}: {_instead(rollout, what)}")


def _instead(rollout: Rollout, verb: str) -> str:
    """Why a verb does not fit, and what a person does instead."""
    if rollout.state in LEAVING:
        return f"version {rollout.candidate} is on its way out, and nothing is left to {verb}"
    if rollout.state == "PAUSED":
        return "`sluice rollout resume` lets it go on, `sluice rollback` takes it back"
    if verb == "resume":
        return "it is not held; `sluice rollout status` says what it waits for"
    if rollout.state == "WARMING":
        return "its first weight comes once the candidate is ready; nobody can hurry it"
    return "it has every request already, and there is no further step"


def _must_be_ready(seen: Observation) -> None:
    if not seen.ready:
        raise UsageError(
            "nobody says that the candidate has a ready replica; look yourself, and add --ready"
        )


def _write(decision: Decision) -> Write:
    if decision.write is None:
        raise UsageError(decision.reason)
    return decision.write


VERBS: Mapping[str, Verb] = {"pause": pause, "resume": resume, "abort": abort, "promote": promote}
