"""A disk that is full, read-only or damaged: one line that says where, and nothing half done."""

import errno
import fcntl
import itertools
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sluice import cli, files, git
from sluice.core.finding import UsageError
from sluice.core.model import Signature
from support.file_changes import CHANGES, NEW, OLD, make, state

WHO = Signature("A", "a@example.com")
_DONE, _TOLD, _OTHER = 0, 5, 6


def _fails_at(step: int, number: int, work: Callable[[], object]) -> int:
    """Do the work in a process whose n-th call of the system fails; how it ended."""
    child = os.fork()
    if child == 0:
        calls = itertools.count()

        def hook(event: str, _: object) -> None:
            if event.startswith(("os.", "open", "shutil.")) and next(calls) == step:
                raise OSError(number, os.strerror(number), "somewhere")

        sys.addaudithook(hook)
        try:
            work()
        except UsageError as error:
            is_line = os.strerror(number) in str(error) and "\n" not in str(error)
            os._exit(_TOLD if is_line else _OTHER)
        except BaseException:  # noqa: BLE001  # the parent asks for the code
            os._exit(_OTHER)
        os._exit(_DONE)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_write_that_fails_anywhere_is_told_and_leaves_the_tree_whole(
    tmp_path: Path, number: int
) -> None:
    ends = set()
    for step in itertools.count():
        root = make(tmp_path / str(step), OLD)
        end = _fails_at(step, number, lambda root=root: files.write(root, CHANGES))  # type: ignore[misc]  # bound now
        assert end in (_DONE, _TOLD), f"call {step}"
        assert state(root) in (OLD, NEW)
        ends.add(end)
        if end == _DONE and state(root) == NEW and step > 60:
            break
    assert ends == {_DONE, _TOLD}


def test_a_read_that_fails_anywhere_is_told(tmp_path: Path) -> None:
    root = make(tmp_path, OLD)
    ends = [
        _fails_at(step, errno.EACCES, lambda: files.read(root, ["manifests"], 1 << 20))
        for step in range(12)
    ]
    assert set(ends) == {_DONE, _TOLD}


def _left(staging: Path, name: str, age: float) -> Path:
    folder = staging / name
    (folder / "new").mkdir(parents=True)
    past = folder.stat().st_mtime - age
    os.utime(folder, (past, past))
    return folder


def test_what_killed_runs_left_is_swept_and_what_others_write_is_not(tmp_path: Path) -> None:
    root = make(tmp_path, OLD)
    staging = root / ".sluice"
    dead, young = _left(staging, "write-dead", 3600), _left(staging, "write-young", 0)
    alive, foreign = _left(staging, "write-alive", 3600), _left(staging, "notes", 3600)
    handle = os.open(alive, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        files.write(root, CHANGES)
    finally:
        os.close(handle)
    assert not dead.exists()
    assert all(folder.exists() for folder in (young, alive, foreign))


def test_a_repository_without_room_is_named(tmp_path: Path) -> None:
    repo = git.init_bare(tmp_path / "bare.git")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        with pytest.raises(UsageError, match="bare"):
            git.write_tree(repo, None, {"a": b"content"})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert git.write_tree(repo, None, {"a": b"content"})


def _without(repo: git.Repository, object_id: str) -> git.Repository:
    (Path(repo.path) / "objects" / object_id[:2] / object_id[2:]).unlink()
    return git.open_repository(repo.path)


@pytest.mark.parametrize(
    "read",
    [
        git.read_tree,
        git.list_tree,
        lambda repo, revision: git.find_ids(repo, revision, ["folder/a"]),
        lambda repo, revision: git.write_tree(repo, revision, {"folder/b": b"b"}),
        lambda repo, revision: list(git.file_history(repo, revision, "folder/a")),
        lambda repo, revision: git.collect_file_changes(repo, revision, "folder", "a", 1),
    ],
)
def test_an_object_that_lacks_is_named(
    tmp_path: Path, read: Callable[[git.Repository, str], object]
) -> None:
    repo = git.init_bare(tmp_path / "bare.git")
    tree = git.write_tree(repo, None, {"folder/a": b"content"})
    revision = git.commit(repo, tree, [], "message", WHO, time=0)
    with pytest.raises(UsageError, match=r"bare.git/: .*[0-9a-f]{40}.*git fsck"):
        read(_without(repo, tree), revision)


def test_a_folder_that_may_not_be_read_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make(tmp_path, {"environments/a/environment.yaml": b"kind: Environment\n"})
    real = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("environments/a"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return real(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert cli.main(["check", "--root", str(root)]) == cli.USAGE
    assert capsys.readouterr().err == (
        f"sluice: cannot read {root}/environments/a: Permission denied\n"
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device here")
def test_output_without_room_is_one_line() -> None:
    program = shutil.which("sluice", path=Path(sys.executable).parent) or "sluice"
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(  # our own program
            [program, "explain", "POL001"], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == cli.USAGE
    assert done.stderr.decode().count("\n") == 1
    assert b"No space left" in done.stderr
