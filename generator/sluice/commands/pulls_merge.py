"""`sluice pulls merge`."""

import click

from sluice import git
from sluice.core.outgoing import visible
from sluice.reconciler.pen import pen_of
from sluice.workspace.connection import find_repository, local_forge, now, person


def run(*, number: int, repository: str | None, root: str | None) -> int:
    """Merge a pull request at the head that it has now."""
    bare = find_repository(repository, root)
    who = person(bare)
    forge = local_forge(bare, who)
    pen = pen_of(git.Direct(bare), forge, now, who)
    pull = pen.merge(number, forge.get(number).head)
    click.echo(visible(f"#{pull.number} is {pull.state}: {pull.title}"))
    return 0
