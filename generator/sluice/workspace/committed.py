"""Whether the files that a check reads are those that Git has, and that others will read."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from sluice import files, git
from sluice.core import layout
from sluice.core.checks.references import link
from sluice.core.checks.repository_rules import (
    check_ignored,
    check_names,
    check_rewritten,
    unread_repository,
)
from sluice.core.documents.emit import unix_lines
from sluice.core.finding import Finding, UsageError
from sluice.workspace.rendered import RENDERED_LIMIT
from sluice.workspace.revisions import find_prefix
from sluice.workspace.workspace import FOLDERS

_HEAD = "HEAD"


def check_committed(top: Path, read: Mapping[str, bytes]) -> Iterator[Finding]:
    """What is wrong with how Git has the files of a work tree; nothing where there is no Git.

    Args:
        top: the root of the specs.
        read: what the check goes by: specs, policies, and manifests as they are to be.
    """
    try:
        repository = git.open_repository(top)
    except UsageError as error:
        if any(os.path.lexists(folder / ".git") for folder in (top, *top.absolute().parents)):
            yield unread_repository(str(error))
        return
    if repository.is_bare:
        return
    prefix = find_prefix(top, repository)
    entries = _list_entries(repository, prefix)
    there = {path for path in entries if os.path.lexists(top / path)}
    for path in sorted(there):
        if not entries[path].is_file:
            yield link(path)
    yield from check_names(there | read.keys())
    yield from check_rewritten(dict(_find_rewritten(top, repository, prefix, entries, read)))
    yield from check_ignored(
        path
        for path in sorted(read.keys() - entries.keys())
        if path.endswith(layout.APPLIED) and git.is_ignored(repository, prefix + path)
    )


def _list_entries(repository: git.Repository, prefix: str) -> Mapping[str, git.Entry]:
    """What is committed of the folders that are checked, by path."""
    if repository.head_is_unborn:
        return {}
    folders = [f"{prefix}{folder}" for folder in (*FOLDERS, layout.MANIFESTS)]
    found = git.list_tree(repository, _HEAD, folders)
    return {path.removeprefix(prefix): entry for path, entry in found.items()}


def _find_rewritten(
    top: Path,
    repository: git.Repository,
    prefix: str,
    entries: Mapping[str, git.Entry],
    read: Mapping[str, bytes],
) -> Iterator[tuple[str, str]]:
    """Files that a checkout changes, and what changes them."""
    for path in sorted(entries.keys() | read.keys()):
        if path.rpartition("/")[2] == git.ATTRIBUTES:
            yield path, "only the root of a repository may say how files are checked out"
    paths = [path for path in entries.keys() | read.keys() if path.endswith(layout.APPLIED)]
    marked = git.find_rewritten(repository, sorted(prefix + path for path in paths), prefix)
    for path, attribute in marked.items():
        yield path.removeprefix(prefix), f"{git.ATTRIBUTES} gives it {attribute}"
    for path in sorted(paths):
        if path not in read or path not in entries or prefix + path in marked:
            continue
        is_other = _reads_otherwise(repository, entries[path], read[path])
        if is_other and git.is_unchanged(repository, prefix + path):
            # Of a manifest, `read` is what it should be; what is checked out may be what Git has.
            there = files.read_one(top, path, RENDERED_LIMIT)
            if there is not None and _reads_otherwise(repository, entries[path], there):
                yield path, "Git takes both for the same, and they are not"


def _reads_otherwise(repository: git.Repository, entry: git.Entry, content: bytes) -> bool:
    """Whether a file differs from the committed one by more than the ends of its lines."""
    if not entry.is_file or entry.id == git.compute_blob_id(content):
        return False
    return unix_lines(git.read_blob(repository, entry.id)) != unix_lines(content)
