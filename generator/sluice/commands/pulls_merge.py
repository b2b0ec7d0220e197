"""`sluice pulls merge`."""

import click

from sluice.core.outgoing import visible
from sluice.workspace.connection import find_repository, local_forge, person


def run(*, number: int, repository: str | None, root: str | None) -> int:
    """Merge a pull request at the head that it has now."""
    bare = find_repository(repository, root)
    forge = local_forge(bare, person(bare))
    pull = forge.merge(number, forge.get(number).head)
    click.echo(visible(f"#{pull.number} is {pull.state}: {pull.title}"))
    return 0
