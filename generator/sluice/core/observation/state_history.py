"""What the history of rollout.yaml tells: since when, and whether a person changed it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sluice.core.documents.load import load
from sluice.core.finding import FindingsError
from sluice.core.rollout.file import rollout_of
from sluice.core.rollout.model import HELD, Rollout
from sluice.core.specs.resolve import Release
from sluice.core.specs.rollout_plan import FULL


@dataclass(frozen=True, slots=True)
class Revision:
    """A commit that changed rollout.yaml; `ours` when its trailers say what it wrote."""

    commit: str
    time: int
    before: bytes | None
    after: bytes | None
    ours: bool


@dataclass(frozen=True, slots=True)
class History:
    """What is known of a rollout that is under way.

    Args:
        clock: the commit since which the weight is what it is, or since which it goes on.
        time: when that commit was made, in seconds since the epoch.
        began: when the rollout began.
        reverted: the newest commit brings back what an earlier one said.
        edited: what else a person changed in rollout.yaml, in words.
    """

    clock: str
    time: int
    began: int
    reverted: bool = False
    edited: str = ""


def history_of(revisions: Sequence[Revision]) -> History | None:
    """The history of the rollout.yaml at the head; newest first. None when there is none."""
    run = _current(revisions)
    if not run:
        return None
    clock = next((r for r in run if _restarts(r)), run[-1])
    newest = run[0]
    reverted, edited = False, ""
    if not newest.ours and newest.before is not None:
        reverted = any(r.after == newest.after for r in run[1:])
        if not reverted and not _follows(newest):
            edited = "a person edited rollout.yaml"
    return History(clock.commit, clock.time, run[-1].time, reverted, edited)


def _current(revisions: Sequence[Revision]) -> list[Revision]:
    """From the newest back to the one that added the file."""
    run: list[Revision] = []
    for revision in revisions:
        if revision.after is None:
            break
        run.append(revision)
        if revision.before is None:
            break
    return run


def _restarts(revision: Revision) -> bool:
    """Whether a commit moves weight or goes on, so that what is in force begins with it."""
    before, after = _fields(revision.before), _fields(revision.after)
    if before.get("weight") != after.get("weight"):
        return True
    moved = [before.get(field) != after.get(field) for field in ("state", "step", "specHash")]
    return after.get("state") not in HELD and any(moved)


def _follows(revision: Revision) -> bool:
    """Whether a change is the next step, whose commit lost its words when it was merged."""
    before, after = _fields(revision.before), _fields(revision.after)
    if before.get("candidate") != after.get("candidate"):
        return False
    states = (before.get("state"), after.get("state"))
    told = "reason" in after and after["reason"] != before.get("reason")
    same = before.get("specHash") == after.get("specHash") and told
    step = after.get("step", 0) - before.get("step", 0)
    if states == ("PROMOTING", "FINALIZING"):
        return same and step == 0
    weights = (before.get("weight", 0), after.get("weight", 0))
    if after.get("state") == "PROMOTING":
        return same and weights[1] == FULL and step == 0
    begins = states == ("WARMING", "STEP") and step == 0
    return same and after.get("state") == "STEP" and (step == 1 or begins)


def _fields(raw: bytes | None) -> Mapping[str, Any]:
    """What rollout.yaml said; nothing when it could not be read."""
    if raw is None:
        return {}
    try:
        spec = load("rollout.yaml", raw).data["spec"]
    except (FindingsError, KeyError, TypeError):
        return {}
    return spec if isinstance(spec, Mapping) else {}


@dataclass(frozen=True, slots=True)
class Lost:
    """A rollout whose file is gone while Git gives its candidate everything."""

    rollout: Rollout
    stable: Mapping[str, Any]


def lost(release: Release, revisions: Sequence[Revision]) -> Lost | None:
    """The rollout that was under way when rollout.yaml was deleted; None when it had ended.

    A release that is back at the stable version was set back whole, and one that was about to end
    has ended.
    """
    newest = next(iter(revisions), None)
    if release.rollout is not None or newest is None or newest.after is not None:
        return None
    said = _fields(newest.before)
    try:
        rollout, stable = rollout_of(release.spec, said), said["stable"]["spec"]
    except (KeyError, TypeError, ValueError):
        return None
    ended = rollout.state == "FINALIZING" or release.spec.model.version != rollout.candidate
    return None if ended else Lost(rollout, stable)
