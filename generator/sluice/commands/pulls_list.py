"""`sluice pulls list`."""

import json
import sys
from dataclasses import asdict

from sluice.core.outgoing import lines_of
from sluice.workspace.connection import find_repository, open_local_forge, read_person


def run(*, state: str, repository: str | None, root: str | None, form: str) -> int:
    """Print the pull requests of one state, newest first."""
    bare = find_repository(repository, root)
    pulls = [
        pull
        for pull in open_local_forge(bare, read_person(bare)).list()
        if state in ("all", pull.state)
    ]
    if form == "json":
        records = {"version": 1, "pulls": [asdict(pull) for pull in pulls]}
        sys.stdout.write(json.dumps(records, indent=2) + "\n")
        return 0
    for pull in pulls:
        sys.stdout.write(lines_of([f"#{pull.number}  {pull.state:<6}  {pull.title}"]))
    if not pulls:
        sys.stderr.write(f"no pull requests{'' if state == 'all' else f' are {state}'}\n")
    return 0
