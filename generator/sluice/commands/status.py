"""`sluice status`: what runs where, in a terminal."""

import json
import sys

from sluice.core.reports.status_text import as_text
from sluice.insight.overview import describe, look
from sluice.workspace.connection import Place


def run(
    *,
    environment: str | None,
    root: str | None,
    repository: str | None,
    forge: str | None,
    state: str | None,
    form: str,
) -> int:
    """Print it; 1 when something of it cannot be read."""
    found = describe(look(Place(root, repository, forge, state)), environment)
    if form == "json":
        sys.stdout.write(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(as_text(found))
    return int(bool(found["broken"]))
