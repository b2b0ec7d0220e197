"""Killed anywhere while releases share pull requests, begin to, or cease to: the same end."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import pytest

from sluice import git
from support.effects import Executioner, Killed, assert_consistent, told
from support.git_fixtures import MAIN
from support.loop import ENVIRONMENT, Loop
from support.remote_loop import remote_loop

KINDS = ["local", "github", "gitlab", "gitea"]
Sight = tuple[dict[str, bytes], list[object], list[str]]


def _scenario(loop: Loop, run: Callable[[], object]) -> Sight:
    """Alone, by team, by environment, one refused, alone again, and merged together."""
    loop.add_other()
    loop.register_both(1)
    loop.register_both(2)
    run()
    loop.group("team")
    run()
    loop.register(3)
    run()
    loop.group("environment")
    run()
    loop.register(4, metrics={"mmlu/acc": 0.1})
    run()
    loop.group("")
    loop.register(5)
    run()
    loop.group("environment")
    loop.edit(ENVIRONMENT, ("review: required", "review: automatic"))
    run()
    pulls: list[object] = [told(p) for p in loop.pulls()]
    left = [ref for ref in loop.refs() if ref.startswith("refs/heads/")]
    return dict(git.read_tree(loop.repository, MAIN).files), pulls, left


@contextmanager
def _loop(folder: Path, kind: str) -> Iterator[Loop]:
    if kind == "local":
        folder.mkdir()
        yield Loop(folder)
    else:
        with remote_loop(folder, kind) as loop:
            yield loop


Dying = Callable[[Executioner, Loop], int]


def _end(
    folder: Path, kind: str, monkeypatch: pytest.MonkeyPatch, dying: Dying
) -> tuple[Sight, int]:
    """What is there in the end, and the most boundaries that a cycle crossed."""
    crossed = [0]
    with _loop(folder, kind) as loop, monkeypatch.context() as patches:
        executioner = Executioner(patches)

        def run() -> None:
            crossed.append(dying(executioner, loop))
            assert_consistent(loop)

        return _scenario(loop, run), max(crossed)


def _once(fatal: int, *, after: bool) -> Dying:
    """Each cycle is killed at one boundary, and then runs again."""

    def dying(executioner: Executioner, loop: Loop) -> int:
        return executioner.kill_once(loop.cycle, fatal, after=after)

    return dying


def _later_and_later(step: int, *, after: bool) -> Dying:
    """A cycle is killed a little later each time, until it comes to its end."""

    def dying(executioner: Executioner, loop: Loop) -> int:
        for fatal in count(1, step):
            executioner.arm(fatal, after=after)
            with suppress(Killed):
                loop.cycle()
                break
        return executioner.disarm()

    return dying


@pytest.mark.parametrize(
    ("kind", "after", "step"),
    [
        ("local", False, 13),
        ("gitea", True, 17),
        *(pytest.param(k, a, 1, marks=pytest.mark.slow) for k in KINDS for a in (False, True)),
    ],
)
def test_killed_later_and_later_it_still_comes_to_the_same_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, *, after: bool, step: int
) -> None:
    whole, _ = _end(tmp_path / "whole", kind, monkeypatch, _once(-1, after=False))
    found, _ = _end(tmp_path / "killed", kind, monkeypatch, _later_and_later(step, after=after))
    assert found == whole


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_kill_at_any_boundary_changes_nothing_of_the_outcome(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, *, after: bool
) -> None:
    whole, crossed = _end(tmp_path / "whole", kind, monkeypatch, _once(-1, after=False))
    assert crossed > 30
    for fatal in range(1, crossed + 1):
        dying = _once(fatal, after=after)
        found, _ = _end(tmp_path / str(fatal), kind, monkeypatch, dying)
        assert found == whole, fatal
