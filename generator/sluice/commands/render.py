"""`sluice render`: manifests/ becomes what environments/ says."""

import sys

import click

from sluice import files
from sluice.core.finding import FindingsError
from sluice.core.reports.report import report
from sluice.core.units import number_of
from sluice.workspace.rendered import compare_rendered, raise_if_stale
from sluice.workspace.workspace import find_root, open_workspace


def run(*, check: bool, root: str | None, form: str) -> int:
    """Write manifests/, or say with `check` what would change."""
    top = find_root(root)
    workspace = open_workspace(top)
    try:
        manifests = workspace.render()
        wanted = {path: manifest.content() for path, manifest in manifests.items()}
        changes = compare_rendered(top, wanted)
        if check:
            raise_if_stale(changes)
    except FindingsError as error:
        sys.stdout.write(report(error.findings, form, workspace.files))
        return 1
    if form != "text":
        sys.stdout.write(report([], form, {}))
    if not check:
        files.write(top, changes)
    deleted = sum(content is None for content in changes.values())
    click.echo(
        f"{number_of('manifest', len(wanted))} of "
        f"{number_of('release', len(workspace.specs.releases))}: "
        f"{len(changes) - deleted} written, {deleted} deleted",
        err=True,
    )
    return 0
