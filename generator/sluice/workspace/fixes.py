"""`--fix`: remedies that take no judgement, written into the specs."""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

import click

from sluice import files
from sluice.core import layout
from sluice.core.finding import Finding
from sluice.core.outgoing import lines_of
from sluice.core.reports.fixes import Fixed, fix_file, may_be_fixed
from sluice.core.specs.remedies import fixable_by
from sluice.workspace.workspace import Workspace


def fix(top: Path, workspace: Workspace, findings: Iterable[Finding]) -> int:
    """Mend what can be mended, say so, and give the number of files that changed."""
    paths = {f.place.file for f in findings if fixable_by(f) and may_be_fixed(f.place.file)}
    changes: dict[str, bytes | None] = {}
    for path in sorted(paths & workspace.files.keys()):
        raw = workspace.files[path]
        check = partial(_check, _around(workspace, path), path)
        changed, fixed = fix_file(path, raw, check)
        if changed != raw:
            changes[path] = changed
            click.echo(lines_of(_said(fixed)), nl=False, err=True)
    if changes:
        files.write(top, changes)
    return len(changes)


def _check(around: Mapping[str, bytes], path: str, text: bytes) -> list[Finding]:
    return Workspace({**around, path: text}).check()


def _said(fixed: Iterable[Fixed]) -> Iterator[str]:
    for one in fixed:
        place = one.finding.place
        yield f"fixed {place.file}:{place.line} [{one.finding.rule}]"
        yield from (f"  - {one.before}", f"  + {one.after}")


def _around(workspace: Workspace, path: str) -> dict[str, bytes]:
    """What a file is judged with: the catalog, its environment, its neighbour."""
    key = layout.release_of(path)
    wanted = {path}
    if key:
        wanted |= {layout.environment_path(key.environment), layout.rollout_path(key)}
    return {
        name: raw
        for name, raw in workspace.files.items()
        if name in wanted or name.startswith(f"{layout.CATALOG}/")
    }
