"""The repository that counts: one on this machine, or one on a server with a mirror of it here.

Either way `repository` has its branches under refs/heads/, as they were when it was last looked
at, and `move` changes one there, where it counts, only from the value that was seen.
"""

import fcntl
import hashlib
import os
import re
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

import pygit2

from sluice.core.finding import UsageError
from sluice.git.callbacks import Login, redact
from sluice.git.packing import pack
from sluice.git.pushing import push, push_each
from sluice.git.refs import RefMovedError, list_refs, tip, update_ref
from sluice.git.remote import fetch, list_remote_refs
from sluice.git.repository import Repository, init_bare

__all__ = ["Direct", "Mirror", "Upstream", "open_mirror"]

# What the reconciler reads and writes; the branches of people are not fetched.
_FOLLOWED = ("refs/heads/main", "refs/heads/sluice/*")
_REFSPECS = tuple(f"+{ref}:{ref}" for ref in _FOLLOWED)
_PLAIN = re.compile(r"[^a-z0-9]+")
_REMEMBERED = 1000  # moves of branches


class Upstream(Protocol):
    """The repository that counts."""

    @property
    def repository(self) -> Repository:
        """Where to read it."""

    @property
    def calls(self) -> Mapping[str, int]:
        """How often it was looked at, fetched from and pushed to over the network."""

    def is_ours(self, ref: str, commit: str | None) -> bool:
        """Whether it was us who lately moved a branch there; None is for its end."""

    def refresh(self) -> bool:
        """Look at it again, and return whether any branch moved.

        Raises:
            UsageError: it cannot be read.
        """

    def move(self, ref: str, new: str | None, expected: str | None) -> None:
        """Compare and swap a branch; None is no branch.

        Raises:
            RefMovedError: it was not `expected`.
            PushRefusedError: the server does not let us.
            UsageError: it cannot be reached.
        """

    def pack(self, is_stopping: Callable[[], bool]) -> bool:
        """Pack what is here, where it has become much, and return whether it had.

        Raises:
            UsageError: it cannot be packed.
        """

    def move_each(self, moves: Mapping[str, tuple[str | None, str | None]]) -> Collection[str]:
        """Compare and swap branches, {ref: (expected, new)}, in one conversation.

        Return those that moved; `move` says of another one why it does not.

        Raises:
            UsageError: it cannot be reached.
        """


class Direct:
    """A repository on this machine."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self.calls: Mapping[str, int] = {}

    def is_ours(self, ref: str, commit: str | None) -> bool:
        """Nobody tells what is done to it."""
        del ref, commit
        return False

    def refresh(self) -> bool:
        """Nothing: it is read as it is."""
        return False

    def move(self, ref: str, new: str | None, expected: str | None) -> None:
        """Compare and swap a branch; see Upstream."""
        update_ref(self.repository, ref, new, expected)

    def pack(self, is_stopping: Callable[[], bool]) -> bool:
        """Pack it; see Upstream."""
        return pack(self.repository, is_stopping)

    def move_each(self, moves: Mapping[str, tuple[str | None, str | None]]) -> Collection[str]:
        """Compare and swap branches; see Upstream."""
        moved = []
        for ref, (expected, new) in moves.items():
            with suppress(RefMovedError, UsageError):
                self.move(ref, new, expected)
                moved.append(ref)
        return moved


class Mirror:
    """A repository on a server, mirrored here. `login` is asked before each conversation."""

    def __init__(self, repository: Repository, login: Login | None = None) -> None:
        self.repository, self._login = repository, login
        self.calls: Counter[str] = Counter()
        self._made: deque[tuple[str, str | None]] = deque(maxlen=_REMEMBERED)

    def is_ours(self, ref: str, commit: str | None) -> bool:
        """Whether it was pushed from here; also asked from other threads, in the midst of it."""
        return (ref, commit) in tuple(self._made)

    def refresh(self) -> bool:
        """Fetch if, and only if, a branch is not as it is here."""
        self.calls["look"] += 1
        refs = list_remote_refs(self.repository, login=self._login)
        theirs = _select_followed(refs)
        with _lock_mirror(self.repository.path):
            if theirs == _select_followed(list_refs(self.repository, "refs/heads/")):
                return False
            self.calls["fetch"] += 1
            fetch(self.repository, _REFSPECS, login=self._login, refs=refs)
        return True

    def move(self, ref: str, new: str | None, expected: str | None) -> None:
        """Compare and swap a branch on the server, then here; see Upstream.

        Killed in between, the next refresh sees the difference.
        """
        self.calls["push"] += 1
        self._made.append((ref, new))  # what tells of it may be faster than the answer
        push(self.repository, {ref: (expected, new)}, login=self._login)
        with _lock_mirror(self.repository.path):
            update_ref(self.repository, ref, new, tip(self.repository, ref))

    def pack(self, is_stopping: Callable[[], bool]) -> bool:
        """Pack the mirror; see Upstream."""
        return pack(self.repository, is_stopping, is_mirror=True)

    def move_each(self, moves: Mapping[str, tuple[str | None, str | None]]) -> Collection[str]:
        """Compare and swap branches on the server, then here; see Upstream and `move`."""
        self.calls["push"] += 1
        self._made.extend((ref, new) for ref, (_, new) in moves.items())
        moved = push_each(self.repository, moves, login=self._login)
        with _lock_mirror(self.repository.path):
            for ref in sorted(moved):
                update_ref(self.repository, ref, moves[ref][1], tip(self.repository, ref))
        return moved


def open_mirror(url: str, folder: Path, login: Login | None = None) -> Mirror:
    """Return the mirror of `url` below `folder`, a new and empty one when there is none.

    Args:
        url: of the repository, without credentials.
        folder: where mirrors are kept.
        login: gives user name and password, where the environment has no token.

    Raises:
        UsageError: the folder cannot be used, or the address holds credentials.
    """
    # The address is written into the mirror's configuration, where others may read it.
    if redact(url) != url and not url.startswith("ssh://"):
        raise UsageError(f"{redact(url)}: give it without credentials; they are SLUICE_GIT_TOKEN")
    # A name that people recognise, and a digest that keeps two addresses apart.
    address = url.partition("://")[2] or url
    name = _PLAIN.sub("-", address.lower()).strip("-")[-60:]
    digest = hashlib.sha256(url.encode()).hexdigest()[:8]
    path = folder / f"{name}-{digest}.git"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise UsageError(f"{folder}: cannot keep a mirror there: {error.strerror}") from error
    if path.is_symlink():
        raise UsageError(f"{path} is a symbolic link: remove it, and a mirror is made anew")
    with _lock_mirror(path):
        repository = init_bare(path)
        if "origin" not in repository.remotes.names():
            try:
                repository.remotes.create("origin", url, _REFSPECS[0])
            except (pygit2.GitError, ValueError) as error:
                raise UsageError(f"{redact(url)} is no address of a repository") from error
    return Mirror(repository, login)


def _select_followed(refs: Mapping[str, str]) -> dict[str, str]:
    exact, below = _FOLLOWED[0], _FOLLOWED[1].rstrip("*")
    return {ref: tip for ref, tip in refs.items() if ref == exact or ref.startswith(below)}


@contextmanager
def _lock_mirror(path: str | Path) -> Iterator[None]:
    """Keep other processes from a mirror; the lock, a file beside it, goes with the process."""
    lock = f"{Path(path)}.lock"
    try:
        handle = os.open(lock, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise UsageError(f"{lock}: cannot lock the mirror: {error.strerror}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
