"""`sluice pulls close`."""

import click

from sluice import git
from sluice.core.outgoing import visible
from sluice.reconciler.pen import pen_of
from sluice.workspace.connection import find_repository, now, open_local_forge, read_person


def run(*, number: int, reason: str, repository: str | None, root: str | None) -> int:
    """Close a pull request; its version counts as rejected."""
    bare = find_repository(repository, root)
    who = read_person(bare)
    forge = open_local_forge(bare, who)
    pull = pen_of(git.Direct(bare), forge, now, who).close_pull(number, reason, None, "")
    click.echo(visible(f"#{pull.number} is {pull.state}: {pull.title}"))
    return 0
