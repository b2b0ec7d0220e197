"""Two who are as fast as each other, on forges that refuse neither: in the end there is one."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.forge_harness import FAKES, FakeHarness, connected, faked

KINDS = sorted(set(FAKES) - {"forgejo"})
pytestmark = pytest.mark.server


@pytest.fixture(params=KINDS)
def at(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FakeHarness]:
    with faked(str(request.param), tmp_path) as harness:
        yield harness


def _states(at: FakeHarness) -> list[str]:
    return [pull.state for pull in at.fake.state.pulls.values()]


CREATION = "POST .*/(pulls|merge_requests)$"


def test_of_two_that_were_opened_at_once_the_older_stays(at: FakeHarness) -> None:
    at.push({"a": b"2\n"})
    other = FakeHarness(
        at.kind, connected(at.kind, at.fake, at.time), at.repository, fake=at.fake, time=at.time
    )
    at.fake.state.blind = 2
    at.fake.before[CREATION] = lambda: other.propose("t", "theirs")
    at.propose("t", "ours", "sluice")
    if at.kind == "gitea":  # shows one of them only, but in lists
        assert _states(at) == ["open", "open"]
        at.forge.list()
    pull = at.propose("t", "ours", "sluice")
    assert (pull.number, pull.body, pull.labels) == (1, "ours", ("sluice",))
    assert _states(at) == ["open", "closed"]
    assert at.fake.state.pulls[2].body.startswith("Withdrawn")


def test_one_that_was_not_shown_in_time_is_closed_when_it_is(at: FakeHarness) -> None:
    at.push({"a": b"2\n"})
    at.propose()
    at.fake.state.blind, at.fake.state.stale_finds = 1, 1 if at.kind == "gitea" else 2
    at.propose()
    assert _states(at) == ["open", "open"]
    at.forge.list()
    at.propose()
    assert _states(at) == ["open", "closed"]
    before = at.fake.writes()
    at.propose()
    assert at.fake.writes() == before


def test_what_a_person_opened_for_our_branch_is_theirs(at: FakeHarness) -> None:
    at.push({"a": b"2\n"})
    at.propose()
    at.fake.state.blind = 1
    at.fake.state.open(at.branch, "main", "mine", "mine", "alice")
    at.forge.list()
    at.propose()
    assert _states(at) == ["open", "open"]


def test_many_at_once_leave_one(at: FakeHarness) -> None:
    at.push({"a": b"2\n"})
    at.fake.state.blind = 8
    gate = threading.Barrier(8, timeout=30)

    def one() -> None:
        forge = connected(at.kind, at.fake, at.time)
        gate.wait()
        pull = forge.ensure(branch=at.branch, base="main", title="t", body="b")
        forge.upsert_comment(pull.number, "key", "said")

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    at.forge.list()
    at.propose()
    assert _states(at).count("open") == 1
    at.forge.single_comment(1, "key")
    (note,) = [note for note in at.fake.state.notes if note.number == 1]
    assert note.text.startswith("said")


def test_of_two_comments_written_at_once_the_older_stays_with_the_last_words(
    at: FakeHarness,
) -> None:
    number = at.propose().number
    other = connected(at.kind, at.fake, at.time)
    at.fake.before["POST .*(comments|notes)$"] = lambda: other.upsert_comment(number, "k", "theirs")
    at.forge.upsert_comment(number, "k", "ours")
    (note,) = at.fake.state.notes
    assert (note.id, note.text.split("\n")[0]) == (1, "ours")


def test_a_comment_that_was_left_over_goes_with_the_next_look(at: FakeHarness) -> None:
    number = at.propose().number
    at.forge.upsert_comment(number, "k", "one")
    at.fake.state.note(number, at.fake.state.notes[0].text)
    at.fake.state.note(number, at.fake.state.notes[0].text, "alice")
    at.forge.single_comment(number, "k")
    assert [note.author for note in at.fake.state.notes] == ["robot", "alice"]


def test_closing_what_another_has_closed_opens_nothing(at: FakeHarness) -> None:
    at.push({"a": b"2\n"})
    pull = at.propose()
    at.forge.close(pull.number, "no longer wanted", "withdrawn")
    at.forge.close(pull.number, "no longer wanted", "withdrawn twice")
    assert _states(at) == ["closed"]
    assert at.fake.state.pulls[1].body == "withdrawn"
