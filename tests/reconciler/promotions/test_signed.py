"""Where commits are to be signed, every one that Sluice makes is, or it is not made."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice import cli, git
from sluice.reconciler.rollouts import by_hand
from support.effects import Executioner, assert_consistent
from support.forge_fake import TOKEN
from support.git_fixtures import MAIN, run_git
from support.git_keys import Keys, gpg_keys, ssh_keys
from support.loop import BRANCH, Loop
from support.remote_loop import remote_loop
from support.repository_acts import second_release
from support.stage import ENVIRONMENT, Stage

NO_KEY = "gpg:nobody@example.com"


@pytest.fixture(scope="module")
def gpg() -> Iterator[Keys]:
    with gpg_keys() as keys:
        yield keys


@pytest.fixture(params=["gpg", "ssh"])
def keys(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keys:
    found: Keys = request.getfixturevalue("gpg") if request.param == "gpg" else ssh_keys(tmp_path)
    for name, value in found.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SLUICE_GIT_SIGNING", found.setting)
    monkeypatch.setenv("SLUICE_FORGE_TOKEN", TOKEN)
    return found


def unsigned(loop: Loop, keys: Keys, begun: str) -> list[str]:
    """The commits after the beginning, of whatever ref, that Git cannot verify."""
    listed = run_git(loop.bare, "rev-list", "--all", f"^{begun}").split()
    assert listed
    return [commit for commit in listed if not keys.verifies(loop.repository, commit)]


@pytest.mark.server
def test_every_commit_of_a_reconciler_over_http_is_signed(tmp_path: Path, keys: Keys) -> None:
    with remote_loop(tmp_path / "loop", "github") as loop:
        begun = git.resolve(loop.repository, MAIN)
        loop.register(1)
        loop.register(2)
        assert loop.chat().what == "proposed"
        loop.register(3)
        assert loop.chat().what == "updated"
        assert unsigned(loop, keys, begun) == []
        before, pushes = loop.refs(), loop.pushes()
        assert loop.chat().what == "unchanged"
        assert (loop.refs(), loop.pushes()) == (before, pushes)


def test_every_commit_of_the_embedded_forge_is_signed(tmp_path: Path, keys: Keys) -> None:
    loop = Loop(tmp_path / "loop")
    begun = loop.edit(ENVIRONMENT, ("required", "automatic"))
    loop.register(1)
    loop.register(2)
    assert loop.chat().what == "merged"
    assert unsigned(loop, keys, begun) == []
    before = loop.refs()
    assert loop.chat().what == "nothing to do"
    assert loop.refs() == before


def test_every_commit_of_a_rollout_and_of_people_s_verbs_is_signed(
    tmp_path: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SLUICE_ARGOCD", raising=False)
    stage = Stage(tmp_path / "stage")
    begun = git.resolve(stage.loop.repository, MAIN)
    stage.begin()
    monkeypatch.setattr(by_hand, "now", lambda: stage.now)
    stage.run(5)
    where = ["production/chat", "--repository", str(stage.loop.bare)]
    for verb in (["rollout", "pause"], ["rollout", "resume"], ["rollback"]):
        before = git.resolve(stage.loop.repository, MAIN)
        assert cli.main([*verb, *where]) == 0
        assert git.resolve(stage.loop.repository, MAIN) != before
    stage.run(20, until="STABLE")
    assert cli.main(["rollback", *where, "--to", "2"]) in (0, 2)
    assert unsigned(stage.loop, keys, begun) == []


@pytest.mark.server
def test_a_key_that_is_not_there_is_told_once_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with remote_loop(tmp_path / "loop", "github") as loop:
        for name in ("assistant", "writer", "coder"):
            second_release(loop, name)
        loop.register(1)
        loop.register(2)
        before = loop.refs()
        monkeypatch.setenv("SLUICE_FORGE_TOKEN", TOKEN)
        monkeypatch.setenv("SLUICE_GIT_SIGNING", NO_KEY)
        where = ["--repository", loop.server.url("models.git"), "--state", str(tmp_path / "state")]
        forge = ["--forge", f"github:team/models@{loop.fake.place}"]
        registry = ["--registry", f"file:{loop.folder / 'registry.json'}"]
        command = ["reconcile", "--once", *where, *forge, *registry]
        assert cli.main(command) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert f"cannot be signed with {NO_KEY}: " in said
        assert (loop.refs(), loop.pushes(), loop.pulls()) == (before, 0, [])
        monkeypatch.setenv("SLUICE_GIT_SIGNING", "off")
        assert cli.main(command) == 0
        assert len(loop.pulls()) == 4


def test_by_hand_too_nothing_is_written_without_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = Stage(tmp_path)
    stage.begin()
    before = stage.loop.refs()
    monkeypatch.setenv("SLUICE_GIT_SIGNING", NO_KEY)
    where = ["production/chat", "--repository", str(stage.loop.bare)]
    for verb in (["rollout", "pause"], ["rollback"]):
        assert cli.main([*verb, *where]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert stage.loop.refs() == before


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True])
def test_a_kill_at_any_boundary_changes_no_tree_and_leaves_nothing_unsigned(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    gpg: Keys,
    after: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    monkeypatch.setenv("GNUPGHOME", gpg.environ["GNUPGHOME"])
    monkeypatch.setenv("SLUICE_GIT_SIGNING", gpg.setting)
    (tmp_path / "0").mkdir()
    expected, crossed = killed_once(Loop(tmp_path / "0"), gpg, monkeypatch, -1, after=after)
    assert crossed > 10
    for fatal in range(1, crossed + 1):
        (tmp_path / str(fatal)).mkdir()
        loop = Loop(tmp_path / str(fatal))
        assert killed_once(loop, gpg, monkeypatch, fatal, after=after)[0] == expected, fatal


def killed_once(
    loop: Loop, keys: Keys, monkeypatch: pytest.MonkeyPatch, fatal: int, *, after: bool
) -> tuple[object, int]:
    """The trees and pull requests after cycles that were killed and run again.

    Signatures hold a time, so that ids of commits differ from run to run.
    """
    begun, crossed = git.resolve(loop.repository, MAIN), [0]
    with monkeypatch.context() as patches:
        executioner = Executioner(patches)
        for version in (1, 2, 3):
            loop.register(version)
            crossed.append(executioner.kill_once(loop.cycle, fatal, after=after))
    assert unsigned(loop, keys, begun) == []
    assert_consistent(loop)
    told = [(p.number, p.state, p.title, p.body) for p in loop.pulls()]
    return (git.read_tree(loop.repository, BRANCH).files, told), max(crossed)


def test_the_doctor_signs_to_see_whether_it_works(
    tmp_path: Path, keys: Keys, capsys: pytest.CaptureFixture[str]
) -> None:
    loop = Loop(tmp_path / "loop")
    cli.main(["doctor", "--repository", str(loop.bare), "--root", str(tmp_path / "loop" / "tree")])
    assert f"ok   signing: {keys.setting} signs what Sluice <" in capsys.readouterr().out
