"""Reading history: commits, their trailers, ancestry and differences."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pygit2

from sluice.core.finding import UsageError
from sluice.core.model import Commit
from sluice.git.faults import explained, explains_faults
from sluice.git.repository import Repository, commit_object, tree_object
from sluice.git.trees import WHOLE, absent, changed_paths, list_tree


@explains_faults
def commit_of(repo: Repository, revision: str) -> Commit:
    """Return the commit that a revision names; UsageError when there is none."""
    return _read(commit_object(repo, revision))


def _read(found: pygit2.Commit) -> Commit:
    return Commit(
        id=str(found.id),
        parents=tuple(str(parent) for parent in found.parent_ids),
        author=found.author.name,
        email=found.author.email,
        time=found.commit_time,
        message=found.message,
        trailers=_trailers(found),
        committer=found.committer.name,
        rewritten=found.author.time != found.commit_time,
    )


def _trailers(found: pygit2.Commit) -> dict[str, str]:
    """Return the trailers of the last paragraph, unfolded; of a repeated key the last one."""
    return {
        key: " ".join(line.strip() for line in value.splitlines())
        for key, value in found.message_trailers.items()
    }


def file_history(repo: Repository, revision: str, path: str) -> Iterator[Commit]:
    """Yield, newest first, the first-parent commits that added, changed or deleted a file.

    In a shallow clone the oldest commit at hand counts as the one that added it.
    """
    return history_of(repo, revision, [path])


def history_of(repo: Repository, revision: str, paths: Iterable[str]) -> Iterator[Commit]:
    """Yield, as `file_history`, the commits that changed any of these files."""
    wanted = list(paths)
    with explained(repo):
        found: pygit2.Commit | None = commit_object(repo, revision)
        here = [id_at(found, path) for path in wanted]
    while found is not None:
        with explained(repo):
            parent = first_parent(repo, found)
            before = [id_at(parent, path) for path in wanted]
        if before != here:
            yield _read(found)
        found, here = parent, before


@dataclass(frozen=True, slots=True)
class FileChange:
    """A first-parent commit that changed a file, and what the file was; None where it was not."""

    commit: Commit
    before: bytes | None
    after: bytes | None


@explains_faults
def file_changes(
    repo: Repository, revision: str, folder: str, name: str, least: int
) -> dict[str, list[FileChange]]:
    """What became of all files of one name below a folder, newest first, in one walk.

    The walk along first parents ends where each of these files that `revision` has was added,
    and not before `least` commits.
    """
    found: pygit2.Commit | None = commit_object(repo, revision)
    open_ = {path for path in list_tree(repo, revision, [folder]) if _is_named(path, name)}
    changes: dict[str, list[FileChange]] = {}
    seen = 0
    while found is not None and (open_ or seen < least):
        parent = first_parent(repo, found)
        for path in _moved(repo, parent, found, folder):
            if _is_named(path, name):
                before, after = id_at(parent, path), id_at(found, path)
                told = FileChange(_read(found), _content(repo, before), _content(repo, after))
                changes.setdefault(path, []).append(told)
                if before is None:
                    open_.discard(path)
        found, seen = parent, seen + 1
    return changes


def _is_named(path: str, name: str) -> bool:
    return path.rpartition("/")[2] == name


def _moved(
    repo: Repository, parent: pygit2.Commit | None, found: pygit2.Commit, folder: str
) -> list[str]:
    """The files below a folder that a commit changed."""
    if parent is None:
        return list(list_tree(repo, str(found.id), [folder]))
    if id_at(parent, folder) == id_at(found, folder):
        return []
    return changed_paths(repo, str(parent.id), str(found.id), folder)


def _content(repo: Repository, found: pygit2.Oid | None) -> bytes | None:
    if found is None:
        return None
    blob = repo.get(found)
    if blob is None:
        raise absent(found)
    return blob.data if isinstance(blob, pygit2.Blob) else None


def first_parent(repo: Repository, found: pygit2.Commit) -> pygit2.Commit | None:
    """Return the first parent, None at a root or at the edge of a shallow clone."""
    ids = found.parent_ids
    parent = repo.get(ids[0]) if ids else None
    return parent if isinstance(parent, pygit2.Commit) else None


def id_at(found: pygit2.Commit | None, path: str) -> pygit2.Oid | None:
    """Return what a commit has at a path, None when it has nothing there."""
    if found is None:
        return None
    tree = found.tree
    try:
        return tree[path].id
    except KeyError:
        return None


@explains_faults
def merge_base(repo: Repository, first: str, second: str) -> str | None:
    """Return the best common ancestor of two revisions, or None for unrelated histories."""
    base = repo.merge_base(commit_object(repo, first).id, commit_object(repo, second).id)
    return str(base) if base is not None else None


@explains_faults
def is_ancestor(repo: Repository, ancestor: str, revision: str) -> bool:
    """Whether `revision` contains `ancestor`; a commit contains itself."""
    older, newer = commit_object(repo, ancestor).id, commit_object(repo, revision).id
    return older == newer or repo.descendant_of(newer, older)


@explains_faults
def diff_text(repo: Repository, old: str, new: str, paths: Iterable[str] = ()) -> str:
    """Return a unified diff of two revisions, for people to read.

    `paths` are prefixes as in `list_tree`; none means everything.
    """
    before, after = tree_object(repo, old), tree_object(repo, new)
    changed = {
        path for prefix in (list(paths) or [""]) for path in changed_paths(repo, old, new, prefix)
    }
    return "".join(
        _patch(path, _blob(before, path), _blob(after, path)) for path in sorted(changed)
    )


def _blob(tree: pygit2.Tree, path: str) -> pygit2.Blob | None:
    try:
        found = tree[path]
    except KeyError:
        return None
    return found if isinstance(found, pygit2.Blob) else None


def _patch(path: str, old: pygit2.Blob | None, new: pygit2.Blob | None) -> str:
    try:
        patch = pygit2.Patch.create_from(old, new, path, path)
    except pygit2.NotFoundError as error:
        raise UsageError(f"{path}: {error}; {WHOLE}") from error
    return patch.data.decode(errors="replace")
