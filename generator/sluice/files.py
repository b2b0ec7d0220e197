"""The work tree: read without leaving it, written so that nobody ever sees half of a change."""

import ctypes
import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path, PurePosixPath

from sluice.core.finding import UsageError

_STAGING = ".sluice"
_CHUNK = 1 << 14
"""Bytes; most files are smaller, and asking for many costs as much as reading many."""
_SUFFIXES = (".yaml", ".yml", ".json")
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def _nothing(path: str) -> bool:
    del path
    return False


@dataclass
class Tree:
    """Files by path relative to the root; symbolic links are named, never followed.

    `odd` are pipes, devices and sockets, and folders that are named as files are.
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
        folders: paths below it; one that does not exist is empty.
        limit: bytes; of a larger file one byte more than this is read, which is enough to say so.
        skip: says of a path whether its file is left out.
    """
    tree = Tree()
    for folder in folders:
        if _linked(root, folder):
            tree.links.append(folder)
        else:
            for path, entry in _files(root, folder, tree):
                if not skip(path):
                    tree.files[path] = _content(entry.path, limit)
    return tree


def read_one(root: Path, path: str, limit: int) -> bytes | None:
    """One file below the root, or None when it is not there, or is no file."""
    try:
        if not (root / path).is_file():  # a pipe would be waited for
            return None
        with (root / path).open("rb") as file:
            return file.read(limit + 1)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None


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
    """
    try:
        _refuse_links(root, changes)
        for top, below in _steps(changes):
            _write(root, top, below)
    except OSError as error:
        raise UsageError(f"cannot write {error.filename or root}: {error.strerror}") from error


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
    staging = root / _STAGING
    staging.mkdir(exist_ok=True)
    ignored = staging / ".gitignore"
    # Whatever stands there, a link too, is left alone.
    with suppress(FileExistsError), ignored.open("x", encoding="utf-8") as file:
        file.write("*\n")
    fresh = Path(tempfile.mkdtemp(prefix="write-", dir=staging))
    try:
        if top == ".":  # a single file of the root
            _place(root, changes, fresh / "new")
        else:
            _build(root, top, changes, fresh / "new")
            _replace(root / top, fresh / "new")
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _files(root: Path, folder: str, tree: Tree) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """The regular files below a folder; symbolic links are noted."""
    try:
        entries = sorted(os.scandir(f"{root}/{folder}"), key=attrgetter("name"))
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        path = f"{folder}/{entry.name}"
        if entry.is_symlink():
            tree.links.append(path)
        elif entry.is_dir():
            if entry.name.endswith(_SUFFIXES):
                tree.odd.append(path)
            yield from _files(root, path, tree)
        elif entry.is_file():
            yield path, entry
        else:
            tree.odd.append(path)


def _content(path: str, limit: int) -> bytes:
    """The first bytes of a file, without the buffers that make small files slow to read."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
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


def _place(root: Path, changes: Mapping[str, bytes | None], fresh: Path) -> None:
    for path, content in changes.items():
        if content is None:
            (root / path).unlink(missing_ok=True)
        else:
            fresh.write_bytes(content)
            fresh.replace(root / path)


def _build(root: Path, top: str, changes: Mapping[str, bytes | None], fresh: Path) -> None:
    fresh.mkdir()
    if (root / top).is_dir():
        shutil.copytree(root / top, fresh, copy_function=os.link, symlinks=True, dirs_exist_ok=True)
    for path, content in changes.items():
        target = fresh / PurePosixPath(path).relative_to(top)
        target.unlink(missing_ok=True)
        if content is not None:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    for folder in sorted(_folders(fresh), reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()


def _folders(top: Path) -> Iterator[Path]:
    return (path for path in top.rglob("*") if path.is_dir() and not path.is_symlink())


def _replace(old: Path, new: Path) -> None:
    if old.exists():
        _exchange(old, new)
    else:
        old.parent.mkdir(parents=True, exist_ok=True)
        new.rename(old)


def _exchange(old: Path, new: Path) -> None:
    """Swap two folders in one step; in two where the system cannot, with the old one kept."""
    library = ctypes.CDLL(None, use_errno=True)
    swap = getattr(library, "renameat2", None)
    arguments = (_AT_FDCWD, os.fsencode(old), _AT_FDCWD, os.fsencode(new), _RENAME_EXCHANGE)
    if swap is not None and swap(*arguments) == 0:
        return
    if swap is not None and ctypes.get_errno() not in (errno.EINVAL, errno.ENOSYS):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(old))
    aside = new.with_name("old")
    old.rename(aside)
    new.rename(old)
