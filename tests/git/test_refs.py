import os
import subprocess
import textwrap
from pathlib import Path

import pytest

from sluice import git
from sluice.core.finding import UsageError
from support.git_fixtures import (
    AUTHOR,
    CLEAN,
    MAIN,
    WRITER,
    assert_sound,
    outputs,
    put,
    race,
    run_git,
)

CREATOR = textwrap.dedent("""
    import sys
    from sluice import git

    path, commit, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    repo, won = git.open_repository(path), 0
    print("ready", flush=True)
    sys.stdin.readline()
    for n in range(count):
        try:
            git.update_ref(repo, f"refs/heads/made/{n}", commit, None)
            won += 1
        except git.RefMovedError:
            pass
    print(won)
""")


@pytest.fixture
def repo(tmp_path: Path) -> git.Repository:
    return git.init_bare(tmp_path / "a.git")


def test_a_ref_moves_only_from_the_expected_value(repo: git.Repository) -> None:
    first, second = put(repo, {"a": b"1"}), put(repo, {"a": b"2"})
    for new, expected in [(first, first), (first, None), (None, first)]:
        with pytest.raises(git.RefMovedError) as caught:
            git.update_ref(repo, MAIN, new, expected)
        assert caught.value.actual == second
    git.update_ref(repo, MAIN, first, second)
    git.update_ref(repo, MAIN, None, first)
    assert git.tip(repo, MAIN) is None
    with pytest.raises(git.RefMovedError):
        git.update_ref(repo, MAIN, None, first)


def test_packed_refs_obey_the_same_rules(repo: git.Repository) -> None:
    first = put(repo, {"a": b"1"})
    other = git.commit(repo, git.write_tree(repo, None, {}), [], "x", AUTHOR, time=1)
    git.update_ref(repo, "refs/heads/team/x", first, None)
    run_git(repo.path or "", "pack-refs", "--all")
    with pytest.raises(git.RefMovedError):
        git.update_ref(repo, "refs/heads/team/x", other, None)
    for blocked in ("refs/heads/team", "refs/heads/team/x/y"):
        with pytest.raises(UsageError):
            git.update_ref(repo, blocked, other, None)
    git.update_ref(repo, "refs/heads/team/x", other, first)
    git.update_ref(repo, "refs/heads/team/x", None, other)
    assert git.list_refs(repo, "refs/heads/") == {MAIN: first}
    assert_sound(repo.path or "")


@pytest.mark.parametrize(
    "name", ["main", "refs/heads/..", "refs/heads/a b", "refs/heads/x.lock", "refs/a\0b", "HEAD"]
)
def test_a_name_that_is_no_ref_is_refused(repo: git.Repository, name: str) -> None:
    with pytest.raises(UsageError):
        git.update_ref(repo, name, put(repo, {"a": b"1"}), None)


def test_a_ref_never_points_to_what_is_missing(repo: git.Repository) -> None:
    for missing in ("1" * 40, "zz"):
        with pytest.raises(UsageError, match="no such object"):
            git.update_ref(repo, "refs/heads/x", missing, None)


def test_a_symbolic_ref_is_left_alone(repo: git.Repository) -> None:
    first = put(repo, {"a": b"1"})
    run_git(repo.path or "", "symbolic-ref", "refs/remotes/origin/HEAD", MAIN)
    assert git.tip(repo, "refs/remotes/origin/HEAD") == first
    with pytest.raises(UsageError, match="symbolic"):
        git.update_ref(repo, "refs/remotes/origin/HEAD", first, first)


def test_the_branch_of_a_work_tree_is_left_alone(tmp_path: Path) -> None:
    run_git(tmp_path, "init", "-q", "-b", "main")
    run_git(tmp_path, "commit", "-q", "--allow-empty", "-m", "x")
    repo = git.open_repository(tmp_path)
    head = git.resolve(repo, "HEAD")
    with pytest.raises(UsageError, match="checked out"):
        git.update_ref(repo, MAIN, head, head)
    git.update_ref(repo, "refs/heads/other", head, None)


def test_a_lock_that_somebody_holds_is_waited_for(
    repo: git.Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = put(repo, {"a": b"1"})
    lock = Path(repo.path or "") / "refs" / "heads" / "x.lock"
    lock.touch()
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            lock.unlink()

    monkeypatch.setattr("sluice.git.refs.time.sleep", pause)
    git.update_ref(repo, "refs/heads/x", first, None)
    assert len(pauses) == 3


def test_a_lock_that_never_goes_is_reported(
    repo: git.Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = put(repo, {"a": b"1"})
    (Path(repo.path or "") / "refs" / "heads" / "x.lock").touch()
    monkeypatch.setattr("sluice.git.refs._PATIENCE", 0.0)
    with pytest.raises(UsageError, match="stays locked"):
        git.update_ref(repo, "refs/heads/x", first, None)


def test_the_value_is_compared_while_the_lock_is_held(
    repo: git.Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, real = put(repo, {"a": b"1"}), git.tip
    lock = Path(repo.path or "") / "refs" / "heads" / "x.lock"
    locked: list[bool] = []

    def tip(of: git.Repository, name: str) -> str | None:
        locked.append(lock.exists())
        return real(of, name)

    monkeypatch.setattr("sluice.git.refs.tip", tip)
    git.update_ref(repo, "refs/heads/x", first, None)
    assert locked == [True]


def test_eight_writers_and_a_collector_lose_nothing(repo: git.Repository) -> None:
    put(repo, {"a": b"1"})
    path, each = repo.path or "", 12
    writers = race(WRITER, [[path, f"w{n}", str(each)] for n in range(8)])
    collected = []
    while any(process.poll() is None for process in writers):
        command = ["git", "-C", path, "gc", "-q"]
        collected.append(subprocess.run(command, env=os.environ | CLEAN, check=False).returncode)
    outputs(writers)
    assert 0 in collected
    assert len(git.list_tree(repo, MAIN)) == 1 + 8 * each
    assert run_git(path, "rev-list", "--count", MAIN) == str(1 + 8 * each)
    assert_sound(path)


def test_of_many_creators_exactly_one_wins(repo: git.Repository) -> None:
    first = put(repo, {"a": b"1"})
    creators = race(CREATOR, [[repo.path or "", first, "200"] for _ in range(4)])
    assert sum(int(said) for said in outputs(creators)) == 200
