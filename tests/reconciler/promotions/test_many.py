"""Branches of many releases go to a server together; what is wrong with one stays its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice import git
from sluice.reconciler.promotions.cycle import cycle
from support.effects import Executioner, Killed, assert_consistent, assert_one_each
from support.git_fixtures import MAIN
from support.loop import Loop
from support.remote_loop import RemoteLoop, remote_loop

pytestmark = pytest.mark.server
NAMES = ("assistant", "coder", "writer")
KEYS = tuple(f"production/platform/{name}" for name in ("chat", *NAMES))


def several(loop: Loop) -> Loop:
    """Four releases of one model, of which version 2 was promoted."""
    for key in KEYS[1:]:
        loop.add(key)
    loop.register(1)
    loop.register(2)
    return loop


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[RemoteLoop]:
    with remote_loop(tmp_path, "github") as loop:
        several(loop)
        yield loop


def run(loop: Loop) -> dict[str, str]:
    """What a cycle says of these releases."""
    return {release: outcome.what for release, outcome in loop.cycle().items() if release in KEYS}


def _hook(loop: Loop, name: str, text: str) -> None:
    hook = loop.bare / "hooks" / name
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\n{text}\n")
    hook.chmod(0o755)


def test_all_branches_are_pushed_in_one_conversation(loop: RemoteLoop) -> None:
    assert set(run(loop).values()) == {"proposed"}
    assert loop.pushes() == 1
    assert_consistent(loop)
    assert set(run(loop).values()) == {"unchanged"}
    loop.register(3)
    assert set(run(loop).values()) == {"updated"}
    assert loop.pushes() == 2
    assert_consistent(loop)


@pytest.mark.parametrize(
    "hook",
    [
        ("update", 'case "$1" in */coder) echo no coders; exit 1;; esac'),
        ("pre-receive", "if grep -q coder; then echo no coders; exit 1; fi"),
    ],
)
def test_a_branch_that_the_server_refuses_keeps_no_other_back(
    loop: RemoteLoop, hook: tuple[str, str]
) -> None:
    _hook(loop, *hook)
    found = {key: outcome for key, outcome in loop.cycle().items() if key in KEYS}
    refused = found.pop(KEYS[2])
    assert (refused.what, refused.cause) == ("failed", "push refused")
    assert "no coders" in refused.reasons[0]
    assert {outcome.what for outcome in found.values()} == {"proposed"}
    (loop.bare / "hooks" / hook[0]).unlink()
    assert loop.cycle()[KEYS[2]].what == "proposed"
    assert_consistent(loop)


def test_a_branch_that_somebody_moved_first_keeps_no_other_back(loop: RemoteLoop) -> None:
    world = loop.world()
    branch = f"refs/heads/sluice/{KEYS[1]}"

    def pushed_by_a_person() -> None:
        loop.fake.before.clear()
        git.update_ref(loop.repository, branch, git.tip(loop.repository, MAIN), None)

    loop.fake.before["GET .*/pulls$"] = pushed_by_a_person
    found = {each.release: each.what for each in cycle(world) if each.release in KEYS}
    assert found.pop(KEYS[1]) == "left alone"
    assert set(found.values()) == {"proposed"}


def test_branches_that_main_has_overtaken_are_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = several(Loop(tmp_path))
    loop.edit("environments/production/environment.yaml", ("required", "automatic"))
    first = git.Direct.move

    def slow(self: git.Direct, ref: str, new: str | None, expected: str | None) -> None:
        monkeypatch.setattr(git.Direct, "move", first)
        assert set(run(loop).values()) == {"merged"}
        self.move(ref, new, expected)

    monkeypatch.setattr(git.Direct, "move", slow)
    assert set(run(loop).values()) == {"nothing to do"}
    assert not [ref for ref in loop.refs() if ref.startswith("refs/heads/sluice")]


@pytest.mark.parametrize(
    ("every", "after"),
    [(29, False), *(pytest.param(1, after, marks=pytest.mark.slow) for after in (False, True))],
)
def test_killed_anywhere_the_next_run_proposes_all(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    every: int,
    after: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    fatal, killed = 2, True
    while killed:
        with remote_loop(tmp_path / str(fatal), "github") as loop, monkeypatch.context() as patches:
            several(loop)
            executioner = Executioner(patches)
            executioner.arm(fatal, after=after)
            killed = _is_killed(loop)
            executioner.disarm()
            assert_one_each(loop)
            loop.cycle()
            assert run(loop) == dict.fromkeys(KEYS, "unchanged")
            assert_consistent(loop)
        fatal += every
    assert fatal > 40


def _is_killed(loop: Loop) -> bool:
    try:
        loop.cycle()
    except Killed:
        return True
    return False
