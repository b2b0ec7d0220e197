"""Others are faster, answers get lost, and forges show late what they were told."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sluice import git
from sluice.core.finding import UsageError
from support.forge_fake import Fault, Reply
from support.forge_harness import FAKES, FakeHarness, Time, connected, faked
from support.forge_state import Pull
from support.git_fixtures import put

CREATE = "POST .*/(pulls|merge_requests)$"
MERGE = "(PUT|POST) .*/merge$"
BAD_GATEWAY = Reply(502, text="<html><title>502 Bad Gateway</title></html>")


@pytest.fixture(params=FAKES)
def at(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FakeHarness]:
    with faked(str(request.param), tmp_path) as harness:
        yield harness


def _open(at: FakeHarness) -> list[Pull]:
    return [pull for pull in at.fake.state.pulls.values() if pull.state == "open"]


def test_who_comes_second_adopts_what_the_first_opened(at: FakeHarness) -> None:
    at.push({"a": b"2\n"})
    other = connected(at.kind, at.fake, at.time)
    at.fake.before[CREATE] = lambda: other.ensure(
        branch=at.branch, base="main", title="first", body="b"
    )
    assert at.propose("late").title == "late"
    assert [(pull.number, pull.title) for pull in _open(at)] == [(1, "late")]


def test_many_at_once_open_one(at: FakeHarness) -> None:
    at.push({"a": b"2\n"})
    clients = [connected(at.kind, at.fake, Time()) for _ in range(8)]
    words = {"branch": at.branch, "base": "main", "title": "t", "body": "b"}
    with ThreadPoolExecutor(len(clients)) as pool:
        pulls = list(pool.map(lambda client: client.ensure(**words, labels=["sluice"]), clients))
    assert {pull.number for pull in pulls} == {1}
    assert len(at.fake.state.pulls) == 1
    with ThreadPoolExecutor(len(clients)) as pool:
        merged = list(pool.map(lambda client: client.merge(1, pulls[0].head).state, clients))
    assert merged == ["merged"] * len(clients)


def test_a_list_that_is_late_does_not_make_a_second_one(at: FakeHarness) -> None:
    first = at.propose()
    at.fake.state.stale_finds = 3
    assert at.propose("other").number == first.number
    assert len(at.fake.state.pulls) == 1
    assert at.time.slept


def test_a_branch_that_the_forge_has_not_seen_yet_is_waited_for(at: FakeHarness) -> None:
    at.fake.state.unready = 2
    assert at.propose().number == 1
    assert len(at.time.slept) == 2


@pytest.mark.parametrize("reply", [None, BAD_GATEWAY], ids=["silence", "502"])
def test_a_creation_whose_answer_is_lost_happens_once(at: FakeHarness, reply: Reply | None) -> None:
    at.fake.faults = [Fault(CREATE, reply, after=True)]
    assert at.propose().number == 1
    assert len(at.fake.state.pulls) == 1


@pytest.mark.parametrize("reply", [None, BAD_GATEWAY], ids=["silence", "502"])
def test_a_merge_whose_answer_is_lost_is_seen(at: FakeHarness, reply: Reply | None) -> None:
    pull = at.propose()
    at.fake.faults = [Fault(MERGE, reply, after=True)]
    merged = at.forge.merge(pull.number, pull.head)
    assert merged.state == "merged"
    assert merged.merged_as == git.resolve(at.repository, "main")
    assert at.tip() is None


def test_a_comment_whose_answer_is_lost_is_not_sent_again(at: FakeHarness) -> None:
    pull = at.propose()
    at.fake.faults = [Fault("POST .*/(comments|notes)$", None, after=True)]
    with pytest.raises(UsageError, match="broke off the connection"):
        at.forge.upsert_comment(pull.number, "plan", "text")
    at.forge.upsert_comment(pull.number, "plan", "text")
    assert len(at.fake.state.notes) == 1


def test_a_forge_that_has_not_noticed_the_push_is_waited_for(at: FakeHarness) -> None:
    pull = at.propose()
    moved = at.push({"a": b"3\n"})
    at.fake.state.stale_heads = 2
    assert at.forge.merge(pull.number, moved).state == "merged"
    assert len(at.time.slept) == 2


def test_what_moved_between_look_and_merge_is_not_merged(at: FakeHarness) -> None:
    pull = at.propose()
    at.fake.before[MERGE] = lambda: at.push({"a": b"somebody's\n"})
    with pytest.raises(UsageError, match="moved"):
        at.forge.merge(pull.number, pull.head)
    assert len(_open(at)) == 1


def test_a_merge_that_comes_too_early_is_tried_again(at: FakeHarness) -> None:
    pull = at.propose()
    at.fake.state.unready = 2
    assert at.forge.merge(pull.number, pull.head).state == "merged"


def test_a_merge_that_others_made_first_is_adopted(at: FakeHarness) -> None:
    pull = at.propose()
    other = connected(at.kind, at.fake, at.time)
    at.fake.before[MERGE] = lambda: other.merge(pull.number, pull.head)
    assert at.forge.merge(pull.number, pull.head).state == "merged"


def test_what_others_merge_while_it_is_closed_is_merged(at: FakeHarness) -> None:
    pull = at.propose()
    other = connected(at.kind, at.fake, at.time)
    at.fake.before["(PATCH|PUT) .*/1$"] = lambda: other.merge(pull.number, pull.head)
    assert at.forge.close(pull.number, "late").state == "merged"


def test_a_merge_that_rules_forbid_says_why(at: FakeHarness) -> None:
    pull = at.propose()
    at.fake.state.blocked = "2 approving reviews are required, state not_approved"
    with pytest.raises(UsageError, match=r"#1 cannot be merged now: .*not_approved"):
        at.forge.merge(pull.number, pull.head)
    assert len(at.fake.calls(MERGE)) == 1
    assert len(_open(at)) == 1


def test_a_repository_without_merge_commits_is_merged_as_it_wants(at: FakeHarness) -> None:
    if at.kind == "gitlab":
        pytest.skip("the server chooses")
    pull = at.propose()
    at.fake.state.methods = {"squash"}
    assert at.forge.merge(pull.number, pull.head).state == "merged"


def test_a_branch_that_went_on_after_the_merge_stays(at: FakeHarness) -> None:
    pull = at.propose()
    merged = at.forge.merge(pull.number, pull.head)
    put(at.repository, {"a": b"more\n"}, f"refs/heads/{at.branch}", onto=merged.merged_as)
    at.forge.merge(pull.number, pull.head)
    assert at.tip() is not None


def test_what_a_killed_merge_left_behind_goes(at: FakeHarness) -> None:
    pull = at.propose()
    state = at.fake.state
    state.merge(state.pulls[1], pull.head)
    assert at.tip() == pull.head
    assert at.forge.merge(pull.number, pull.head).state == "merged"
    assert at.tip() is None


def test_a_fork_cannot_pass_for_ours(at: FakeHarness) -> None:
    head = at.push({"a": b"2\n"})
    at.fake.state.pulls[1] = Pull(
        1, at.branch, "main", "mine", "b", head, author="mallory", forked=True
    )
    if at.kind in ("gitea", "forgejo"):
        # Their question for a base and a branch means the repository itself.
        at.fake.state.pulls[1].branch = f"{at.branch}-fork"
    assert at.forge.list() == []
    pull = at.propose()
    assert pull.number == 2
    assert [each.number for each in at.forge.list()] == [2]
    assert [each.number for each in at.forge.of_branch(at.branch)] == [2]


def test_branches_of_others_are_not_listed(at: FakeHarness) -> None:
    at.push({"c": b"1\n"}, "feature")
    at.fake.state.open("feature", "main", "t", "b", "alice")
    assert at.forge.list() == []
    assert at.propose().number == 2


def test_a_changed_base_is_changed_back(at: FakeHarness) -> None:
    at.push({"c": b"1\n"}, "other")
    first = at.propose()
    at.fake.state.pulls[1].base = "other"
    at.forge.list()
    second = at.propose()
    assert (second.number, second.base) == (first.number, "main")


def test_labels_of_people_stay(at: FakeHarness) -> None:
    at.propose("t", "b", "sluice/a")
    at.fake.state.label("On Hold")
    at.fake.state.pulls[1].labels.add("On Hold")
    assert set(at.propose("t", "b", "sluice/b").labels) == {"On Hold", "sluice/b"}
    before = at.fake.writes()
    assert set(at.propose("t", "b", "Sluice/B", "on hold").labels) == {"On Hold", "sluice/b"}
    assert at.fake.writes() == before


def test_long_lists_are_read_to_their_end(at: FakeHarness) -> None:
    at.push({"a": b"2\n"})
    head = git.resolve(at.repository, at.branch)
    for number in range(1, 131):
        branch = f"sluice/prod/m{number}"
        git.update_ref(at.repository, f"refs/heads/{branch}", head, None)
        at.fake.state.pulls[number] = Pull(number, branch, "main", "t", "b", head, updated=number)
    assert [pull.number for pull in at.forge.list("open")] == list(range(130, 0, -1))


def test_an_idle_look_writes_nothing_and_is_mostly_unchanged(at: FakeHarness) -> None:
    at.propose()
    at.forge.list()
    before, calls, old = at.fake.writes(), len(at.fake.seen), at.forge.usage.unchanged
    at.forge.list()
    assert at.fake.writes() == before
    assert len(at.fake.seen) - calls == (3 if at.kind == "gitlab" else 2)
    assert at.forge.usage.unchanged - old == len(at.fake.seen) - calls


def test_a_rejected_one_far_back_can_still_be_asked_for(at: FakeHarness) -> None:
    first = at.propose()
    at.forge.close(first.number, "no")
    assert [(p.number, p.state) for p in at.forge.of_branch(at.branch)] == [(1, "closed")]
