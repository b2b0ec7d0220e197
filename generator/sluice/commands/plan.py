"""`sluice plan`: what a change does to the cluster, the accelerators and the bill."""

import json
import sys

from sluice.core.finding import FindingsError
from sluice.core.plan import text as plan_text
from sluice.core.plan.difference import plan
from sluice.core.reports.report import report
from sluice.core.rule_changes.comparison import compare_rules
from sluice.workspace.revisions import open_revision
from sluice.workspace.rule_changes import find_applied_policies, select_ruling_files
from sluice.workspace.workspace import find_root, open_workspace


def run(*, base: str | None, root: str | None, form: str) -> int:
    """Print the difference between a revision and the work tree."""
    top = find_root(root)
    now = open_workspace(top)
    revision = open_revision(top, base or "HEAD")
    before = revision.workspace()
    # Both trees must be whole for a plan to mean anything.
    try:
        rendered = now.render()
    except FindingsError as error:
        sys.stderr.write(report(error.findings, "text", now.files))
        return 1
    try:
        rendered_before = before.render()
    except FindingsError as error:
        sys.stderr.write(report(error.findings, "text", before.files))
        remedy = "correct it there first, or name another --base"
        sys.stderr.write(
            f"This is wrong in {revision.name[:40]}, not in the work tree: {remedy}.\n"
        )
        return 1
    files_before, files_now = select_ruling_files(revision, before, top, now)
    rules = compare_rules(before.specs, now.specs, files_before, files_now, now.tools.schemas)
    found = plan(
        before.specs,
        now.specs,
        {**rendered_before, **find_applied_policies(before)},
        {**rendered, **find_applied_policies(now)},
        now.tools.catalog,
        rules,
    )
    if form == "json":
        sys.stdout.write(json.dumps(plan_text.as_data(found), indent=2, default=str) + "\n")
    else:
        write = plan_text.as_markdown if form == "markdown" else plan_text.as_text
        sys.stdout.write(write(found))
    return 0
