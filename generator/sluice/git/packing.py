"""Packing, by Git itself: what libgit2 writes is loose, and each fetch is a pack of its own.

Open handles keep every pack open, so that a daemon would run out of files in the end.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path

import pygit2

from sluice.core.finding import UsageError
from sluice.git.repository import Repository

# As `git gc --auto` estimates, and as its settings are called.
_LOOSE, _PACKS = ("gc.auto", 6_700), ("gc.autopacklimit", 50)
_SAMPLE = "17"
_LONGEST = 20 * 60.0
_UNUSED = "--prune=2.weeks.ago"
_ALL = ("repack", "--quiet", "-adkl")  # what no ref leads to, too; not what alternates have
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
_LEFTOVERS = ("objects/pack/pack_git2_*", "objects/pack/.tmp-*", "gc.pid.lock")
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

    Args:
        repo: the repository.
        is_stopping: asked again and again while Git works; true ends it.
        is_mirror: whether all of it can be fetched again.

    Raises:
        UsageError: it cannot be packed, or there is no git; it is as good as before.
    """
    objects = Path(repo.path) / "objects"
    if not _has_many_packs(repo, objects) and not _is_loose(repo, objects):
        return False
    program = shutil.which("git")
    if program is None:
        raise UsageError(f"{repo.path} has become many files, and no git is there: install it")
    command = [program, f"--git-dir={repo.path}", *_SETTINGS]
    try:
        _sweep(objects.parent)
        prune = _UNUSED if is_mirror else "--no-prune"
        if _run([*command, "gc", "--quiet", prune], is_stopping) and _is_loose(repo, objects):
            # An old git leaves loose what no ref leads to, and would be called again and again.
            _run([*command, *_ALL], is_stopping)
    except OSError as error:
        raise UsageError(f"{repo.path} cannot be packed: {error}") from error
    finally:
        repo.free()
    return True


def _is_loose(repo: Repository, objects: Path) -> bool:
    # Git spreads loose objects over 256 folders by their ids: one of them is sample enough.
    limit = _read_setting(repo, *_LOOSE)
    return limit > 0 and len(_list_names(objects / _SAMPLE)) > -(-limit // 256)


def _has_many_packs(repo: Repository, objects: Path) -> bool:
    limit = _read_setting(repo, *_PACKS)
    names = _list_names(objects / "pack")
    kept = {name[:-5] for name in names if name.endswith(".keep")}
    packs = [name for name in names if name.endswith(".pack") and name[:-5] not in kept]
    return _read_setting(repo, *_LOOSE) > 0 and 0 < limit < len(packs)


def _read_setting(repo: Repository, key: str, default: int) -> int:
    if key not in repo.config:
        return default
    try:
        return repo.config.get_int(key)
    except (pygit2.GitError, ValueError):
        return default


def _list_names(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir()]
    except OSError:
        return []


def _sweep(folder: Path) -> None:
    """Remove what killed processes left: what is old, and packs in the making of nobody."""
    oldest = time.time() - _STALE
    is_free = _is_free(folder)
    for path in chain.from_iterable(map(folder.glob, _LEFTOVERS)):
        with suppress(FileNotFoundError):  # another process sweeps too
            is_stale = path.stat().st_mtime < oldest
            is_orphan = is_free and path.name.startswith(".tmp-")
            if is_stale or is_orphan:
                path.unlink()


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


def _make_environment() -> dict[str, str]:
    """Return ours without what leads Git to another repository, in a language that we read."""
    environ = dict(os.environ)
    for name in _LOCAL:
        environ.pop(name, None)
    environ["LC_ALL"] = "C"
    return environ


def _run(command: Sequence[str], is_stopping: Callable[[], bool]) -> bool:
    """Let Git pack, which is good at any moment that it is killed; whether it came to its end.

    Raises:
        ChildProcessError: it cannot; in its own words.
    """
    process = subprocess.Popen(  # noqa: S603  # Git itself
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=_make_environment(),
        start_new_session=True,  # its helpers end with it
    )
    complaint, was_stopped = _wait_for_end(process, is_stopping)
    # Stopped, it may find its helper dead before it dies, and complain.
    is_busy = any(words in complaint for words in _LATER)
    if process.returncode > 0 and not was_stopped and not is_busy:
        reason = (complaint.splitlines() or ["it gives no reason"])[-1]
        raise ChildProcessError(f"{reason}; run git gc there to see why")
    return process.returncode == 0


def _wait_for_end(
    process: subprocess.Popen[bytes], is_stopping: Callable[[], bool]
) -> tuple[str, bool]:
    """Wait for the end, or bring it about; return Git's complaint, and whether we ended it."""
    end = time.monotonic() + _LONGEST
    number, was_stopped = _END, False
    while True:
        try:
            _, complaint = process.communicate(timeout=_LOOK)
            return complaint.decode(errors="replace"), was_stopped
        except subprocess.TimeoutExpired:
            if not is_stopping() and time.monotonic() <= end:
                continue
        was_stopped = True
        os.killpg(process.pid, number)
        if time.monotonic() > end + 10 * _LOOK:  # it does not end when asked to
            number = signal.SIGKILL
