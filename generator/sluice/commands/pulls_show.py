"""`sluice pulls show`."""

import json
import sys
from dataclasses import asdict

from sluice import git
from sluice.core import layout
from sluice.core.forge import PullRequest
from sluice.core.outgoing import lines_of
from sluice.workspace.connection import find_repository, open_local_forge, read_person


def run(*, number: int, repository: str | None, root: str | None, form: str) -> int:
    """Print one pull request with the files that it changes."""
    bare = find_repository(repository, root)
    pull = open_local_forge(bare, read_person(bare)).get(number)
    files = changed_files(bare, pull)
    if form == "json":
        record = {"version": 1, "pull": asdict(pull), "files": files}
        sys.stdout.write(json.dumps(record, indent=2) + "\n")
    else:
        sys.stdout.write(text(bare, pull, files))
    return 0


def text(bare: git.Repository, pull: PullRequest, files: list[str]) -> str:
    """Title, body, files, and the difference of the spec."""
    branches = f"{pull.state}: {pull.branch} -> {pull.base}"
    head = lines_of([f"#{pull.number} {pull.title}", branches])
    listed = lines_of(f"  {path}" for path in files)
    diff = spec_diff(bare, pull, files)
    return f"{head}\n{pull.body}\nFiles changed\n{listed}\n{diff}"


def spec_diff(bare: git.Repository, pull: PullRequest, files: list[str]) -> str:
    """The change of release.yaml, which people write and review."""
    specs = [path for path in files if layout.release_of(path) and path.endswith("release.yaml")]
    first = _before(bare, pull)
    return git.diff_text(bare, first, pull.head, specs) if first and specs else ""


def changed_files(bare: git.Repository, pull: PullRequest) -> list[str]:
    """The paths that a pull request changes."""
    first = _before(bare, pull)
    return git.changed_paths(bare, first, pull.head) if first else []


def _before(bare: git.Repository, pull: PullRequest) -> str | None:
    base = git.tip(bare, f"refs/heads/{pull.base}")
    if not pull.head or base is None:
        return None
    if pull.merged_as:
        base = git.commit_of(bare, pull.merged_as).parents[0]
    return git.merge_base(bare, base, pull.head)
