"""`sluice rollout status`: where rollouts stand, and what each waits for."""

import json
import sys
from dataclasses import replace
from typing import Any

from sluice.commands.rollout_base import base_of
from sluice.commands.rollout_by_hand import find_case, of_branch, scene_of
from sluice.commands.rollout_counting import counted
from sluice.commands.rollout_observers import Observers, observers
from sluice.commands.rollout_seeing import observation, sync
from sluice.commands.rollout_write import Case
from sluice.commands.rollouts import case_of
from sluice.core.finding import FindingsError
from sluice.core.judgement_file import judgement_data
from sluice.core.rollout import next_step
from sluice.core.rollout_file import to_text


def run(*, release: str | None, repository: str | None, root: str | None, form: str) -> int:
    """Print the rollouts under way, or one of them; 1 when one cannot be read."""
    scene = scene_of(repository, root)
    base, eyes = base_of(scene.repository), observers()
    if release:
        cases = [find_case(base, release)]
    else:
        cases = [case_of(base, found, history) for found, history in base.under_way()]
        if base.unreadable():
            raise FindingsError(base.workspace.specs.findings)
    rows = []
    for case in cases:
        open_ = [p.number for p in of_branch(scene, case) if p.state == "open"]
        rows.append({**_row(case, eyes, scene.clock()), "pull": open_[0] if open_ else None})
    if form == "json":
        data = {"version": 1, "rollouts": rows, "problems": eyes.problems}
        sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False) + "\n")
        return 0
    sys.stdout.writelines(_text(row) for row in rows)
    if not rows:
        sys.stderr.write("no rollout is under way\n")
    for problem in eyes.problems:
        sys.stderr.write(f"{problem}\n")
    return 0


def _row(case: Case, eyes: Observers, now: int) -> dict[str, Any]:
    rollout = case.rollout
    numbers = counted([(case, sync(case, eyes))], eyes, now).get(case.release.key)
    case = replace(case, counts=numbers.counts if numbers else None)
    decision = next_step(rollout, observation(case, eyes, numbers, now), now)
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
        "notes": list(decision.notes),
        "judgement": judgement_data(numbers.judgement) if numbers else None,
    }


def _text(row: dict[str, Any]) -> str:
    shares = f"version {row['candidate']} gets {row['weight']} %, {row['stable']} the rest"
    lines = [
        f"{row['release']}: {row['state']} since {row['since']}",
        f"  {shares}; step {row['step'] + 1} of {row['steps']}",
    ]
    lines += [f"  why: {row['reason']}"] if row["reason"] else []
    lines += [f"  next: {row['next']}", *(f"  note: {note}" for note in row["notes"])]
    for name, gate in (row["judgement"] or {"gates": {}})["gates"].items():
        lines.append(f"  {name}: {gate['verdict']}")
    lines += [f"  pull request #{row['pull']} is open"] if row["pull"] else []
    return "\n".join([*lines, ""])
