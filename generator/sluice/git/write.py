"""Writing trees: only the directories that a change touches are rebuilt."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pygit2
from pygit2.enums import FileMode

from sluice.core.finding import UsageError
from sluice.git.faults import explains_faults
from sluice.git.repository import Repository, find_tree
from sluice.git.trees import DEPTH

_FORBIDDEN = frozenset({"", ".git", "git~1"})


@dataclass(slots=True)
class _Node:
    """The changes at one path: a new content, a deletion, changes below, or several of these."""

    content: bytes | None = None
    deleted: bool = False
    below: dict[str, "_Node"] = field(default_factory=dict)


@explains_faults
def write_tree(repo: Repository, base: str | None, changes: Mapping[str, bytes | None]) -> str:
    """Write the tree that results from applying changes (None deletes) and return its id.

    `base` is a commit or tree, None an empty tree. Files that are not named keep their mode and
    bytes, an overwritten file keeps its executable bit, emptied directories vanish. Deleting
    what is not there is no error.

    Args:
        repo: the repository.
        base: a commit or a tree; None is an empty tree.
        changes: path and new content; None deletes.

    Raises:
        UsageError: a path that Git must not hold, or one that would be both file and directory.
    """
    root = find_tree(repo, base) if base else None
    tree = _write(repo, root, _nest_changes(changes), "")
    if tree is None:  # nothing is left
        tree = repo.TreeBuilder().write()
    return str(tree)


def _nest_changes(changes: Mapping[str, bytes | None]) -> _Node:
    root = _Node()
    for path, content in changes.items():
        node = root
        for part in _split_path(path):
            node = node.below.setdefault(part, _Node())
        node.content, node.deleted = content, content is None
    return root


def _split_path(path: str) -> list[str]:
    parts = path.split("/")
    if (
        "\0" in path
        or len(parts) > DEPTH
        or any(part.casefold().rstrip(" .") in _FORBIDDEN for part in parts)
    ):
        raise UsageError(f"{path!r} is not a path that can be committed")
    return parts


def _write(repo: Repository, tree: pygit2.Tree | None, node: _Node, path: str) -> pygit2.Oid | None:
    """Apply what is below a node to a directory; None when nothing is left in it."""
    builder = repo.TreeBuilder(tree) if tree is not None else repo.TreeBuilder()
    for name, child in node.below.items():
        _apply(repo, builder, child, f"{path}/{name}" if path else name)
    return builder.write() if len(builder) else None


def _apply(repo: Repository, builder: pygit2.TreeBuilder, node: _Node, path: str) -> None:
    name = path.rpartition("/")[2]
    old = builder.get(name)
    tree = old if isinstance(old, pygit2.Tree) else None
    # What the directory of this name becomes; None when there is none, or nothing is left in it.
    keeps = tree.id if tree else None
    if node.below:
        keeps = _write(repo, tree, node, path)
    if node.content is not None:
        if keeps is not None:
            raise UsageError(f"{path} is a directory that holds other files")
        builder.insert(name, repo.create_blob(node.content), _choose_mode(old))
    elif keeps is not None:
        if not (tree or node.deleted or old is None):
            raise UsageError(f"{path} is a file or a link; it cannot hold other files")
        builder.insert(name, keeps, FileMode.TREE)
    elif old is not None and (tree is not None or node.deleted):
        builder.remove(name)


def _choose_mode(old: pygit2.Object | None) -> FileMode:
    if old is not None and old.filemode == FileMode.BLOB_EXECUTABLE:
        return FileMode.BLOB_EXECUTABLE
    return FileMode.BLOB
