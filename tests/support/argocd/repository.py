"""A repository as Argo CD's repo server sees it: commits on a branch, each a tree of files."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from support.argocd.objects import Data, documents

Tree = Mapping[str, bytes]
SUFFIXES = (".yaml", ".yml", ".json")
"""What is read in a folder of plain manifests (reposerver/repository, manifestFile; 3.5.7)."""


@dataclass
class Repository:
    """Commits on the one branch, and what of it the repo server remembers.

    `remembered` is the head that was seen last and when. Until it is too old, all Applications of
    a repository get it (reposerver/cache/cache.go, revisionCacheExpiration: 3 minutes), except who
    asks for a fresh one (util/git/client.go, WithCache).
    """

    memory: int = 180
    trees: dict[str, Tree] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    remembered: tuple[str, int] | None = None

    def commit(self, tree: Tree, revision: str = "") -> str:
        """Put a commit on the branch; its id, which is made up where none is given."""
        if revision:
            self.trees[revision] = tree
            self.log.append(revision)
            return revision
        parent = self.log[-1] if self.log else ""
        digest = hashlib.sha256(parent.encode())
        for path, content in sorted(tree.items()):
            digest.update(f"{path}\0".encode() + content)
        revision = digest.hexdigest()[:40]
        self.trees[revision] = tree
        self.log.append(revision)
        return revision

    def head(self, now: int, *, fresh: bool) -> str:
        """The commit that the branch is at, as the repo server says."""
        if fresh or self.remembered is None or now - self.remembered[1] >= self.memory:
            self.remembered = self.log[-1], now
        return self.remembered[0]

    def contains(self, revision: str, other: str) -> bool:
        """Whether a commit is another one or comes after it."""
        return (
            revision in self.log
            and other in self.log
            and self.log.index(other) <= self.log.index(revision)
        )

    def changes(self, old: str, new: str, folder: str) -> bool:
        """Whether anything below a folder differs (gitSourceHasChanges)."""
        before, after = self.trees[old], self.trees[new]
        inside = f"{folder}/"
        return any(
            before.get(path) != after.get(path)
            for path in before.keys() | after.keys()
            if path.startswith(inside)
        )

    def manifests(self, revision: str, source: Mapping[str, Any]) -> list[Data] | None:
        """What an Application's source renders; None when the folder is not there."""
        folder, options = f"{source['path']}/", source.get("directory") or {}
        paths = [path for path in self.trees[revision] if path.startswith(folder)]
        if not paths:
            return None
        chosen = [path for path in sorted(paths) if _is_read(path[len(folder) :], options)]
        return [data for path in chosen for data in _documents(self.trees[revision][path])]


def _documents(content: bytes) -> Iterator[Data]:
    yield from documents(content)


def _is_read(path: str, options: Mapping[str, Any]) -> bool:
    if not path.endswith(SUFFIXES) or ("/" in path and not options.get("recurse")):
        return False
    include, exclude = options.get("include", ""), options.get("exclude", "")
    if exclude and fnmatchcase(path, exclude):
        return False
    return not include or fnmatchcase(path, include)
