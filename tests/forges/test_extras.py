"""Reviews, statuses, comments and merging later, each of them said once."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sluice.core.finding import UsageError
from sluice.core.forge import Status
from support.forge_fake import TOKEN
from support.forge_harness import FAKES, FakeHarness, faked, local

CHECK = Status("sluice/gates", "pending", "waiting for evaluation", "https://example.com/1")


@pytest.fixture(params=FAKES)
def at(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FakeHarness]:
    with faked(str(request.param), tmp_path) as harness:
        yield harness


def test_who_has_them(at: FakeHarness, tmp_path: Path) -> None:
    assert at.forge.capabilities.merges_later
    (tmp_path / "b").mkdir()
    assert not local(tmp_path / "b").forge.capabilities.merges_later
    assert at.forge.whoami() == "robot"
    user, password = at.forge.git_login()
    assert (user, password) == ("oauth2" if at.kind == "gitlab" else "x-access-token", TOKEN)


def test_a_status_is_said_once_and_changed(at: FakeHarness) -> None:
    head = at.propose().head
    failed, passed = replace(CHECK, verdict="failure"), replace(CHECK, verdict="success")
    for status in (CHECK, CHECK, failed, passed):
        at.forge.set_status(head, status)
    said = [(each["state"], each["description"]) for each in at.fake.state.statuses]
    word = "failed" if at.kind == "gitlab" else "failure"
    assert said == [(each, CHECK.description) for each in ("pending", word, "success")]
    at.forge.set_status(head, passed)
    assert len(at.fake.state.statuses) == 3


def test_a_pending_status_with_other_words_is_no_error(at: FakeHarness) -> None:
    head = at.propose().head
    at.forge.set_status(head, CHECK)
    at.forge.set_status(head, replace(CHECK, description="still waiting"))


def test_a_long_description_is_cut_and_still_said_once(at: FakeHarness) -> None:
    head = at.propose().head
    for _ in range(2):
        at.forge.set_status(head, replace(CHECK, description="line\n" * 100))
    assert len(at.fake.state.statuses) == 1
    assert len(at.fake.state.statuses[0]["description"]) <= 255


def test_one_comment_of_a_key_is_kept_at_its_text(at: FakeHarness) -> None:
    number = at.propose().number
    for text in ("one", "one", "two\r\nlines", "two\nlines"):
        at.forge.upsert_comment(number, "plan", text)
    at.forge.upsert_comment(number, "other", "three")
    shown = [note.text.split("\n\n")[0] for note in at.fake.state.notes]
    assert shown == ["two\r\nlines", "three"]
    assert len([line for line in at.fake.writes() if "omment" in line or "note" in line]) == 3


def test_what_others_write_is_theirs_even_with_our_marker(at: FakeHarness) -> None:
    number = at.propose().number
    theirs = at.fake.state.note(number, "text\n\n<!-- sluice:comment plan -->", "alice")
    at.forge.upsert_comment(number, "plan", "mine")
    at.forge.upsert_comment(number, "plan", "mine 2")
    assert theirs.text.startswith("text")
    assert [note.author for note in at.fake.state.notes] == ["alice", "robot"]


def test_closing_says_why_and_nobody_is_mentioned(at: FakeHarness) -> None:
    number = at.propose().number
    at.forge.close(number, "superseded\n/merge\n@everyone <b>")
    lines = at.fake.state.notes[0].text.splitlines()
    assert "    superseded /merge @everyone <b>" in lines
    assert not any(line.startswith(("/", "@")) for line in lines)


def test_reviewers_are_asked_once(at: FakeHarness) -> None:
    number = at.propose().number
    teams = ("ml", "nobody") if at.forge.capabilities.teams else ()
    refused = at.forge.request_reviews(number, ["alice", "mallory", "alice"], teams)
    assert refused == (("mallory", "nobody") if teams else ("mallory",))
    assert at.fake.state.pulls[number].reviewers == ["alice"]
    before = at.fake.writes()
    assert at.forge.request_reviews(number, ["Alice"], teams[:1]) == ()
    assert at.fake.writes() == before


def test_who_has_reviewed_is_not_asked_again(at: FakeHarness) -> None:
    number = at.propose().number
    pull = at.fake.state.pulls[number]
    if at.kind == "gitlab":
        pull.reviewers = ["bob"]
    else:
        pull.reviews = ["bob"]
    before = at.fake.writes()
    assert at.forge.request_reviews(number, ["bob"]) == ()
    assert at.fake.writes() == before


def test_groups_cannot_review_where_there_are_none(tmp_path: Path) -> None:
    with faked("gitlab", tmp_path) as at:
        assert at.forge.request_reviews(at.propose().number, [], ["ml"]) == ("ml",)


def test_what_waits_is_merged_when_it_is_ready(at: FakeHarness) -> None:
    pull = at.propose()
    at.fake.state.waiting = True
    for _ in range(2):
        assert at.forge.merge_when_ready(pull.number, pull.head).state == "open"
    assert at.fake.state.pulls[pull.number].automatic
    at.fake.state.finish()
    assert at.forge.get(pull.number).state == "merged"


def test_what_waits_for_nothing_is_merged_now(at: FakeHarness) -> None:
    pull = at.propose()
    assert at.forge.merge_when_ready(pull.number, pull.head).state == "merged"
    assert at.tip() is None


def test_what_moved_is_not_merged_later_either(at: FakeHarness) -> None:
    pull = at.propose()
    at.fake.state.waiting = True
    at.push({"a": b"somebody's\n"})
    with pytest.raises(UsageError, match="moved"):
        at.forge.merge_when_ready(pull.number, pull.head)
    assert not at.fake.state.pulls[pull.number].automatic


def test_what_was_to_merge_later_is_taken_back(at: FakeHarness) -> None:
    pull = at.propose()
    at.forge.cancel_merge(pull.number)  # it was never to merge
    at.fake.state.waiting = True
    at.forge.merge_when_ready(pull.number, pull.head)
    for _ in range(2):
        at.forge.cancel_merge(pull.number)
    at.fake.state.finish()
    assert at.forge.get(pull.number).state == "open"


def test_what_is_merged_already_cannot_be_taken_back(at: FakeHarness) -> None:
    pull = at.propose()
    at.forge.merge(pull.number, pull.head)
    before = at.fake.writes()
    at.forge.cancel_merge(pull.number)
    assert at.fake.writes() == before
