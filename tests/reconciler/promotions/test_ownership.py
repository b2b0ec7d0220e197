"""What a person committed to a branch of ours is there afterwards, whoever writes next."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sluice import git
from sluice.core.model import Signature
from sluice.reconciler import pushing
from sluice.reconciler.ownership import maker_of
from sluice.workspace.identity import AUTHOR as ROBOT
from support.git_fixtures import AUTHOR, put, run_git
from support.loop import BRANCH, OTHER, Loop
from support.rollout_commands import NAME, sluice
from support.stage import RELEASE, Stage

Act = Callable[[git.Repository, str], str]
STEP = f"{BRANCH}.rollout"


def add(repository: git.Repository, ref: str) -> str:
    """Commit on top, as most people do."""
    return put(repository, {"notes.txt": b"mine"}, ref)


def amend(repository: git.Repository, ref: str) -> str:
    """Write the last commit anew, which keeps its author and message."""
    old = git.commit_of(repository, ref)
    tree = git.write_tree(repository, old.id, {"notes.txt": b"mine"})
    raw = run_git(repository.path, "cat-file", "commit", old.id)
    head, _, message = raw.partition("\n\n")
    lines = [f"tree {tree}", *head.splitlines()[1:-1], "committer Eve <eve@example.com> 99 +0000"]
    made = run_git(
        repository.path,
        *("hash-object", "-t", "commit", "-w", "--stdin"),
        stdin=("\n".join(lines) + f"\n\n{message}\n").encode(),
    )
    git.update_ref(repository, ref, made, old.id)
    return made


ACTS = [add, amend]


def assert_there(repository: git.Repository, ref: str, commit: str) -> None:
    assert git.tip(repository, ref) == commit


def test_who_made_a_commit(tmp_path: Path) -> None:
    repository = git.init_bare(tmp_path / "r.git")

    def made(who: Signature, message: str) -> git.Repository:
        tree = git.write_tree(repository, None, {"a": b"1"})
        new = git.commit(repository, tree, [], message, who, time=7)
        git.update_ref(repository, "refs/heads/x", new, git.tip(repository, "refs/heads/x"))
        return repository

    def maker() -> str:
        return maker_of(git.commit_of(repository, "refs/heads/x"))

    made(ROBOT, "ours\n\nRelease: a/b/c\n")
    assert maker() == "reconciler"
    amend(repository, "refs/heads/x")
    assert maker() == "person"
    actor = f"Actor: {AUTHOR.name} <{AUTHOR.email}>"
    made(AUTHOR, f"a verb\n\nRelease: a/b/c\n{actor}\n")
    assert maker() == "verb"
    amend(repository, "refs/heads/x")
    assert maker() == "person"
    made(AUTHOR, f"mine\n\n{actor}\n")
    assert maker() == "person"
    made(Signature("Eve", "eve@example.com"), f"taken over\n\nRelease: a/b/c\n{actor}\n")
    assert maker() == "person"


def newer(loop: Loop) -> None:
    loop.register(3)


def taken_back(loop: Loop) -> None:
    loop.archive(2)


def refused(loop: Loop) -> None:
    loop.register(3, metrics={"mmlu/acc": 0.1})


def shared(loop: Loop) -> None:
    loop.add_other()
    loop.register_both(3)
    loop.group("environment")


def closed(loop: Loop) -> None:
    loop.reviewer.close(1, "no")


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("event", [newer, taken_back, refused, shared, closed])
def test_no_turn_of_a_promotion_loses_it(
    tmp_path: Path, act: Act, event: Callable[[Loop], None]
) -> None:
    loop = Loop(tmp_path)
    loop.register(1)
    loop.register(2)
    loop.cycle()
    commit = act(loop.repository, BRANCH)
    event(loop)
    loop.cycle()
    loop.cycle()
    assert_there(loop.repository, BRANCH, commit)


@pytest.mark.parametrize("many", [False, True])
def test_a_push_in_the_very_moment_of_ours_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, many: bool
) -> None:
    """Between the look at who made the branch and the look at where it is."""
    loop = Loop(tmp_path)
    loop.add_other()
    loop.register_both(1)
    loop.register_both(2)
    loop.cycle()
    loop.register(3)
    if many:
        loop.register_both(3)
    pushed: list[str] = []
    commits = pushing._make_commits

    def late(*arguments: object) -> tuple[str | None, str]:
        if not pushed:
            pushed.append(add(loop.repository, BRANCH))
        return commits(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(pushing, "_make_commits", late)
    assert loop.chat().what == "left alone"
    assert_there(loop.repository, BRANCH, pushed[0])
    assert OTHER in loop.cycle()


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A step that waits for its review, at the keyboard of somebody who is Ada, too."""
    monkeypatch.delenv("SLUICE_ARGOCD", raising=False)
    ready = Stage(tmp_path, automatic=False)
    ready.begin()
    run_git(ready.loop.bare, "config", "user.name", AUTHOR.name)
    run_git(ready.loop.bare, "config", "user.email", AUTHOR.email)
    ready.run(2)
    assert git.tip(ready.loop.repository, STEP)
    return ready


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("verb", ["promote", "abort", "pause", "rollback"])
def test_no_verb_loses_what_the_same_person_committed_to_a_step(
    stage: Stage, capsys: pytest.CaptureFixture[str], act: Act, verb: str
) -> None:
    stage.merge(next(p.number for p in stage.loop.pulls() if p.state == "open"))
    assert sluice(stage, "rollout", "promote", NAME, "--ready") == 0
    commit = act(stage.loop.repository, STEP)
    said = [verb] if verb == "rollback" else ["rollout", verb]
    ready = ["--ready"] if verb == "promote" else []
    assert sluice(stage, *said, NAME, *ready) == (2 if verb == "promote" else 0)
    if verb == "promote":
        assert f"somebody committed to the branch {STEP.removeprefix('refs/heads/')}" in (
            capsys.readouterr().err
        )
    stage.tick()
    assert_there(stage.loop.repository, STEP, commit)


@pytest.mark.parametrize("act", ACTS)
def test_no_tick_loses_what_a_person_committed_to_a_step(stage: Stage, act: Act) -> None:
    commit = act(stage.loop.repository, STEP)
    stage.run(3)
    assert_there(stage.loop.repository, STEP, commit)


def test_what_a_verb_proposed_is_moved_by_the_next_one_and_goes_in_the_end(stage: Stage) -> None:
    stage.merge(next(p.number for p in stage.loop.pulls() if p.state == "open"))
    assert sluice(stage, "rollout", "promote", NAME, "--ready") == 0
    first = git.tip(stage.loop.repository, STEP)
    stage.loop.edit(RELEASE, ("max: 4", "max: 5"))
    assert sluice(stage, "rollout", "promote", NAME, "--ready") == 0
    assert first != git.tip(stage.loop.repository, STEP)
    assert sluice(stage, "rollout", "abort", NAME) == 0
    assert git.tip(stage.loop.repository, STEP) is None
