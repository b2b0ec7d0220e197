"""Opening a repository and finding objects in it."""

from os import PathLike, fspath
from pathlib import Path

import pygit2
from pygit2 import Repository

from sluice.core.finding import UsageError

__all__ = ["Repository", "find_commit", "find_tree", "init_bare", "open_repository", "resolve"]


def open_repository(path: str | PathLike[str]) -> Repository:
    """Open the repository at `path`, or the one whose work tree holds it.

    Raises:
        UsageError: there is none, or it is of a kind that libgit2 cannot read.
    """
    try:
        return Repository(fspath(path))
    except (pygit2.GitError, OSError, ValueError) as error:
        raise UsageError(_explain_failure(path, str(error))) from error


def _explain_failure(path: str | PathLike[str], reason: str) -> str:
    if "unknown object format" in reason:
        return f"{path}: SHA-256 repositories are not supported; use a SHA-1 repository"
    if "unsupported extension" in reason:
        return f"{path}: the repository uses a Git extension that is not supported: {reason}"
    if "not owned by" in reason:
        return f"{path}: {reason}; see `git config safe.directory`"
    if not Path(path).exists():
        return f"{path}: no such file or directory"
    return f"{path}: not a Git repository"


def init_bare(path: str | PathLike[str], head: str = "refs/heads/main") -> Repository:
    """Create an empty bare repository whose HEAD names `head`; an existing one is opened.

    Raises:
        UsageError: it cannot be created.
    """
    try:
        return pygit2.init_repository(
            fspath(path), bare=True, initial_head=head.removeprefix("refs/heads/")
        )
    except (pygit2.GitError, OSError) as error:
        raise UsageError(f"{path}: cannot create a repository: {error}") from error


def resolve(repo: Repository, revision: str) -> str:
    """Return the commit id that a revision names: a branch, `HEAD~1`, a full ref, a tag, an id.

    Raises:
        UsageError: there is no such revision, or it is no commit.
    """
    return str(find_commit(repo, revision).id)


def find_commit(repo: Repository, revision: str) -> pygit2.Commit:
    """Return the commit that a revision names; UsageError when there is none."""
    target = _find_object(repo, revision, "commit")
    if isinstance(target, pygit2.Commit):
        return target
    try:
        return target.peel(pygit2.Commit)
    except (pygit2.GitError, ValueError) as error:
        raise UsageError(f"{revision!r} is no commit") from error


def find_tree(repo: Repository, revision: str) -> pygit2.Tree:
    """Return the tree that a commit or tree revision names; UsageError when there is none."""
    target = _find_object(repo, revision, "commit or tree")
    if isinstance(target, pygit2.Tree):
        return target
    try:
        return target.peel(pygit2.Tree)
    except (pygit2.GitError, ValueError) as error:
        if isinstance(target, pygit2.Commit):
            missing = f"object {target.tree_id} is missing; run git fsck there, or fetch all of it"
            raise UsageError(f"{repo.path}: {missing}") from error
        raise UsageError(f"{revision!r} is no commit or tree") from error


def _find_object(repo: Repository, revision: str, kind: str) -> pygit2.Object:
    unknown = f"no {kind} is called {revision!r} in this repository"
    if "\0" in revision:
        raise UsageError(unknown)
    try:
        return repo.revparse_single(revision)
    except pygit2.AmbiguousError as error:
        raise UsageError(f"revision {revision!r} is ambiguous; write more of the id") from error
    except (pygit2.GitError, KeyError, ValueError) as error:
        if revision == "HEAD" and repo.head_is_unborn:
            raise UsageError("nothing is committed in this repository yet: git commit") from error
        raise UsageError(unknown) from error
