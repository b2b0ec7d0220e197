"""What may be the matter with one pull request: each is told or done without, and ends nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice.core.finding import UsageError
from sluice.core.promotion.message import stamped, withdrawn
from sluice.forges.answers import HeadMovedError
from support.forge_fake import Fault, Reply
from support.forge_harness import FAKES, FakeHarness, faked
from support.pull_request_texts import PREFIXED, ours

LOCKED = Reply(403, {"message": "This conversation has been locked"})
COMMENTS = r"POST .*/(comments|notes)$"


@pytest.fixture(params=sorted(set(FAKES) - {"forgejo"}))
def at(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FakeHarness]:
    with faked(str(request.param), tmp_path) as harness:
        yield harness


def test_a_locked_conversation_keeps_nothing_from_closing(at: FakeHarness) -> None:
    number = at.propose("t", ours("1")).number
    at.fake.faults.append(Fault(COMMENTS, LOCKED, times=9))
    assert at.forge.close(number, "no", withdrawn(ours("1"))).state == "closed"
    with pytest.raises(UsageError, match="locked"):
        at.forge.upsert_comment(number, "k", "text")


def test_what_a_person_writes_until_the_closing_stays(at: FakeHarness) -> None:
    pull = at.propose("t", ours("1"))
    at.fake.state.pulls[pull.number].body += "\n\nWritten meanwhile."
    closed = at.forge.close(pull.number, "no", withdrawn(pull.body), pull.head)
    assert closed.body.endswith("Written meanwhile.")
    assert "*Withdrawn by sluice.*" in closed.body


def test_what_has_another_head_by_now_is_not_closed(at: FakeHarness) -> None:
    pull = at.propose("t", ours("1"))
    at.push({"a": b"another's\n"})
    with pytest.raises(HeadMovedError):
        at.forge.close(pull.number, "no", withdrawn(pull.body), pull.head)
    assert at.forge.get(pull.number).state == "open"
    assert at.fake.state.notes == []


def test_a_comment_about_another_head_is_not_written(at: FakeHarness) -> None:
    pull = at.propose("t", ours("1"))
    at.push({"a": b"another's\n"})
    with pytest.raises(HeadMovedError):
        at.forge.upsert_comment(pull.number, "k", "about the first", pull.head)
    assert at.fake.state.notes == []


def test_what_a_person_adds_to_our_comment_stays(at: FakeHarness) -> None:
    number = at.propose().number
    at.forge.upsert_comment(number, "k", "ours")
    at.fake.state.notes[0].text = f"Seen. Ada\n\n{at.fake.state.notes[0].text}"
    at.forge.upsert_comment(number, "k", "ours")
    assert at.fake.state.notes[0].text.startswith("Seen. Ada")
    at.forge.upsert_comment(number, "k", "something else")
    assert "something else" in at.fake.state.notes[0].text


def test_a_label_that_was_deleted_on_the_forge_is_made_again(at: FakeHarness) -> None:
    number = at.propose("t", "b", "sluice").number
    state = at.fake.state
    state.labels.clear()
    state.labels["something else"] = 999  # no number is given twice
    state.pulls[number].labels.clear()
    assert at.propose("t", "b", "sluice").labels == ("sluice",)
    before = at.fake.writes()
    at.propose("t", "b", "sluice")
    assert at.fake.writes() == before


def test_the_title_of_a_draft_fits_as_well(at: FakeHarness) -> None:
    number = at.propose().number
    pull = at.fake.state.pulls[number]
    pull.draft, pull.title = True, f"{PREFIXED[at.kind]}{pull.title}"
    assert len(at.propose("t" * 400).title) <= at.forge.capabilities.title


def test_a_reviewer_who_is_left_out_without_a_word_is_told(tmp_path: Path) -> None:
    """GitLab takes the call and asks nobody who has lost access."""
    with faked("gitlab", tmp_path) as at:
        number = at.propose().number
        at.fake.before[r"PUT .*/merge_requests/1$"] = lambda: at.fake.state.users.pop("bob")
        assert at.forge.request_reviews(number, ["bob", "alice"]) == ("bob",)


def test_a_text_that_people_filled_keeps_their_words_and_our_marker(at: FakeHarness) -> None:
    pull = at.propose("t", ours("1"))
    limit = at.forge.capabilities.body
    at.fake.state.pulls[pull.number].body += f"\n\n{'x' * limit}"
    told = at.propose("t", stamped(ours("2", *["y" * 99] * 50), "1" * 40)).body
    assert told.endswith("x" * limit)
    assert '"version": "2"' in told


def test_words_are_replaced_only_where_they_belong_and_a_title_stays(at: FakeHarness) -> None:
    pull = at.propose("t", ours("1"))
    with pytest.raises(HeadMovedError):
        at.forge.reword(pull.number, "other", ours("2"), "2" * 40)
    assert at.forge.get(pull.number).body.strip() == ours("1").strip()
    at.fake.state.pulls[pull.number].title = "A person's title"
    told = at.forge.reword(pull.number, "", ours("2"), pull.head)
    assert (told.title, told.body.strip()) == ("A person's title", ours("2").strip())


@pytest.mark.parametrize(("who", "said"), [("alice", "alice"), ("github-actions[bot]", "")])
def test_a_token_that_cannot_ask_who_it_is_heeds_people(
    tmp_path: Path, who: str, said: str
) -> None:
    with faked("github", tmp_path) as at:
        pull = at.propose()
        state = at.fake.state
        state.waiting = True
        at.forge.merge_when_ready(pull.number, pull.head)
        state.merge_never(state.pulls[pull.number], who)
        no = Reply(403, {"message": "Resource not accessible by integration"})
        at.fake.faults.append(Fault("GET .*/user$", no, times=9))
        assert at.forge.withdrawer(pull.number) == said
