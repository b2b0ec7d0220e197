"""Commit objects, the only place that writes them. Nothing here moves a ref."""

import os
import time as clock
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pygit2
from pygit2.enums import MergeFlag

from sluice.core.finding import UsageError
from sluice.core.model import Signature
from sluice.git.faults import explains_faults
from sluice.git.repository import Repository, find_commit
from sluice.git.signing import Signer, find_signer, sign


class Merge(NamedTuple):
    """The outcome of a three-way merge: a tree id, or the paths in conflict and no tree."""

    tree: str
    conflicts: tuple[str, ...] = ()


@explains_faults
def commit(
    repo: Repository,
    tree: str,
    parents: Sequence[str],
    message: str,
    signature: Signature,
    *,
    time: int | None = None,
) -> str:
    """Write a commit object, signed where that is configured, and return its id; no ref moves.

    Args:
        repo: the repository.
        tree: id of the tree.
        parents: ids of the parents, the first one first.
        message: it gets the final newline that Git expects.
        signature: the author, who commits too unless `choose_committer` knows somebody
            else.
        time: seconds since the epoch, in UTC; None is now.

    Raises:
        UsageError: a missing parent or tree, or a name that a commit cannot hold.
        SigningError: it is to be signed and cannot be; nothing is written then.
    """
    if "\0" in message:
        raise UsageError("a commit message cannot hold a NUL character")
    if not message.endswith("\n"):
        message = f"{message}\n"
    at = int(clock.time()) if time is None else time
    committer = choose_committer(signature)
    signer = find_signer(repo, committer)
    parts = _Parts(
        _make_signature(signature, at),
        _make_signature(committer, at),
        message,
        tree,
        list(parents),
    )
    try:
        if signer is None:
            return str(repo.create_commit(None, *parts))
        return _write_signed(repo, parts, signer)
    except (pygit2.GitError, KeyError, ValueError) as error:
        raise UsageError(f"cannot commit: {error}") from error


def choose_committer(author: Signature, environ: Mapping[str, str] = os.environ) -> Signature:
    """Return who commits: the author, or whom Git's own environment variables name.

    A forge believes a signature only when its key belongs to the committer's address.
    """
    return Signature(
        environ.get("GIT_COMMITTER_NAME") or author.name,
        environ.get("GIT_COMMITTER_EMAIL") or author.email,
    )


class _Parts(NamedTuple):
    author: pygit2.Signature
    committer: pygit2.Signature
    message: str
    tree: str
    parents: list[str | pygit2.Oid]


def _write_signed(repo: Repository, parts: _Parts, signer: Signer) -> str:
    content = str(repo.create_commit_string(*parts))  # its type is declared wrongly
    signature = sign(signer, content.encode())
    return str(repo.create_commit_with_signature(content, signature.rstrip("\n")))


def _make_signature(person: Signature, time: int) -> pygit2.Signature:
    # A line break in a name would forge header lines of the commit.
    if not (person.name + person.email).isprintable():
        raise UsageError(f"{person.name!r} <{person.email!r}> cannot sign a commit")
    try:
        return pygit2.Signature(person.name, person.email, time, 0)
    except (pygit2.GitError, ValueError) as error:
        raise UsageError(
            f"{person.name!r} <{person.email!r}> cannot sign a commit: {error}"
        ) from error


@explains_faults
def merge_trees(repo: Repository, ours: str, theirs: str) -> Merge:
    """Merge two commits in the object database and return the tree.

    Renames are not followed: rendered files resemble each other too much to guess.

    Args:
        repo: the repository.
        ours: revision of the one side.
        theirs: of the other side.

    Raises:
        UsageError: there is no such revision, or an object is missing.
    """
    first, second = find_commit(repo, ours), find_commit(repo, theirs)
    if repo.merge_base(first.id, second.id) == first.id:
        return Merge(str(second.tree_id))
    index = repo.merge_commits(first, second, flags=MergeFlag(0))
    if index.conflicts is None:
        return Merge(str(index.write_tree(repo)))
    paths: set[str] = set()
    for sides in index.conflicts:
        # A side that has no such file is None.
        paths.update(side.path for side in sides if side is not None)
    return Merge("", tuple(sorted(paths)))
