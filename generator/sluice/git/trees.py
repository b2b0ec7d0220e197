"""Reading trees: what files a revision holds and what differs between two of them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import pygit2
from pygit2.enums import FileMode

from sluice.core.finding import UsageError
from sluice.git.faults import explains_faults
from sluice.git.repository import Repository, find_tree

LIMIT = 1 << 20
DEPTH = 128
WHOLE = "fetch the rest of a partial clone with: git fetch --refetch --no-filter"


class Entry(NamedTuple):
    """A file, symbolic link or submodule in a tree: object id and Git file mode."""

    id: str
    mode: int

    @property
    def is_file(self) -> bool:
        return self.mode not in {FileMode.LINK, FileMode.COMMIT}


@dataclass(frozen=True, slots=True)
class Tree:
    """The files of a revision by path, and the paths that were not read as files.

    `links` are symbolic links and submodules, `oversized` regular files above the size limit.
    """

    files: Mapping[str, bytes]
    links: frozenset[str] = frozenset()
    oversized: frozenset[str] = frozenset()


@explains_faults
def list_tree(repo: Repository, revision: str, prefixes: Iterable[str] = ()) -> dict[str, Entry]:
    """Return every entry that is no directory, by path, in tree order, without reading contents.

    A prefix is a directory or one file, in whole path components; no prefix means everything.
    A prefix that does not exist contributes nothing. Non-UTF-8 names are surrogate-escaped.

    Args:
        repo: the repository.
        revision: a commit or a tree.
        prefixes: of the paths.

    Raises:
        UsageError: there is no such revision, or an object is missing.
    """
    root = find_tree(repo, revision)
    entries = {}
    for prefix in _drop_nested(prefixes):
        for path, entry in _walk_below(root, prefix):
            entries[path] = Entry(str(entry.id), entry.filemode)
    return entries


@explains_faults
def read_tree(
    repo: Repository, revision: str, prefixes: Iterable[str] = (), limit: int = LIMIT
) -> Tree:
    """Read the regular files under the given prefixes (see `list_tree`).

    Args:
        repo: the repository.
        revision: a commit or a tree.
        prefixes: of the paths.
        limit: bytes; a larger file is reported, not loaded.

    Raises:
        UsageError: there is no such revision, or an object is missing.
    """
    files: dict[str, bytes] = {}
    links, oversized = set(), set()
    root = find_tree(repo, revision)
    for prefix in _drop_nested(prefixes):
        for path, entry in _walk_below(root, prefix):
            if entry.filemode in {FileMode.LINK, FileMode.COMMIT}:
                links.add(path)
            elif _read_size(repo, entry.id) > limit:
                oversized.add(path)
            else:
                files[path] = repo.odb.read(entry.id)[1]
    return Tree(files, frozenset(links), frozenset(oversized))


def _read_size(repo: Repository, blob: pygit2.Oid) -> int:
    try:
        return repo.odb.read_header(blob)[1]
    except (pygit2.GitError, KeyError) as error:
        raise describe_absence(blob) from error


def describe_absence(blob: pygit2.Oid | str) -> UsageError:
    """Return what to say of a blob that a tree names and the repository lacks."""
    return UsageError(f"object {blob} is missing from this repository; {WHOLE}")


@explains_faults
def find_ids(repo: Repository, revision: str, paths: Iterable[str]) -> tuple[str | None, ...]:
    """Return the ids of directories or files, which tell whether anything in them has changed.

    Args:
        repo: the repository.
        revision: a commit or a tree.
        paths: of directories or files.

    Raises:
        UsageError: there is no such revision, or an object is missing.
    """
    root = find_tree(repo, revision)
    ids: list[str | None] = []
    for path in paths:
        entry = _lookup(root, path.strip("/"))
        ids.append(None if entry is None else str(entry.id))
    return tuple(ids)


@explains_faults
def read_blob(repo: Repository, blob: str) -> bytes:
    """Return the content of a blob by its id; UsageError when the repository lacks it."""
    try:
        return repo.odb.read(blob)[1]
    except (pygit2.GitError, KeyError, ValueError) as error:
        raise describe_absence(blob) from error


def compute_blob_id(content: bytes) -> str:
    """Return the id that a file of this content has in a repository."""
    return str(pygit2.hash(content))


@explains_faults
def changed_paths(repo: Repository, old: str, new: str, prefix: str = "") -> list[str]:
    """Return the sorted paths under `prefix` that were added, changed or deleted.

    Content, mode and kind all count. Equal subtrees are skipped by id, so the cost follows the
    size of the change, not of the repository.

    Args:
        repo: the repository.
        old: the revision before.
        new: the revision after.
        prefix: a directory or a file; empty is everything.

    Raises:
        UsageError: there is no such revision, or an object is missing.
    """
    prefix = prefix.strip("/")  # whole components, as `list_tree` takes them
    before, after = _lookup(find_tree(repo, old), prefix), _lookup(find_tree(repo, new), prefix)
    return sorted(_walk_changed(prefix, before, after))


def _walk_changed(path: str, old: pygit2.Object | None, new: pygit2.Object | None) -> Iterator[str]:
    if old is not None and new is not None and _is_same(old, new):
        return
    _check_depth(path)
    before, after = _list_children(old), _list_children(new)
    if (old is not None and before is None) or (new is not None and after is None):
        yield path
    before, after = before or {}, after or {}
    for name in before.keys() | after.keys():
        below = f"{path}/{name}" if path else name
        yield from _walk_changed(below, before.get(name), after.get(name))


def _check_depth(path: str) -> None:
    if path.count("/") > DEPTH:
        raise UsageError(f"{path[:80]}… lies more than {DEPTH} directories deep")


def _is_same(old: pygit2.Object, new: pygit2.Object) -> bool:
    return old.id == new.id and _read_mode(old) == _read_mode(new)


def _read_mode(entry: pygit2.Object) -> int:
    return FileMode.TREE if isinstance(entry, pygit2.Tree) else entry.filemode


def _list_children(entry: pygit2.Object | None) -> dict[str, pygit2.Object] | None:
    if not isinstance(entry, pygit2.Tree):
        return None
    return {child.name or "": child for child in entry}


def _drop_nested(prefixes: Iterable[str]) -> list[str]:
    """Drop prefixes that lie inside another one."""
    stripped = {prefix.strip("/") for prefix in prefixes}
    # Sorted by components, what lies inside a prefix comes right after it.
    ordered = sorted(stripped, key=lambda prefix: prefix.split("/")) or [""]
    kept: list[str] = []
    for prefix in ordered:
        is_inside = bool(kept) and (not kept[-1] or f"{prefix}/".startswith(f"{kept[-1]}/"))
        if not is_inside:
            kept.append(prefix)
    return kept


def _lookup(root: pygit2.Tree, path: str) -> pygit2.Object | None:
    if not path:
        return root
    try:
        return root[path]
    except KeyError:
        return None


def _walk_below(root: pygit2.Tree, prefix: str) -> Iterator[tuple[str, pygit2.Object]]:
    entry = _lookup(root, prefix)
    if isinstance(entry, pygit2.Tree):
        yield from _walk_leaves(entry, f"{prefix}/" if prefix else "")
    elif entry is not None:
        yield prefix, entry


def _walk_leaves(tree: pygit2.Tree, prefix: str) -> Iterator[tuple[str, pygit2.Object]]:
    _check_depth(prefix)
    for entry in tree:
        path = f"{prefix}{entry.name}"
        if isinstance(entry, pygit2.Tree):
            yield from _walk_leaves(entry, f"{path}/")
        else:
            yield path, entry
