"""Packing: what libgit2 writes is loose, each fetch is a pack of its own, and nobody tidies up.

Open handles keep every pack open, so that a daemon would run out of files in the end.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pygit2

from sluice.core.finding import UsageError
from sluice.git.library_packing import pack_all
from sluice.git.repository import Repository

# As `git gc --auto` estimates, and as its settings are called.
_LOOSE, _PACKS = ("gc.auto", 6_700), ("gc.autopacklimit", 50)
_SAMPLE = "17"
_LONGEST = 20 * 60.0
_UNUSED = "--prune=2.weeks.ago"
# A kill leaves the locks of refs and of the commit graph behind, where nobody dares remove them.
_SETTINGS = (
    *("-c", "gc.cruftPacks=true"),
    *("-c", "gc.packRefs=false"),
    *("-c", "gc.writeCommitGraph=false"),
)
# Another one is at it, or one that was killed has not quite gone: the next time will do.
_LATER = ("gc is already running", "could not find pack '.tmp-")
_LOOK = 0.2
_END = signal.SIGTERM
_STALE = 24 * 60 * 60.0
# What a fetch or a repack that was killed leaves behind, and Git does not remove by itself.
_LEFTOVERS = ("pack/pack_git2_*", "pack/.tmp-*", "tmp_sluice_*")
_LOCAL = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
)


def pack(
    repo: Repository, is_stopping: Callable[[], bool] = bool, *, is_mirror: bool = False
) -> bool:
    """Pack a bare repository that has become many files; whether there was anything to do.

    Objects that no ref leads to stay, since other processes may be about to use them; in a mirror,
    which can be fetched again, for two weeks. This handle lets go of the files that went.

    Raises:
        UsageError: it cannot be packed; it is as good as before.
    """
    objects = Path(repo.path) / "objects"
    many_packs = _has_many_packs(repo, objects)
    if not many_packs and not _is_loose(repo, objects):
        return False
    _sweep(objects)
    program = shutil.which("git")
    try:
        prune = _UNUSED if is_mirror else "--no-prune"
        if program is None:
            pack_all(repo, objects, whole=many_packs)
        elif _by_git(program, repo.path, is_stopping, prune) and _is_loose(repo, objects):
            # An old git leaves loose what no ref leads to, and would be called again and again.
            pack_all(repo, objects, whole=False)
    except (pygit2.GitError, OSError) as error:
        raise UsageError(f"{repo.path} cannot be packed: {error}") from error
    finally:
        repo.free()
    return True


def _is_loose(repo: Repository, objects: Path) -> bool:
    limit = _setting(repo, *_LOOSE)
    return limit > 0 and len(_names(objects / _SAMPLE)) > -(-limit // 256)


def _has_many_packs(repo: Repository, objects: Path) -> bool:
    limit = _setting(repo, *_PACKS)
    names = _names(objects / "pack")
    kept = {name[:-5] for name in names if name.endswith(".keep")}
    packs = [name for name in names if name.endswith(".pack") and name[:-5] not in kept]
    return _setting(repo, *_LOOSE) > 0 and 0 < limit < len(packs)


def _setting(repo: Repository, key: str, default: int) -> int:
    try:
        return repo.config.get_int(key) if key in repo.config else default
    except (pygit2.GitError, ValueError):
        return default


def _names(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir()]
    except OSError:
        return []


def _sweep(objects: Path) -> None:
    before, free = time.time() - _STALE, _is_free(objects.parent)
    left = [path for pattern in _LEFTOVERS for path in objects.glob(pattern)]
    for path in (*left, objects.parent / "gc.pid.lock"):
        try:
            if path.stat().st_mtime < before or (free and path.name.startswith(".tmp-")):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        except FileNotFoundError:  # another process sweeps too
            continue


def _is_free(folder: Path) -> bool:
    """Whether no git packs here by its own lock: packs in the making are then of one that died."""
    try:
        pid, host = (folder / "gc.pid").read_text(encoding="utf-8").split()
        if host != socket.gethostname():
            return False
        os.kill(int(pid), 0)
    except PermissionError:  # somebody else's
        return False
    except (OSError, ValueError):  # no such file, or no such process
        return True
    return False


def _by_git(program: str, path: str, is_stopping: Callable[[], bool], prune: str) -> bool:
    """Git's own way: one at a time by its lock, and good at any moment that it is killed.

    Whether it came to its end.
    """
    process = subprocess.Popen(  # noqa: S603  # Git itself
        [program, f"--git-dir={path}", *_SETTINGS, "gc", "--quiet", prune],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={k: v for k, v in os.environ.items() if k not in _LOCAL} | {"LC_ALL": "C"},
        start_new_session=True,  # its helpers end with it
    )
    said, was_stopped = _ended(process, is_stopping)
    # Stopped, it may find its helper dead before it dies, and complain.
    if process.returncode > 0 and not was_stopped and not any(words in said for words in _LATER):
        reason = (said.splitlines() or ["it gives no reason"])[-1]
        raise UsageError(f"{path} cannot be packed: {reason}; run git gc there to see why")
    return process.returncode == 0


def _ended(process: subprocess.Popen[bytes], is_stopping: Callable[[], bool]) -> tuple[str, bool]:
    """Wait for the end, or bring it about; what was said by then, and whether it was brought."""
    end = time.monotonic() + _LONGEST
    number, was_stopped = _END, False
    while True:
        try:
            return process.communicate(timeout=_LOOK)[1].decode(errors="replace"), was_stopped
        except subprocess.TimeoutExpired:
            if is_stopping() or time.monotonic() > end:
                was_stopped = True
                os.killpg(process.pid, number)
                number = signal.SIGKILL if time.monotonic() > end + 10 * _LOOK else number
