"""`sluice pulls close`."""

import click

from sluice.core.outgoing import visible
from sluice.workspace.connection import find_repository, local_forge, person


def run(*, number: int, reason: str, repository: str | None, root: str | None) -> int:
    """Close a pull request; its version counts as rejected."""
    bare = find_repository(repository, root)
    pull = local_forge(bare, person(bare)).close(number, reason)
    click.echo(visible(f"#{pull.number} is {pull.state}: {pull.title}"))
    return 0
