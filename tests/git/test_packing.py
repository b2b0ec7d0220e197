"""Repositories are packed when they have become many files, and nobody loses an object by it."""

import itertools
import os
import shutil
import signal
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from sluice import cli, git
from sluice.core.finding import UsageError
from sluice.git import packing
from sluice.reconciler.daemon.cycle_log import Diary
from sluice.reconciler.daemon.loop import Daemon
from sluice.reconciler.runtime import Runtime
from support.git_fixtures import AUTHOR, MAIN, WRITER, assert_sound, outputs, put, race, run_git
from support.loop import KEY, Loop

MANY = {f"d{n % 20}/{n}": b"%d" % n for n in range(200)}
ANY_GIT = 'exec git "$@"'
OLD_GIT = 'dir=$1; shift 3; exec git "$dir" -c gc.cruftPacks=false "$@"'
SECOND_HALF = 'case "$*" in *" gc "*) exit 0;; esac; exec git "$@"'  # of what an old one does
UNUSED = 1  # Git puts what no ref leads to into a pack of its own


@pytest.fixture(params=["git", "an old git"])
def way(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Whether the git command can put what no ref leads to into a pack of its own."""
    if request.param == "an old git":
        age(tmp_path, monkeypatch)
    return str(request.param)


def age(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the git command be one that knows no such packs."""
    script = program(folder, OLD_GIT)
    monkeypatch.setattr("sluice.git.packing.shutil.which", lambda _: str(script))


@pytest.fixture
def repo(tmp_path: Path) -> git.Repository:
    """More loose objects than its setting allows."""
    repo = git.init_bare(tmp_path / "a.git")
    repo.config["gc.auto"] = 1
    put(repo, MANY)
    crowd(repo, "x")
    return repo


def loose(repo: git.Repository) -> int:
    return int(run_git(repo.path, "count-objects").split()[0])


def packs(repo: git.Repository) -> list[Path]:
    return sorted((Path(repo.path) / "objects" / "pack").glob("*.pack"))


def crowd(repo: git.Repository, key: str) -> None:
    """Put two objects where the estimate looks, which with gc.auto 1 is one too many."""
    found = (b"%s %d" % (key.encode(), n) for n in itertools.count())
    for content in itertools.islice((c for c in found if git.compute_blob_id(c)[:2] == "17"), 2):
        repo.create_blob(content)


def held(repo: git.Repository) -> int:
    """How many packs of a repository this process has open, whether or not they are still there."""
    links = Path("/proc/self/fd").iterdir()
    found = [str(link.readlink()) for link in links if link.is_symlink()]
    return sum(name.startswith(repo.path) and ".pack" in name for name in found)


def test_what_is_loose_is_packed_and_open_handles_live_on(repo: git.Repository, way: str) -> None:
    other, before = git.open_repository(repo.path), git.read_tree(repo, MAIN)
    assert len(git.list_tree(other, MAIN)) == len(MANY)
    assert git.pack(repo)
    assert (loose(repo), len(packs(repo)) <= UNUSED + 1) == (0, True)
    assert_sound(repo.path)
    handles = (repo, other, git.open_repository(repo.path))
    assert [git.read_tree(handle, MAIN) for handle in handles] == [before] * 3
    for n, handle in enumerate(handles):
        put(handle, {"more": b"%d" % n})
    assert not git.pack(repo)


def test_a_small_repository_and_one_that_is_not_to_be_packed_are_left_alone(
    repo: git.Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "_run", unwanted)
    small = git.init_bare(tmp_path / "small.git")
    put(small, {"a": b"1"})
    assert not git.pack(small)
    repo.config["gc.auto"] = 0
    repo.config["gc.autopacklimit"] = 1
    assert not git.pack(repo)
    repo.config["gc.auto"] = 6_700
    assert not git.pack(repo)


def unwanted(*_: object) -> None:
    raise AssertionError("nothing to pack")


def test_the_packs_of_many_fetches_become_one_and_their_files_are_let_go(
    tmp_path: Path, way: str
) -> None:
    source, mirror = git.init_bare(tmp_path / "a.git"), git.init_bare(tmp_path / "m.git")
    mirror.remotes.create("origin", source.path)
    mirror.config["gc.autopacklimit"] = 5
    for n in range(8):
        put(source, {f"{n}": b"%d" % n})
        git.fetch(mirror, ["+refs/heads/*:refs/heads/*"])
    assert (len(packs(mirror)), held(mirror)) == (8, 8)
    assert git.pack(mirror)
    assert len(packs(mirror)) == 1
    assert len(git.list_tree(mirror, MAIN)) == 8
    assert held(mirror) == 1
    assert_sound(mirror.path)


def test_what_no_ref_leads_to_yet_stays(repo: git.Repository, way: str) -> None:
    tree = git.write_tree(repo, MAIN, {"new": b"n"})
    old = git.resolve(repo, MAIN)
    commit = git.commit(repo, tree, [old], "not pushed yet", AUTHOR, time=1)
    assert git.pack(git.open_repository(repo.path))
    git.update_ref(repo, MAIN, commit, old)
    assert git.read_tree(git.open_repository(repo.path), MAIN, ["new"]).files == {"new": b"n"}
    assert_sound(repo.path)


@pytest.mark.parametrize("is_mirror", [True, False])
def test_what_no_ref_leads_to_goes_from_mirrors_when_it_is_old(
    repo: git.Repository,
    is_mirror: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    blob, new = repo.create_blob(b"unused"), repo.create_blob(b"unused, new")
    path = Path(repo.path) / "objects" / str(blob)[:2] / str(blob)[2:]
    os.utime(path, (time.time() - 30 * 24 * 3600,) * 2)
    assert git.pack(repo, is_mirror=is_mirror)
    assert ((blob in repo), (new in repo)) == (not is_mirror, True)
    assert loose(repo) == 0


def test_with_an_old_git_too_nothing_is_packed_again_and_again(
    repo: git.Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    age(tmp_path, monkeypatch)
    assert git.pack(repo)
    assert not git.pack(repo)
    assert_sound(repo.path)


def test_a_pack_that_is_kept_stays(repo: git.Repository, way: str) -> None:
    run_git(repo.path, "repack", "-d", "-q")
    (kept,) = packs(repo)
    kept.with_suffix(".keep").touch()
    repo.config["gc.autopacklimit"] = 1
    for n in range(2):
        put(repo, {"more": b"%d" % n})
        run_git(repo.path, "repack", "-d", "-q")
    assert git.pack(git.open_repository(repo.path))
    assert kept in packs(repo)
    assert len(packs(repo)) <= UNUSED + 2
    assert_sound(repo.path)


def test_leftovers_of_killed_fetches_go_when_they_are_old(repo: git.Repository) -> None:
    folder = Path(repo.path) / "objects"
    old, new = folder / "pack/pack_git2_a", folder / "pack/pack_git2_b"
    for path in (old, new):
        path.touch()
    os.utime(old, (time.time() - 100_000,) * 2)
    assert git.pack(repo)
    assert [path.exists() for path in (old, new)] == [False, True]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("script", [ANY_GIT, OLD_GIT, SECOND_HALF])
def test_a_kill_while_git_packs_loses_nothing(
    repo: git.Repository,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
    script: str,
) -> None:
    path = program(tmp_path, script)
    monkeypatch.setattr("sluice.git.packing.shutil.which", lambda _: str(path))
    monkeypatch.setattr(packing, "_LOOK", 0.005)
    monkeypatch.setattr(packing, "_END", number)
    before = git.read_tree(repo, MAIN)
    for looks in range(0, 24, 3):
        left = iter([False] * looks)
        with suppress(UsageError):  # it may stumble on what the one before has just left
            git.pack(repo, lambda left=left: next(left, True))  # type: ignore[misc]  # its default
        assert git.read_tree(git.open_repository(repo.path), MAIN) == before
        run_git(repo.path, "fsck", "--full")
        (Path(repo.path) / "gc.pid.lock").unlink(missing_ok=True)  # goes by itself after a day
        assert not list(Path(repo.path).rglob("*.lock"))
    monkeypatch.undo()
    crowd(repo, "y")
    git.pack(repo)
    assert loose(repo) == 0


def test_writers_and_packers_at_once_lose_nothing(repo: git.Repository, way: str) -> None:
    repo.config["gc.autopacklimit"] = 2
    writers = race(WRITER, [[repo.path, f"w{n}", "25"] for n in range(4)])
    packed = 0
    while any(process.poll() is None for process in writers):
        crowd(repo, f"{packed}")
        packed += git.pack(git.open_repository(repo.path))
    outputs(writers)
    assert packed
    assert len(git.list_tree(git.open_repository(repo.path), MAIN)) == len(MANY) + 4 * 25
    assert_sound(repo.path)


def test_who_finds_another_one_packing_leaves_it(
    repo: git.Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    (Path(repo.path) / "gc.pid").write_text(f"{os.getpid()} {socket.gethostname()}")
    git.pack(repo)
    assert packs(repo) == []
    (Path(repo.path) / "gc.pid").unlink()
    git.pack(repo)
    assert len(packs(repo)) == 1 + UNUSED


def test_what_an_alternate_has_is_not_copied(
    repo: git.Repository, tmp_path: Path, way: str
) -> None:
    other = git.init_bare(tmp_path / "b.git")
    (Path(other.path) / "objects" / "info" / "alternates").write_text(f"{repo.path}objects\n")
    other.config["gc.auto"] = 1
    other = git.open_repository(other.path)
    other.create_reference(MAIN, git.resolve(repo, MAIN))
    put(other, {"own": b"own"})
    crowd(other, "z")
    assert git.pack(other)
    assert loose(other) == 0
    packed = run_git(other.path, "count-objects", "-v").split("in-pack: ")[1].split()[0]
    assert int(packed) < 10
    assert len(git.list_tree(git.open_repository(other.path), MAIN)) == len(MANY) + 1
    assert_sound(other.path)


def test_without_git_it_is_told_once_there_is_something_to_pack(
    repo: git.Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sluice.git.packing.shutil.which", lambda _: None)
    assert not git.pack(git.init_bare(tmp_path / "small.git"))
    with pytest.raises(UsageError, match="no git is there: install it"):
        git.pack(repo)


def program(folder: Path, script: str) -> Path:
    path = folder / "bin" / "git"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def broken(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A git command that cannot pack."""
    script = program(folder, "echo 'warning: x' >&2; echo 'fatal: disk full' >&2; exit 128")
    monkeypatch.setattr("sluice.git.packing.shutil.which", lambda _: str(script))


def test_a_failure_is_one_line(
    repo: git.Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(tmp_path, monkeypatch)
    with pytest.raises(UsageError, match="cannot be packed: fatal: disk full") as caught:
        git.pack(repo)
    assert "\n" not in str(caught.value)
    assert len(git.list_tree(repo, MAIN)) == len(MANY)


@pytest.fixture
def loop(tmp_path: Path) -> Loop:
    (tmp_path / "loop").mkdir()
    loop = Loop(tmp_path / "loop")
    loop.register(1)
    loop.register(2)
    loop.repository.config["gc.auto"] = 1
    crowd(loop.repository, "x")
    return loop


def test_one_cycle_by_itself_packs_too(
    loop: Loop,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    registry = ["--registry", f"file:{loop.folder / 'registry.json'}"]
    command = ["reconcile", "--once", "--repository", str(loop.bare), *registry]
    with monkeypatch.context() as patches:
        broken(tmp_path, patches)
        assert cli.main(command) == 0
        said = capsys.readouterr()
        assert f"{KEY}: proposed version 2" in said.out
        assert "disk full" in said.err
        assert cli.main([*command, "--dry-run"]) == 0
        assert capsys.readouterr().err == ""
    assert loose(loop.repository) > 100
    assert cli.main(command) == 0
    assert loose(loop.repository) == 0
    assert_sound(loop.bare)


def test_the_daemon_packs_between_cycles_and_a_failure_waits(
    loop: Loop,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    world = Runtime(git.Direct(loop.repository), loop.registry, loop.forge, lambda: 2_000)
    daemon = Daemon(world, Diary("text"), 1, threading.Event())
    with monkeypatch.context() as patches:
        broken(tmp_path, patches)
        assert (daemon.once(), daemon.once()) == (1, 1)
        assert capsys.readouterr().err.count("disk full; run git gc there") == 1
    daemon.patience.forgive()
    daemon.once()
    assert loose(loop.repository) == 0
    assert not daemon.trouble
    loop.register(3)
    assert loop.chat().what == "updated"


def test_the_estimate_is_git_s_own(repo: git.Repository) -> None:
    folder = Path(repo.path) / "objects" / "17"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    repo.config["gc.auto"] = 512
    for n, many in enumerate([False, False, False, True]):
        assert packing._is_loose(repo, folder.parent) == many
        (folder / f"{n:038x}").touch()
