"""`sluice history`: who served when, why, and on what evidence, from Git alone."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from sluice import git
from sluice.core import layout
from sluice.core.finding import UsageError
from sluice.core.layout import Key
from sluice.core.model import Commit
from sluice.core.names import nearest
from sluice.core.promotion.history import Change, as_data, as_text, entries
from sluice.reconciler.promotions.serving_history import list_changes, read_state
from sluice.workspace.connection import find_repository, is_remote, now
from sluice.workspace.identity import MAIN

_FETCHED = "refs/remotes/origin/main"


def run(*, release: str, repository: str | None, root: str | None, form: str) -> int:
    """Print every version that main has held of a release, newest first.

    Nothing is asked but the commits, so that it answers also where today's specs are broken.
    """
    place, main = _main(repository, root)
    key = _key(place, main, release)
    found = entries(_list_changes(place, main, key))
    if not found:
        raise UsageError(f"main has never had a release {key}")
    if form == "json":
        record = {"version": 1, "release": str(key), "history": [as_data(e) for e in found]}
        sys.stdout.write(json.dumps(record, indent=2) + "\n")
    else:
        sys.stdout.write(as_text(found, now()))
    return 0


def _main(repository: str | None, root: str | None) -> tuple[git.Repository, str]:
    """The repository that counts; where that is on a server, what was last fetched from it."""
    if repository is None:
        clone = git.open_repository(Path(root or "."))
        url = git.read_remote_url(clone)
        if not clone.is_bare and (url is None or is_remote(url)):
            return clone, _FETCHED if git.tip(clone, _FETCHED) else "HEAD"
    return find_repository(repository, root, only_read=True), MAIN


def _key(bare: git.Repository, main: str, name: str) -> Key:
    """The release that is named, as NAME, ENVIRONMENT/NAME or in full; only so if it is gone."""
    wanted = tuple(name.strip("/").split("/"))
    paths = git.list_tree(bare, main, [layout.ENVIRONMENTS])
    keys = {key for path in paths if (key := layout.release_of(path))}
    found = sorted(k for k in keys if wanted in (k, (k.environment, k.name), (k.name,)))
    if len(found) == 1:
        return found[0]
    if found:
        listed = ", ".join(map(str, found))
        raise UsageError(f"{name} is any of {listed}; name one of them")
    past = layout.release_of(f"{layout.ENVIRONMENTS}/{'/'.join(wanted)}/release.yaml")
    if past:
        return past
    close = nearest(wanted[-1], sorted(key.name for key in keys))
    hint = f"did you mean {close}?" if close else "one that is gone needs ENVIRONMENT/TEAM/NAME"
    raise UsageError(f"there is no release {name}; {hint}")


def _list_changes(bare: git.Repository, main: str, key: Key) -> Iterator[Change]:
    for commit, here in list_changes(bare, main, key):
        proposal = _proposal(bare, commit, here)
        frozen = f"{layout.ENVIRONMENTS}/{here}/evidence"
        parent = commit.parents[0] if commit.parents else None
        new = git.changed_paths(bare, parent, commit.id, frozen) if parent else [frozen]
        evidence = git.read_tree(bare, commit.id, new).files if new else {}
        yield Change(commit, proposal, str(here), read_state(bare, commit, here), evidence)


def _proposal(bare: git.Repository, commit: Commit, key: Key) -> Commit:
    """The commit that a merge brought; others may have come onto its branch after it."""
    if len(commit.parents) == 1 or not commit.parents:
        return commit
    path = layout.release_path(key)
    return next(git.file_history(bare, commit.parents[1], path), commit)
