"""`sluice status` and `sluice board`: what they read, whom they ask, and what nobody told them."""

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sluice import cli, git
from sluice.insight.overview import look
from sluice.workspace.connection import Place
from support.git_fixtures import run_git
from support.loop import KEY, SPEC, Loop
from support.overviews import SCHEMA

TOKEN = "canary-0123456789abcdef"  # noqa: S105 - seeded to be searched for
ARGOCD = {
    "items": [
        {
            "metadata": {"name": "production.chat", "namespace": "argocd"},
            "status": {
                "sync": {"status": "Synced", "revision": "c0ffee"},
                "health": {"status": "Healthy"},
            },
        }
    ]
}
Sluice = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLUICE_FORGE", "SLUICE_REPOSITORY", "SLUICE_ARGOCD", "SLUICE_FORGE_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)


@pytest.fixture
def sluice(capsys: pytest.CaptureFixture[str]) -> Sluice:
    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(list(arguments))
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


@pytest.fixture
def loop(tmp_path: Path) -> Loop:
    loop = Loop(tmp_path)
    loop.register(1)
    return loop


def found(sluice: Sluice, *arguments: str, code: int = 0) -> dict[str, Any]:
    ended, out, err = sluice("status", "--format", "json", *arguments)
    assert (ended, err) == (code, "")
    data: dict[str, Any] = json.loads(out)
    SCHEMA.validate(data)
    return data


def chat(data: dict[str, Any]) -> dict[str, Any]:
    return next(each for each in data["releases"] if each["release"] == KEY)


def test_main_and_the_pull_requests_of_a_bare_repository(loop: Loop, sluice: Sluice) -> None:
    before = found(sluice, "--repository", str(loop.bare))
    assert chat(before)["pulls"] == []
    assert before["revision"] == git.resolve(loop.repository, "main")
    loop.register(2)
    loop.cycle()
    data = found(sluice, "--repository", str(loop.bare), "--env", "production")
    (pull,) = chat(data)["pulls"]
    assert (pull["version"], pull["about"]) == ("2", "promotion")
    assert data["unknown"].keys() == {"Argo CD"}
    assert [each["name"] for each in data["environments"]] == ["production"]
    assert (
        f"pull request #{pull['number']} for version 2 is open"
        in sluice("status", "--repository", str(loop.bare))[1]
    )


def test_what_is_checked_out_counts_and_not_what_is_being_edited(
    loop: Loop, sluice: Sluice
) -> None:
    tree = _committed(loop.folder / "tree")
    repository = git.open_repository(tree)
    data = found(sluice, "--root", str(tree))
    assert data["revision"] == git.resolve(repository, "HEAD")
    path = tree / SPEC
    path.write_text(path.read_text().replace('version: "1"', 'version: "5"'))
    assert found(sluice, "--root", str(tree)) == data
    assert "no remote `origin`" in data["unknown"]["pull requests"]


def test_a_checkout_that_is_not_the_main_that_was_fetched_says_so(
    loop: Loop, sluice: Sluice
) -> None:
    tree = _committed(loop.folder / "tree")
    repository = git.open_repository(tree)
    here = git.resolve(repository, "HEAD")
    assert f"as of commit {here[:10]}" in sluice("status", "--root", str(tree))[1]
    run_git(tree, "update-ref", "refs/remotes/origin/main", here)
    assert "main" not in found(sluice, "--root", str(tree))["unknown"]
    run_git(tree, "commit", "-qm", "mine", "--allow-empty")
    said = found(sluice, "--root", str(tree))["unknown"]["main"]
    assert f"main was at {here[:10]} when it was fetched last" in said


def _committed(tree: Path) -> Path:
    """Make a repository of a folder, with a commit of all specs in it."""
    for words in (("init", "--quiet"), ("add", "environments"), ("commit", "-qm", "begin")):
        run_git(tree, *words)
    return tree


def test_without_git_the_files_count(loop: Loop, sluice: Sluice, tmp_path: Path) -> None:
    data = found(sluice, "--root", str(tmp_path / "tree"))
    assert data["revision"] == ""
    assert chat(data)["pulls"] is None
    assert loop.folder == tmp_path


def test_argocd_is_asked_where_it_is_said_to_be(
    loop: Loop, sluice: Sluice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "apps.json").write_text(json.dumps(ARGOCD))
    monkeypatch.setenv("SLUICE_ARGOCD", f"file:{tmp_path / 'apps.json'}")
    data = found(sluice, "--repository", str(loop.bare))
    assert chat(data)["argocd"] == {
        "synced": True,
        "health": "Healthy",
        "revision": "c0ffee",
        "routes": None,
    }
    assert data["unknown"] == {}
    monkeypatch.setenv("SLUICE_ARGOCD", f"file:{tmp_path / 'nowhere.json'}")
    data = found(sluice, "--repository", str(loop.bare))
    assert chat(data)["argocd"] is None
    assert "nowhere.json" in data["unknown"]["Argo CD"]


def test_a_forge_that_does_not_answer_is_told_of_without_its_token(
    loop: Loop, sluice: Sluice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
    monkeypatch.setattr("sluice.forges.timing.time.sleep", lambda _seconds: None)
    monkeypatch.setenv("SLUICE_FORGE_TOKEN", TOKEN)
    address = f"gitea:team/models@http://127.0.0.1:{port}"
    code, out, err = sluice("status", "--root", str(loop.folder / "tree"), "--forge", address)
    assert (code, err) == (0, "")
    assert "unknown: pull requests: Gitea at 127.0.0.1" in out
    assert "is not reachable" in " ".join(out.split())
    assert TOKEN not in out
    monkeypatch.delenv("SLUICE_FORGE_TOKEN")
    out = sluice("board", "--root", str(tmp_path / "tree"), "--forge", address)[1]
    assert "set SLUICE_FORGE_TOKEN" in out


def test_a_broken_spec_is_told_of_and_the_exit_code_says_so(
    loop: Loop, sluice: Sluice, tmp_path: Path
) -> None:
    (tmp_path / "tree" / SPEC).write_text("spec: [")
    root = ("--root", str(loop.folder / "tree"))
    data = found(sluice, *root, code=1)
    assert [each["file"] for each in data["broken"]] == [SPEC]
    assert {each["release"] for each in data["releases"]} == {"staging/platform/chat"}
    assert sluice("board", *root)[0] == 1


def test_an_environment_that_is_not_there_is_a_wrong_use(loop: Loop, sluice: Sluice) -> None:
    code, out, err = sluice("status", "--repository", str(loop.bare), "--env", "prodution")
    assert (code, out) == (2, "")
    assert "did you mean production?" in err


def test_a_page_is_written_whole_and_links_to_the_specs_beside_it(
    loop: Loop, sluice: Sluice, tmp_path: Path
) -> None:
    (tmp_path / "public").mkdir()
    out, root = tmp_path / "public" / "index.html", tmp_path / "tree"
    for _ in range(2):
        assert sluice("board", "--out", str(out), "--root", str(root)) == (0, "", "")
    html = out.read_text()
    assert f'href="../tree/{SPEC}"' in html
    assert (out.parent / f"../tree/{SPEC}").is_file()
    assert [path.name for path in out.parent.iterdir()] == ["index.html"]
    assert sluice("board", "--root", str(root), "--links", "https://git.example/x/")[1].count(
        f'href="https://git.example/x/{SPEC}"'
    )
    assert "<a " not in sluice("board", "--repository", str(loop.bare))[1]


@pytest.mark.parametrize("links", ["javascript:alert(1)", "JavaScript:x", "data:text/html,x"])
def test_links_are_places(loop: Loop, sluice: Sluice, links: str) -> None:
    code, out, err = sluice("board", "--repository", str(loop.bare), "--links", links)
    assert (code, out) == (2, "")
    assert "begins with https://" in err


def test_a_place_where_nothing_can_be_written_is_one_line(loop: Loop, sluice: Sluice) -> None:
    code, out, err = sluice(
        "board", "--repository", str(loop.bare), "--out", str(loop.folder / "nowhere" / "x.html")
    )
    assert (code, out) == (2, "")
    assert "cannot write it: No such file or directory" in err


def test_looking_changes_nothing(loop: Loop, tmp_path: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    look(Place(repository=str(loop.bare)))
    look(Place(root=str(tmp_path / "tree")))
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")} == before
