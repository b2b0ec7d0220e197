"""`sluice board`: what runs where, as a page."""

import os
import re
import sys
from pathlib import Path

from sluice import files
from sluice.core.finding import UsageError
from sluice.core.reports.board import render_board
from sluice.core.reports.page_templates import PageTemplates
from sluice.insight.overview import describe, look
from sluice.system import resources
from sluice.workspace.connection import Place
from sluice.workspace.workspace import find_root

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def run(
    *,
    out: str | None,
    links: str | None,
    environment: str | None,
    root: str | None,
    repository: str | None,
    forge: str | None,
    state: str | None,
) -> int:
    """Write the page; 1 when something of it cannot be read."""
    found = describe(look(Place(root, repository, forge, state)), environment)
    if links is None and repository is None:
        links = _relative(find_root(root), out)
    page = render_board(found, _check_target(links), PageTemplates(resources.read_pages)).encode()
    if out is None:
        sys.stdout.buffer.write(page)
    else:
        files.write_file(Path(out), page)
    return int(bool(found["broken"]))


def _relative(root: Path, out: str | None) -> str:
    """From where the page is to where the specs are; a page on stdout is taken for one here."""
    folder = Path(out).resolve().parent if out else Path.cwd()
    try:
        return Path(os.path.relpath(root.resolve(), folder)).as_posix()
    except ValueError:  # on another drive
        return root.resolve().as_uri()


def _check_target(links: str | None) -> str | None:
    """Refuse an address that is more than a place."""
    scheme = _SCHEME.match(links or "")
    if scheme and scheme[0].lower() not in ("http:", "https:", "file:"):
        raise UsageError(f"--links {links}: give an address that begins with https://, or a path")
    return links
