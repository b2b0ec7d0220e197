"""Reading trees: what files a revision holds and what differs between two of them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import pygit2
from pygit2.enums import FileMode

from sluice.core.finding import UsageError
from sluice.git.faults import explains_faults
from sluice.git.repository import Repository, tree_object

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
    """
    root = tree_object(repo, revision)
    return {
        path: Entry(str(found.id), found.filemode)
        for prefix in _outermost(prefixes)
        for path, found in _under(root, prefix)
    }


@explains_faults
def read_tree(
    repo: Repository, revision: str, prefixes: Iterable[str] = (), limit: int = LIMIT
) -> Tree:
    """Read the regular files under the given prefixes (see `list_tree`).

    A file of more than `limit` bytes is reported, not loaded.
    """
    files: dict[str, bytes] = {}
    links, oversized = set(), set()
    root = tree_object(repo, revision)
    for prefix in _outermost(prefixes):
        for path, entry in _under(root, prefix):
            if entry.filemode in {FileMode.LINK, FileMode.COMMIT}:
                links.add(path)
            elif _size(repo, entry.id) > limit:
                oversized.add(path)
            else:
                files[path] = repo.odb.read(entry.id)[1]
    return Tree(files, frozenset(links), frozenset(oversized))


def _size(repo: Repository, blob: pygit2.Oid) -> int:
    try:
        return repo.odb.read_header(blob)[1]
    except (pygit2.GitError, KeyError) as error:
        raise absent(blob) from error


def absent(blob: pygit2.Oid | str) -> UsageError:
    """What to say of a blob that a tree names and the repository lacks."""
    return UsageError(f"object {blob} is missing from this repository; {WHOLE}")


@explains_faults
def ids_at(repo: Repository, revision: str, paths: Iterable[str]) -> tuple[str | None, ...]:
    """Return the ids of directories or files, which tell whether anything in them has changed."""
    root = tree_object(repo, revision)
    found = (_lookup(root, path.strip("/")) for path in paths)
    return tuple(None if entry is None else str(entry.id) for entry in found)


@explains_faults
def read_blob(repo: Repository, blob: str) -> bytes:
    """Return the content of a blob by its id; UsageError when the repository lacks it."""
    try:
        return repo.odb.read(blob)[1]
    except (pygit2.GitError, KeyError, ValueError) as error:
        raise absent(blob) from error


def blob_id(content: bytes) -> str:
    """Return the id that a file of this content has in a repository."""
    return str(pygit2.hash(content))


@explains_faults
def changed_paths(repo: Repository, old: str, new: str, prefix: str = "") -> list[str]:
    """Return the sorted paths under `prefix` that were added, changed or deleted.

    Content, mode and kind all count. Equal subtrees are skipped by id, so the cost follows the
    size of the change, not of the repository.
    """
    prefix = prefix.strip("/")
    before, after = _lookup(tree_object(repo, old), prefix), _lookup(tree_object(repo, new), prefix)
    return sorted(_changed(prefix, before, after))


def _changed(path: str, old: pygit2.Object | None, new: pygit2.Object | None) -> Iterator[str]:
    if old is not None and new is not None and _same(old, new):
        return
    _check_depth(path)
    before, after = _children(old), _children(new)
    if (old is not None and before is None) or (new is not None and after is None):
        yield path
    before, after = before or {}, after or {}
    for name in before.keys() | after.keys():
        below = f"{path}/{name}" if path else name
        yield from _changed(below, before.get(name), after.get(name))


def _check_depth(path: str) -> None:
    if path.count("/") > DEPTH:
        raise UsageError(f"{path[:80]}… lies more than {DEPTH} directories deep")


def _same(old: pygit2.Object, new: pygit2.Object) -> bool:
    return old.id == new.id and _mode(old) == _mode(new)


def _mode(entry: pygit2.Object) -> int:
    return FileMode.TREE if isinstance(entry, pygit2.Tree) else entry.filemode


def _children(entry: pygit2.Object | None) -> dict[str, pygit2.Object] | None:
    if not isinstance(entry, pygit2.Tree):
        return None
    return {child.name or "": child for child in entry}


def _outermost(prefixes: Iterable[str]) -> list[str]:
    """Drop prefixes that lie inside another one."""
    kept: list[str] = []
    for prefix in sorted({p.strip("/") for p in prefixes}, key=lambda p: p.split("/")) or [""]:
        if not kept or (kept[-1] and not f"{prefix}/".startswith(f"{kept[-1]}/")):
            kept.append(prefix)
    return kept


def _lookup(root: pygit2.Tree, path: str) -> pygit2.Object | None:
    if not path:
        return root
    try:
        return root[path]
    except KeyError:
        return None


def _under(root: pygit2.Tree, prefix: str) -> Iterator[tuple[str, pygit2.Object]]:
    found = _lookup(root, prefix)
    if isinstance(found, pygit2.Tree):
        yield from _leaves(found, f"{prefix}/" if prefix else "")
    elif found is not None:
        yield prefix, found


def _leaves(tree: pygit2.Tree, prefix: str) -> Iterator[tuple[str, pygit2.Object]]:
    _check_depth(prefix)
    for entry in tree:
        path = f"{prefix}{entry.name}"
        if isinstance(entry, pygit2.Tree):
            yield from _leaves(entry, f"{path}/")
        else:
            yield path, entry
