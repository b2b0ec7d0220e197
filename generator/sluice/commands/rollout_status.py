"""`sluice rollout status`: where rollouts stand, and what each waits for."""

import json
import sys
from dataclasses import replace
from typing import Any

from sluice.core.analysis.judgement_file import judgement_data
from sluice.core.layout import Key
from sluice.core.observation.following import following_data
from sluice.core.outgoing import lines_of
from sluice.core.rollout.file import rollout_of, to_text
from sluice.core.rollout.machine import next_step
from sluice.core.specs.resolve import Release
from sluice.core.specs.rollout_plan import FULL
from sluice.reconciler.rollouts.by_hand import find_case, find_release, fits, list_pulls, open_scene
from sluice.reconciler.rollouts.counting import count_all
from sluice.reconciler.rollouts.following import observe_following
from sluice.reconciler.rollouts.observation import observe, read_sync
from sluice.reconciler.rollouts.observers import Observers, open_observers
from sluice.reconciler.rollouts.scene import Base, read_base
from sluice.reconciler.rollouts.tick import read_case
from sluice.reconciler.rollouts.write import Case
from sluice.workspace.connection import Place

_HELD = ("PAUSED", "GATED", "INCONCLUSIVE")
"""States that only a person ends."""


def run(*, release: str | None, form: str, **where: str | None) -> int:
    """Print the rollouts under way, or where one release stands; 1 when one cannot be read."""
    scene = open_scene(Place(**where))
    base, eyes = read_base(scene.repository), open_observers()
    rows, cases = [], []
    if release and not any(fits(key, release) for key in _report_under_way(base)):
        rows = [_report_settled(find_release(scene, base.commit, release))]
    elif release:
        cases = [find_case(base, release)]
    else:
        cases = [read_case(base, found, history) for found, history in base.under_way()]
        eyes.problems += [f"{key} cannot be read: {why[0]}" for key, why in _report_broken(base)]
    code = int(not release and bool(base.unreadable()))
    for case in cases:
        open_ = [p.number for p in list_pulls(scene, case) if p.state == "open"]
        rows.append({**_row(case, eyes, scene.clock()), "pull": open_[0] if open_ else None})
    if form == "json":
        data = {"version": 1, "rollouts": rows, "problems": [*eyes.problems, *eyes.gaps]}
        sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False) + "\n")
        return code
    sys.stdout.writelines(_format_text(row) for row in rows)
    if not rows:
        sys.stderr.write("no rollout is under way\n")
    for problem in dict.fromkeys([*eyes.problems, *eyes.gaps]):
        sys.stderr.write(lines_of([problem]))
    return code


def _report_broken(base: Base) -> list[tuple[Key, tuple[str, ...]]]:
    """Rollouts that cannot be read, and why."""
    return [(key, reasons or ("it has mistakes",)) for key, reasons in base.unreadable().items()]


def _report_under_way(base: Base) -> list[Key]:
    return [*(found.key for found, _ in base.under_way()), *base.unreadable()]


def _report_settled(release: Release) -> dict[str, Any]:
    """A release without a rollout, as the end of one."""
    version = release.spec.model.version
    rollout = rollout_of(release.spec, None)
    return {
        "release": str(release.key),
        "state": rollout.state,
        "candidate": version,
        "stable": version,
        "step": 0,
        "steps": len(rollout.plan.steps),
        "weight": FULL,
        "since": None,
        "reason": "",
        "next": "nothing is under way",
        "notes": [],
        "following": None,
        "judgement": None,
        "pull": None,
    }


def _row(case: Case, eyes: Observers, now: int) -> dict[str, Any]:
    rollout = case.rollout
    numbers = count_all([(case, read_sync(case, eyes, now))], eyes, now).get(case.release.key)
    case = replace(case, counts=numbers.counts if numbers else None)
    judgement = numbers.judgement if numbers else None
    decision = next_step(rollout, observe(case, eyes, numbers, now), now)
    seen = observe_following(case, eyes, now)
    return {
        "release": str(case.release.key),
        "state": rollout.state,
        "candidate": rollout.candidate,
        "stable": rollout.stable,
        "step": rollout.step,
        "steps": len(rollout.plan.steps),
        "weight": rollout.weight,
        "since": to_text(case.history.time),
        "reason": rollout.reason,
        "next": decision.reason,
        "notes": [*decision.notes, *seen.causes()],
        "following": following_data(seen),
        "judgement": judgement_data(judgement) if judgement else None,
    }


def _is_live(row: dict[str, Any]) -> bool:
    return row["following"]["live"] is not None


def _deed(row: dict[str, Any]) -> str:
    """What the person who reads it may do, where it waits for one."""
    if row["pull"]:
        return f"merge pull request #{row['pull']}, which makes this step; closing it pauses"
    if row["state"] in _HELD:
        release = row["release"]
        return f"`sluice rollout resume {release}` goes on, `sluice rollback {release}` goes back"
    return ""


def _format_text(row: dict[str, Any]) -> str:
    if row["state"] == "STABLE":
        return lines_of([f"{row['release']}: STABLE: version {row['candidate']} gets everything"])
    shares = f"version {row['candidate']} gets {row['weight']} %, {row['stable']} the rest"
    lines = [
        f"{row['release']}: {row['state']} since {row['since']}",
        f"  {shares}; step {row['step'] + 1} of {row['steps']}",
    ]
    lines += [f"  why: {row['reason']}"] if row["reason"] else []
    lines += [f"  the cluster gives it {row['following']['live']} %"] if _is_live(row) else []
    lines += [f"  next: {row['next']}", *(f"  note: {note}" for note in row["notes"])]
    for name, gate in (row["judgement"] or {"gates": {}})["gates"].items():
        lines.append(f"  {name}: {gate['verdict']}")
    lines += [f"  do: {_deed(row)}"] if _deed(row) else []
    return lines_of(lines)
