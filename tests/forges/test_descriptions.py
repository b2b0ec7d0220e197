"""The descriptions that every test's requests are checked against do catch mistakes."""

import json
from pathlib import Path

import pytest

import slice_openapi
from support.forge_schemas import answer_complaints, complaints

R = "/repos/team/models"
GITHUB = f"/api/v3{R}"
SHA = "1" * 40


@pytest.mark.parametrize(
    ("kind", "method", "path", "query", "body"),
    [
        ("github", "POST", f"{GITHUB}/pulls", {}, {"title": "t", "base": "main"}),
        ("github", "POST", f"{GITHUB}/pulls", {}, {"title": 7, "head": "a", "base": "main"}),
        ("github", "POST", f"{GITHUB}/pulls", {}, {"head": "a", "base": "b", "labels": []}),
        ("github", "POST", f"{GITHUB}/pulls", {}, None),
        ("github", "GET", f"{GITHUB}/pulls", {"state": "opened"}, None),
        ("github", "GET", f"{GITHUB}/pulls", {"limit": "5"}, None),
        ("github", "GET", f"{GITHUB}/pulls", {}, {}),
        ("github", "PUT", f"{GITHUB}/pulls/1/merge", {}, {"sha": SHA, "merge_method": "ff"}),
        ("github", "POST", f"{GITHUB}/issues/1/labels", {}, {"labels": [1]}),
        ("github", "POST", f"{GITHUB}/statuses/{SHA}", {}, {"state": "failed"}),
        ("github", "GET", f"{GITHUB}/merge_requests", {}, None),
        ("gitlab", "PUT", "/api/v4/projects/a%2Fb/merge_requests/1", {}, {}),
        ("gitlab", "PUT", "/api/v4/projects/a%2Fb/merge_requests/1", {}, {"state": "closed"}),
        ("gitlab", "GET", "/api/v4/projects/a/b/merge_requests", {}, None),
        ("gitea", "POST", f"/api/v1{R}/pulls", {}, {"head": "a", "base": "b", "title": ""}),
        ("gitea", "POST", f"/api/v1{R}/issues/1/labels", {}, {"labels": ["x"]}),
        ("gitea", "POST", f"/api/v1{R}/pulls/1/merge", {}, {"head_commit_id": SHA}),
    ],
)
def test_a_wrong_request_is_caught(
    kind: str, method: str, path: str, query: dict[str, str], body: object
) -> None:
    assert complaints(kind, method, path, query, body)


def test_right_ones_and_answers() -> None:
    created = {"title": "t", "head": "a", "base": "main", "body": "b"}
    assert complaints("github", "POST", f"{GITHUB}/pulls", {}, created) == []
    line = ("github", "GET", f"{GITHUB}/pulls/1", 200)
    assert answer_complaints(*line, {"number": 1, "merged_at": None}) == []
    assert answer_complaints(*line, {"number": "1"})
    assert answer_complaints(*line, {"numbers": 1})
    assert answer_complaints("github", "GET", f"{GITHUB}/pulls/1", 201, {})


def test_a_slice_has_all_that_it_refers_to_and_no_prose() -> None:
    text = slice_openapi.TARGET.read_text(encoding="utf-8")
    held = json.loads(text)
    assert {path: tuple(sorted(methods)) for path, methods in held["paths"].items()} == {
        path: tuple(sorted(methods)) for path, methods in slice_openapi.OPERATIONS.items()
    }
    assert (
        "description" not in held["paths"][R.replace("team", "{owner}").replace("models", "{repo}")]
    )
    assert len(text) < 400_000
    assert slice_openapi.sliced(held) == held


def test_the_script_writes_and_compares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = slice_openapi.TARGET, tmp_path / "github.json"
    monkeypatch.setattr(slice_openapi, "TARGET", target)
    monkeypatch.setattr("sys.argv", ["slice_openapi", str(source), "--check"])
    assert slice_openapi.main() == 1
    assert not target.exists()
    monkeypatch.setattr("sys.argv", ["slice_openapi", str(source)])
    assert slice_openapi.main() == 0
    assert target.read_text(encoding="utf-8") == source.read_text(encoding="utf-8")
    assert "written" in capsys.readouterr().out
