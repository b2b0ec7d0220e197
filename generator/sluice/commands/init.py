"""`sluice init`: write a GitOps repository."""

import os
import re
from pathlib import Path

import click

from sluice import __version__, files
from sluice.core import layout
from sluice.core.finding import UsageError
from sluice.system import resources
from sluice.workspace.rendered import compare_rendered
from sluice.workspace.workspace import open_workspace

# Where the workflow finds which Sluice it installs; what Sluice needs is in a file beside it.
_PINNED = ".github/sluice.txt"
_HASH = re.compile(r"sha256:[0-9a-f]{64}")


def run(*, directory: str, wheel_hash: str | None) -> int:
    """Write the starter repository and render it; a folder that is in use is refused.

    Args:
        directory: where to.
        wheel_hash: of Sluice's own wheel; without one CI takes what has its version.

    Raises:
        UsageError: the folder is in use, or the hash is none.
    """
    if wheel_hash is not None and not _HASH.fullmatch(wheel_hash):
        raise UsageError(
            "--wheel-hash is sha256: and 64 digits in lower case, as `pip hash` has it"
        )
    top = Path(directory)
    write(top, wheel_hash)
    click.echo(
        f"{top} is a GitOps repository.\n"
        "Next: read its README.md, put your own hosts, claims and Git address in, then\n"
        f"  cd {top} && git init -b main && sluice render && sluice check"
    )
    return 0


def write(top: Path, wheel_hash: str | None = None) -> None:
    """Write everything, or nothing where a file would be overwritten.

    Raises:
        UsageError: the folder holds something of what would be written.
    """
    wanted = read_starter(wheel_hash)
    taken = sorted(p for p in (*wanted, layout.MANIFESTS) if os.path.lexists(top / p))
    if taken:
        raise UsageError(f"{top} has {taken[0]} already; name a new folder")
    files.make_folder(top)
    files.write(top, wanted)
    manifests = open_workspace(top).render()
    rendered = {path: manifest.content() for path, manifest in manifests.items()}
    files.write(top, compare_rendered(top, rendered))


def read_starter(wheel_hash: str | None = None) -> dict[str, bytes | None]:
    """The starter's files, the schemas for editors, the default policies, and this version."""
    requirement = f"sluice-gitops=={__version__}"
    if wheel_hash is not None:
        requirement += f" --hash={wheel_hash}"
    wanted: dict[str, bytes | None] = {_PINNED: f"{requirement}\n".encode()}
    for folder, prefix in (("starter", ""), ("policies", "policies/")):
        found = resources.read_files(resources.find_directory(folder))
        wanted |= {prefix + path: text.encode() for path, text in found.items()}
    schemas = resources.find_directory("schemas")
    for path in sorted(schemas.glob("*.schema.json")):
        wanted[f"schemas/{path.name}"] = path.read_bytes()
    return wanted
