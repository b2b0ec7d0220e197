"""Rollouts moved from the command line: each a commit or a pull request."""

import json
from pathlib import Path
from typing import NoReturn

import pytest

from sluice import git
from sluice.cli import main
from sluice.core.finding import UsageError
from sluice.core.model import Commit
from sluice.forges.local import LocalForge
from sluice.workspace.revisions import read_workspace
from support.git_fixtures import MAIN, run_git
from support.rollout_commands import NAME, assert_rendered, sluice
from support.stage import ENVIRONMENT, ROLLOUT, Stage


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.delenv("SLUICE_ARGOCD", raising=False)
    ready = Stage(tmp_path)
    ready.begin()
    run_git(ready.loop.bare, "config", "user.name", "Grace")
    run_git(ready.loop.bare, "config", "user.email", "grace@example.com")
    return ready


def head(stage: Stage) -> Commit:
    return git.commit_of(stage.loop.repository, MAIN)


@pytest.mark.parametrize(
    "state", ["WARMING", "STEP", "PAUSED", "INCONCLUSIVE", "PROMOTING", "FINALIZING", "lost"]
)
def test_a_rollback_is_one_command_in_every_state(stage: Stage, state: str) -> None:
    if state != "WARMING":
        stage.run(30, until="STEP")
    if state == "PAUSED":
        assert sluice(stage, "rollout", "pause", NAME) == 0
    elif state == "INCONCLUSIVE":
        text = stage.loop.file(ROLLOUT).replace("state: STEP", "state: INCONCLUSIVE")
        stage.loop.commit({ROLLOUT: text.encode()})
    elif state == "lost":
        stage.loop.commit({ROLLOUT: None})
    elif state in ("PROMOTING", "FINALIZING"):
        stage.run(90, until=state)
    assert sluice(stage, "rollback", NAME, "--reason", "it is rude") == 0
    assert stage.state() == ("ROLLING_BACK", 0)
    assert stage.quarantine() == ["2"]
    assert_rendered(stage)
    assert read_workspace(stage.loop.repository, MAIN).check() == []
    commit = head(stage)
    assert commit.trailers["Actor"] == "Grace <grace@example.com>"
    assert "it is rude" in commit.message
    before = stage.commits()
    assert sluice(stage, "rollback", NAME) == 0
    assert stage.commits() == before
    stage.run(20, until="STABLE")
    assert (stage.version(), stage.quarantine()) == ("1", ["2"])


def test_a_rollback_after_the_rollout_starts_the_old_version_before_it_is_routed_to(
    stage: Stage,
) -> None:
    stage.run(90, until="STABLE")
    assert stage.version() == "2"
    assert sluice(stage, "rollback", NAME) == 0
    assert (stage.version(), stage.quarantine(), stage.state()) == ("1", ["2"], ("WARMING", 0))
    assert_rendered(stage)
    assert read_workspace(stage.loop.repository, MAIN).check() == []
    stage.run(90, until="STABLE")
    assert (stage.version(), stage.quarantine()) == ("1", ["2"])


@pytest.mark.parametrize("automatic", [True, False])
def test_the_old_version_gets_everything_at_once_when_it_is_ready_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, automatic: bool
) -> None:
    monkeypatch.delenv("SLUICE_ARGOCD", raising=False)
    stage = Stage(tmp_path, automatic=automatic)
    stage.begin()
    run_git(stage.loop.bare, "config", "user.name", "Grace")
    run_git(stage.loop.bare, "config", "user.email", "grace@example.com")
    for _ in range(90):
        stage.tick()
        for pull in stage.loop.pulls():
            if pull.state == "open":
                stage.merge(pull.number)
        if stage.state()[0] == "STABLE":
            break
    freeze = '    freezes:\n      - {from: "2026-11-20T00:00:00Z", to: "2026-12-31T00:00:00Z"}\n'
    stage.loop.edit(ENVIRONMENT, ("  promotion:\n", f"  promotion:\n{freeze}"))
    assert sluice(stage, "rollback", NAME) == 0
    stage.cluster.health = "Degraded"
    stage.cluster.resources = {
        "Deployment/chat-v1": "Progressing",
        "Deployment/chat-v2": "Degraded",
    }
    stage.metrics.problem = "Prometheus does not answer"
    stage.run(3)
    assert stage.state() == ("WARMING", 0)
    stage.cluster.resources["Deployment/chat-v1"] = "Healthy"
    stage.tick()
    assert stage.state() == ("PROMOTING", 100)
    assert [p for p in stage.loop.pulls() if p.state == "open"] == []
    assert_rendered(stage)


def unreachable(*_: object, **__: object) -> NoReturn:
    raise UsageError("the forge does not answer")


def without_a_forge(patch: pytest.MonkeyPatch) -> None:
    for effect in ("list", "ensure", "close", "merge"):
        patch.setattr(LocalForge, effect, unreachable)


def test_a_rollback_needs_no_forge(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.run(30, until="STEP")
    without_a_forge(monkeypatch)
    assert sluice(stage, "rollout", "status", NAME) == 0
    assert sluice(stage, "rollback", NAME) == 0
    assert "the forge does not answer" in capsys.readouterr().err
    assert (stage.state(), stage.quarantine()) == (("ROLLING_BACK", 0), ["2"])


def test_the_reconciler_takes_a_bad_version_back_without_a_forge(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.run(30, until="STEP")
    without_a_forge(monkeypatch)
    stage.metrics.errors["2"] = 0.2
    stage.run(40, until="STABLE")
    assert (stage.version(), stage.quarantine()) == ("1", ["2"])


def test_without_a_forge_nothing_is_raised_until_it_answers(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.run(30, until="STEP")
    with monkeypatch.context() as patch:
        without_a_forge(patch)
        refs = stage.loop.refs()
        stage.run(20)
        assert stage.loop.refs() == refs
        assert "the forge does not answer" in stage.log[-2]
    stage.run(5, until="PROMOTING")
    assert stage.state() == ("PROMOTING", 100)


def test_a_second_rollback_says_where_to_look(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.run(30, until="STEP")
    assert sluice(stage, "rollback", NAME) == 0
    capsys.readouterr()
    assert sluice(stage, "rollback", NAME) == 0
    told = capsys.readouterr().out
    assert "is ROLLING_BACK already" in told
    assert "Git gives version 2 no request; `sluice rollout status` says whether" in told


def test_status_says_which_command_ends_a_pause(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.run(30, until="STEP")
    assert sluice(stage, "rollout", "status", NAME) == 0
    assert "do: " not in capsys.readouterr().out
    assert sluice(stage, "rollout", "pause", NAME) == 0
    assert sluice(stage, "rollout", "status", NAME) == 0
    assert "do: `sluice rollout resume production/platform/chat`" in capsys.readouterr().out


def test_status_of_a_release_without_a_rollout_says_what_serves(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.run(90, until="STABLE")
    assert sluice(stage, "rollout", "status", NAME) == 0
    assert "STABLE: version 2 gets everything" in capsys.readouterr().out
    assert sluice(stage, "rollout", "status", NAME, "--format", "json") == 0
    (row,) = json.loads(capsys.readouterr().out)["rollouts"]
    assert (row["state"], row["candidate"], row["weight"]) == ("STABLE", "2", 100)


def test_a_name_of_several_releases_is_refused_with_their_full_names(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.run(90, until="STABLE")
    assert sluice(stage, "rollback", "chat") == 2
    assert "production/platform/chat, staging/platform/chat" in capsys.readouterr().err


def test_a_rollback_to_a_version_by_name(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    stage.run(30, until="STEP")
    assert sluice(stage, "rollback", NAME, "--to", "9") == 2
    assert "roll back to it first" in capsys.readouterr().err
    stage.run(90, until="STABLE")
    assert sluice(stage, "rollback", NAME, "--to", "9") == 2
    assert "never served version 9" in capsys.readouterr().err
    assert sluice(stage, "rollback", NAME, "--to", "1") == 0
    assert stage.version() == "1"


def test_pause_and_resume(stage: Stage) -> None:
    stage.run(30, until="STEP")
    assert sluice(stage, "rollout", "pause", NAME, "--reason", "lunch") == 0
    stage.run(30)
    assert stage.state() == ("PAUSED", 10)
    assert sluice(stage, "rollout", "resume", NAME) == 0
    assert stage.state() == ("STEP", 10)
    stage.run(60, until="PROMOTING")
    assert stage.state() == ("PROMOTING", 100)


def test_promote_wants_to_know_that_the_candidate_is_ready(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.run(30, until="STEP")
    assert sluice(stage, "rollout", "promote", NAME) == 2
    assert "ready" in capsys.readouterr().err
    assert sluice(stage, "rollout", "promote", NAME, "--ready") == 0
    assert stage.state() == ("PROMOTING", 100)


def test_promote_is_a_pull_request_where_a_review_is_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SLUICE_ARGOCD", raising=False)
    stage = Stage(tmp_path, automatic=False)
    stage.begin()
    stage.run(2)
    stage.merge(next(p.number for p in stage.loop.pulls() if p.state == "open"))
    assert stage.state() == ("STEP", 10)
    assert sluice(stage, "rollout", "promote", NAME, "--ready") == 0
    (open_,) = [p for p in stage.loop.pulls() if p.state == "open"]
    stage.run(3)
    assert [p.number for p in stage.loop.pulls() if p.state == "open"] == [open_.number]
    stage.merge(open_.number)
    assert stage.state() == ("PROMOTING", 100)
    stage.tick()
    assert stage.state() == ("PROMOTING", 100)


def test_abort_closes_what_was_proposed(tmp_path: Path) -> None:
    stage = Stage(tmp_path, automatic=False)
    stage.begin()
    stage.run(2)
    assert next(p.state for p in stage.loop.pulls()) == "open"
    assert sluice(stage, "rollout", "abort", NAME) == 0
    assert [p for p in stage.loop.pulls() if p.state == "open"] == []
    assert stage.state() == ("ROLLING_BACK", 0)


def test_status_says_where_it_stands_and_what_it_waits_for(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.run(30, until="STEP")
    assert sluice(stage, "rollout", "status", NAME, "--format", "json") == 0
    (row,) = json.loads(capsys.readouterr().out)["rollouts"]
    assert (row["state"], row["weight"], row["candidate"]) == ("STEP", 10, "2")
    assert "Argo CD does not answer" in row["next"]
    assert sluice(stage, "rollout", "status") == 0
    assert "STEP since" in capsys.readouterr().out
    assert sluice(stage, "rollout", "status", "nothing") == 2


def test_plan_shows_exposure_and_whether_the_quota_holds(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["rollout", "plan", NAME, "--rate", "2", "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    first = told["stages"][1]
    assert (first["weight"], first["requests"]) == (10, 2 * 600 * 0.1)
    assert (told["quota"], told["fits"]) == ({"devices": 16}, True)
    assert main(["rollout", "plan", NAME]) == 0
    assert "holds" in capsys.readouterr().out
    assert main(["rollout", "plan", "mesh/chat"]) == 0
    assert "nothing is judged" in capsys.readouterr().out
