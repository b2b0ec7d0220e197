"""`sluice init`: write a GitOps repository."""

import os
from pathlib import Path

import click

from sluice import files
from sluice.core import layout
from sluice.core.finding import UsageError
from sluice.system import resources
from sluice.workspace.rendered import differences
from sluice.workspace.workspace import open_workspace


def run(*, directory: str) -> int:
    """Write the starter repository and render it; a folder that is in use is refused."""
    top = Path(directory)
    write(top)
    click.echo(
        f"{top} is a GitOps repository.\n"
        "Next: read its README.md, put your own hosts, claims and Git address in, then\n"
        f"  cd {top} && git init -b main && sluice render && sluice check"
    )
    return 0


def write(top: Path) -> None:
    """Write everything, or nothing where a file would be overwritten.

    Raises:
        UsageError: the folder holds something of what would be written.
    """
    wanted = starter()
    taken = sorted(p for p in (*wanted, layout.MANIFESTS) if os.path.lexists(top / p))
    if taken:
        raise UsageError(f"{top} has {taken[0]} already; name a new folder")
    files.make_folder(top)
    files.write(top, wanted)
    manifests = open_workspace(top).render()
    rendered = {path: manifest.content() for path, manifest in manifests.items()}
    files.write(top, differences(top, rendered))


def starter() -> dict[str, bytes | None]:
    """The starter's files, the schemas for editors, and the default policies."""
    wanted: dict[str, bytes | None] = {}
    for folder, prefix in (("starter", ""), ("policies", "policies/")):
        found = resources.files(resources.directory(folder))
        wanted |= {prefix + path: text.encode() for path, text in found.items()}
    schemas = resources.directory("schemas")
    for path in sorted(schemas.glob("*.schema.json")):
        wanted[f"schemas/{path.name}"] = path.read_bytes()
    return wanted
