"""Reading a work tree without leaving it."""

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path, PurePosixPath

from sluice.core.finding import UsageError
from sluice.files.folders import enter_folder, is_linked

_CHUNK = 1 << 14
"""Bytes; most files are smaller, and asking for many costs as much as reading many."""
_SUFFIXES = (".yaml", ".yml", ".json")
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""A pipe is opened without waiting for whoever writes into it."""
_REPOSITORY = ".git"


def _skip_nothing(path: str) -> bool:
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
    root: Path, folders: Iterable[str], limit: int, skip: Callable[[str], bool] = _skip_nothing
) -> Tree:
    """Read every file below some folders.

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
        if is_linked(root, folder):
            tree.links.append(folder)
            continue
        # A folder's name may be that of a file.
        content = read_one(root, folder, limit)
        if content is not None:
            tree.files[folder] = content
        with _explain_failures(root / folder):
            _read_below(root, folder, limit, skip, tree)
    return tree


def _read_below(
    root: Path, folder: str, limit: int, skip: Callable[[str], bool], tree: Tree
) -> None:
    for path, entry in _walk_files(root, folder, tree):
        if not skip(path):
            tree.files[path] = _read_content(entry.path, limit)


@contextmanager
def _explain_failures(path: Path) -> Iterator[None]:
    """Say which file or folder cannot be read, and why."""
    try:
        yield
    except OSError as error:
        # Of a call on a handle the system gives its number, or no name at all.
        if isinstance(error.filename, str) and error.filename:
            path = Path(error.filename)
        raise UsageError(f"cannot read {path}: {error.strerror}") from error


def read_one(root: Path, path: str, limit: int) -> bytes | None:
    """Read one file below the root; None when there is none or it is reached over a link.

    Args:
        root: the repository.
        path: the file, relative to it.
        limit: bytes; of a larger file one byte more than this is read.

    Raises:
        UsageError: when it cannot be read.
    """
    *folders, name = PurePosixPath(path).parts or (".",)
    try:
        with enter_folder(root, folders) as folder:
            return _read_content(name, limit, folder)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:  # a link, which is not followed
            return None
        raise UsageError(f"cannot read {root / path}: {error.strerror}") from error


def relative_inside(root: Path, path: Path) -> str | None:
    """The path relative to the root, or None where it leads outside or over a symbolic link."""
    absolute = Path(os.path.normpath(Path.cwd() / path))
    base = Path(os.path.normpath(Path.cwd() / root))
    if not absolute.is_relative_to(base):
        return None
    relative = absolute.relative_to(base).as_posix()
    return None if is_linked(root, relative) else relative


def _walk_files(root: Path, folder: str, tree: Tree) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield the regular files below a folder, and note in the tree whatever else is there."""
    try:
        entries = sorted(os.scandir(f"{root}/{folder}"), key=attrgetter("name"))
    except (FileNotFoundError, NotADirectoryError):
        return
    holds_repository = any(entry.name == _REPOSITORY for entry in entries)
    if holds_repository and folder != ".":  # somebody else's, such as a submodule
        tree.links.append(folder)
        return
    for entry in entries:
        path = f"{folder}/{entry.name}"
        if entry.name == _REPOSITORY:
            continue
        if entry.is_dir(follow_symlinks=False):
            if entry.name.endswith(_SUFFIXES):
                tree.odd.append(path)
            yield from _walk_files(root, path, tree)
        elif entry.is_file(follow_symlinks=False):
            yield path, entry
        else:
            tree.links.append(path)


def _read_content(path: str, limit: int, folder: int | None = None) -> bytes:
    """Read the first bytes of a file, without the buffers that make small files slow to read.

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
        is_whole = len(content) < _CHUNK
        while not is_whole and len(content) <= limit:
            part = os.read(descriptor, limit)
            content += part
            is_whole = not part
    finally:
        os.close(descriptor)
    return content[: limit + 1]
