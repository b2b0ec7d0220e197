"""`sluice rollback` where one might not know what it does: twice, by a short name, half broken."""

import json
from pathlib import Path

import pytest

from sluice.workspace.revisions import read_workspace
from support.git_fixtures import MAIN, put, run_git
from support.rollout_commands import NAME, assert_rendered, sluice
from support.stage import RELEASE, ROLLOUT, Stage

ROLLING = "  rollout:\n    strategy: rolling\n"


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    stage = Stage(tmp_path_factory.mktemp("begun"))
    stage.begin()
    stage.run(30, until="STEP")
    run_git(stage.loop.bare, "config", "user.name", "Grace")
    run_git(stage.loop.bare, "config", "user.email", "grace@example.com")
    return stage


@pytest.fixture(scope="module")
def over(begun: Stage, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """Version 2 serves, and version 1 did before it."""
    stage = begun.copy(tmp_path_factory.mktemp("over"))
    stage.run(90, until="STABLE")
    return stage


def test_a_name_of_several_releases_is_refused_though_one_rolls_out(
    begun: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = begun.copy(tmp_path)
    before = stage.loop.refs()
    assert sluice(stage, "rollback", "chat") == 2
    assert "production/platform/chat, staging/platform/chat" in capsys.readouterr().err
    assert stage.loop.refs() == before
    assert sluice(stage, "rollback", "production/platform/chat") == 0


def test_a_second_rollback_does_not_undo_the_first(
    over: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = over.copy(tmp_path)
    assert sluice(stage, "rollback", NAME) == 0
    before = stage.loop.refs()
    assert sluice(stage, "rollback", NAME) == 0
    assert "is WARMING already" in capsys.readouterr().out
    assert sluice(stage, "rollback", NAME, "--to", "1") == 0
    assert sluice(stage, "rollback", NAME, "--to", "0") == 2
    assert stage.loop.refs() == before
    stage.run(90, until="STABLE")
    before = stage.loop.refs()
    assert sluice(stage, "rollback", NAME) == 0
    assert "--to names one further back" in capsys.readouterr().out
    assert (stage.loop.refs(), stage.version(), stage.quarantine()) == (before, "1", ["2"])


def test_a_return_that_is_aborted_leaves_a_repository_in_order(over: Stage, tmp_path: Path) -> None:
    stage = over.copy(tmp_path)
    assert sluice(stage, "rollback", NAME) == 0
    assert sluice(stage, "rollout", "abort", NAME) == 0
    stage.run(20, until="STABLE")
    assert (stage.state(), stage.version(), stage.quarantine()) == (("STABLE", 100), "2", ["1"])
    assert read_workspace(stage.loop.repository, MAIN).check() == []


def test_a_rollback_after_one_in_mid_rollout_does_not_go_further_back(
    begun: Stage, tmp_path: Path
) -> None:
    stage = begun.copy(tmp_path)
    assert sluice(stage, "rollback", NAME) == 0
    stage.run(20, until="STABLE")
    before = stage.loop.refs()
    assert sluice(stage, "rollback", NAME) == 0
    assert (stage.loop.refs(), stage.version()) == (before, "1")


def test_where_kubernetes_replaces_pods_it_goes_back_once_and_further_by_name(
    over: Stage, tmp_path: Path
) -> None:
    stage = over.copy(tmp_path)
    raw = stage.loop.file(RELEASE)
    start, end = raw.index("  rollout:"), raw.index("    rollbackWindow: 20m\n") + 24
    put(stage.loop.repository, {RELEASE: (raw[:start] + ROLLING + raw[end:]).encode()})
    text = stage.loop.file(RELEASE)
    for version in ("3", "4"):
        text = text.replace(f'version: "{int(version) - 1}"', f'version: "{version}"')
        put(stage.loop.repository, {RELEASE: text.encode()}, message=f"version {version}")
    for _ in range(2):
        assert sluice(stage, "rollback", NAME) == 0
        assert (stage.version(), stage.quarantine()) == ("3", ["4"])
    assert sluice(stage, "rollback", NAME, "--to", "2") == 0
    assert (stage.version(), stage.quarantine()) == ("2", ["4", "3"])


@pytest.mark.parametrize(
    ("old", "new"),
    [("sluice.dev/v1alpha1", "sluice.dev/v9"), ("state: STEP", "state: DANCING"), ("kind:", "}")],
)
def test_a_rollout_that_cannot_be_read_is_rolled_back_as_it_was(
    begun: Stage, tmp_path: Path, old: str, new: str
) -> None:
    stage = begun.copy(tmp_path)
    stage.loop.edit(ROLLOUT, (old, new))
    assert sluice(stage, "rollback", NAME) == 0
    assert (stage.state(), stage.quarantine()) == (("ROLLING_BACK", 0), ["2"])
    assert_rendered(stage)
    assert read_workspace(stage.loop.repository, MAIN).check() == []
    stage.run(20, until="STABLE")
    assert stage.version() == "1"


@pytest.mark.parametrize("path", [RELEASE, ROLLOUT])
def test_a_file_that_cannot_be_read_counts_as_it_was(
    path: str, begun: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = begun.copy(tmp_path)
    stage.loop.edit(path, ("spec:", "spec: ["))
    assert sluice(stage, "rollback", NAME) == 0
    said = capsys.readouterr()
    assert f"{path} cannot be read: it counts as it was in" in said.err
    assert "10 % -> 0 %, rolling back" in said.out


def test_status_says_which_rollout_cannot_be_read(
    begun: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = begun.copy(tmp_path)
    stage.loop.edit(ROLLOUT, ("state: STEP", "state: DANCING"))
    assert sluice(stage, "rollout", "status") == 1
    assert "production/platform/chat cannot be read: " in capsys.readouterr().err
    assert sluice(stage, "rollout", "status", "--format", "json") == 1
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert "DANCING" in problem
    assert sluice(stage, "rollout", "status", NAME) == 1
