import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice import git
from sluice.core.finding import UsageError
from support.git_fixtures import AUTHOR, MAIN, assert_sound, put, run_git
from support.git_http import TOKEN, GitServer, serving

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
    run_git(repo.path or "", "config", "http.receivepack", "true")
    put(repo, {"a": b"1"})
    return repo


@pytest.fixture
def local(tmp_path: Path, server: GitServer, upstream: git.Repository) -> git.Repository:
    return git.clone(server.url("a.git"), tmp_path / "local.git")


def change(local: git.Repository, text: bytes, parent: str) -> str:
    """Commit without moving any ref, as the reconciler does before a push."""
    tree = git.write_tree(local, parent, {"b": text})
    return git.commit(local, tree, [parent], "change", AUTHOR, time=1)


def hook(repo: git.Repository, script: str) -> None:
    path = Path(repo.path or "") / "hooks" / "pre-receive"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_a_clone_sees_the_branches_and_a_fetch_what_is_new_and_gone(
    local: git.Repository, upstream: git.Repository
) -> None:
    first = git.resolve(upstream, "main")
    assert git.resolve(local, "origin/main") == first
    git.update_ref(upstream, BRANCH, first, None)
    second = put(upstream, {"a": b"2"})
    git.fetch(local)
    assert git.resolve(local, "origin/main") == second
    assert git.tip(local, "refs/remotes/origin/sluice/x") == first
    git.update_ref(upstream, BRANCH, None, first)
    git.fetch(local)
    assert git.tip(local, "refs/remotes/origin/sluice/x") is None


def test_a_push_creates_moves_and_deletes(local: git.Repository, upstream: git.Repository) -> None:
    base = git.resolve(local, "origin/main")
    first, second = change(local, b"1", base), change(local, b"2", base)
    git.push(local, {BRANCH: (None, first)})
    assert git.tip(upstream, BRANCH) == first
    git.push(local, {BRANCH: (first, second)})
    assert git.tip(upstream, BRANCH) == second
    git.push(local, {BRANCH: (first, second)})
    git.push(local, {BRANCH: (second, None)})
    assert git.tip(upstream, BRANCH) is None
    assert_sound(upstream.path or "")


@pytest.mark.parametrize("expected", [None, "base"])
def test_a_broken_lease_stops_the_push(
    local: git.Repository, upstream: git.Repository, expected: str | None
) -> None:
    base = git.resolve(local, "origin/main")
    theirs = put(upstream, {"c": b"1"}, BRANCH, onto=base)
    with pytest.raises(git.RefMovedError) as caught:
        git.push(local, {BRANCH: (expected and base, change(local, b"1", base))})
    assert caught.value.actual == theirs
    assert git.tip(upstream, BRANCH) == theirs


def test_deleting_what_is_gone_is_fine(local: git.Repository) -> None:
    git.push(local, {BRANCH: (git.resolve(local, "origin/main"), None)})


def test_a_mover_in_the_middle_of_the_push_wins(
    local: git.Repository, upstream: git.Repository, server: GitServer
) -> None:
    base = git.resolve(local, "origin/main")
    git.push(local, {BRANCH: (None, change(local, b"1", base))})
    moved: list[str] = []

    def move() -> None:
        if not moved:
            moved.append(put(git.open_repository(upstream.path or ""), {"c": b"1"}, BRANCH))

    server.before_update = move
    with pytest.raises(git.RefMovedError):
        git.push(local, {BRANCH: (change(local, b"1", base), change(local, b"2", base))})
    assert [git.tip(upstream, BRANCH)] == moved


def test_a_hook_that_refuses_is_quoted(local: git.Repository, upstream: git.Repository) -> None:
    hook(upstream, f"echo 'main is protected, {TOKEN}' >&2; exit 1")
    base = git.resolve(local, "origin/main")
    with pytest.raises(git.PushRefusedError, match="main is protected") as caught:
        git.push(local, {MAIN: (base, change(local, b"1", base))})
    assert "pre-receive hook declined" in str(caught.value)
    assert TOKEN not in str(caught.value)
    assert git.tip(upstream, MAIN) == base


def test_a_refused_token_is_sent_once(
    tmp_path: Path, upstream: git.Repository, server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_GIT_TOKEN", "wrong-token")
    with pytest.raises(UsageError, match="refused the credentials") as caught:
        git.clone(server.url("a.git"), tmp_path / "local.git")
    assert "wrong-token" not in str(caught.value)
    assert server.refused == 2
    assert not list(tmp_path.glob("*local.git*"))


def test_a_missing_token_is_named(
    tmp_path: Path, upstream: git.Repository, server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SLUICE_GIT_TOKEN")
    with pytest.raises(UsageError, match="set SLUICE_GIT_TOKEN"):
        git.clone(server.url("a.git"), tmp_path / "local.git")


def test_the_user_name_comes_from_the_environment(
    tmp_path: Path, upstream: git.Repository, server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_GIT_USERNAME", "robot")
    git.clone(server.url("a.git"), tmp_path / "local.git")
    monkeypatch.setenv("SLUICE_GIT_USERNAME", "stranger")
    with pytest.raises(UsageError, match="refused"):
        git.clone(server.url("a.git"), tmp_path / "other.git")


def test_the_token_does_not_follow_to_another_host(
    tmp_path: Path, upstream: git.Repository, server: GitServer
) -> None:
    with serving(tmp_path) as other:
        other.redirect = server.url("").rstrip("/").replace("127.0.0.1", "localhost")
        with pytest.raises(UsageError):
            git.clone(other.url("a.git"), tmp_path / "local.git")


def test_a_server_that_is_away_is_one_line(local: git.Repository, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://robot:{TOKEN}@127.0.0.1:{probe.getsockname()[1]}/a.git"
        local.remotes.set_url("origin", url)
        base = git.resolve(local, "origin/main")
        for attempt in (
            lambda: git.fetch(local),
            lambda: git.push(local, {BRANCH: (None, base)}),
            lambda: git.clone(url, tmp_path / "other.git"),
        ):
            with pytest.raises(UsageError, match="cannot") as caught:
                attempt()
            assert TOKEN not in str(caught.value)
            assert "\n" not in str(caught.value)


def test_a_clone_needs_an_empty_place(tmp_path: Path, server: GitServer) -> None:
    (tmp_path / "x").mkdir()
    with pytest.raises(UsageError, match="exists already"):
        git.clone(server.url("a.git"), tmp_path / "x")


def test_a_missing_remote_is_named(tmp_path: Path) -> None:
    repo = git.init_bare(tmp_path / "a.git")
    assert git.read_remote_url(repo) is None
    with pytest.raises(UsageError, match="no remote called 'origin'"):
        git.fetch(repo)


@pytest.mark.parametrize("form", ["{}", "file://{}", "../a.git"])
def test_a_local_path_is_not_pushed_to(tmp_path: Path, form: str) -> None:
    target = git.init_bare(tmp_path / "a.git")
    base = put(target, {"a": b"1"})
    repo = git.init_bare(tmp_path / "b.git")
    repo.remotes.create("origin", form.format(target.path))
    with pytest.raises(UsageError, match="open it and update its refs instead"):
        git.push(repo, {BRANCH: (None, base)})


def test_a_local_path_can_be_cloned(tmp_path: Path) -> None:
    source = git.init_bare(tmp_path / "a.git")
    base = put(source, {"a": b"1"})
    copy = git.clone(source.path or "", tmp_path / "b.git")
    assert git.resolve(copy, "origin/main") == base


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://u:p@host/a.git", "https://host/a.git"),
        ("https://token@host/a.git", "https://host/a.git"),
        ("https://u:p@ss@host/a.git", "https://host/a.git"),
        ("https://u:p/w@host/a.git", "https://host/a.git"),
        ("https://host/a.git?private_token=x", "https://host/a.git"),
        ("ssh://git:pw@host:22/a.git", "ssh://host:22/a.git"),
        ("git@host:team/a.git", "git@host:team/a.git"),
        ("https://host/a.git", "https://host/a.git"),
        ("failed: 'https://u:p@host/' and http://t@h/", "failed: 'https://host/' and http://h/"),
    ],
)
def test_credentials_leave_urls(tmp_path: Path, url: str, shown: str) -> None:
    assert git.redact(url) == shown


def test_the_url_of_a_remote_is_shown_without_credentials(tmp_path: Path) -> None:
    repo = git.init_bare(tmp_path / "a.git")
    repo.remotes.create("origin", "https://u:p@host/a.git")
    assert git.read_remote_url(repo) == "https://host/a.git"


def test_git_and_sluice_agree_on_what_was_pushed(
    local: git.Repository, upstream: git.Repository, tmp_path: Path
) -> None:
    base = git.resolve(local, "origin/main")
    made = change(local, b"1", base)
    git.push(local, {MAIN: (base, made), BRANCH: (None, made)})
    subprocess.run(["git", "clone", "-q", upstream.path or "", tmp_path / "w"], check=True)
    assert run_git(tmp_path / "w", "rev-parse", "HEAD", "origin/sluice/x") == f"{made}\n{made}"
