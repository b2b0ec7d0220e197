"""Refs: reading them, and moving them only from the value that the caller saw."""

import random
import time
from pathlib import Path

import pygit2
from pygit2.enums import ReferenceType

from sluice.core.finding import UsageError
from sluice.git.faults import explains_faults
from sluice.git.repository import Repository

_PATIENCE = 10.0
_LONGEST_PAUSE = 0.05
_LOOKS = 3


class RefMovedError(Exception):
    """Somebody else moved the ref first: look again, and decide again.

    `found` is the value it has now, None when it does not exist.
    """

    def __init__(self, name: str, expected: str | None, actual: str | None) -> None:
        self.name, self.expected, self.actual = name, expected, actual
        super().__init__(f"{name} moved: expected {expected or 'none'}, found {actual or 'none'}")


@explains_faults
def tip(repo: Repository, name: str) -> str | None:
    """Return the commit id that a full ref name leads to, or None when it does not exist."""
    ref = repo.references.get(_check_name(name))
    if ref is None:
        return None
    try:
        return str(ref.resolve().target)
    except KeyError:
        return None


@explains_faults
def list_refs(repo: Repository, prefix: str) -> dict[str, str]:
    """Return the direct refs whose full name starts with `prefix`, with what they point to."""
    return {
        ref.name: str(ref.target)
        for ref in repo.references.iterator()
        if ref.name.startswith(prefix) and ref.type == ReferenceType.DIRECT
    }


@explains_faults
def update_ref(repo: Repository, name: str, new: str | None, expected: str | None) -> None:
    """Compare and swap: set the ref to `new` only if it is `expected` now.

    `expected` None means that it must not exist, `new` None deletes it. Safe against any number
    of processes, the Git command line among them: the value is compared under the ref's lock.

    Args:
        repo: the repository.
        name: full name of the ref.
        new: id of an object.
        expected: id that the ref has now.

    Raises:
        RefMovedError: it was not `expected`.
        UsageError: the name or object is unusable, or the lock stayed taken for ten seconds.
    """
    _check_target(repo, _check_name(name), new)
    deadline, pause = time.monotonic() + _PATIENCE, 0.001
    while True:
        try:
            return _swap(repo, name, new, expected)
        except (OSError, pygit2.GitError) as error:
            if not _is_contention(error):
                raise UsageError(f"cannot update {name}: {error}") from error
            if time.monotonic() > deadline:
                lock = _find_lock(repo, name)
                remedy = f"if no process works there, remove {lock}"
                raise UsageError(f"{name} stays locked; {remedy}") from error
        time.sleep(random.uniform(0, pause))  # noqa: S311 - spreads out processes, hides nothing
        pause = min(2 * pause, _LONGEST_PAUSE)


def _swap(repo: Repository, name: str, new: str | None, expected: str | None) -> None:
    # References.create looks before it locks, so that two processes can both create one ref;
    # a transaction compares while it holds the lock.
    with repo.transaction() as transaction:
        transaction.lock_ref(name)
        actual = tip(repo, name)
        if actual != expected:
            raise RefMovedError(name, expected, actual)
        if new is not None:
            if actual is None:
                _check_free(repo, name)
            transaction.set_target(name, new)
        elif actual is not None:
            transaction.remove(name)


def _check_name(name: str) -> str:
    is_full = name == "HEAD" or name.startswith("refs/")
    # In this order: libgit2 is not to see a name that it cannot hold.
    if not is_full or "\0" in name or not _is_encodable(name) or not _is_valid(name):
        raise UsageError(f"{name!r} is not a valid ref name")
    return name


def _is_valid(name: str) -> bool:
    return pygit2.reference_is_valid_name(name)


def _is_encodable(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_target(repo: Repository, name: str, new: str | None) -> None:
    if name == "HEAD":
        raise UsageError("HEAD is not moved directly; name the branch")
    if new is not None and not _is_stored(repo, new):
        raise UsageError(f"cannot point {name} at {new}: no such object")
    ref = repo.references.get(name)
    if ref is not None and ref.type == ReferenceType.SYMBOLIC:
        raise UsageError(f"{name} is symbolic; name the ref that it stands for")
    if not repo.is_bare and name == _find_checked_out(repo):
        raise UsageError(f"{name} is checked out in {repo.workdir}; use a bare repository")


def _is_stored(repo: Repository, object_id: str) -> bool:
    """Ask more than once: an object that another process packs is for a moment in neither place."""
    try:
        return any(object_id in repo for _ in range(_LOOKS))
    except ValueError:
        return False


def _find_checked_out(repo: Repository) -> str | None:
    head = repo.references.get("HEAD")
    if head is None:
        return None
    return str(head.target)


def _check_free(repo: Repository, name: str) -> None:
    # libgit2's transactions overlook a packed ref above or below the new one.
    raw = name.encode()
    for other in repo.raw_listall_references():
        if raw.startswith(other + b"/") or other.startswith(raw + b"/"):
            raise UsageError(f"cannot create {name}: {other.decode(errors='replace')} exists")


def _find_lock(repo: Repository, name: str) -> Path:
    """Find the lock in the way: of all packed refs, where it is there, or else of this one."""
    packed = Path(repo.path) / "packed-refs.lock"
    if packed.exists():
        return packed
    return Path(repo.path) / f"{name}.lock"


def _is_contention(error: Exception) -> bool:
    text = str(error)
    return "failed to lock file" in text or "failed to create locked file" in text
