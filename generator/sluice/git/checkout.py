"""How a checkout differs from what a commit has: files that Git rewrites, ignores or follows."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pygit2
from pygit2.enums import FileStatus

from sluice.core.finding import UsageError
from sluice.git.refs import list_refs
from sluice.git.repository import Repository

ATTRIBUTES = ".gitattributes"
_REPLACED = "refs/replace/"
_REWRITING = ("filter", "ident", "working-tree-encoding")
"""Attributes by which a checkout reads otherwise than the commit; ends of lines do not count."""


def find_rewritten(repo: Repository, paths: Iterable[str], folder: str = "") -> dict[str, str]:
    """Find the attribute that rewrites a file at checkout, by path, of those that have one.

    Args:
        repo: a repository with a work tree.
        paths: relative to its root.
        folder: where the paths are; attributes count from the root down to there.
    """
    # Asking Git for each file is slow, and hardly any repository has such an attribute.
    text = "\n".join(_read_attributes(repo, folder))
    if not any(word in text for word in _REWRITING):
        return {}
    rewriters = {}
    for path in paths:
        attribute = _find_rewriter(repo, path)
        if attribute:
            rewriters[path] = attribute
    return rewriters


def is_unchanged(repo: Repository, path: str) -> bool:
    """Whether Git says that a file is as it was committed."""
    try:
        return FileStatus(repo.status_file(path)) == FileStatus.CURRENT
    except (KeyError, ValueError, pygit2.GitError):
        return False


def is_ignored(repo: Repository, path: str) -> bool:
    """Whether no `git add` takes a file that is not there yet."""
    return path not in repo.index and repo.path_is_ignored(path)


def refuse_replaced(repo: Repository) -> None:
    """Refuse a repository in which Git shows other objects than there are.

    Raises:
        UsageError: when it has `git replace` refs.
    """
    replaced = [ref.removeprefix(_REPLACED) for ref in list_refs(repo, _REPLACED)]
    if replaced:
        raise UsageError(
            f"Git shows something else in place of object {replaced[0]}, so that nobody can tell "
            f"what was committed; undo it with: git replace --delete {replaced[0]}"
        )


def _read_attributes(repo: Repository, folder: str) -> Iterator[str]:
    """Yield the texts of the files that say how to check out what is below a folder."""
    here = Path(repo.workdir)
    for part in ("", *filter(None, folder.split("/"))):
        here /= part
        try:
            yield (here / ATTRIBUTES).read_text("utf-8", "replace")
        except OSError:
            continue


def _find_rewriter(repo: Repository, path: str) -> str:
    for name in _REWRITING:
        value = repo.get_attr(path, name)
        if value is True:
            return name
        if value:
            return f"{name}={value}"
    return ""
