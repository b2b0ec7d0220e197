"""Reading history: commits, their trailers, ancestry and differences."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pygit2

from sluice.core.finding import UsageError
from sluice.core.model import Commit
from sluice.git.faults import explain_failures, explains_faults
from sluice.git.repository import Repository, find_commit, find_tree
from sluice.git.trees import WHOLE, changed_paths, describe_absence, list_tree


@explains_faults
def commit_of(repo: Repository, revision: str) -> Commit:
    """Return the commit that a revision names; UsageError when there is none."""
    return _read_commit(find_commit(repo, revision))


def _read_commit(commit: pygit2.Commit) -> Commit:
    return Commit(
        id=str(commit.id),
        parents=tuple(str(parent) for parent in commit.parent_ids),
        author=commit.author.name,
        email=commit.author.email,
        time=commit.commit_time,
        message=commit.message,
        trailers=_read_trailers(commit),
        committer=commit.committer.name,
        rewritten=commit.author.time != commit.commit_time,
    )


def _read_trailers(commit: pygit2.Commit) -> dict[str, str]:
    """Return the trailers of the last paragraph, unfolded; of a repeated key the last one."""
    return {
        key: " ".join(line.strip() for line in value.splitlines())
        for key, value in commit.message_trailers.items()
    }


def file_history(repo: Repository, revision: str, path: str) -> Iterator[Commit]:
    """Yield, newest first, the first-parent commits that added, changed or deleted a file.

    In a shallow clone the oldest commit at hand counts as the one that added it.

    Args:
        repo: the repository.
        revision: where the walk begins.
        path: of the file.

    Raises:
        UsageError: there is no such revision, or an object is missing.
    """
    return walk_history(repo, revision, [path])


def walk_history(repo: Repository, revision: str, paths: Iterable[str]) -> Iterator[Commit]:
    """Yield, as `file_history`, the commits that changed any of these files.

    Args:
        repo: the repository.
        revision: where the walk begins.
        paths: of the files.

    Raises:
        UsageError: there is no such revision, or an object is missing.
    """
    followed = list(paths)
    with explain_failures(repo):
        commit: pygit2.Commit | None = find_commit(repo, revision)
        ids = [find_id(commit, path) for path in followed]
    while commit is not None:
        with explain_failures(repo):
            parent = find_first_parent(repo, commit)
            parent_ids = [find_id(parent, path) for path in followed]
        if parent_ids != ids:
            yield _read_commit(commit)
        commit, ids = parent, parent_ids


@dataclass(frozen=True, slots=True)
class FileChange:
    """A first-parent commit that changed a file, and what the file was; None where it was not."""

    commit: Commit
    before: bytes | None
    after: bytes | None


@explains_faults
def collect_file_changes(
    repo: Repository, revision: str, folder: str, name: str, least: int
) -> dict[str, list[FileChange]]:
    """Collect what became of all files of one name below a folder, newest first, in one walk.

    The walk along first parents ends where each of these files that `revision` has was added,
    and not before `least` commits.

    Args:
        repo: the repository.
        revision: where the walk begins.
        folder: path of the folder.
        name: the name that the files have.
        least: how many commits are walked at least, for files that are there no more.

    Raises:
        UsageError: there is no such revision, or an object is missing.
    """
    commit: pygit2.Commit | None = find_commit(repo, revision)
    paths = list_tree(repo, revision, [folder])
    unfinished = {path for path in paths if _is_named(path, name)}
    changes: dict[str, list[FileChange]] = {}
    count = 0
    while commit is not None and (unfinished or count < least):
        parent = find_first_parent(repo, commit)
        for path in _list_changed(repo, parent, commit, folder):
            if not _is_named(path, name):
                continue
            before, after = find_id(parent, path), find_id(commit, path)
            change = FileChange(
                commit=_read_commit(commit),
                before=_read_content(repo, before),
                after=_read_content(repo, after),
            )
            changes.setdefault(path, []).append(change)
            if before is None:  # added here: older commits cannot have it
                unfinished.discard(path)
        commit, count = parent, count + 1
    return changes


def _is_named(path: str, name: str) -> bool:
    return path.rpartition("/")[2] == name


def _list_changed(
    repo: Repository, parent: pygit2.Commit | None, commit: pygit2.Commit, folder: str
) -> list[str]:
    """List the files below a folder that a commit changed."""
    if parent is None:
        return list(list_tree(repo, str(commit.id), [folder]))
    if find_id(parent, folder) == find_id(commit, folder):
        return []
    return changed_paths(repo, str(parent.id), str(commit.id), folder)


def _read_content(repo: Repository, blob_id: pygit2.Oid | None) -> bytes | None:
    if blob_id is None:
        return None
    blob = repo.get(blob_id)
    if blob is None:
        raise describe_absence(blob_id)
    return blob.data if isinstance(blob, pygit2.Blob) else None


def find_first_parent(repo: Repository, commit: pygit2.Commit) -> pygit2.Commit | None:
    """Return the first parent, None at a root or at the edge of a shallow clone."""
    ids = commit.parent_ids
    parent = repo.get(ids[0]) if ids else None
    return parent if isinstance(parent, pygit2.Commit) else None


def find_id(commit: pygit2.Commit | None, path: str) -> pygit2.Oid | None:
    """Return what a commit has at a path, None when it has nothing there."""
    if commit is None:
        return None
    tree = commit.tree
    try:
        return tree[path].id
    except KeyError:
        return None


@explains_faults
def merge_base(repo: Repository, first: str, second: str) -> str | None:
    """Return the best common ancestor of two revisions, or None for unrelated histories."""
    base = repo.merge_base(find_commit(repo, first).id, find_commit(repo, second).id)
    return str(base) if base is not None else None


@explains_faults
def is_ancestor(repo: Repository, ancestor: str, revision: str) -> bool:
    """Whether `revision` contains `ancestor`; a commit contains itself."""
    older, newer = find_commit(repo, ancestor).id, find_commit(repo, revision).id
    return older == newer or repo.descendant_of(newer, older)


@explains_faults
def diff_text(repo: Repository, old: str, new: str, paths: Iterable[str] = ()) -> str:
    """Return a unified diff of two revisions, for people to read.

    Args:
        repo: the repository.
        old: the revision before.
        new: the revision after.
        paths: prefixes as in `list_tree`; none means everything.

    Raises:
        UsageError: there is no such revision, or an object is missing.
    """
    before, after = find_tree(repo, old), find_tree(repo, new)
    changed: set[str] = set()
    for prefix in list(paths) or [""]:
        changed.update(changed_paths(repo, old, new, prefix))
    text = ""
    for path in sorted(changed):
        text += _make_patch(path, _find_blob(before, path), _find_blob(after, path))
    return text


def _find_blob(tree: pygit2.Tree, path: str) -> pygit2.Blob | None:
    try:
        entry = tree[path]
    except KeyError:
        return None
    return entry if isinstance(entry, pygit2.Blob) else None


def _make_patch(path: str, old: pygit2.Blob | None, new: pygit2.Blob | None) -> str:
    try:
        patch = pygit2.Patch.create_from(old, new, path, path)
    except pygit2.NotFoundError as error:
        raise UsageError(f"{path}: {error}; {WHOLE}") from error
    return patch.data.decode(errors="replace")
