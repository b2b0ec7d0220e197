"""Reconcilers that run at once, each a process of its own: nothing is lost and nothing is twice."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sluice import git
from sluice.forges.local import LocalForge
from sluice.reconciler.rollouts.scene import Scene
from sluice.reconciler.rollouts.tick import move_each
from sluice.workspace.identity import AUTHOR as ROBOT
from support.effects import assert_consistent, assert_one_each
from support.forge_fake import TOKEN
from support.git_fixtures import CLEAN, MAIN, run_git
from support.loop import ENVIRONMENT, KEY, OTHER, SPEC, Loop
from support.remote_loop import RemoteLoop, remote_loop
from support.stage import ROLLOUT, Stage

pytestmark = [pytest.mark.server, pytest.mark.slow]
WHOLE = "sluice/production/_all"


def _command(loop: Loop, state: str) -> list[str]:
    where = ["--registry", f"file:{loop.folder / 'registry.json'}"]
    if isinstance(loop, RemoteLoop):
        where += ["--repository", loop.server.url("models.git")]
        where += ["--forge", f"{loop.kind}:team/models@{loop.fake.place}"]
        where += ["--state", str(loop.folder / state)]
    else:
        where += ["--repository", str(loop.bare)]
    return [sys.executable, "-m", "sluice", "reconcile", "--once", *where]


def _at_once(loop: Loop, many: int) -> None:
    """Run so many; half of them, where there is one, share a mirror."""
    known = {"SLUICE_FORGE_TOKEN": TOKEN, "SLUICE_GIT_TOKEN": ""}
    running = [
        subprocess.Popen(
            _command(loop, f"state-{number // 2}"),
            env=os.environ | CLEAN | known,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for number in range(many)
    ]
    said = [process.communicate()[0] for process in running]
    assert {process.returncode for process in running} == {0}, said


def _open(loop: Loop) -> list[str]:
    return sorted(pull.branch for pull in loop.pulls() if pull.state == "open")


def _story(loop: Loop, many: int) -> None:
    """Alone, moved, together, moved again, and merged, by all of them at every step."""
    loop.add_other()
    loop.register_both(1)
    loop.register_both(2)
    _at_once(loop, many)
    assert _open(loop) == [f"sluice/{KEY}", f"sluice/{OTHER}"]
    assert len(loop.pulls()) == 2
    loop.register_both(3)
    _at_once(loop, many)
    assert len(loop.pulls()) == 2
    assert_consistent(loop)
    loop.group("environment")
    _at_once(loop, many)
    assert _open(loop) == [WHOLE]
    loop.register_both(4)
    _at_once(loop, many)
    assert (_open(loop), len(loop.pulls())) == ([WHOLE], 3)
    assert_consistent(loop)
    loop.group("")
    _at_once(loop, many)
    assert_one_each(loop)
    assert _open(loop) == [f"sluice/{KEY}", f"sluice/{OTHER}"]
    assert_consistent(loop)
    loop.edit(ENVIRONMENT, ("review: required", "review: automatic"))
    loop.register_both(5)
    _at_once(loop, many)
    loop.cycle()
    assert _open(loop) == []
    for key in (KEY, OTHER):
        assert 'version: "5"' in loop.file(f"environments/{key}/release.yaml")
    # Two versions of each were deployed, each by one merge, whoever made it.
    assert len(list(git.file_history(loop.repository, MAIN, SPEC))) == 2
    assert_consistent(loop)
    run_git(loop.bare, "fsck", "--strict")


@pytest.mark.parametrize("many", [2, 8])
def test_on_one_machine(tmp_path: Path, many: int) -> None:
    _story(Loop(tmp_path), many)


@pytest.mark.parametrize("many", [2, 8])
@pytest.mark.parametrize("kind", ["github", "gitlab", "gitea"])
def test_over_the_network(tmp_path: Path, kind: str, many: int) -> None:
    with remote_loop(tmp_path, kind) as loop:
        _story(loop, many)
        notes = [(note.number, note.text) for note in loop.fake.state.notes]
        assert len(notes) == len(set(notes)), notes


@pytest.mark.parametrize("many", [2, 8])
def test_a_rollout_that_many_move_at_once_is_moved_once(tmp_path: Path, many: int) -> None:
    alone, both = Stage(tmp_path / "alone"), Stage(tmp_path / "both")
    for stage in (alone, both):
        stage.begin()
    alone.run(70, until="STABLE")
    for _ in range(75):
        if both.at(ROLLOUT) is None:
            break
        before = both.commits()
        _tick(both, many)
        assert both.commits() - before <= 2  # a merge has a commit of its own
        assert_one_each(both.loop)
    assert both.state() == alone.state()
    assert both.subjects() == alone.subjects()
    assert [p.title for p in both.loop.pulls()] == [p.title for p in alone.loop.pulls()]


def _tick(stage: Stage, many: int) -> None:
    """A minute passes, then as many look at once."""
    before, weight = stage.now, stage.applied_weight()
    stage.now += 60
    stage.metrics.pass_(before, stage.now, {"1": 1 - weight / 100, "2": weight / 100})
    stage.cluster.follow(stage.now)
    gate = threading.Barrier(many, timeout=60)

    def one() -> None:
        repository = git.open_repository(stage.loop.bare)
        forge = LocalForge(git.Store(repository), lambda: stage.now, ROBOT)
        scene = Scene(repository, git.Direct(repository).move, forge, lambda: stage.now)
        gate.wait()
        list(move_each(scene, stage.observers))

    threads = [threading.Thread(target=one) for _ in range(many)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
