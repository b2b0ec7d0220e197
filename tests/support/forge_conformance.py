"""What every forge must do, as tests that ask for `at`: a forge, by whoever collects them."""

import pytest

from sluice import git
from sluice.core.finding import UsageError
from support.forge_harness import FakeHarness, Harness
from support.git_fixtures import AUTHOR


def _writes(at: Harness) -> int:
    """Everything that was ever changed, as far as it can be seen."""
    return len(at.fake.writes()) if isinstance(at, FakeHarness) else 0


def _contains(at: Harness, commit: str) -> bool:
    at.tip()
    return git.is_ancestor(at.repository, commit, git.resolve(at.repository, "main"))


def test_it_opens_one_and_finds_it_again(at: Harness) -> None:
    pull = at.propose("A title", "A body\n\n### More\n", "sluice/x")
    assert (pull.branch, pull.base, pull.state) == (at.branch, "main", "open")
    assert pull.head == at.tip()
    assert (pull.title, pull.body.strip()) == ("A title", "A body\n\n### More")
    assert pull.labels == ("sluice/x",)
    assert pull.merged_as == ""
    again = at.forge.get(pull.number)
    assert (again.number, again.head, again.labels) == (pull.number, pull.head, pull.labels)
    assert pull.number in [each.number for each in at.forge.list("open")]


def test_saying_the_same_again_writes_nothing(at: Harness) -> None:
    first = at.propose("t", "b", "sluice/x")
    before = _writes(at)
    assert at.propose("t", "b", "sluice/x").number == first.number
    assert _writes(at) == before
    assert [p.number for p in at.forge.list("open") if p.branch == at.branch] == [first.number]


@pytest.mark.parametrize("field", ["title", "body", "labels", "head"])
def test_a_difference_updates_the_one_pull_request(at: Harness, field: str) -> None:
    first = at.propose("t", "b", "sluice/x")
    words = {"title": "t", "body": "b", "labels": ["sluice/x"]}
    if field == "head":
        at.push({"a": b"3\n"})
    else:
        words[field] = ["sluice/y"] if field == "labels" else "other"
    second = at.forge.ensure(branch=at.branch, base="main", **words)  # type: ignore[arg-type] # mixed values
    assert second.number == first.number
    assert getattr(second, field) != getattr(first, field)
    assert getattr(at.forge.get(first.number), field) == getattr(second, field)


def test_the_head_is_the_branch_as_it_is_now(at: Harness) -> None:
    pull = at.propose()
    moved = at.push({"a": b"3\n"})
    assert at.forge.get(pull.number).head == moved


def test_closed_is_not_merged_and_keeps_the_branch(at: Harness) -> None:
    first = at.propose()
    closed = at.forge.close(first.number, "wrong\nmodel")
    assert (closed.state, closed.merged_as) == ("closed", "")
    assert at.tip() == first.head
    assert at.forge.close(first.number, "late").state == "closed"
    assert at.forge.merge(first.number, first.head).state == "closed"
    assert not _contains(at, first.head)
    assert first.number in [pull.number for pull in at.forge.list("closed")]
    assert first.number not in [pull.number for pull in at.forge.list("merged")]


def test_after_a_closed_one_the_next_is_new(at: Harness) -> None:
    first = at.propose()
    at.forge.close(first.number, "no")
    second = at.propose()
    assert second.number > first.number
    assert second.state == "open"
    assert at.propose("again").number == second.number
    mine = [pull for pull in at.forge.list() if pull.branch == at.branch]
    assert [(pull.number, pull.state) for pull in mine] == [
        (second.number, "open"),
        (first.number, "closed"),
    ]


def test_merging_brings_the_head_to_the_base_and_drops_the_branch(at: Harness) -> None:
    pull = at.propose()
    merged = at.forge.merge(pull.number, pull.head)
    assert (merged.state, merged.head) == ("merged", pull.head)
    assert _contains(at, pull.head)
    assert _contains(at, merged.merged_as)
    assert at.tip() is None
    assert pull.number in [each.number for each in at.forge.list("merged")]
    assert pull.number not in [each.number for each in at.forge.list("closed")]


def test_merging_or_closing_a_merged_one_changes_nothing(at: Harness) -> None:
    pull = at.propose()
    merged = at.forge.merge(pull.number, pull.head)
    main, before = at.tip("main"), _writes(at)
    assert at.forge.merge(pull.number, "0" * 40).merged_as == merged.merged_as
    assert at.forge.close(pull.number, "late").state == "merged"
    assert (at.tip("main"), _writes(at)) == (main, before)


def test_a_head_that_moved_is_not_merged(at: Harness) -> None:
    pull = at.propose()
    moved = at.push({"a": b"somebody's\n"})
    with pytest.raises(UsageError, match="moved"):
        at.forge.merge(pull.number, pull.head)
    assert at.forge.get(pull.number).state == "open"
    assert not _contains(at, moved)
    assert at.tip() == moved


def test_a_conflict_is_not_merged(at: Harness) -> None:
    pull = at.propose()
    at.push({"a": b"another\n"}, "main")
    with pytest.raises(UsageError, match=f"#{pull.number}"):
        at.forge.merge(pull.number, pull.head)
    assert at.forge.get(pull.number).state == "open"


def test_what_a_person_merged_counts_as_merged(at: Harness) -> None:
    pull = at.propose()
    main = git.resolve(at.repository, "main")
    by_hand = git.Store(at.repository).commit(
        git.write_tree(at.repository, pull.head, {}), [main, pull.head], "by hand", AUTHOR, 1
    )
    git.update_ref(at.repository, "refs/heads/main", by_hand, main)
    at.sync("main")
    found = at.forge.get(pull.number)
    assert (found.state, found.merged_as) == ("merged", by_hand)


def test_there_must_be_something_to_propose(at: Harness) -> None:
    for branch, base in [(f"{at.branch}-none", "main"), (at.branch, "none")]:
        at.propose()
        with pytest.raises(UsageError):
            at.forge.ensure(branch=branch, base=base, title="t", body="b")
    at.push({"c": b"1\n"}, "main")
    at.branch += "-empty"
    git.update_ref(
        at.repository, f"refs/heads/{at.branch}", git.resolve(at.repository, "main"), None
    )
    at.sync(at.branch)
    with pytest.raises(UsageError, match=at.branch):
        at.forge.ensure(branch=at.branch, base="main", title="t", body="b")


def test_what_is_not_there_is_a_usage_error(at: Harness) -> None:
    for act in (
        at.forge.get,
        lambda number: at.forge.close(number, ""),
        lambda number: at.forge.merge(number, "0" * 40),
    ):
        with pytest.raises(UsageError, match="no pull request #999983"):
            act(999_983)


@pytest.mark.parametrize(
    "text",
    [
        "---\nPull-Request: #99\n\nMerged-by: me",
        "Zoë 模型 🚀 `x`",
        '"}, {"state": "merged"',
        "<!-- x --> &amp; <b>",
        "x" * 50_000,
    ],
)
def test_any_body_comes_back_as_it_was(at: Harness, text: str) -> None:
    pull = at.propose("t", text)
    assert at.forge.get(pull.number).body == text
    assert at.propose("t", text).number == pull.number


TESTS = {name: test for name, test in globals().items() if name.startswith("test_")}
