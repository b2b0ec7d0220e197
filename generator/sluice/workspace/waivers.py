"""The repository's waivers on findings, as of today."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime

from sluice.core.finding import Finding, FindingsError, in_order
from sluice.core.reports.waivers import read_waivers, waive
from sluice.workspace.workspace import Workspace


def apply_waivers(
    workspace: Workspace, findings: Iterable[Finding], objects: Mapping[str, str], *, complete: bool
) -> list[Finding]:
    """The findings with those marked that a waiver covers, and what is wrong with the waivers."""
    try:
        waivers = read_waivers(workspace.files, workspace.tools.schemas)
    except FindingsError as error:
        return in_order([*findings, *error.findings])
    return waive(findings, waivers, objects, today(), complete=complete)


def today() -> date:
    """The day, in UTC."""
    return datetime.now(UTC).date()
