"""A revision of the repository as a workspace, read from Git without touching the work tree."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from pathlib import Path

from sluice import git
from sluice.core import layout
from sluice.core.documents.limits import SPEC
from sluice.core.layout import Key
from sluice.workspace.workspace import FOLDERS, Workspace


@dataclass(frozen=True)
class Revision:
    """A revision of an open repository; `prefix` is where the specs' root lies in it."""

    repository: git.Repository
    name: str
    prefix: str = ""

    @cached_property
    def files(self) -> dict[str, str]:
        """The ids of all files that a workspace reads, by path, without reading their contents."""
        folders = [f"{self.prefix}{folder}" for folder in FOLDERS]
        entries = git.list_tree(self.repository, self.name, folders)
        found = {path.removeprefix(self.prefix): entry.id for path, entry in entries.items()}
        return {path: blob for path, blob in found.items() if not layout.is_evidence(path)}

    def changed(self, now: Mapping[str, bytes]) -> list[str]:
        """Which files are different now, by path."""
        same = {
            path for path, raw in now.items() if self.files.get(path) == git.compute_blob_id(raw)
        }
        return sorted((now.keys() | self.files.keys()) - same)

    def rewritten_evidence(self, top: Path) -> list[str]:
        """The evidence that commits since have changed, of releases that are still there."""
        if self.repository.head_is_unborn:
            return []
        folder = f"{self.prefix}{layout.ENVIRONMENTS}"
        changed = git.changed_paths(self.repository, self.name, "HEAD", folder)
        inner = [path.removeprefix(self.prefix) for path in changed]
        paths = [path for path in inner if layout.is_evidence(path)]
        before = git.find_ids(self.repository, self.name, self.inside(paths))
        return [
            path
            for path, blob in zip(paths, before, strict=True)
            if blob and (top / layout.release_path(Key(*path.split("/")[1:4]))).is_file()
        ]

    def rerendered(self) -> list[str]:
        """The manifests that commits since have changed, by path."""
        if self.repository.head_is_unborn:
            return []
        folder = f"{self.prefix}{layout.MANIFESTS}"
        found = git.changed_paths(self.repository, self.name, "HEAD", folder)
        return [path.removeprefix(self.prefix) for path in found]

    def inside(self, paths: Iterable[str]) -> list[str]:
        """Paths of the specs' root as paths of the repository."""
        return [f"{self.prefix}{path}" for path in paths]

    def workspace(self, paths: Iterable[str] = FOLDERS) -> Workspace:
        """The specs, or those in these files and folders."""
        wanted = self.inside(paths)
        found = git.read_tree(self.repository, self.name, wanted, SPEC.size)
        inner = {path.removeprefix(self.prefix): raw for path, raw in found.files.items()}
        # One byte too many is all that the reader needs to refuse a file for its size.
        large = dict.fromkeys(
            (path.removeprefix(self.prefix) for path in found.oversized), b"#" * (SPEC.size + 1)
        )
        links = tuple(path.removeprefix(self.prefix) for path in found.links)
        return Workspace(inner | large, links)


def open_revision(top: Path, revision: str) -> Revision:
    """A revision of the repository that holds a work tree.

    Raises:
        UsageError: there is no such revision, or Git shows other objects than there are.
    """
    repository = git.open_repository(top)
    git.refuse_replaced(repository)
    git.resolve(repository, revision)
    return Revision(repository, revision, find_prefix(top, repository))


def read_workspace(repository: git.Repository, revision: str, prefix: str = "") -> Workspace:
    """The specs of a revision of an open repository."""
    return Revision(repository, revision, prefix).workspace()


def find_prefix(top: Path, repository: git.Repository) -> str:
    """Where the specs' root lies inside the Git repository, `` or `some/folder/`."""
    if repository.workdir is None:
        return ""
    inner = top.resolve().relative_to(Path(repository.workdir).resolve()).as_posix()
    return "" if inner == "." else f"{inner}/"


def list_changed_lines(
    base: Workspace | None, now: Workspace, paths: Iterable[str]
) -> dict[str, frozenset[int]]:
    """The lines, counted from 1, that are new or different now, of each of the files."""
    before = base.files if base else {}
    return {
        path: frozenset(_list_new_lines(before.get(path, b""), now.files[path]))
        for path in paths
        if path in now.files
    }


def _list_new_lines(before: bytes, after: bytes) -> Iterator[int]:
    old, new = before.split(b"\n"), after.split(b"\n")
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    for kind, _, _, start, end in matcher.get_opcodes():
        if kind != "equal":
            yield from range(start + 1, end + 1)
