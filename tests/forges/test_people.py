"""What people say of a pull request stays: objections, drafts, and their words in its text."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice.core.finding import UsageError
from sluice.forges.answers import HeadMovedError
from support.forge_fake import Fault, Reply
from support.forge_harness import FAKES, FakeHarness, Harness, faked, local
from support.pull_request_texts import PREFIXED, TASK, ours


@pytest.fixture(params=FAKES)
def at(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FakeHarness]:
    with faked(str(request.param), tmp_path) as harness:
        yield harness


@pytest.fixture(params=["local", *FAKES])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Harness]:
    if request.param == "local":
        yield local(tmp_path)
    else:
        with faked(str(request.param), tmp_path) as harness:
            yield harness


def draft(at: FakeHarness, number: int) -> None:
    pull = at.fake.state.pulls[number]
    pull.draft, pull.title = True, f"{PREFIXED[at.kind]}{pull.title}"


def edited(at: Harness, number: int, text: str) -> None:
    """A person, or their bot, changes the text of a pull request."""
    if isinstance(at, FakeHarness):
        at.fake.state.pulls[number].body = text
    else:
        at.forge.ensure(branch=at.branch, base="main", title="t", body=text)


def test_who_asks_for_changes_is_told_until_that_is_taken_back(at: FakeHarness) -> None:
    number = at.propose().number
    pull = at.fake.state.pulls[number]
    pull.reviews = ["bob"]
    assert at.forge.objectors(number) == []
    pull.verdicts = {"bob": "changes", "alice": "changes"}
    assert at.forge.objectors(number) == ["alice", "bob"]
    pull.verdicts = {"bob": "approved", "alice": "dismissed"}
    assert at.forge.objectors(number) == []


def test_a_server_without_reviews_has_no_objectors(tmp_path: Path) -> None:
    with faked("gitlab", tmp_path) as at:
        number = at.propose().number
        at.fake.faults.append(Fault("/reviewers$", Reply(404, {"message": "404 Not Found"})))
        assert at.forge.objectors(number) == []


def test_a_draft_is_told_and_stays_one_under_a_new_title(at: FakeHarness) -> None:
    pull = at.propose()
    assert not pull.draft
    draft(at, pull.number)
    changed = at.propose("another title")
    assert changed.draft
    assert at.fake.state.pulls[pull.number].title == f"{PREFIXED[at.kind]}another title"
    before = at.fake.writes()
    assert at.propose("another title").draft
    assert at.fake.writes() == before


@pytest.mark.parametrize("kind", ["gitea", "gitlab"])
def test_a_draft_in_a_forges_own_words_keeps_its_title(kind: str, tmp_path: Path) -> None:
    with faked(kind, tmp_path) as at:
        pull = at.propose()
        at.fake.state.drafts_by_title = False
        state = at.fake.state.pulls[pull.number]
        state.draft, state.title = True, "Entwurf: t"
        assert at.propose("another title").title == "Entwurf: t"


def test_a_draft_is_not_merged_whoever_asks(at: FakeHarness) -> None:
    pull = at.propose()
    draft(at, pull.number)
    for press in (at.forge.merge, at.forge.merge_when_ready):
        with pytest.raises(UsageError, match=r"draft|clean|merge"):
            press(pull.number, pull.head)
    assert at.forge.get(pull.number).state == "open"


def test_what_was_closed_is_not_merged_later_when_it_is_opened_again(at: FakeHarness) -> None:
    pull = at.propose()
    state = at.fake.state
    state.waiting = True
    at.forge.merge_when_ready(pull.number, pull.head)
    state.close(state.get(pull.number))
    at.forge.cancel_merge(pull.number)
    state.edit(state.pulls[pull.number], state="open")
    state.finish()
    assert at.forge.get(pull.number).state == "open"


def test_what_waits_is_asked_about_again_where_the_forge_does_not_look(at: FakeHarness) -> None:
    pull = at.propose()
    at.fake.state.waiting = True
    for _ in range(2):
        assert at.forge.merge_when_ready(pull.number, pull.head).state == "open"
    at.fake.state.waiting = False  # without an event
    assert at.forge.merge_when_ready(pull.number, pull.head).state == "merged"


def test_a_label_goes_once(at: FakeHarness) -> None:
    number = at.propose("t", "b", "sluice/x", "theirs").number
    for _ in range(2):
        at.forge.unlabel(number, "sluice/x")
    assert at.fake.state.pulls[number].labels == {"theirs"}
    assert len([line for line in at.fake.writes() if line.startswith(("DELETE", "PUT"))]) == 1


def test_words_are_written_while_the_branch_is_where_they_say(either: Harness) -> None:
    first = either.propose("t", ours("1"))
    moved = either.push({"a": b"somebody's\n"})
    words = {"branch": either.branch, "base": "main", "title": "t", "body": ours("2")}
    with pytest.raises(HeadMovedError):
        either.forge.ensure(**words, head=first.head)
    assert either.forge.get(first.number).body.strip() == ours("1").strip()
    again = either.forge.ensure(**words, head=moved)
    assert again.body.strip() == ours("2").strip()


def test_an_old_head_that_a_forge_still_shows_keeps_nobody_waiting(at: FakeHarness) -> None:
    at.propose("t", ours("1"))
    moved = at.push({"a": b"ours again\n"})
    at.fake.state.stale_heads = 1
    told = at.forge.ensure(branch=at.branch, base="main", title="t", body=ours("2"), head=moved)
    assert told.body.strip() == ours("2").strip()


def test_what_people_write_around_our_text_stays(either: Harness) -> None:
    number = either.propose("t", ours("1", "one")).number
    there = either.forge.get(number).body.rstrip()
    edited(either, number, f"Note of Ada.\r\n\r\n{there}\n\n<!-- bot -->\nSummary by a bot.\n")
    told = either.propose("t", ours("2", "two")).body
    assert told.startswith("Note of Ada.\r\n\r\n<!-- sluice:begin -->\ntwo")
    assert told.rstrip().endswith("-->\n\n<!-- bot -->\nSummary by a bot.")
    assert "one" not in told
    assert either.propose("t", ours("2", "two")).body == told


def test_a_box_stays_ticked_while_it_is_about_the_same_version(either: Harness) -> None:
    number = either.propose("t", ours("1", "one")).number
    ticked = TASK.replace("[ ]", "[x]")
    edited(either, number, either.forge.get(number).body.replace(TASK, ticked))
    assert ticked in either.propose("t", ours("1", "measured anew")).body
    assert TASK in either.propose("t", ours("2", "two")).body


def test_a_text_without_our_marks_is_kept_below_ours(either: Harness) -> None:
    number = either.propose("t", ours("1")).number
    edited(either, number, "I wrote this anew.")
    told = either.propose("t", ours("1")).body
    assert told.rstrip() == f"{ours('1').rstrip()}\n\nI wrote this anew."
    assert either.propose("t", ours("1")).body == told


def test_long_words_of_people_leave_less_room_for_ours(tmp_path: Path) -> None:
    with faked("github", tmp_path) as at:
        number = at.propose("t", ours("1")).number
        theirs = f"\n\n{'x' * 50_000}"
        at.fake.state.pulls[number].body += theirs
        sections = [f"### Section {n}\n\n{'y' * 900}" for n in range(40)]
        told = at.propose("t", ours("2", *sections)).body
        assert len(told) <= at.forge.capabilities.body
        assert theirs.strip() in told
        assert '"version": "2"' in told
