"""Packing where there is no git command: nothing is dropped.

No file goes before the copy of what it holds is on the disk. Who has the repository open finds an
object in the new pack once its old file is gone.
"""

import fcntl
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pygit2

from sluice.git.repository import Repository

_LOCK = "sluice-packing.lock"
_FOLDER = re.compile(r"[0-9a-f]{2}")
_NAME = re.compile(r"[0-9a-f]{38}")
# Packs that somebody asked to keep, or whose objects are not all here.
_SPECIAL = (".keep", ".promisor")


def pack_all(repo: Repository, objects: Path, *, whole: bool) -> None:
    """Pack what is loose; with `whole`, the packs too, into one.

    Raises:
        GitError, OSError: it cannot be; what was there is there.
    """
    with _alone(Path(repo.path) / _LOCK) as first:
        if not first:
            return
        loose = {path: pygit2.Oid(hex=path.parent.name + path.name) for path in _loose(objects)}
        packs = _packs(objects / "pack") if whole else []
        ids = {*loose.values(), *(_packed(objects) if whole else ())}
        if not ids:
            return
        new = _write(repo, objects, ids)
        for path in loose:
            path.unlink(missing_ok=True)
        for path in packs:
            if path.stem != new:
                _drop(path)


def _loose(objects: Path) -> Iterator[Path]:
    for folder in objects.iterdir():
        if _FOLDER.fullmatch(folder.name):
            yield from (path for path in folder.iterdir() if _NAME.fullmatch(path.name))


def _packs(folder: Path) -> list[Path]:
    found = folder.glob("pack-*.pack")
    return [p for p in found if not any(p.with_suffix(suffix).exists() for suffix in _SPECIAL)]


def _packed(objects: Path) -> Iterable[pygit2.Oid]:
    """Every object in packs here; those of alternates are not ours to copy."""
    packs = pygit2.Odb()
    packs.add_backend(pygit2.OdbBackendPack(str(objects)), 1)
    return packs


def _write(repo: Repository, objects: Path, ids: Iterable[pygit2.Oid]) -> str:
    """Write a pack beside the others, whole and on the disk, before it counts; its name."""
    builder = pygit2.PackBuilder(repo)
    for oid in ids:
        builder.add(oid)
    with TemporaryDirectory(prefix="tmp_sluice_", dir=objects) as name:
        builder.write(name)
        (made,) = Path(name).glob("pack-*.pack")
        for path in (made, made.with_suffix(".idx")):
            _to_disk(path)
            path.rename(objects / "pack" / path.name)
    _to_disk(objects / "pack")
    return made.stem


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _drop(pack: Path) -> None:
    for suffix in (".idx", ".rev", ".bitmap", ".mtimes", ".pack"):
        pack.with_suffix(suffix).unlink(missing_ok=True)


@contextmanager
def _alone(path: Path) -> Iterator[bool]:
    """Whether no other process packs; the lock goes with the process."""
    handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(handle)
