"""`sluice status`: what runs where, in a terminal."""

import json
import sys
from collections.abc import Mapping
from typing import Any

from sluice.commands.connect import Place
from sluice.commands.sight import Sight, sight
from sluice.core.finding import UsageError
from sluice.core.names import nearest
from sluice.core.reports.status import status
from sluice.core.reports.status_text import as_text


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
    found = observed(sight(Place(root, repository, forge, state)), environment)
    if form == "json":
        sys.stdout.write(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(as_text(found))
    return int(bool(found["broken"]))


def observed(seen: Sight, environment: str | None) -> Mapping[str, Any]:
    """What `status` and `board` show.

    Raises:
        UsageError: there is no such environment.
    """
    workspace = seen.workspace
    known = sorted(workspace.specs.environments)
    if environment is not None and environment not in known:
        close = nearest(environment, known)
        hint = f"did you mean {close}?" if close else f"there are {', '.join(known) or 'none'}"
        raise UsageError(f"there is no environment {environment}; {hint}")
    return status(
        workspace.specs, workspace.tools.catalog, workspace.files, seen.outside, environment
    )
