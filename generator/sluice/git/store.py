"""A repository's objects and refs as one small object, for those who may not know Git itself."""

from collections.abc import Iterator, Mapping, Sequence

import pygit2

from sluice.core.model import Signature
from sluice.git.commits import commit, merge_trees
from sluice.git.history import find_first_parent, is_ancestor
from sluice.git.merged import Merged
from sluice.git.refs import RefMovedError, tip, update_ref
from sluice.git.repository import Repository, find_commit
from sluice.git.trees import list_tree, read_blob
from sluice.git.write import write_tree


class Store:
    """What the embedded forge needs of a repository."""

    def __init__(self, repo: Repository) -> None:
        self._repo = repo
        self._merged = Merged(repo)

    def tip(self, ref: str) -> str | None:
        """Return the commit that a full ref name points to, None when it does not exist."""
        return tip(self._repo, ref)

    def move(self, ref: str, new: str | None, expected: str | None) -> bool:
        """Compare and swap a ref; False when it was not `expected`."""
        try:
            update_ref(self._repo, ref, new, expected)
        except RefMovedError:
            return False
        return True

    def entries(self, commit: str, prefix: str = "") -> Mapping[str, str]:
        """Return path → blob id under a directory, or of one file."""
        tree = list_tree(self._repo, commit, [prefix] if prefix else [])
        return {path: entry.id for path, entry in tree.items()}

    def read(self, blob: str) -> bytes:
        """Return the content of a blob."""
        return read_blob(self._repo, blob)

    def write(self, base: str | None, changes: Mapping[str, bytes | None]) -> str:
        """Return the id of the tree of `base` with the changes; None deletes."""
        return write_tree(self._repo, base, changes)

    def commit(
        self, tree: str, parents: Sequence[str], message: str, author: Signature, time: int
    ) -> str:
        """Write a commit object, at a time in seconds since the epoch, and return its id."""
        return commit(self._repo, tree, parents, message, author, time=time)

    def merge(self, ours: str, theirs: str) -> tuple[str, tuple[str, ...]]:
        """Return the merged tree and no paths, or nothing and the paths in conflict."""
        return merge_trees(self._repo, ours, theirs)

    def contains(self, commit: str, ancestor: str) -> bool:
        """Whether `ancestor` is `commit` or in its history; an object that is gone is not."""
        return ancestor in self._repo and is_ancestor(self._repo, ancestor, commit)

    def merged_as(self, base: str, head: str) -> str | None:
        """Return the commit by which a branch got a commit; see `Merged`."""
        return self._merged.merged_as(base, head)

    def squashed_as(self, base: str, head: str) -> str | None:
        """Return the commit by which a branch got the content of a commit; see `Merged`."""
        return self._merged.squashed_as(base, head)

    def line(self, commit: str) -> Iterator[tuple[str, Sequence[str]]]:
        """Yield (id, parents) from a commit back along first parents."""
        child: pygit2.Commit | None = find_commit(self._repo, commit)
        while child is not None:
            yield str(child.id), tuple(str(parent) for parent in child.parent_ids)
            child = find_first_parent(self._repo, child)
