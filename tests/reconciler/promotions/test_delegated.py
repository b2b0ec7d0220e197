"""What was left to the forge to merge is taken back when people do not want it any more."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sluice import git
from sluice.core.promotion.signals import LATER, WAITS
from support.forge_harness import FAKES
from support.git_fixtures import MAIN, put
from support.loop import BRANCH, ENVIRONMENT, KEY, SPEC
from support.pull_request_texts import PREFIXED
from support.remote_loop import RemoteLoop, remote_loop

pytestmark = pytest.mark.server
KINDS = sorted(set(FAKES) - {"forgejo"})


@pytest.fixture(params=KINDS)
def loop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RemoteLoop]:
    """Version 2 merges as soon as the checks of the forge have passed."""
    with remote_loop(tmp_path, str(request.param)) as made:
        made.edit(ENVIRONMENT, ("review: required", "review: automatic"))
        made.fake.state.waiting = True
        made.register(1)
        made.register(2)
        assert made.chat().what == "merges when ready"
        assert made.fake.state.pulls[1].automatic
        yield made


@pytest.fixture
def one(tmp_path: Path) -> Iterator[RemoteLoop]:
    with remote_loop(tmp_path, "gitea") as made:
        made.edit(ENVIRONMENT, ("review: required", "review: automatic"))
        made.register(1)
        made.register(2)
        yield made


def push(loop: RemoteLoop) -> None:
    put(loop.repository, {"notes.txt": b"mine"}, BRANCH)


def object_to(loop: RemoteLoop) -> None:
    loop.fake.state.pulls[1].verdicts["alice"] = "changes"


def draft(loop: RemoteLoop) -> None:
    pull = loop.fake.state.pulls[1]
    pull.draft, pull.title = True, f"{PREFIXED[loop.kind]}{pull.title}"


def close(loop: RemoteLoop) -> None:
    loop.fake.state.close(loop.fake.state.get(1))


ACTS: list[Callable[[RemoteLoop], None]] = [push, object_to, draft, close]


def assert_not_merged(loop: RemoteLoop) -> None:
    """Whatever the forge does when the checks end, main has version 1."""
    loop.fake.state.finish()
    loop.cycle()
    assert 'version: "1"' in loop.file(SPEC)
    assert not loop.fake.state.pulls[1].automatic
    assert LATER not in loop.fake.state.pulls[1].labels


@pytest.mark.parametrize("act", ACTS)
def test_what_people_do_takes_it_back(loop: RemoteLoop, act: Callable[[RemoteLoop], None]) -> None:
    act(loop)
    loop.cycle()
    assert_not_merged(loop)
    before = loop.fake.writes()
    loop.cycle()
    assert loop.fake.writes() == before


@pytest.mark.parametrize("act", ACTS)
def test_a_label_that_a_person_took_off_does_not_hide_what_was_left_to_the_forge(
    loop: RemoteLoop, act: Callable[[RemoteLoop], None]
) -> None:
    """Taking the label off is what people do who want to merge it themselves."""
    loop.fake.state.pulls[1].labels.remove(LATER)
    act(loop)
    loop.cycle()
    assert_not_merged(loop)
    before = loop.fake.writes()
    loop.cycle()
    assert loop.fake.writes() == before


def test_a_closed_one_that_is_opened_again_is_not_merged_behind_our_back(loop: RemoteLoop) -> None:
    close(loop)
    assert loop.chat().what == "rejected"
    state = loop.fake.state
    state.edit(state.pulls[1], state="open")
    state.finish()
    assert state.pulls[1].state == "open"


def test_a_newer_version_is_not_merged_by_what_was_said_of_the_older_one(loop: RemoteLoop) -> None:
    """Between the push of the newer one and its words the checks end."""
    loop.register(3)
    state = loop.fake.state

    def checks_end() -> None:
        state.finish()
        state.waiting = True

    loop.fake.before[r"(PATCH|PUT) .*/(pulls|merge_requests)/1$"] = checks_end
    assert loop.chat().what == "merges when ready"
    assert 'version: "1"' in loop.file(SPEC)
    state.finish()
    assert 'version: "3"' in loop.file(SPEC)


def test_a_version_that_was_refused_takes_its_place_with_it(loop: RemoteLoop) -> None:
    loop.register(3, metrics={"mmlu/acc": 0.1})
    assert loop.chat().what == "refused"
    before = loop.fake.writes()
    loop.cycle()
    assert loop.fake.writes() == before
    assert_not_merged(loop)


def test_what_a_person_objects_to_is_told_and_merges_when_they_are_content(
    loop: RemoteLoop,
) -> None:
    object_to(loop)
    held = loop.chat()
    assert "alice asks for changes" in held.reasons
    assert WAITS in loop.fake.state.pulls[1].labels
    said = loop.fake.state.statuses[-1]
    assert (said["state"], said["description"]) == ("pending", "alice asks for changes")
    loop.fake.state.pulls[1].verdicts["alice"] = "approved"
    loop.fake.state.waiting = False
    assert loop.chat().what == "merged"


def test_a_draft_is_told_and_merges_when_it_is_ready(loop: RemoteLoop) -> None:
    draft(loop)
    assert "it is a draft: mark it as ready, or merge it yourself" in loop.chat().reasons
    assert loop.pulls()[0].draft
    loop.register(3)
    loop.chat()
    assert loop.pulls()[0].draft
    pull = loop.fake.state.pulls[1]
    pull.draft, pull.title = False, pull.title.removeprefix(PREFIXED[loop.kind])
    loop.fake.state.waiting = False
    assert loop.chat().what == "merged"


def test_it_is_asked_again_where_the_forge_does_not_look_for_itself(loop: RemoteLoop) -> None:
    assert loop.chat().what == "merges when ready"
    loop.fake.state.waiting = False  # without an event that the forge would notice
    assert loop.chat().what == "merged"
    assert 'version: "2"' in loop.file(SPEC)


def test_a_merge_that_nobody_delegated_is_held_as_well(one: RemoteLoop) -> None:
    one.fake.state.blocked = "a check is missing"
    assert one.chat().what == "could not merge"
    object_to(one)
    one.fake.state.blocked = ""
    assert "alice asks for changes" in one.chat().reasons
    assert 'version: "1"' in one.file(SPEC)


def test_a_person_still_merges_what_another_one_objects_to(one: RemoteLoop) -> None:
    one.fake.state.blocked = "a check is missing"
    one.chat()
    object_to(one)
    one.fake.state.blocked = ""
    one.merge(1)
    assert one.chat().what == "nothing to do"
    assert 'version: "2"' in one.file(SPEC)


def test_what_cannot_be_taken_back_is_told_and_tried_again(one: RemoteLoop) -> None:
    from support.forge_fake import Fault, Reply  # noqa: PLC0415  # only here

    one.fake.state.waiting = True
    assert one.chat().what == "merges when ready"
    push(one)
    one.fake.faults.append(Fault("DELETE .*/merge$", Reply(403, {"message": "no"}), 9))
    outcomes = one.cycle()
    assert outcomes[KEY].what == "left alone"
    assert LATER in one.fake.state.pulls[1].labels
    one.fake.faults.clear()
    one.cycle()
    assert_not_merged(one)


def test_shared_pull_requests_are_held_like_others(one: RemoteLoop) -> None:
    one.group("environment")
    one.fake.state.waiting = True
    assert one.chat().what == "merges when ready"
    object_to(one)
    assert "alice asks for changes" in one.chat().reasons
    assert_not_merged(one)
    assert git.tip(one.repository, MAIN)


def test_who_takes_it_back_on_the_forge_is_heeded_until_another_version_comes(
    loop: RemoteLoop,
) -> None:
    state = loop.fake.state
    assert state.merge_never(state.pulls[1], "alice")
    said = "alice took its automatic merge back: turn that on again, or merge it yourself"
    assert said in loop.chat().reasons
    assert WAITS in state.pulls[1].labels
    assert_not_merged(loop)
    state.waiting = True
    assert said in loop.chat().reasons
    loop.register(3)
    assert loop.chat().what == "merges when ready"
    assert state.pulls[1].automatic


def test_who_asks_for_it_again_on_the_forge_is_heeded_too(loop: RemoteLoop) -> None:
    state = loop.fake.state
    state.merge_never(state.pulls[1], "alice")
    loop.chat()
    state.merge_later(state.pulls[1], state.pulls[1].head)
    assert loop.chat().what == "merges when ready"
    state.finish()
    assert 'version: "2"' in loop.file(SPEC)


def test_what_we_took_back_ourselves_is_nobodys_word(loop: RemoteLoop) -> None:
    state = loop.fake.state
    object_to(loop)
    loop.chat()
    assert not state.pulls[1].automatic
    state.pulls[1].verdicts["alice"] = "approved"
    assert loop.chat().what == "merges when ready"


def test_a_run_of_its_own_leaves_what_is_scheduled_as_it_is(loop: RemoteLoop) -> None:
    before = loop.fake.writes()
    for _ in range(2):
        assert loop.chat().what == "merges when ready"
    asked = loop.fake.writes()[len(before) :]
    assert not [line for line in asked if line.startswith("DELETE") or "disable" in line]
    assert [what for what, _, _ in loop.fake.state.pulls[1].delegations] in (
        ["asked"],
        ["asked"] * 3,  # GitLab is asked each time, which changes nothing
    )
