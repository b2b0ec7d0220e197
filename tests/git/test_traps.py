"""Repositories and servers of kinds that libgit2 does not know, or of which it says little."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice import cli, git
from sluice.core.finding import UsageError
from support.git_fixtures import AUTHOR, MAIN, assert_sound, put, run_git
from support.git_http import TOKEN, Fault, GitServer, serving
from support.loop import KEY, Loop
from support.ssh_server import PROGRAM, SshServer, ssh_server

pytestmark = pytest.mark.server
BRANCH = "refs/heads/sluice/x"


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_GIT_TOKEN", TOKEN)
    monkeypatch.delenv("SLUICE_GIT_USERNAME", raising=False)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    with serving(tmp_path / "served") as started:
        yield started


@pytest.fixture
def upstream(tmp_path: Path, server: GitServer) -> git.Repository:
    repo = git.init_bare(tmp_path / "served" / "a.git")
    run_git(repo.path, "config", "http.receivepack", "true")
    put(repo, {"a": b"1"})
    return repo


@pytest.fixture
def mirror(tmp_path: Path, server: GitServer, upstream: git.Repository) -> git.Mirror:
    made = git.open_mirror(server.url("a.git"), tmp_path / "state")
    made.refresh()
    return made


def change(mirror: git.Mirror) -> tuple[str, str]:
    """A commit that no ref has, and the base that it is on."""
    base = git.resolve(mirror.repository, MAIN)
    tree = git.write_tree(mirror.repository, base, {"b": b"2"})
    return git.commit(mirror.repository, tree, [base], "change", AUTHOR, time=1), base


def one_line(error: pytest.ExceptionInfo[UsageError]) -> str:
    said = str(error.value)
    assert "\n" not in said
    assert TOKEN not in said
    return said


def test_a_remote_of_another_object_format_is_named(tmp_path: Path, server: GitServer) -> None:
    folder = tmp_path / "served" / "new.git"
    run_git(tmp_path, "init", "-q", "--bare", "--object-format=sha256", str(folder))
    tree = run_git(folder, "write-tree")
    commit = run_git(folder, "commit-tree", "-m", "x", tree)
    run_git(folder, "update-ref", MAIN, commit)
    mirror = git.open_mirror(server.url("new.git"), tmp_path / "state")
    with pytest.raises(UsageError, match="SHA-256") as caught:
        mirror.refresh()
    one_line(caught)


def test_a_clone_without_blobs_says_how_to_get_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loop = Loop(tmp_path)
    run_git(loop.bare, "config", "uploadpack.allowFilter", "true")
    clone = ["clone", "-q", "--filter=blob:none", "--no-checkout", f"file://{loop.bare}", "part"]
    run_git(tmp_path, *clone)
    part = git.open_repository(tmp_path / "part")
    assert git.list_tree(part, "origin/main")
    with pytest.raises(UsageError, match="partial clone") as caught:
        git.read_tree(part, "origin/main")
    one_line(caught)
    with pytest.raises(UsageError, match="partial clone"):
        git.collect_file_changes(part, "origin/main", "environments", "release.yaml", 1)
    with pytest.raises(UsageError, match="partial clone"):
        git.diff_text(part, git.write_tree(part, None, {}), "origin/main", ["README.md"])
    assert cli.main(["history", KEY, "--repository", str(tmp_path / "part")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    run_git(tmp_path / "part", "fetch", "-q", "--refetch", "--no-filter")
    assert git.read_tree(git.open_repository(tmp_path / "part"), "origin/main").files


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault(403, b"no"), "must be allowed"),
        (Fault(500), "trouble of its own"),
        (Fault(429), "429"),
    ],
)
def test_a_push_that_the_server_denies_is_one_line_and_is_sent_once(
    mirror: git.Mirror, server: GitServer, upstream: git.Repository, fault: Fault, said: str
) -> None:
    commit, _ = change(mirror)
    server.fault = fault
    before = len(server.authorizations)
    with pytest.raises(UsageError) as caught:
        mirror.move(BRANCH, commit, None)
    assert said in one_line(caught)
    assert len(server.authorizations) == before + 1
    server.fault = None
    mirror.move(BRANCH, commit, None)
    assert git.tip(upstream, BRANCH) == commit


def test_who_may_read_but_not_push_is_told_so(mirror: git.Mirror, upstream: git.Repository) -> None:
    run_git(upstream.path, "config", "http.receivepack", "false")
    commit, base = change(mirror)
    with pytest.raises(UsageError, match="403") as caught:
        mirror.move(MAIN, commit, base)
    one_line(caught)
    assert git.tip(upstream, MAIN) == base


@pytest.mark.parametrize(
    ("key", "said"),
    [("receive.denyNonFastForwards", "non-fast-forward"), ("receive.denyDeletes", "deletion")],
)
def test_what_a_server_s_own_rules_deny_is_quoted(
    mirror: git.Mirror, upstream: git.Repository, key: str, said: str
) -> None:
    commit, base = change(mirror)
    mirror.move(BRANCH, commit, None)
    run_git(upstream.path, "config", key, "true")
    with pytest.raises(git.PushRefusedError, match=said) as caught:
        mirror.move(BRANCH, base if "Fast" in key else None, commit)
    one_line(caught)
    assert git.tip(upstream, BRANCH) == commit
    assert git.tip(mirror.repository, BRANCH) == commit


def test_a_branch_that_went_there_goes_here(mirror: git.Mirror, upstream: git.Repository) -> None:
    commit, _ = change(mirror)
    mirror.move(BRANCH, commit, None)
    git.update_ref(upstream, BRANCH, None, commit)
    assert mirror.refresh()
    assert git.tip(mirror.repository, BRANCH) is None
    with pytest.raises(git.RefMovedError):
        mirror.move(MAIN, commit, commit)
    assert_sound(upstream.path)


@pytest.mark.parametrize("name", ["refs/heads/x.lock", "packed-refs.lock"])
def test_a_lock_that_a_killed_process_left_is_named(
    upstream: git.Repository, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("sluice.git.refs._PATIENCE", 0.0)
    first = git.resolve(upstream, MAIN)
    git.update_ref(upstream, "refs/heads/x", first, None)
    run_git(upstream.path, "pack-refs", "--all")
    (Path(upstream.path) / name).touch()
    with pytest.raises(UsageError, match="stays locked") as caught:
        git.update_ref(upstream, "refs/heads/x", None, first)
    assert str(Path(upstream.path) / name) in one_line(caught)


ssh = pytest.mark.skipif(PROGRAM is None, reason="no sshd: apt-get install openssh-server")
LOOK = """
import sys
from pathlib import Path
from sluice import git
from sluice.core.finding import UsageError

try:
    print(git.open_mirror(sys.argv[1], Path(sys.argv[2])).refresh())
except UsageError as error:
    print(error)
"""


def look(server: SshServer, url: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", LOOK, url, str(folder / "state")],
        env=os.environ | {"HOME": str(server.home), "SLUICE_GIT_SSH_KEY": str(server.key)},
        capture_output=True,
        text=True,
        check=False,
    )
    said = (done.stdout + done.stderr).strip()
    assert "\n" not in said
    return said


@ssh
def test_an_ssh_host_with_another_key_is_not_believed(
    tmp_path: Path, upstream: git.Repository
) -> None:
    with ssh_server(tmp_path) as server:
        url = server.url(Path(upstream.path))
        assert look(server, url, tmp_path) == "True"
        assert "no such repository" in look(server, server.url(tmp_path / "none.git"), tmp_path)
        known = server.home / ".ssh" / "known_hosts"
        place = known.read_text().split()[0]
        other = Path(f"{server.key}.pub").read_text().split()
        known.write_text(f"{place} {other[0]} {other[1]}\n")
        said = look(server, url, tmp_path)
        assert "is not in ~/.ssh/known_hosts with this key" in said
