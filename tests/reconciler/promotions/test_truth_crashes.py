"""Killed anywhere while it sees to merges by hand or takes a merge back: the end is the same."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sluice import git
from support.effects import Executioner, assert_one_each
from support.git_fixtures import AUTHOR, MAIN
from support.loop import BRANCH, ENVIRONMENT, SPEC, Loop
from support.remote_loop import RemoteLoop, remote_loop
from support.repository_acts import by_hand, quarantine, revert

pytestmark = pytest.mark.server
Run = Callable[[], object]


@contextmanager
def begun(folder: Path, kind: str) -> Iterator[Loop]:
    """Version 1 serves; no merge by hand is noticed."""
    folder.mkdir()
    if kind == "local":
        loop = Loop(folder)
        loop.register(1)
        yield loop
        return
    with remote_loop(folder, kind) as remote:
        remote.fake.state.detects = False
        remote.register(1)
        yield remote


def shown(loop: Loop) -> list[str]:
    if isinstance(loop, RemoteLoop):
        return [pull.state for pull in loop.fake.state.pulls.values()]
    return [pull.state for pull in loop.pulls()]


def merged_by_hand(loop: Loop, run: Run) -> object:
    """Proposed, squashed by hand, reverted by hand."""
    loop.register(2)
    run()
    merged = by_hand(loop, "squash")
    run()
    revert(loop.repository, merged)
    run()
    assert_one_each(loop)
    return quarantine(loop), shown(loop), BRANCH in loop.refs(), _files(loop)


def objected_to(loop: Loop, run: Run) -> object:
    """Left to the forge, objected to, and merged when that is taken back."""
    assert isinstance(loop, RemoteLoop)
    state = loop.fake.state
    loop.edit(ENVIRONMENT, ("review: required", "review: automatic"))
    state.waiting = True
    loop.register(2)
    run()
    state.pulls[1].verdicts["alice"] = "changes"
    run()
    state.finish()
    assert 'version: "1"' in loop.file(SPEC)
    labels = sorted(state.pulls[1].labels)
    state.pulls[1].verdicts["alice"] = "approved"
    run()
    return labels, shown(loop), _files(loop)


def pushed_to(loop: Loop, run: Run) -> object:
    """Left to the forge, and then a person commits to the branch."""
    assert isinstance(loop, RemoteLoop)
    state = loop.fake.state
    loop.edit(ENVIRONMENT, ("review: required", "review: automatic"))
    state.waiting = True
    loop.register(2)
    run()
    theirs = git.commit_of(loop.repository, BRANCH)
    tree = git.write_tree(loop.repository, theirs.id, {"notes.txt": b"mine"})
    mine = git.commit(loop.repository, tree, [theirs.id], "mine", AUTHOR, time=theirs.time + 1)
    git.update_ref(loop.repository, BRANCH, mine, theirs.id)
    run()
    state.finish()
    assert 'version: "1"' in loop.file(SPEC)
    return sorted(state.pulls[1].labels), state.pulls[1].automatic, shown(loop)


def _files(loop: Loop) -> dict[str, bytes]:
    return dict(git.read_tree(loop.repository, MAIN).files)


def _end(
    folder: Path,
    kind: str,
    story: Callable[[Loop, Run], object],
    monkeypatch: pytest.MonkeyPatch,
    fatal: int,
) -> tuple[object, int]:
    """What is there in the end when every cycle is killed once, and the most boundaries of one."""
    crossed = [0]
    with begun(folder, kind) as loop, monkeypatch.context() as patches:
        executioner = Executioner(patches)

        def run() -> None:
            crossed.append(executioner.kill_once(loop.cycle, fatal, after=False))

        return story(loop, run), max(crossed)


@pytest.mark.parametrize(
    ("kind", "story"),
    [
        ("local", merged_by_hand),
        *(
            pytest.param(kind, story, marks=pytest.mark.slow)
            for kind in ("github", "gitlab", "gitea")
            for story in (merged_by_hand, objected_to, pushed_to)
        ),
    ],
)
def test_a_kill_at_any_boundary_changes_nothing_of_the_end(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    story: Callable[[Loop, Run], object],
) -> None:
    expected, crossed = _end(tmp_path / "0", kind, story, monkeypatch, -1)
    assert crossed > 5
    for fatal in range(1, crossed + 1):
        found, _ = _end(tmp_path / str(fatal), kind, story, monkeypatch, fatal)
        assert found == expected, fatal
