"""The work tree: read without leaving it, written so that nobody ever sees half of a change.

No link is followed on the way to what is read or written: every folder is opened by itself, from
the one above it. What is being written stands in a folder that nobody else may enter.
"""

import ctypes
import errno
import fcntl
import os
import secrets
import shutil
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path, PurePosixPath

from sluice.core.finding import UsageError

_STAGING = ".sluice"
_DRAFT = "write-"
_YOUNG = 600
"""Seconds in which a folder may be one whose run has not locked it yet."""
_CHUNK = 1 << 14
"""Bytes; most files are smaller, and asking for many costs as much as reading many."""
_SUFFIXES = (".yaml", ".yml", ".json")
_RENAME_EXCHANGE = 2
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""A pipe is opened without waiting for whoever writes into it."""
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_REPOSITORY = ".git"
_PUBLIC, _PRIVATE = 0o777, 0o700
"""Modes of new folders, of which the umask takes its part."""


def _nothing(path: str) -> bool:
    del path
    return False


@dataclass
class Tree:
    """Files by path relative to the root.

    `links` are what is no file of this tree: symbolic links, which are never followed, folders
    that are another repository's, pipes, sockets and devices. `odd` are folders that are named as
    files are.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    links: list[str] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)


def read(
    root: Path, folders: Iterable[str], limit: int, skip: Callable[[str], bool] = _nothing
) -> Tree:
    """Every file below some folders.

    Args:
        root: the repository.
        folders: paths below it, which may be files; one that does not exist is empty.
        limit: bytes; of a larger file one byte more than this is read, which is enough to say so.
        skip: says of a path whether its file is left out.

    Raises:
        UsageError: when something cannot be read.
    """
    tree = Tree()
    for folder in folders:
        if _linked(root, folder):
            tree.links.append(folder)
            continue
        if (content := read_one(root, folder, limit)) is not None:
            tree.files[folder] = content
        with _explained(root / folder):
            _read_below(root, folder, limit, skip, tree)
    return tree


def _read_below(
    root: Path, folder: str, limit: int, skip: Callable[[str], bool], tree: Tree
) -> None:
    for path, entry in _files(root, folder, tree):
        if not skip(path):
            tree.files[path] = _content(entry.path, limit)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Say which file or folder cannot be read, and why."""
    try:
        yield
    except OSError as error:
        named = error.filename if isinstance(error.filename, str) else ""
        raise UsageError(f"cannot read {named or path}: {error.strerror}") from error


def read_one(root: Path, path: str, limit: int) -> bytes | None:
    """One file below the root, or None when there is none or it is reached over a link.

    Raises:
        UsageError: when it cannot be read.
    """
    if not (parts := PurePosixPath(path).parts):  # the root itself
        return None
    *folders, name = parts
    try:
        with _entered(root, folders) as folder:
            return _content(name, limit, folder)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            return None
        raise UsageError(f"cannot read {root / path}: {error.strerror}") from error


def inside(root: Path, path: Path) -> str | None:
    """The path relative to the root, or None where it leads outside or over a symbolic link."""
    absolute = Path(os.path.normpath(Path.cwd() / path))
    base = Path(os.path.normpath(Path.cwd() / root))
    if not absolute.is_relative_to(base):
        return None
    relative = absolute.relative_to(base).as_posix()
    return None if _linked(root, relative) else relative


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
        for top, below in _steps(changes):
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
        with _named(path.parent) as folder:
            if _is_special(path.name, folder):
                _write_into(path.name, folder, content)
                return
            with _private(folder, f".{path.name}.") as draft:
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
        with _named(path, mode):
            pass
    except NotADirectoryError:
        raise UsageError(f"{path} is not a folder") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot make this folder: {error.strerror}") from None


@contextmanager
def _named(path: Path, mode: int | None = None) -> Iterator[int]:
    """A folder that somebody named, opened without following a link, and made if there is a mode.

    A link in the root directory itself is the system's own, and is followed.
    """
    absolute = Path(os.path.abspath(path))  # noqa: PTH100  # resolve() would follow links
    root, *parts = absolute.parts
    if parts and Path(root, parts[0]).is_symlink():
        root, parts = os.path.realpath(Path(root, parts[0])), parts[1:]
    for end in range(len(parts)):
        link = Path(root, *parts[: end + 1])
        if link.is_symlink():
            remedy = "name the folder itself"
            raise UsageError(f"{link} is a symbolic link, so nothing was written: {remedy}")
    with _entered(Path(root), parts, make=mode) as folder:
        yield folder


def _refuse_links(root: Path, paths: Iterable[str]) -> None:
    """Refuse to write where a folder is a symbolic link, which may lead out of the repository.

    A link in the place of a file itself is replaced, not followed.
    """
    folders = {PurePosixPath(path).parent.as_posix() for path in paths}
    for folder in (_STAGING, *sorted(folders)):
        if _linked(root, folder):
            raise UsageError(f"{folder} leads over a symbolic link, so nothing was written")


def _steps(
    changes: Mapping[str, bytes | None],
) -> Iterator[tuple[str, Mapping[str, bytes | None]]]:
    if {"..", "/"} & {part for path in changes for part in PurePosixPath(path).parts}:
        raise UsageError("a path that leads outside the repository was to be written")
    entries: dict[str, dict[str, bytes | None]] = {}
    for path, content in changes.items():
        entries.setdefault(PurePosixPath(path).parts[0], {})[path] = content
    for below in entries.values():
        folders = [PurePosixPath(path).parent.as_posix() for path in below]
        yield os.path.commonpath(folders) or ".", below


def _write(root: Path, top: str, changes: Mapping[str, bytes | None]) -> None:
    with _entered(root, [_STAGING], make=_PRIVATE) as staging:
        # Whatever stands there, a link too, is left alone.
        with suppress(FileExistsError):
            _create(".gitignore", staging, b"*\n")
        _sweep(staging)
        with _private(staging, _DRAFT) as fresh:
            if top == ".":  # a single file of the root
                _place(root, changes, fresh)
            else:
                _build(root, top, changes, fresh)
                _replace(root, top, fresh)


@contextmanager
def _entered(start: Path | int, parts: Sequence[str], make: int | None = None) -> Iterator[int]:
    """A folder below one that is trusted, opened step by step, without following a link.

    With `make`, the mode of new folders, those that lack are made.
    """
    here = os.dup(start) if isinstance(start, int) else os.open(start, _FOLDER & ~os.O_NOFOLLOW)
    try:
        for part in parts:
            if make is not None:
                with suppress(FileExistsError):
                    os.mkdir(part, mode=make, dir_fd=here)
            below = os.open(part, _FOLDER, dir_fd=here)
            os.close(here)
            here = below
        yield here
    finally:
        os.close(here)


@contextmanager
def _private(folder: int, prefix: str) -> Iterator[int]:
    """A new folder with a name that nobody can guess, for this user alone; gone afterwards."""
    name = f"{prefix}{secrets.token_hex(8)}"
    os.mkdir(name, mode=_PRIVATE, dir_fd=folder)
    try:
        inner = os.open(name, _FOLDER, dir_fd=folder)
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
            is_draft = entry.name.startswith(_DRAFT) and entry.is_dir(follow_symlinks=False)
            if not is_draft or time.time() - entry.stat(follow_symlinks=False).st_mtime < _YOUNG:
                continue
            with _entered(staging, [entry.name]) as draft:
                fcntl.flock(draft, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(entry.name, ignore_errors=True, dir_fd=staging)


def _create(name: str, folder: int, content: bytes) -> None:
    """A new file; where the folder is private nobody sees it, whatever its mode."""
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


def _files(root: Path, folder: str, tree: Tree) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """The regular files below a folder; whatever else is there is noted."""
    try:
        entries = sorted(os.scandir(f"{root}/{folder}"), key=attrgetter("name"))
    except (FileNotFoundError, NotADirectoryError):
        return
    if any(entry.name == _REPOSITORY for entry in entries) and folder != ".":
        tree.links.append(folder)
        return
    for entry in entries:
        path = f"{folder}/{entry.name}"
        if entry.name == _REPOSITORY:
            continue
        if entry.is_dir(follow_symlinks=False):
            if entry.name.endswith(_SUFFIXES):
                tree.odd.append(path)
            yield from _files(root, path, tree)
        elif entry.is_file(follow_symlinks=False):
            yield path, entry
        else:
            tree.links.append(path)


def _content(path: str, limit: int, folder: int | None = None) -> bytes:
    """The first bytes of a file, without the buffers that make small files slow to read.

    Raises:
        FileNotFoundError: when it is a pipe or a device.
    """
    descriptor = os.open(path, _FILE, dir_fd=folder)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(path)
        if not stat.S_ISREG(mode):
            raise FileNotFoundError(path)
        content = os.read(descriptor, _CHUNK)
        if len(content) == _CHUNK:
            while len(content) <= limit and (part := os.read(descriptor, limit)):
                content += part
    finally:
        os.close(descriptor)
    return content[: limit + 1]


def _linked(root: Path, relative: str) -> bool:
    parts = PurePosixPath(relative).parts
    return any((root / Path(*parts[: end + 1])).is_symlink() for end in range(len(parts)))


def _place(root: Path, changes: Mapping[str, bytes | None], fresh: int) -> None:
    with _entered(root, []) as folder:
        for path, content in changes.items():
            if content is None:
                with suppress(FileNotFoundError):
                    os.unlink(path, dir_fd=folder)
            else:
                _create("new", fresh, content)
                os.rename("new", path, src_dir_fd=fresh, dst_dir_fd=folder)


def _build(root: Path, top: str, changes: Mapping[str, bytes | None], fresh: int) -> None:
    """The folder as it is to be, as `new` in a private one: links to what stays, and changes."""
    os.mkdir("new", dir_fd=fresh)
    with _entered(fresh, ["new"]) as new:
        with suppress(FileNotFoundError), _entered(root, PurePosixPath(top).parts) as old:
            _link_all(old, new)
        for path, content in changes.items():
            *folders, name = PurePosixPath(path).relative_to(top).parts
            with _entered(new, folders, make=_PUBLIC) as folder:
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
            with _entered(old, [name]) as inner, _entered(new, [name], make=_PUBLIC) as copy:
                _link_all(inner, copy)
        else:
            os.link(name, name, src_dir_fd=old, dst_dir_fd=new, follow_symlinks=False)


def _prune(folder: int) -> bool:
    """Remove folders in which nothing is; whether nothing is left of this one either."""
    is_empty = True
    for entry in list(os.scandir(folder)):
        is_gone = False
        if entry.is_dir(follow_symlinks=False):
            with _entered(folder, [entry.name]) as inner:
                is_gone = _prune(inner)
        if is_gone:
            os.rmdir(entry.name, dir_fd=folder)
        is_empty &= is_gone
    return is_empty


def _replace(root: Path, top: str, fresh: int) -> None:
    *folders, name = PurePosixPath(top).parts
    with _entered(root, folders, make=_PUBLIC) as parent:
        if _exists(name, parent):
            _exchange(parent, name, fresh)
        else:
            os.rename("new", name, src_dir_fd=fresh, dst_dir_fd=parent)


def _exists(name: str, folder: int) -> bool:
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
        if ctypes.get_errno() not in (errno.EINVAL, errno.ENOSYS):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), name)
    os.rename(name, "old", src_dir_fd=parent, dst_dir_fd=fresh)
    os.rename("new", name, src_dir_fd=fresh, dst_dir_fd=parent)
