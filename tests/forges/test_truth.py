"""What counts is what Git says: merges by hand that no forge notices, branches that are deleted."""

import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from sluice import git
from sluice.core.forge import PullRequest
from sluice.forges.local import LocalForge
from support.forge_harness import FAKES, KINDS, FakeHarness, Harness, faked, harness_of

# A live forge notices a little later what was pushed.
LOOKS = 100


@pytest.fixture(params=KINDS)
def at(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Harness]:
    """A forge that notices no merge by hand, as Gitea 1.26 does unless it is told to."""
    with harness_of(str(request.param), tmp_path, detects=False) as harness:
        yield harness


@pytest.fixture(params=FAKES)
def fake(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FakeHarness]:
    with faked(str(request.param), tmp_path) as harness:
        harness.fake.state.detects = False
        yield harness


@pytest.fixture
def ours() -> dict[str, bytes]:
    """A live forge keeps on main what earlier runs left there."""
    return {"a": secrets.token_bytes(8), "c": secrets.token_bytes(8)}


def proposed(at: Harness, files: Mapping[str, bytes]) -> PullRequest:
    at.push(files)
    return at.propose()


def states(at: Harness, number: int) -> set[tuple[str, str]]:
    """What every way of asking says of one pull request."""
    found = [at.forge.get(number), *at.forge.of_branch(at.branch), *at.forge.list()]
    return {(pull.state, pull.merged_as) for pull in found if pull.number == number}


def settle(at: Harness, number: int, commit: str) -> None:
    at.forge.settle(number, commit, "main has it", "settled")


def test_the_same_files_in_one_commit_of_main_are_a_merge(
    at: Harness, ours: dict[str, bytes]
) -> None:
    pull = proposed(at, ours)
    at.onto_main({"b": secrets.token_bytes(8)})
    squashed = at.onto_main(ours)
    at.onto_main({"b": secrets.token_bytes(8)})
    assert states(at, pull.number) == {("merged", squashed)}


def test_commits_that_were_picked_one_by_one_are_a_merge(
    at: Harness, ours: dict[str, bytes]
) -> None:
    at.push({"a": ours["a"]})
    at.push({"c": ours["c"]})
    pull = at.propose()
    at.onto_main({"a": ours["a"]})
    assert states(at, pull.number) == {("open", "")}
    last = at.onto_main({"c": ours["c"]})
    assert states(at, pull.number) == {("merged", last)}


def test_what_was_merged_stays_merged_when_it_is_reverted(
    at: Harness, ours: dict[str, bytes]
) -> None:
    pull = proposed(at, ours)
    before = git.read_tree(at.repository, "main").files
    merged = at.onto_main(ours)
    at.onto_main({path: before.get(path) for path in ours}, "Revert")
    assert states(at, pull.number) == {("merged", merged)}


def test_main_that_goes_its_own_way_merges_nothing(at: Harness, ours: dict[str, bytes]) -> None:
    pull = proposed(at, ours)
    at.onto_main({"a": ours["a"]})
    at.onto_main({"a": b"theirs\n", "c": ours["c"]})
    assert states(at, pull.number) == {("open", "")}


def test_a_forge_is_told_once_of_a_merge_that_it_has_not_noticed(
    at: Harness, ours: dict[str, bytes]
) -> None:
    pull = proposed(at, ours)
    merged = at.onto_main(ours)
    found = at.forge.get(pull.number)
    assert found.unnoticed == (not isinstance(at.forge, LocalForge))
    settle(at, pull.number, merged)
    assert pull.number not in [each.number for each in at.forge.list("open")]
    writes = len(at.fake.writes()) if isinstance(at, FakeHarness) else 0
    settle(at, pull.number, merged)
    assert not isinstance(at, FakeHarness) or len(at.fake.writes()) == writes


@pytest.mark.parametrize("kind", ["gitea", "forgejo"])
def test_a_forge_that_takes_our_word_says_that_it_is_merged(
    kind: str, tmp_path: Path, ours: dict[str, bytes]
) -> None:
    with faked(kind, tmp_path) as at:
        at.fake.state.detects, at.fake.state.takes_word = False, True
        pull = proposed(at, ours)
        settle(at, pull.number, at.onto_main(ours))
        assert at.fake.state.pulls[pull.number].state == "merged"
        assert at.fake.state.notes == []


def test_a_branch_that_was_deleted_says_no_to_nothing(at: Harness, ours: dict[str, bytes]) -> None:
    pull = proposed(at, ours)
    assert not at.forge.lost_branch(pull.number)
    at.delete()
    looks = (at.forge.get(pull.number).state for _ in range(LOOKS))
    assert "closed" in looks
    assert at.forge.lost_branch(pull.number)


def test_who_closes_it_says_no_whether_or_not_the_branch_stays(
    fake: FakeHarness, ours: dict[str, bytes]
) -> None:
    pull = proposed(fake, ours)
    state = fake.fake.state
    state.close(state.get(pull.number))
    assert not fake.forge.lost_branch(pull.number)
    state.wait(10)
    state.drop(fake.branch)
    assert not fake.forge.lost_branch(pull.number)


def test_who_closes_and_deletes_in_one_command_says_no(
    tmp_path: Path, ours: dict[str, bytes]
) -> None:
    with faked("github", tmp_path) as at:
        pull = proposed(at, ours)
        at.fake.state.close(at.fake.state.get(pull.number))
        at.fake.state.drop(at.branch)
        assert not at.forge.lost_branch(pull.number)


def test_what_happened_where_it_cannot_be_read_stays_a_no(
    fake: FakeHarness, ours: dict[str, bytes]
) -> None:
    from support.forge_fake import Fault, Reply  # noqa: PLC0415  # only here

    pull = proposed(fake, ours)
    fake.delete()
    assert fake.forge.get(pull.number).state == "closed"
    fake.fake.faults.append(Fault("(events|timeline)$", Reply(403, {"message": "no"}), 9))
    assert not fake.forge.lost_branch(pull.number)
