"""`sluice pulls merge`."""

import click

from sluice import git
from sluice.core.outgoing import visible
from sluice.reconciler.pen import pen_of
from sluice.workspace.connection import find_repository, now, open_local_forge, read_person


def run(*, number: int, repository: str | None, root: str | None) -> int:
    """Merge a pull request at the head that it has now."""
    bare = find_repository(repository, root)
    who = read_person(bare)
    forge = open_local_forge(bare, who)
    pen = pen_of(git.Direct(bare), forge, now, who)
    pull = pen.merge(number, forge.get(number).head)
    click.echo(visible(f"#{pull.number} is {pull.state}: {pull.title}"))
    return 0
