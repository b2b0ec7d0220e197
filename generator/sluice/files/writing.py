"""Writing a work tree so that nobody ever sees half of a change.

What is being written stands in a folder that nobody else may enter.
"""

import ctypes
import errno
import fcntl
import os
import secrets
import shutil
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from sluice.core.finding import UsageError
from sluice.files.folders import FOLDER, enter_folder, is_linked

_STAGING = ".sluice"
_DRAFT = "write-"
_YOUNG = 600
"""Seconds in which a folder may be one whose run has not locked it yet."""
_RENAME_EXCHANGE = 2
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_PUBLIC, _PRIVATE = 0o777, 0o700
"""Modes of new folders, of which the umask takes its part."""


def write(root: Path, changes: Mapping[str, bytes | None]) -> None:
    """Write and delete files, all of them at once or none.

    The lowest folder that holds all changes is built anew beside the tree, from links to what
    stays and from the changed files, and then takes the old one's place in one step. Where that
    folder would be the root itself, each of its entries is such a step.

    Raises:
        UsageError: a link is in the way, a path leads outside, or the system refuses.
    """
    try:
        _refuse_links(root, changes)
        for top, below in _split_changes(changes):
            _write(root, top, below)
    except OSError as error:
        place = root / (error.filename or "")
        raise UsageError(f"cannot write {place}: {error.strerror}") from error


def write_file(path: Path, content: bytes) -> None:
    """Write one file that somebody named, whole: who looks at it meanwhile sees the old one.

    A pipe or a device is written into, since it is there to be.

    Raises:
        UsageError: a link is in the way, or the system refuses.
    """
    try:
        with _enter_named(path.parent) as folder:
            if _is_special(path.name, folder):
                _write_into(path.name, folder, content)
                return
            with _make_private(folder, f".{path.name}.") as draft:
                _create("new", draft, content)
                os.rename("new", path.name, src_dir_fd=draft, dst_dir_fd=folder)
    except OSError as error:
        raise UsageError(f"{path}: cannot write it: {error.strerror}") from None


def make_folder(path: Path, mode: int = _PUBLIC) -> None:
    """Make a folder that somebody named, with those above it; one that is there is left as it is.

    Args:
        path: the folder.
        mode: who may enter the folders that are new, less what the umask forbids.

    Raises:
        UsageError: a link or a file is in the way, or the system refuses.
    """
    try:
        with _enter_named(path, mode):
            pass
    except NotADirectoryError:
        raise UsageError(f"{path} is not a folder") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot make this folder: {error.strerror}") from None


@contextmanager
def _enter_named(path: Path, mode: int | None = None) -> Iterator[int]:
    """Open a folder that somebody named without following a link; make it if there is a mode.

    A link in the root directory itself is the system's own, and is followed.
    """
    absolute = Path(os.path.abspath(path))  # noqa: PTH100  # resolve() would follow links
    root, *parts = absolute.parts
    if parts and Path(root, parts[0]).is_symlink():
        root, parts = os.path.realpath(Path(root, parts[0])), parts[1:]
    place = Path(root)
    for part in parts:
        place /= part
        if place.is_symlink():
            remedy = "name the folder itself"
            raise UsageError(f"{place} is a symbolic link, so nothing was written: {remedy}")
    with enter_folder(Path(root), parts, make=mode) as folder:
        yield folder


def _refuse_links(root: Path, paths: Iterable[str]) -> None:
    """Refuse to write where a folder is a symbolic link, which may lead out of the repository.

    A link in the place of a file itself is replaced, not followed.
    """
    folders = {PurePosixPath(path).parent.as_posix() for path in paths}
    for folder in (_STAGING, *sorted(folders)):
        if is_linked(root, folder):
            raise UsageError(f"{folder} leads over a symbolic link, so nothing was written")


def _split_changes(
    changes: Mapping[str, bytes | None],
) -> Iterator[tuple[str, Mapping[str, bytes | None]]]:
    """Yield, for each entry of the root, the lowest folder that holds its changes, and these."""
    entries: dict[str, dict[str, bytes | None]] = {}
    for path, content in changes.items():
        parts = PurePosixPath(path).parts
        if ".." in parts or "/" in parts:
            raise UsageError("a path that leads outside the repository was to be written")
        entries.setdefault(parts[0], {})[path] = content
    for below in entries.values():
        folders = [PurePosixPath(path).parent.as_posix() for path in below]
        yield os.path.commonpath(folders) or ".", below


def _write(root: Path, top: str, changes: Mapping[str, bytes | None]) -> None:
    with enter_folder(root, [_STAGING], make=_PRIVATE) as staging:
        # Whatever stands there, a link too, is left alone.
        with suppress(FileExistsError):
            _create(".gitignore", staging, b"*\n")
        _sweep(staging)
        with _make_private(staging, _DRAFT) as fresh:
            if top == ".":  # a single file of the root
                _place(root, changes, fresh)
            else:
                _build(root, top, changes, fresh)
                _replace(root, top, fresh)


@contextmanager
def _make_private(folder: int, prefix: str) -> Iterator[int]:
    """Make a folder with a name that nobody can guess, for this user alone; gone afterwards."""
    name = f"{prefix}{secrets.token_hex(8)}"
    os.mkdir(name, mode=_PRIVATE, dir_fd=folder)
    try:
        inner = os.open(name, FOLDER, dir_fd=folder)
        try:
            with suppress(OSError):  # not every file system has locks
                fcntl.flock(inner, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield inner
        finally:
            os.close(inner)
    finally:
        shutil.rmtree(name, ignore_errors=True, dir_fd=folder)


def _sweep(staging: int) -> None:
    """Remove what killed runs left: old enough to be none that begins, and locked by nobody."""
    for entry in list(os.scandir(staging)):
        with suppress(OSError):
            if not entry.name.startswith(_DRAFT) or not entry.is_dir(follow_symlinks=False):
                continue
            age = time.time() - entry.stat(follow_symlinks=False).st_mtime
            if age < _YOUNG:
                continue
            with enter_folder(staging, [entry.name]) as draft:
                fcntl.flock(draft, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(entry.name, ignore_errors=True, dir_fd=staging)


def _create(name: str, folder: int, content: bytes) -> None:
    """Write a new file; where the folder is private nobody sees it, whatever its mode."""
    with os.fdopen(os.open(name, _NEW, 0o666, dir_fd=folder), "wb") as file:
        file.write(content)


def _is_special(name: str, folder: int) -> bool:
    """Whether a pipe, a socket or a device stands there.

    Raises:
        UsageError: when it is a link.
    """
    try:
        mode = os.lstat(name, dir_fd=folder).st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISLNK(mode):
        raise UsageError(f"{name} is a symbolic link, so nothing was written: name the file itself")
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _write_into(name: str, folder: int, content: bytes) -> None:
    flags = os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(name, flags, dir_fd=folder), "wb") as file:
        file.write(content)


def _place(root: Path, changes: Mapping[str, bytes | None], fresh: int) -> None:
    with enter_folder(root, []) as folder:
        for path, content in changes.items():
            if content is None:
                with suppress(FileNotFoundError):
                    os.unlink(path, dir_fd=folder)
            else:
                _create("new", fresh, content)
                os.rename("new", path, src_dir_fd=fresh, dst_dir_fd=folder)


def _build(root: Path, top: str, changes: Mapping[str, bytes | None], fresh: int) -> None:
    """Build the folder as it is to be, `new` in a private one: links to what stays, and changes."""
    os.mkdir("new", dir_fd=fresh)
    with enter_folder(fresh, ["new"]) as new:
        with suppress(FileNotFoundError), enter_folder(root, PurePosixPath(top).parts) as old:
            _link_all(old, new)
        for path, content in changes.items():
            *folders, name = PurePosixPath(path).relative_to(top).parts
            with enter_folder(new, folders, make=_PUBLIC) as folder:
                # Never written through: the old tree shares the file until it is replaced.
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=folder)
                if content is not None:
                    _create(name, folder, content)
        _prune(new)


def _link_all(old: int, new: int) -> None:
    """Give a folder all that another one has: the same files, and folders like its own."""
    os.fchmod(new, stat.S_IMODE(os.fstat(old).st_mode))
    for entry in os.scandir(old):
        name = entry.name
        if entry.is_dir(follow_symlinks=False):
            with (
                enter_folder(old, [name]) as inner,
                enter_folder(new, [name], make=_PUBLIC) as copy,
            ):
                _link_all(inner, copy)
        else:
            os.link(name, name, src_dir_fd=old, dst_dir_fd=new, follow_symlinks=False)


def _prune(folder: int) -> bool:
    """Remove folders in which nothing is; whether nothing is left of this one either."""
    is_empty = True
    for entry in list(os.scandir(folder)):
        is_gone = False
        if entry.is_dir(follow_symlinks=False):
            with enter_folder(folder, [entry.name]) as inner:
                is_gone = _prune(inner)
        if is_gone:
            os.rmdir(entry.name, dir_fd=folder)
        is_empty &= is_gone
    return is_empty


def _replace(root: Path, top: str, fresh: int) -> None:
    *folders, name = PurePosixPath(top).parts
    with enter_folder(root, folders, make=_PUBLIC) as parent:
        if _is_there(name, parent):
            _exchange(parent, name, fresh)
        else:
            os.rename("new", name, src_dir_fd=fresh, dst_dir_fd=parent)


def _is_there(name: str, folder: int) -> bool:
    try:
        os.lstat(name, dir_fd=folder)
    except FileNotFoundError:
        return False
    return True


def _exchange(parent: int, name: str, fresh: int) -> None:
    """Swap two folders in one step; in two where the system cannot, with the old one kept."""
    library = ctypes.CDLL(None, use_errno=True)
    swap = getattr(library, "renameat2", None)
    if swap is not None:
        if swap(parent, os.fsencode(name), fresh, b"new", _RENAME_EXCHANGE) == 0:
            return
        # Some file systems and older kernels cannot exchange; anything else is a failure.
        code = ctypes.get_errno()
        if code not in (errno.EINVAL, errno.ENOSYS):
            raise OSError(code, os.strerror(code), name)
    os.rename(name, "old", src_dir_fd=parent, dst_dir_fd=fresh)
    os.rename("new", name, src_dir_fd=fresh, dst_dir_fd=parent)
