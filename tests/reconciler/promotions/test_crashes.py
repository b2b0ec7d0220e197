"""Killed anywhere, or run by several at once: the end is the same as of one undisturbed run."""

import os
import random
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sluice import git
from sluice.reconciler.promotions.cycle import cycle
from support.effects import Executioner, Killed, assert_consistent, assert_one_each, held_by, told
from support.git_fixtures import CLEAN, MAIN, run_git
from support.loop import BRANCH, ENVIRONMENT, KEY, OTHER, SPEC, Loop
from support.remote_loop import RemoteLoop, remote_loop

Sight = tuple[str | None, dict[str, bytes], list[object]]


def _scenario(loop: Loop, run: Callable[[], object]) -> Sight:
    """Propose, move, refuse, propose again with automatic merge; the state that people see."""
    loop.register(1)
    loop.register(2)
    run()
    loop.register(3)
    run()
    loop.register(4, metrics={"mmlu/acc": 0.1})
    run()
    loop.edit(ENVIRONMENT, ("required", "automatic"))
    loop.register(5)
    run()
    pulls: list[object] = [told(p) for p in loop.pulls()]
    return git.tip(loop.repository, BRANCH), _files(loop), pulls


def _files(loop: Loop) -> dict[str, bytes]:
    return dict(git.read_tree(loop.repository, MAIN).files)


@contextmanager
def _loop(folder: Path, kind: str) -> Iterator[Loop]:
    if kind == "local":
        folder.mkdir()
        yield Loop(folder)
    else:
        with remote_loop(folder, kind) as loop:
            yield loop


def _end(
    folder: Path, kind: str, monkeypatch: pytest.MonkeyPatch, fatal: int, *, after: bool
) -> tuple[Sight, int]:
    """What is there after a scenario in which every cycle is killed once, and run again.

    Also the most boundaries that one of its cycles crossed.
    """
    crossed = [0]
    with _loop(folder, kind) as loop, monkeypatch.context() as patches:
        executioner = Executioner(patches)

        def run() -> None:
            crossed.append(executioner.kill_once(loop.cycle, fatal, after=after))

        return _scenario(loop, run), max(crossed)


# Dead after one effect is dead before the next, as long as there is nothing else in between.
@pytest.mark.parametrize(
    ("after", "step"),
    [(False, 3), *(pytest.param(after, 1, marks=pytest.mark.slow) for after in (False, True))],
)
def test_a_kill_at_any_boundary_changes_nothing_of_the_outcome(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    after: bool,  # noqa: FBT001  # a parameter of the test
    step: int,
) -> None:
    expected, crossed = _end(tmp_path / "0", "local", monkeypatch, -1, after=False)
    assert crossed > 12
    for fatal in range(1, crossed + 1, step):
        found, _ = _end(tmp_path / str(fatal), "local", monkeypatch, fatal, after=after)
        assert found == expected, fatal


@pytest.mark.slow
@pytest.mark.server
@pytest.mark.parametrize("kind", ["github", "gitlab", "gitea"])
@pytest.mark.parametrize("after", [False, True])
def test_a_kill_at_any_boundary_of_remotes_changes_nothing_of_the_outcome(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    after: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    (_, files, pulls), crossed = _end(tmp_path / "0", kind, monkeypatch, -1, after=False)
    assert crossed > 12
    for fatal in range(1, crossed + 1):
        found, _ = _end(tmp_path / str(fatal), kind, monkeypatch, fatal, after=after)
        assert (found[1], found[2]) == (files, pulls), fatal


@pytest.mark.server
@pytest.mark.parametrize(
    ("kind", "seed", "kills"),
    [
        ("local", 0, 4),
        *(pytest.param("local", n, 100, marks=pytest.mark.slow) for n in range(1, 11)),
        *(pytest.param(k, 7, 70, marks=pytest.mark.slow) for k in ("github", "gitlab", "gitea")),
    ],
)
def test_kills_at_random_never_leave_what_must_not_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, seed: int, kills: int
) -> None:
    chance = random.Random(seed)  # noqa: S311  # the same every time
    with _loop(tmp_path / "loop", kind) as loop, monkeypatch.context() as patches:
        executioner = Executioner(patches)
        loop.add_other()
        loop.register_both(1)
        version, killed = 1, 0
        while killed < kills:
            executioner.arm(chance.randint(1, 60), after=chance.random() < 0.5)
            try:
                loop.cycle()
            except Killed:
                killed += 1
            executioner.disarm()
            assert_one_each(loop)
            if chance.random() < 0.1:
                assert_consistent(loop)
            if chance.random() < 0.3:
                version = _happens(loop, chance, version)
        loop.cycle()
        loop.cycle()
        assert_consistent(loop)
        for key in (KEY, OTHER):
            assert version in _versions(loop, key)
        run_git(loop.bare, "fsck", "--strict")


def _happens(loop: Loop, chance: random.Random, version: int) -> int:
    """Somebody promotes, merges, or changes who shares; the version that is promoted."""
    living = [pull for pull in loop.pulls() if pull.state == "open"]
    lot = chance.random()
    if living and lot < 0.3:
        loop.merge(living[0].number)
        return version
    if lot < 0.6:
        loop.group(chance.choice(["", "team", "environment"]))
        return version
    loop.register_both(version + 1)
    return version + 1


def _versions(loop: Loop, key: str) -> set[int]:
    """Which versions of a release are on main or proposed."""
    heads = [f"refs/heads/{pull.branch}" for pull in loop.pulls() if pull.state == "open"]
    holding = [ref for ref in heads if key in map(str, held_by(loop, ref))]
    texts = [loop.file(f"environments/{key}/release.yaml", ref) for ref in (MAIN, *holding)]
    return {int(found[1]) for text in texts if (found := re.search(r'version: "(\d+)"', text))}


def _once(loop: Loop) -> list[str]:
    registry = f"file:{loop.folder / 'registry.json'}"
    once = ["reconcile", "--once", "--registry", registry, "--repository", str(loop.bare)]
    return [sys.executable, "-m", "sluice", *once]


def test_eight_reconcilers_at_once_open_one_pull_request(tmp_path: Path) -> None:
    loop = Loop(tmp_path)
    loop.register(1)
    loop.register(2)
    running = [
        subprocess.Popen(_once(loop), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(8)
    ]
    ends = [(process.communicate(), process.returncode) for process in running]
    assert {code for _, code in ends} == {0}, ends
    assert [(pull.number, pull.state) for pull in loop.pulls()] == [(1, "open")]
    assert loop.chat().what == "unchanged"
    run_git(loop.bare, "fsck", "--strict")


def test_who_pushes_after_another_has_merged_takes_it_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = Loop(tmp_path)
    loop.edit(ENVIRONMENT, ("required", "automatic"))
    loop.register(1)
    loop.register(2)
    late = git.Direct.move

    def slow(self: git.Direct, ref: str, new: str | None, expected: str | None) -> None:
        monkeypatch.setattr(git.Direct, "move", late)
        assert loop.chat().what == "merged"
        self.move(ref, new, expected)

    monkeypatch.setattr(git.Direct, "move", slow)
    assert loop.chat().what == "nothing to do"
    assert [(pull.number, pull.state) for pull in loop.pulls()] == [(1, "merged")]
    assert BRANCH not in loop.refs()


def test_two_reconcilers_that_merge_by_themselves_merge_once(tmp_path: Path) -> None:
    loop = Loop(tmp_path)
    loop.edit(ENVIRONMENT, ("required", "automatic"))
    loop.register(1)
    loop.register(2)
    running = [subprocess.Popen(_once(loop), env=os.environ | CLEAN) for _ in range(4)]
    for process in running:
        process.wait()
    assert [(pull.number, pull.state) for pull in loop.pulls()] == [(1, "merged")]
    assert len(list(git.file_history(loop.repository, MAIN, SPEC))) == 2
    assert loop.chat().what == "nothing to do"


@pytest.mark.server
@pytest.mark.parametrize(
    ("kind", "many", "shared"),
    [("github", 2, False), ("gitlab", 8, False), ("gitea", 8, True)],
)
def test_reconcilers_of_one_remote_at_once_open_one_pull_request(
    tmp_path: Path,
    kind: str,
    many: int,
    shared: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    with remote_loop(tmp_path, kind) as loop:
        loop.register(1)
        loop.register(2)
        _at_once(loop, ["state" if shared else str(i) for i in range(many)])
        assert [(pull.number, pull.state) for pull in loop.pulls()] == [(1, "open")]
        loop.register(3)
        _at_once(loop, ["state" if shared else str(i) for i in range(many)])
        assert [(pull.number, pull.state) for pull in loop.pulls()] == [(1, "open")]
        assert 'version: "3"' in loop.file(SPEC, BRANCH)
        assert_consistent(loop)
        assert loop.chat().what == "unchanged"


def _at_once(loop: RemoteLoop, states: list[str]) -> None:
    """Run a cycle in a thread for each mirror; all of them must come to an end that is good."""
    ends: list[str] = []
    gate = threading.Barrier(len(states), timeout=30)

    def one(state: str) -> None:
        world = loop.world(state)
        gate.wait()
        ends.extend(outcome.what for outcome in cycle(world) if outcome.release == KEY)

    threads = [threading.Thread(target=one, args=(state,)) for state in states]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ends) == len(states)
    assert set(ends) <= {"proposed", "updated", "unchanged"}
