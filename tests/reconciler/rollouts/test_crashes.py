"""A rollout killed anywhere, or moved by two at once, ends as one that nobody disturbed."""

from pathlib import Path

import pytest

from sluice import git
from sluice.reconciler.rollouts.tick import move_each
from support.effects import Executioner, Killed
from support.git_fixtures import AUTHOR, MAIN
from support.loop import KEY
from support.stage import ROLLOUT, Stage

MINUTES = 70


def played(folder: Path, errors: float) -> Stage:
    stage = Stage(folder)
    stage.begin()
    stage.metrics.errors["2"] = errors
    return stage


def ended(stage: Stage) -> tuple[object, ...]:
    """What people see in the end; what of it depends on the minute is left out."""
    files = git.read_tree(stage.loop.repository, MAIN, ["environments", "manifests"]).files
    kept = {p: c for p, c in files.items() if "/evidence/" not in p}
    evidence = {p for p in files if "/evidence/" in p}
    pulls = [(p.state, p.title) for p in stage.loop.pulls()]
    branches = sorted(ref for ref in stage.loop.refs() if ref.startswith("refs/heads/"))
    return stage.state(), kept, evidence, pulls, branches


def finish(stage: Stage, minutes: int = MINUTES) -> Stage:
    for _ in range(minutes):
        if stage.at(ROLLOUT) is None:
            break
        stage.tick()
    stage.tick()  # sweeps
    return stage


@pytest.mark.parametrize("errors", [0.001, 0.05], ids=["promoted", "rolled back"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.slow
def test_killed_at_any_effect_the_next_ticks_end_in_the_same_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, errors: float, *, after: bool
) -> None:
    killer = Executioner(monkeypatch)
    whole = played(tmp_path / "whole", errors)
    killer.arm(-1, after=False)
    expected = ended(finish(whole))
    effects = killer.count
    assert effects > 20
    for fatal in range(1, effects + 1, 7):
        killer.arm(-1, after=False)
        stage = played(tmp_path / f"run-{fatal}", errors)
        killer.arm(fatal, after=after)
        with pytest.raises(Killed):
            finish(stage)
        killer.arm(-1, after=False)
        assert ended(finish(stage, MINUTES + 20)) == expected, f"killed at effect {fatal}"


def test_killed_between_the_push_and_the_pull_request_nothing_is_done_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killer = Executioner(monkeypatch)
    killer.arm(-1, after=False)
    whole = ended(finish(played(tmp_path / "whole", 0.05)))
    for fatal in (2, 3, 4, 5):
        killer.arm(-1, after=False)
        stage = played(tmp_path / f"run-{fatal}", 0.05)
        killer.arm(fatal, after=True)
        with pytest.raises(Killed):
            finish(stage)
        killer.arm(-1, after=False)
        assert ended(finish(stage, MINUTES + 20)) == whole


def test_of_two_at_once_one_writes_and_the_other_sees_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = played(tmp_path, 0.2)
    stage.run(30, until="STEP")
    honest = git.Direct.move
    raced: list[str] = []

    def late(place: git.Direct, ref: str, new: str | None, expected: str | None) -> None:
        if ref == MAIN and not raced:
            raced.append(ref)
            list(move_each(stage.scene, stage.observers))  # the other one is first
        honest(place, ref, new, expected)

    monkeypatch.setattr(git.Direct, "move", late)
    for _ in range(30):
        if stage.state()[0] == "ROLLING_BACK":
            break
        stage.tick()
    assert raced
    assert stage.state() in (("ROLLING_BACK", 0), ("ROLLED_BACK", 0))
    assert [s for s in stage.subjects() if "rolling back" in s] == [
        "production/chat: version 2 10 % -> 0 %, rolling back"
    ]


def test_two_that_take_turns_write_what_one_would(tmp_path: Path) -> None:
    alone = finish(played(tmp_path / "alone", 0.001))
    both = played(tmp_path / "both", 0.001)
    for _ in range(MINUTES):
        if both.at(ROLLOUT) is None:
            break
        both.tick()
        before = both.commits()
        list(move_each(both.scene, both.observers))
        assert both.commits() - before <= 1
    assert both.state() == alone.state()
    titles = {p.title for p in both.loop.pulls()}
    assert titles == {p.title for p in alone.loop.pulls()}


def test_the_branch_of_a_person_is_left_alone(tmp_path: Path) -> None:
    stage = Stage(tmp_path, automatic=False)
    stage.begin()
    stage.run(2)
    ref = f"refs/heads/sluice/{KEY}.rollout"
    head = git.tip(stage.loop.repository, ref)
    assert head
    tree = git.write_tree(stage.loop.repository, head, {"note.txt": b"wait\n"})
    own = git.commit(stage.loop.repository, tree, [head], "wait", AUTHOR, time=stage.now)
    git.update_ref(stage.loop.repository, ref, own, head)
    outcome = stage.tick()
    assert outcome
    assert outcome.what == "left alone"
    assert git.tip(stage.loop.repository, ref) == own
