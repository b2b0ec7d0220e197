"""`sluice validate`: specs only, and of the named files only what they need."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from sluice import files
from sluice.core import layout
from sluice.core.checks.references import odd
from sluice.core.checks.secrets import leaked_specs
from sluice.core.documents.limits import SPEC
from sluice.core.finding import Finding, Place, UsageError, failed, in_order
from sluice.core.reports.report import report
from sluice.core.units import number_of
from sluice.workspace.workspace import Workspace, find_root, open_workspace

_WAIVERS = f"{layout.POLICIES}/{layout.WAIVERS}"


def run(*, paths: tuple[str, ...], root: str | None, form: str, mend: bool = False) -> int:
    """Print what is wrong, after mending what can be if asked to; 1 when anything is."""
    top = find_root(root)
    workspace, findings, only = _select_chosen(top, paths)
    if mend:
        from sluice.workspace.fixes import fix  # noqa: PLC0415  # the editor of YAML loads slowly

        if fix(top, workspace, workspace.check(only)):
            workspace, findings, only = _select_chosen(top, paths)
    findings = [*findings, *workspace.check(only), *leaked_specs(workspace.files)]
    findings += workspace.check_catalog(_select_inner(top, paths))
    findings = _answered_for(workspace, in_order(findings))
    if findings or form != "text":
        sys.stdout.write(report(findings, form, workspace.files, pages=_read_pages(form)))
    else:
        count = len(workspace.specs.releases) if only is None else len(paths)
        looked_at = number_of("release" if only is None else "file", count)
        click.echo(f"{looked_at}: no findings", err=True)
    return int(failed(findings))


def _select_inner(top: Path, paths: tuple[str, ...]) -> set[str] | None:
    """The named files by their paths in the repository; None when none is named."""
    return (
        {inner for path in paths if (inner := files.relative_inside(top, Path(path)))}
        if paths
        else None
    )


def _answered_for(workspace: Workspace, findings: list[Finding]) -> list[Finding]:
    if _WAIVERS not in workspace.files:
        return findings
    from sluice.workspace.waivers import apply_waivers  # noqa: PLC0415  # few repositories waive anything

    return apply_waivers(workspace, findings, {}, complete=False)


def _read_pages(form: str) -> dict[str, Mapping[str, str]]:
    if form != "sarif":
        return {}
    from sluice.workspace.rule_pages import select_pages  # noqa: PLC0415  # the only format that has them

    return select_pages(form)


def _select_chosen(
    top: Path, paths: tuple[str, ...]
) -> tuple[Workspace, list[Finding], list[layout.Key] | None]:
    return _find_named(top, paths) if paths else (open_workspace(top), [], None)


def _find_named(
    top: Path, paths: tuple[str, ...]
) -> tuple[Workspace, list[Finding], list[layout.Key]]:
    """Only the named files, their neighbours and their environments."""
    wanted: set[str] = set()
    findings: list[Finding] = []
    keys: list[layout.Key] = []
    for path in paths:
        if not Path(path).exists():
            raise UsageError(f"there is no file {path}")
        inner = files.relative_inside(top, Path(path))
        if inner is None:
            message = "the path leads outside the repository or over a symbolic link"
            findings.append(Finding(Place(path), "REF019", message, "name a file inside it"))
            continue
        if not (top / inner).is_file():
            findings.append(odd(inner))
            continue
        wanted.add(inner)
        key = layout.release_of(inner)
        if key:
            keys.append(key)
            wanted |= {
                layout.release_path(key),
                layout.rollout_path(key),
                layout.environment_path(key.environment),
            }
            folder = layout.release_path(key).rpartition("/")[0]
            wanted |= {f"{folder}/{path.name}" for path in (top / folder).glob("*.json")}
    catalog = files.read(top, [layout.CATALOG], SPEC.size)
    present = dict(catalog.files)
    links = list(catalog.links)
    for path in sorted(wanted | {_WAIVERS}):
        content = files.read_one(top, path, SPEC.size)
        if content is not None:
            present[path] = content
        elif os.path.lexists(top / path):
            links.append(path)
    return Workspace(present, tuple(links)), findings, keys
