"""The whole loop against remotes: Git over HTTP, and the forges in their own dialects."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sluice import git
from sluice.core.promotion.message import read_marker
from sluice.core.promotion.signals import LATER
from sluice.reconciler.promotions.cycle import cycle
from support.forge_fake import Fault, Reply
from support.forge_harness import FAKES
from support.git_fixtures import MAIN, put, run_git
from support.loop import BRANCH, KEY, MODEL, SPEC
from support.remote_loop import RemoteLoop, remote_loop
from support.repository_acts import second_release

pytestmark = pytest.mark.server


@pytest.fixture(autouse=True)
def no_token_of_git(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLUICE_GIT_TOKEN", raising=False)
    monkeypatch.delenv("SLUICE_GIT_USERNAME", raising=False)


KINDS = sorted(set(FAKES) - {"forgejo"})


@pytest.fixture(params=KINDS)
def every(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RemoteLoop]:
    """For what dialects say in words of their own."""
    with remote_loop(tmp_path, str(request.param)) as loop:
        loop.register(1)
        yield loop


@pytest.fixture(params=["gitea", *(pytest.param(k, marks=pytest.mark.slow) for k in KINDS[1:])])
def loop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RemoteLoop]:
    """For what dialects seldom differ in."""
    with remote_loop(tmp_path, str(request.param)) as loop:
        loop.register(1)
        yield loop


@pytest.fixture
def one(tmp_path: Path) -> Iterator[RemoteLoop]:
    """For what does not differ between dialects."""
    with remote_loop(tmp_path, "gitea") as loop:
        loop.register(1)
        yield loop


def test_a_promotion_becomes_a_pull_request_and_a_second_run_writes_nothing(
    every: RemoteLoop,
) -> None:
    every.register(2)
    outcome = every.chat()
    assert (outcome.what, outcome.version, outcome.pull) == ("proposed", "2", 1)
    (pull,) = every.pulls()
    assert pull.title == f"production/chat: {MODEL} 1 -> 2"
    assert pull.head == git.tip(every.repository, BRANCH)
    assert every.pushes() == 1
    before, refs = len(every.fake.writes()), every.refs()
    assert every.chat().what == "unchanged"
    assert (len(every.fake.writes()), every.pushes(), every.refs()) == (before, 1, refs)


def test_a_newer_version_moves_the_same_pull_request(loop: RemoteLoop) -> None:
    loop.register(2)
    loop.chat()
    loop.register(3)
    assert loop.chat().what == "updated"
    (pull,) = loop.pulls()
    assert read_marker(pull.body) == ("3", ("2",))
    loop.merge(1)
    assert loop.chat().what == "nothing to do"
    assert 'version: "3"' in loop.file(SPEC)
    assert BRANCH not in loop.refs()


def test_closed_means_rejected_also_when_it_was_long_ago(loop: RemoteLoop) -> None:
    loop.register(2)
    loop.chat()
    loop.fake.state.close(loop.fake.state.get(1))
    assert loop.chat().what == "rejected"
    world = loop.world()
    object.__setattr__(world.forge, "list", list)
    assert [o.what for o in cycle(world) if o.release == KEY] == ["rejected"]
    loop.register(3)
    assert (loop.chat().what, loop.pulls()[0].number) == ("proposed", 2)


def test_what_nobody_asks_for_any_more_is_withdrawn_and_not_rejected(loop: RemoteLoop) -> None:
    loop.register(2)
    loop.chat()
    loop.archive(2)
    loop.chat()
    assert [pull.state for pull in loop.pulls()] == ["closed"]
    loop.register(2, updated=9_000)
    assert loop.chat().what == "proposed"


def test_a_branch_that_a_person_edited_is_left_alone(loop: RemoteLoop) -> None:
    loop.register(2)
    loop.chat()
    edited = put(loop.repository, {"notes.txt": b"mine"}, BRANCH)
    loop.register(3)
    assert loop.chat().what == "left alone"
    loop.fake.state.close(loop.fake.state.get(1))
    assert loop.chat().what == "left alone"
    assert git.tip(loop.repository, BRANCH) == edited


def test_automatic_review_merges_what_was_pushed(loop: RemoteLoop) -> None:
    loop.edit("environments/production/environment.yaml", ("required", "automatic"))
    loop.register(2)
    assert loop.chat().what == "merged"
    assert 'version: "2"' in loop.file(SPEC)
    assert loop.chat().what == "nothing to do"


def test_automatic_review_waits_for_the_checks_of_the_forge(one: RemoteLoop) -> None:
    one.edit("environments/production/environment.yaml", ("required", "automatic"))
    one.fake.state.waiting = True
    one.register(2)
    assert one.chat().what == "merges when ready"
    one.fake.state.finish()
    assert one.chat().what == "nothing to do"
    assert 'version: "2"' in one.file(SPEC)


ENVIRONMENT = "environments/production/environment.yaml"
FREEZE = """review: automatic
    freezes:
      - from: "2020-01-01T00:00"
        to: "2099-01-01T00:00"
"""


def test_what_was_left_to_the_forge_is_taken_back_when_a_freeze_begins(every: RemoteLoop) -> None:
    every.edit(ENVIRONMENT, ("required", "automatic"))
    every.fake.state.waiting = True
    every.register(2)
    assert every.chat().what == "merges when ready"
    assert LATER in every.pulls()[0].labels
    every.edit(ENVIRONMENT, ("review: automatic\n", FREEZE))
    outcome = every.chat()
    assert "a freeze ends" in outcome.reasons[0]
    before = every.fake.writes()
    assert every.chat().what == "unchanged"
    assert every.fake.writes() == before
    every.fake.state.finish()
    (pull,) = every.pulls()
    assert pull.state == "open"
    assert set(pull.labels) == {"sluice", "sluice/production", "sluice/waits"}


def test_nothing_is_left_to_the_forge_where_a_freeze_may_begin(one: RemoteLoop) -> None:
    over = FREEZE.replace("2099", "2021")
    one.edit(ENVIRONMENT, ("review: required\n", over))
    one.fake.state.blocked = "a check is missing"
    one.register(2)
    assert one.chat().what == "could not merge"
    assert not one.fake.state.pulls[1].automatic
    one.fake.state.blocked = ""
    assert one.chat().what == "merged"


def test_a_branch_that_goes_in_between_is_made_anew(one: RemoteLoop) -> None:
    one.register(2)
    one.chat()
    one.register(3)

    def other() -> None:
        one.server.before_update = None
        git.update_ref(one.repository, BRANCH, None, git.tip(one.repository, BRANCH))

    one.server.before_update = other
    assert one.chat().what == "proposed"
    assert 'version: "3"' in one.file(SPEC, BRANCH)


def test_who_loses_a_race_finds_the_work_done(one: RemoteLoop) -> None:
    one.register(2)

    def other() -> None:
        one.server.before_update = None
        assert {o.what for o in cycle(one.world("another")) if o.release == KEY} == {"proposed"}

    one.server.before_update = other
    assert one.chat().what == "unchanged"
    assert [(pull.number, pull.state) for pull in one.pulls()] == [(1, "open")]


def test_a_base_that_moves_is_rendered_on(one: RemoteLoop) -> None:
    one.register(2)
    one.chat()
    one.edit(SPEC, ("max: 4", "max: 5"))
    assert one.chat().what == "updated"
    assert "maxReplicas: 5" in one.file(f"manifests/{KEY}/horizontalpodautoscaler.yaml", BRANCH)


def test_a_push_that_is_refused_is_told_and_keeps_nobody_else_waiting(one: RemoteLoop) -> None:
    other = second_release(one, "assistant")
    hook = one.bare / "hooks" / "update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text('#!/bin/sh\ncase $1 in */assistant) echo "not this one" >&2; exit 1;; esac\n')
    hook.chmod(0o755)
    one.register(2)
    outcomes = one.cycle()
    assert outcomes[other].what == "failed"
    assert outcomes[other].refused
    assert "not this one" in outcomes[other].reasons[0]
    assert outcomes[KEY].what == "proposed"
    hook.unlink()
    assert one.cycle()[other].what == "proposed"


def test_nothing_is_fetched_when_nothing_moved(one: RemoteLoop) -> None:
    one.chat()
    one.server.requests.clear()
    one.chat()
    assert set(one.server.requests) == {"GET refs"}


def test_a_dry_run_pushes_nothing(one: RemoteLoop) -> None:
    one.register(2)
    refs = one.refs()
    assert one.chat(dry_run=True).what == "would propose"
    assert (one.refs(), one.fake.writes()) == (refs, [])


def test_a_mirror_that_is_lost_or_stale_is_mended(one: RemoteLoop) -> None:
    one.register(2)
    one.chat()
    (mirror,) = (one.folder / "state").glob("*.git")
    put(git.open_repository(mirror), {"x": b"y"}, BRANCH)  # killed before it was pushed
    assert one.chat().what == "unchanged"
    run_git(mirror, "update-ref", "-d", MAIN)
    assert one.chat().what == "unchanged"


def test_what_others_have_is_not_ours_to_keep(one: RemoteLoop) -> None:
    put(one.repository, {"x": b"y"}, "refs/heads/feature", onto=git.resolve(one.repository, "main"))
    one.chat()
    (mirror,) = (one.folder / "state").glob("*.git")
    assert set(git.list_refs(git.open_repository(mirror), "refs/heads/")) == {MAIN}


def test_a_memory_saves_work_and_changes_no_outcome(one: RemoteLoop) -> None:
    one.register(2)
    world = one.world()
    assert [o.what for o in cycle(world) if o.release == KEY] == ["proposed"]
    assert [o.what for o in cycle(world) if o.release == KEY] == ["unchanged"]

    def unknown_properties(*_: object) -> None:
        raise AssertionError

    forgetful = replace(world, registry=one.registry)
    object.__setattr__(forgetful.registry, "evaluation", unknown_properties)
    assert [o.what for o in cycle(forgetful) if o.release == KEY] == ["unchanged"]
    one.register(3)
    asked = [(o.what, o.cause) for o in cycle(forgetful) if o.release == KEY]
    assert asked == [("failed", "unforeseen error")]


def statuses(loop: RemoteLoop) -> list[tuple[str, str]]:
    return [(each["state"], each["description"]) for each in loop.fake.state.statuses]


def test_a_commit_says_what_it_waits_for_and_that_it_passed(loop: RemoteLoop) -> None:
    gate = "review: required\n    gates:\n      - approval:\n          tag: approved-by"
    loop.edit(ENVIRONMENT, ("review: required", gate))
    loop.register(2)
    loop.chat()
    loop.register(2, tags={"approved-by": "ada"})
    assert loop.chat().what == "updated"
    (first, said), (second, passed) = statuses(loop)
    assert first == "pending"
    assert said.startswith("version 2 is not approved")
    assert (second, passed) == ("success", "2 of 2 conditions passed")
    assert "sluice/waits" not in loop.pulls()[0].labels


def test_a_version_that_took_the_place_and_was_refused_is_a_failure(every: RemoteLoop) -> None:
    every.register(2)
    every.chat()
    every.register(3, metrics={"mmlu/acc": 0.1})
    every.chat()
    state, said = statuses(every)[-1]
    assert state.startswith("fail")
    assert said.startswith("version 3 was refused: mmlu/acc")
    assert every.pulls()[0].state == "closed"


def test_who_watches_is_told_once_that_another_version_took_the_place(loop: RemoteLoop) -> None:
    loop.register(2)
    loop.chat()
    assert loop.fake.state.notes == []
    for version in (3, 4):
        loop.register(version)
        loop.chat()
    (note,) = loop.fake.state.notes
    assert "version `4` now; it took the place of version `3`" in note.text


def test_reviewers_are_those_of_the_environment(loop: RemoteLoop) -> None:
    loop.edit(ENVIRONMENT, ("review: required", "review: required\n    reviewers: ['@alice']"))
    loop.register(2)
    loop.chat()
    assert loop.fake.state.pulls[1].reviewers == ["alice"]


def test_a_reviewer_whom_the_forge_does_not_ask_is_told(every: RemoteLoop) -> None:
    some = "review: required\n    reviewers: ['@mallory', '@alice']"
    every.edit(ENVIRONMENT, ("review: required", some))
    every.register(2)
    outcome = every.chat()
    assert (outcome.what, every.fake.state.pulls[1].reviewers) == ("proposed", ["alice"])
    assert "does not ask mallory for a review" in "; ".join(outcome.reasons)


def test_reviewers_are_the_owners_of_the_release(every: RemoteLoop) -> None:
    every.commit({"CODEOWNERS": b"* @alice\n/environments/*/platform/ @bob @team/ml\n"})
    every.register(2)
    every.chat()
    assert every.fake.state.pulls[1].reviewers == ["bob"]
    assert every.fake.state.pulls[1].teams == ([] if every.kind == "gitlab" else ["ml"])


def test_nobody_is_asked_about_what_merges_by_itself(one: RemoteLoop) -> None:
    one.commit({"CODEOWNERS": b"* @alice\n"})
    one.edit(ENVIRONMENT, ("required", "automatic"))
    one.register(2)
    one.chat()
    assert one.fake.state.pulls[1].reviewers == []


def test_a_status_that_may_not_be_set_is_told_and_stops_nothing(one: RemoteLoop) -> None:
    refusal = Reply(403, {"message": "token does not have the scope"})
    one.fake.faults.append(Fault("POST .*/statuses/", refusal, 1000))
    one.register(2)
    outcome = one.chat()
    assert (outcome.what, outcome.refused) == ("proposed", False)
    assert any("scope" in reason for reason in outcome.reasons)
    world = one.world()
    list(cycle(world))
    before = one.fake.writes()
    list(cycle(world))
    assert one.fake.writes() == before
