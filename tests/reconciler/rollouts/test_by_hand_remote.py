"""Rollouts moved by hand where all is remote: Git over HTTP, and a forge with an API."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sluice import git
from sluice.cli import main
from sluice.core.forge import PullRequest
from sluice.core.model import Signature
from sluice.forges.remote import RemoteForge
from sluice.reconciler.rollouts.scene import Scene
from sluice.reconciler.rollouts.tick import move_each
from sluice.workspace.identity import AUTHOR as ROBOT
from support.forge_fake import TOKEN, FakeForge
from support.forge_fake import serving as serving_forge
from support.forge_harness import FAKES, Time, connected
from support.git_fixtures import CLEAN, MAIN, put, run_git
from support.git_http import GitServer
from support.git_http import serving as serving_git
from support.loop import ENVIRONMENT
from support.stage import RELEASE, ROLLOUT, Stage

pytestmark = pytest.mark.server

NAME = "production/chat"
REFUSES_MAIN = """#!/bin/sh
[ "$1" = refs/heads/main ] && { echo "main is protected"; exit 1; }
exit 0
"""


@dataclass
class Remote:
    """A rollout at 10 % on servers, and a clone of it."""

    stage: Stage
    server: GitServer
    fake: FakeForge
    clone: Path

    def protect(self) -> None:
        hook = self.stage.loop.bare / "hooks" / "update"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(REFUSES_MAIN)
        hook.chmod(0o755)

    def sluice(self, *arguments: str) -> int:
        where = ["--root", str(self.clone), "--repository", self.server.url("models.git")]
        return main([*arguments, *where])

    def pulls(self) -> list[PullRequest]:
        return list(connected("gitea", self.fake, Time()).list())


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    stage = Stage(tmp_path_factory.mktemp("begun"))
    stage.begin()
    stage.run(30, until="STEP")
    return stage


@pytest.fixture(scope="module")
def settled(begun: Stage, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    stage = begun.copy(tmp_path_factory.mktemp("settled"))
    stage.run(90, until="STABLE")
    return stage


@pytest.fixture
def remote(begun: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Remote]:
    stage = begun.copy(tmp_path)
    run_git(stage.loop.bare, "config", "http.receivepack", "true")
    for name, value in CLEAN.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("SLUICE_ARGOCD", raising=False)
    with (
        serving_git(tmp_path) as server,
        serving_forge(FAKES["gitea"], stage.loop.bare) as fake,
    ):
        server.token = TOKEN
        monkeypatch.setenv("SLUICE_FORGE", f"gitea:team/models@{fake.place}")
        monkeypatch.setenv("SLUICE_FORGE_TOKEN", TOKEN)
        monkeypatch.setenv("SLUICE_GIT_TOKEN", TOKEN)
        monkeypatch.setenv("SLUICE_STATE", str(tmp_path / "state"))
        clone = tmp_path / "clone"
        run_git(tmp_path, "clone", "-q", str(stage.loop.bare), str(clone))
        run_git(clone, "config", "user.name", "Grace")
        run_git(clone, "config", "user.email", "grace@example.com")
        yield Remote(stage, server, fake, clone)


def test_a_rollback_from_a_clone_that_is_behind_and_not_clean(remote: Remote) -> None:
    run_git(remote.clone, "reset", "-q", "--hard", "HEAD~1")
    spec = remote.clone / RELEASE
    spec.write_text(spec.read_text() + "# half a thought\n")
    head = run_git(remote.clone, "rev-parse", "HEAD")
    assert remote.sluice("rollback", NAME, "--reason", "it is rude") == 0
    assert (remote.stage.state(), remote.stage.quarantine()) == (("ROLLING_BACK", 0), ["2"])
    commit = git.commit_of(remote.stage.loop.repository, MAIN)
    assert commit.trailers["Actor"] == "Grace <grace@example.com>"
    assert run_git(remote.clone, "rev-parse", "HEAD") == head
    assert spec.read_text().endswith("# half a thought\n")
    before = remote.stage.loop.refs()
    assert remote.sluice("rollback", NAME) == 0
    assert remote.stage.loop.refs() == before


@pytest.mark.parametrize("verb", ["pause", "abort"])
def test_a_verb_is_a_push(remote: Remote, verb: str) -> None:
    assert remote.sluice("rollout", verb, NAME) == 0
    assert remote.stage.state() == (("PAUSED", 10) if verb == "pause" else ("ROLLING_BACK", 0))
    assert remote.pulls() == []


def test_promote_and_resume_say_what_they_need(
    remote: Remote, capsys: pytest.CaptureFixture[str]
) -> None:
    assert remote.sluice("rollout", "resume", NAME) == 2
    assert "it is not held" in capsys.readouterr().err
    assert remote.sluice("rollout", "promote", NAME) == 2
    assert "ready" in capsys.readouterr().err
    assert remote.sluice("rollout", "promote", NAME, "--ready") == 0
    assert remote.stage.state() == ("PROMOTING", 100)


def test_where_main_is_protected_a_rollback_is_a_pull_request_that_is_merged_at_once(
    remote: Remote, capsys: pytest.CaptureFixture[str]
) -> None:
    remote.protect()
    assert remote.sluice("rollback", NAME) == 0
    assert "main is protected" in capsys.readouterr().out
    assert (remote.stage.state(), remote.stage.quarantine()) == (("ROLLING_BACK", 0), ["2"])
    assert [pull.state for pull in remote.pulls()] == ["merged"]


def test_where_nothing_may_be_merged_it_says_that_a_person_must(
    remote: Remote, capsys: pytest.CaptureFixture[str]
) -> None:
    remote.protect()
    remote.fake.state.blocked = "not enough approvals"
    for _ in range(2):
        assert remote.sluice("rollback", NAME) == 0
        out = capsys.readouterr().out
        assert "could not merge" in out
        assert "not enough approvals" in out
    (pull,) = remote.pulls()
    assert pull.state == "open"
    assert remote.stage.state() == ("STEP", 10)
    remote.fake.state.blocked = ""
    connected("gitea", remote.fake, Time()).merge(pull.number, pull.head)
    assert (remote.stage.state(), remote.stage.quarantine()) == (("ROLLING_BACK", 0), ["2"])


def test_where_main_is_protected_a_return_to_an_earlier_version_is_a_pull_request(
    settled: Stage, remote: Remote
) -> None:
    run_git(remote.stage.loop.bare, "fetch", "-q", str(settled.loop.bare), "+main:main")
    remote.protect()
    assert remote.sluice("rollback", NAME) == 0
    (pull,) = remote.pulls()
    assert (pull.state, pull.branch) == ("merged", "sluice/production/platform/chat.rollback")
    assert (remote.stage.state(), remote.stage.version()) == (("WARMING", 0), "1")
    assert remote.sluice("rollback", NAME) == 0
    assert remote.stage.state() == ("WARMING", 0)


def test_a_return_that_is_asked_for_again_keeps_its_checks_and_what_others_committed(
    settled: Stage, remote: Remote, capsys: pytest.CaptureFixture[str]
) -> None:
    repository = remote.stage.loop.repository
    run_git(remote.stage.loop.bare, "fetch", "-q", str(settled.loop.bare), "+main:main")
    remote.protect()
    remote.fake.state.blocked = "a check has not ended"
    assert remote.sluice("rollback", NAME) == 0
    (pull,) = remote.pulls()
    again = git.commit_of(repository, pull.head)
    other = git.commit(
        repository,
        git.write_tree(repository, pull.head, {}),
        list(again.parents),
        again.message,
        Signature(again.author, again.email),
        time=again.time - 60,
    )
    git.update_ref(repository, f"refs/heads/{pull.branch}", other, pull.head)
    assert remote.sluice("rollback", NAME) == 0
    assert git.tip(repository, f"refs/heads/{pull.branch}") == other
    person = put(repository, {"notes.txt": b"mine"}, f"refs/heads/{pull.branch}")
    capsys.readouterr()
    assert remote.sluice("rollback", NAME) != 0
    assert "somebody committed to the branch" in "".join(capsys.readouterr())
    assert git.tip(repository, f"refs/heads/{pull.branch}") == person


def test_a_rollback_does_not_wait_for_a_forge(remote: Remote) -> None:
    remote.fake.shutdown()
    remote.fake.server_close()
    assert remote.sluice("rollback", NAME) == 0
    assert remote.stage.state() == ("ROLLING_BACK", 0)


@pytest.mark.parametrize("missing", ["SLUICE_FORGE", "SLUICE_FORGE_TOKEN"])
def test_a_rollback_needs_no_forge_that_is_set_up(
    remote: Remote,
    missing: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv(missing)
    assert remote.sluice("rollback", NAME) == 0
    assert remote.stage.state() == ("ROLLING_BACK", 0)
    assert "its pull requests are not known" in capsys.readouterr().err


def test_without_a_forge_and_on_a_protected_main_it_is_one_line(
    remote: Remote, capsys: pytest.CaptureFixture[str]
) -> None:
    remote.protect()
    remote.fake.shutdown()
    remote.fake.server_close()
    assert remote.sluice("rollback", NAME) == 2
    assert "Traceback" not in capsys.readouterr().err
    assert remote.stage.state() == ("STEP", 10)


def test_the_reconciler_proposes_a_rollback_once_where_main_is_protected(remote: Remote) -> None:
    remote.protect()
    remote.fake.state.blocked = "a check is pending"
    stage = remote.stage
    stage.loop.commit({ROLLOUT: None})  # which calls for a rollback, and needs no metrics
    forge = connected("gitea", remote.fake, Time())
    mirror = git.open_mirror(remote.server.url("models.git"), remote.clone / "m", forge.git_login)

    def once() -> list[str]:
        mirror.refresh()
        stage.now += 60
        scene = Scene(mirror.repository, mirror.move, forge, lambda: stage.now, author=ROBOT)
        return [outcome.what for outcome in move_each(scene, stage.observers)]

    assert any(what.startswith("proposed") for what in once())
    (pull,) = remote.pulls()
    assert any(what.startswith("could not merge") for what in once())
    assert [(p.number, p.head) for p in remote.pulls()] == [(pull.number, pull.head)]
    remote.fake.state.blocked = ""
    assert any(what.startswith("merged") for what in once())
    assert stage.state() == ("ROLLING_BACK", 0)
    once()
    assert [p.state for p in remote.pulls()] == ["merged"]


def told(remote: Remote, number: int = 1) -> tuple[set[str], list[str], list[str]]:
    """What a pull request wears, what its commit is said to be, and who was asked about it."""
    pull = remote.fake.state.pulls[number]
    said = [s for s in remote.fake.state.statuses if s["commit"] == pull.head]
    return pull.labels, [f"{s['context']} {s['state']}" for s in said], pull.reviewers


REVIEWERS = ("review: automatic", "review: required\n    reviewers: ['@alice']")
SIGNS = {"sluice", "sluice/production"}


def test_a_rollback_lands_where_our_status_is_required(remote: Remote) -> None:
    remote.protect()
    remote.fake.state.required = "sluice/gates"
    assert remote.sluice("rollback", NAME) == 0
    assert remote.stage.state() == ("ROLLING_BACK", 0)
    assert told(remote) == (SIGNS | {"sluice/rollback"}, ["sluice/gates success"], [])


def test_a_return_to_an_earlier_version_lands_where_our_status_is_required(
    settled: Stage, remote: Remote
) -> None:
    run_git(remote.stage.loop.bare, "fetch", "-q", str(settled.loop.bare), "+main:main")
    remote.protect()
    remote.fake.state.required = "sluice/gates"
    assert remote.sluice("rollback", NAME) == 0
    assert remote.stage.version() == "1"
    assert told(remote) == (SIGNS | {"sluice/rollback"}, ["sluice/gates success"], [])


@pytest.mark.parametrize("words", [("rollback", NAME), ("rollout", "abort", NAME)])
def test_people_are_asked_about_a_way_back_that_does_not_merge_by_itself(
    remote: Remote, words: tuple[str, ...]
) -> None:
    remote.stage.loop.edit(ENVIRONMENT, REVIEWERS)
    remote.protect()
    remote.fake.state.blocked = "not enough approvals"
    assert remote.sluice(*words) == 0
    assert told(remote) == (SIGNS | {"sluice/rollback"}, ["sluice/gates success"], ["alice"])


def reconciled(remote: Remote, forge: RemoteForge) -> Callable[[], list[str]]:
    """A reconciler of rollouts on the servers, a minute later each time."""
    stage = remote.stage
    mirror = git.open_mirror(remote.server.url("models.git"), remote.clone / "m", forge.git_login)

    def once() -> list[str]:
        mirror.refresh()
        stage.now += 60
        stage.metrics.pass_(stage.now - 60, stage.now, {"1": 0.9, "2": 0.1})
        stage.cluster.follow(stage.now)
        scene = Scene(mirror.repository, mirror.move, forge, lambda: stage.now, author=ROBOT)
        outcomes = list(move_each(scene, stage.observers))
        return [f"{outcome.what} {'; '.join(outcome.reasons)}" for outcome in outcomes]

    return once


def test_a_step_is_shown_like_every_other_proposal(remote: Remote) -> None:
    remote.stage.loop.edit(ENVIRONMENT, REVIEWERS)
    once = reconciled(remote, connected("gitea", remote.fake, Time()))
    for _ in range(90):
        once()
        if remote.fake.state.pulls:
            break
    assert told(remote) == (SIGNS | {"sluice/rollout"}, ["sluice/gates success"], ["alice"])


def test_an_objection_holds_a_way_back_that_would_merge_by_itself(remote: Remote) -> None:
    remote.protect()
    remote.fake.state.blocked = "a check is pending"
    remote.stage.loop.commit({ROLLOUT: None})
    once = reconciled(remote, connected("gitea", remote.fake, Time()))
    once()
    remote.fake.state.blocked = ""
    remote.fake.state.pulls[1].verdicts["alice"] = "changes"
    assert any("alice asks for changes" in line for line in once())
    assert remote.stage.state() != ("ROLLING_BACK", 0)
    remote.fake.state.pulls[1].verdicts["alice"] = "approved"
    assert any(line.startswith("merged") for line in once())


def test_a_deleted_branch_of_a_step_is_no_word_against_it(remote: Remote) -> None:
    remote.protect()
    remote.fake.state.blocked = "a check is pending"
    remote.stage.loop.commit({ROLLOUT: None})
    once = reconciled(remote, connected("gitea", remote.fake, Time()))
    once()
    remote.fake.state.drop(remote.fake.state.pulls[1].branch)
    assert any(line.startswith("proposed") for line in once())
    assert [pull.state for pull in remote.pulls()] == ["open", "closed"]


def test_a_way_back_that_was_not_shown_when_we_were_killed_is_shown_next_time(
    remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote.protect()
    remote.fake.state.required = "sluice/gates"
    remote.stage.loop.commit({ROLLOUT: None})
    once = reconciled(remote, connected("gitea", remote.fake, Time()))
    with monkeypatch.context() as patches:
        patches.setattr(RemoteForge, "set_status", lambda *_: None)
        once()
    assert told(remote)[1] == []
    assert any(line.startswith("merged") for line in once())
    assert remote.stage.state() == ("ROLLING_BACK", 0)
