"""`sluice history`: from commits alone, however they came about."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pygit2
import pytest

from sluice import git
from sluice.commands import history
from sluice.core.finding import UsageError
from sluice.core.model import Signature
from support.git_fixtures import AUTHOR, MAIN
from support.loop import KEY, SPEC, Loop


@pytest.fixture
def loop(tmp_path: Path) -> Loop:
    loop = Loop(tmp_path)
    loop.register(1)
    return loop


@pytest.fixture
def told(loop: Loop, capsys: pytest.CaptureFixture[str]) -> Any:  # noqa: ANN401  # a function
    def tell(release: str = "production/chat") -> list[dict[str, Any]]:
        assert run(loop, release, "json") == 0
        found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["history"]
        return found

    return tell


def run(loop: Loop, release: str, form: str) -> int:
    return history.run(release=release, repository=str(loop.bare), root=None, form=form)


def put(
    loop: Loop,
    changes: Mapping[str, bytes | None],
    message: str,
    time: int,
    author: Signature = AUTHOR,
) -> str:
    parent = git.resolve(loop.repository, MAIN)
    tree = git.write_tree(loop.repository, parent, changes)
    commit = git.commit(loop.repository, tree, [parent], message, author, time=time)
    git.update_ref(loop.repository, MAIN, commit, parent)
    return commit


def at_version(loop: Loop, version: str, message: str = "by hand", time: int = 3_000) -> str:
    raw = loop.file(SPEC)
    old = raw[raw.index("    version:") :].splitlines()[0]
    return put(loop, {SPEC: raw.replace(old, f'    version: "{version}"').encode()}, message, time)


def test_a_merged_proposal_says_who_why_and_on_what_evidence(loop: Loop, told: Any) -> None:  # noqa: ANN401  # a function
    loop.register(2)
    loop.chat()
    loop.merge(1)
    newest, first = told()
    assert (newest["event"], newest["version"], newest["previous"]) == ("promoted", "2", "1")
    assert (newest["approvedBy"], newest["pullRequest"]) == (["Ada"], 1)
    assert newest["why"] == "stage Production"
    assert newest["trailers"]["Run-Id"] == "run-2"
    (evidence,) = newest["evidence"]
    assert evidence["path"] == f"environments/{KEY}/evidence/v2.json"
    assert evidence["gates"][0]["passed"] is True
    assert (newest["until"], newest["seconds"]) == (None, None)
    assert (first["event"], first["version"], first["until"]) == ("created", "1", newest["time"])


def test_a_text_for_people(loop: Loop, capsys: pytest.CaptureFixture[str]) -> None:
    loop.register(2)
    loop.chat()
    loop.merge(1)
    run(loop, "production/chat", "text")
    lines = capsys.readouterr().out.splitlines()
    assert "version 2, promoted from 1; now, for" in lines[0]
    assert "approved by Ada, pull request #1" in lines[1]
    assert lines[2] == "    why: stage Production"
    assert lines[3].endswith("evidence/v2.json: 1 of 1 gates passed, mmlu/acc 0.7")


def test_who_approved_in_the_registry_stands_with_the_evidence(
    loop: Loop, capsys: pytest.CaptureFixture[str]
) -> None:
    loop.edit(SPEC, ("  gates:", "  gates:\n    - approval: {tag: approved-by}"))
    loop.register(2, tags={"approved-by": "ada"})
    loop.chat()
    loop.merge(1)
    run(loop, "production/chat", "text")
    said = "2 of 2 gates passed, tag approved-by is 'ada', mmlu/acc 0.7"
    assert said in capsys.readouterr().out


SQUASHES = {
    "GitHub": "production/chat: m 1 -> 2 (#7)\n\n* production/chat: m 1 -> 2\n\nThe registry has "
    "version 2.\n\nModel-Version: 2\nFollows: stage Production\n\n* fix a comment\n\n"
    "Reviewed-by: Grace <grace@example.com>\nCo-authored-by: Bot <bot@example.com>\n",
    "GitLab": "production/chat: m 1 -> 2\n\nFollows: stage Production\nApproved-by: Grace "
    "<grace@example.com>\n\nSee merge request platform/models!7\n",
    "Gitea": "production/chat: m 1 -> 2\n\nFollows: stage Production\nReviewed-on: "
    "https://git.example.com/platform/models/pulls/7\nReviewed-by: Grace <grace@example.com>\n",
}


@pytest.mark.parametrize("message", SQUASHES.values(), ids=list(SQUASHES))
def test_a_squash_by_each_forge(loop: Loop, told: Any, message: str) -> None:  # noqa: ANN401  # a function
    at_version(loop, "2", message)
    newest = told()[0]
    assert (newest["pullRequest"], newest["approvedBy"]) == (7, ["Grace"])
    assert newest["why"] == "stage Production"


def test_a_rollback_and_a_revert_are_told_as_such(loop: Loop, told: Any) -> None:  # noqa: ANN401  # a function
    second = at_version(loop, "2", time=2_000)
    message = f'Revert "by hand"\n\nThis reverts commit {second}.\n'
    at_version(loop, "1", message, time=2_600)
    newest, before, _ = told()
    assert (newest["event"], newest["version"], newest["previous"]) == ("rolled back", "1", "2")
    assert newest["reverts"] == second
    assert before["seconds"] == 600


def test_a_rollback_by_hand_says_its_reason(loop: Loop, told: Any) -> None:  # noqa: ANN401  # a function
    at_version(loop, "2", "version 2\n\nit is rude\n\nRelease: production/platform/chat\n")
    assert told()[0]["why"] == "it is rude"


def test_a_change_that_serves_the_same_version_is_not_history(loop: Loop, told: Any) -> None:  # noqa: ANN401  # a function
    loop.edit(SPEC, ("max: 4", "max: 5"))
    assert [entry["event"] for entry in told()] == ["created"]


def moved(loop: Loop, team: str, time: int) -> None:
    old = git.read_tree(loop.repository, MAIN, [f"environments/{KEY}"]).files
    changes: dict[str, bytes | None] = dict.fromkeys(old)
    changes |= {path.replace("/platform/", f"/{team}/"): raw for path, raw in old.items()}
    put(loop, changes, "The team has a new name", time)


def test_a_team_that_is_renamed_keeps_its_history(loop: Loop, told: Any) -> None:  # noqa: ANN401  # a function
    loop.register(2)
    loop.chat()
    loop.merge(1)
    moved(loop, "serving", 4_000)
    newest, *before = told()
    assert (newest["event"], newest["release"]) == ("moved", "production/serving/chat")
    assert [entry["event"] for entry in before] == ["promoted", "created"]
    assert before[0]["release"] == KEY


def test_a_release_that_is_gone_and_one_that_came_back(loop: Loop, told: Any) -> None:  # noqa: ANN401  # a function
    raw = loop.file(SPEC).encode()
    put(loop, {SPEC: None}, "No longer needed", 3_000)
    gone = told(KEY)
    assert [entry["event"] for entry in gone] == ["removed", "created"]
    assert gone[0]["version"] is None
    put(loop, {SPEC: raw}, "Needed after all", 5_000)
    assert [entry["event"] for entry in told()] == ["restored", "removed", "created"]


def test_a_rollout_is_told_from_its_end(loop: Loop, told: Any) -> None:  # noqa: ANN401  # a function
    rollout = SPEC.replace("release", "rollout")
    raw = loop.file(SPEC).replace('version: "1"', 'version: "2"').encode()
    put(loop, {SPEC: raw, rollout: b"kind: Rollout\n"}, "begin", 3_000)
    put(loop, {rollout: None}, "end", 4_000)
    newest, before, _ = told()
    assert (newest["event"], before["event"], before["rolling"]) == ("settled", "promoted", True)


def test_a_rollback_under_way_is_told(
    loop: Loop,
    told: Any,  # noqa: ANN401  # a function
    capsys: pytest.CaptureFixture[str],
) -> None:
    rollout = SPEC.replace("release", "rollout")
    raw = loop.file(SPEC).replace('version: "1"', 'version: "2"').encode()
    put(loop, {SPEC: raw, rollout: b"spec: {state: STEP}\n"}, "begin", 3_000)
    put(loop, {rollout: b"spec: {state: ROLLING_BACK}\n"}, "errors", 4_000)
    put(loop, {rollout: b"spec: {state: ROLLED_BACK}\n"}, "left", 5_000)
    newest, before, _ = told()
    assert (newest["event"], newest["why"], before["event"]) == (
        "rolling back",
        "errors",
        "promoted",
    )
    assert run(loop, "production/chat", "text") == 0
    assert "version 2, rolling back, in a rollout; now" in capsys.readouterr().out


def test_it_answers_where_a_spec_is_broken(loop: Loop, told: Any) -> None:  # noqa: ANN401  # a function
    put(loop, {SPEC: b"spec: ["}, "oops", 3_000)
    assert [entry["version"] for entry in told()] == [None, "1"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("chat", "is any of"),
        ("chta", "did you mean chat"),
        ("production/platform/never", "main has never had"),
        ("x/../y", "there is no release"),
    ],
)
def test_a_name_that_is_no_release(loop: Loop, name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        run(loop, name, "text")


def test_hostile_commit_words_stay_on_their_line(
    loop: Loop, capsys: pytest.CaptureFixture[str]
) -> None:
    at_version(loop, "2", "\x1b[2Jclear\n\nFollows: stage \x1b]0;x\x07\n")
    run(loop, "production/chat", "text")
    assert "\x1b" not in capsys.readouterr().out


def test_a_shallow_clone_answers_what_it_can(loop: Loop, tmp_path: Path) -> None:
    at_version(loop, "2")
    shutil.copytree(loop.bare, tmp_path / "copy.git")
    head = git.resolve(loop.repository, MAIN)
    (tmp_path / "copy.git" / "shallow").write_text(f"{head}\n")
    copy = str(tmp_path / "copy.git")
    assert history.run(release="production/chat", repository=copy, root=None, form="json") == 0


def test_a_clone_of_a_server_answers_from_what_was_fetched(
    loop: Loop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clone = pygit2.clone_repository(str(loop.bare), str(tmp_path / "clone"))
    clone.remotes.set_url("origin", "https://git.example.com/acme/models.git")
    fetched, above = clone.head.target, clone.revparse_single("HEAD~0").tree
    who = pygit2.Signature("a", "a@example.com")
    clone.create_commit("HEAD", who, who, "Mine, not pushed", above.id, [fetched])
    for main in ("refs/remotes/origin/main", None):
        root = str(tmp_path / "clone")
        assert history.run(release=KEY, repository=None, root=root, form="text") == 0
        assert "version 1" in capsys.readouterr().out
        if main:
            clone.references.delete(main)


def test_a_clone_of_a_folder_with_a_work_tree_answers_from_its_main(
    loop: Loop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree, clone = str(tmp_path / "tree of people"), str(tmp_path / "clone of it")
    pygit2.clone_repository(str(loop.bare), tree)
    for url in (tree, f"file://{tree}"):
        pygit2.clone_repository(tree, f"{clone} {len(url)}").remotes.set_url("origin", url)
        root = f"{clone} {len(url)}"
        assert history.run(release=KEY, repository=None, root=root, form="text") == 0
        assert "version 1" in capsys.readouterr().out
    assert history.run(release=KEY, repository=tree, root=None, form="text") == 0
