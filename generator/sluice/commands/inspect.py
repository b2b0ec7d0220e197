"""`sluice inspect`: what a release comes to: command line, image, memory, cost."""

import json
import sys

from sluice.core.finding import FindingsError, failed
from sluice.core.pipeline import check_one
from sluice.core.plan.cost import Totals, totals_by_scope
from sluice.core.plan.inspect import facts, text
from sluice.core.specs.resolve import Release
from sluice.workspace.releases import find_release
from sluice.workspace.workspace import Workspace, find_root, open_workspace

_AMONG_THE_FACTS = ("FIT002", "FIT003", "FIT004")
"""Rules whose findings the facts show too: a release that does not fit is worth a look."""


def run(*, release: str, root: str | None, form: str) -> int:
    """Print the facts of one release."""
    workspace = open_workspace(find_root(root))
    chosen = find_release(workspace.specs, release)
    found = check_one(chosen, workspace.tools)
    findings = [finding for finding in found if finding.rule not in _AMONG_THE_FACTS]
    if failed(findings):
        raise FindingsError(findings)
    shown = facts(chosen, workspace.tools.catalog, scopes=_around(workspace, chosen))
    sys.stdout.write(json.dumps(shown, indent=2) + "\n" if form == "json" else text(shown))
    return 0


def _around(workspace: Workspace, release: Release) -> dict[str, Totals]:
    """What the team and the environment of a release use."""
    key = release.key
    totals = totals_by_scope(workspace.specs, workspace.tools.catalog)
    return {"team": totals[f"{key.environment}/{key.team}"], "environment": totals[key.environment]}
