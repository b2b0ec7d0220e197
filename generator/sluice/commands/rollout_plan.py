"""`sluice rollout plan`: what a rollout of a release will take."""

import json
import sys
from dataclasses import asdict

from sluice.core.plan.rollout import Outlook, Stage, outlook
from sluice.core.units import duration
from sluice.workspace.releases import find_release
from sluice.workspace.workspace import find_root, open_workspace

_HEAD = ("stage", "weight", "least", "longest", "requests", "devices", "device-hours", "cost")


def run(*, release: str, rate: float, root: str | None, form: str) -> int:
    """Print stages, exposure, cost and whether the quota holds; 1 when it does not."""
    workspace = open_workspace(find_root(root))
    chosen = find_release(workspace.specs, release)
    found = outlook(chosen, workspace.specs, workspace.tools.catalog, rate)
    if form == "json":
        data = {"version": 1, "release": str(chosen.key), "requestsPerSecond": rate}
        data |= {**asdict(found), "fits": found.fits}
        sys.stdout.write(json.dumps(data, indent=2) + "\n")
    else:
        sys.stdout.write(_format_text(found, rate))
    return 0 if found.fits else 1


def _format_text(found: Outlook, rate: float) -> str:
    rows = [_HEAD, *(_row(stage) for stage in found.stages)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEAD))]
    lines = [
        "  ".join(
            cell.rjust(w) if i else cell.ljust(w)
            for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    hours = sum(stage.hours for stage in found.stages)
    costs = [stage.cost for stage in found.stages if stage.cost is not None]
    cost = f"{sum(costs):.2f}" if len(costs) == len(found.stages) else "unknown"
    requests = sum(stage.requests for stage in found.stages[:-1])
    copies = sum(stage.copies for stage in found.stages)
    lines += [
        "",
        f"at {rate:g} requests/s the new version answers {requests:,.0f} before it has all",
        *([f"and gets copies of {copies:,.0f}, whose answers nobody sees"] if copies else []),
        f"extra, at the least: {hours:.1f} {found.accelerator} hours, cost {cost}",
        _quota(found),
        *found.notes,
    ]
    return "\n".join([*lines, ""])


def _quota(found: Outlook) -> str:
    if not found.quota:
        return "the environment has no quota"
    word = "holds" if found.fits else "DOES NOT HOLD"
    listed = ", ".join(f"{left} of {found.quota[name]} {name}" for name, left in found.left.items())
    return f"the quota {word} while both versions run: {listed} left"


def _row(stage: Stage) -> tuple[str, ...]:
    return (
        f"{stage.name}{' (manual)' if stage.manual else ''}",
        f"{stage.weight} %",
        duration(stage.least) if stage.least else "-",
        duration(stage.longest) if stage.longest else "-",
        f"{stage.requests:,.0f}",
        str(stage.devices),
        f"{stage.hours:.2f}",
        "-" if stage.cost is None else f"{stage.cost:.2f}",
    )
