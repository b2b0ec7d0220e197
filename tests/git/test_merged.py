"""By which commit a branch got another one, or its content."""

from pathlib import Path

import pytest

from sluice import git
from support.git_fixtures import AUTHOR, MAIN, put

BRANCH = "refs/heads/sluice/x"


@pytest.fixture
def repository(tmp_path: Path) -> git.Repository:
    made = git.init_bare(tmp_path / "m.git")
    put(made, {"a": b"1\n", "b": b"1\n"})
    return made


def begin(repository: git.Repository, files: dict[str, bytes | None]) -> str:
    return put(repository, files, BRANCH, onto=git.resolve(repository, "main"))


def merge(repository: git.Repository, ref: str, head: str) -> str:
    """Merge a commit into a branch, with a commit for it."""
    base = git.resolve(repository, ref)
    tree, conflicts = git.Store(repository).merge(base, head)
    assert not conflicts
    made = git.commit(repository, tree, [base, head], "Merge", AUTHOR, time=1)
    git.update_ref(repository, ref, made, base)
    return made


def test_a_branch_contains_what_was_merged_and_says_by_which_commit(
    repository: git.Repository,
) -> None:
    head, known = begin(repository, {"a": b"2\n"}), git.Merged(repository)
    assert known.merged_as("main", head) is None
    made = merge(repository, MAIN, head)
    put(repository, {"b": b"2\n"})
    assert known.merged_as("main", head) == made
    assert known.merged_as("main", git.resolve(repository, "main")) is not None


def test_what_came_with_another_branch_is_contained_too(repository: git.Repository) -> None:
    head = begin(repository, {"a": b"2\n"})
    other = put(repository, {"c": b"1\n"}, "refs/heads/other", onto=head)
    merge(repository, MAIN, other)
    assert git.Merged(repository).merged_as("main", head) == head


@pytest.mark.parametrize("head", ["0" * 40, "nonsense", ""])
def test_what_nobody_knows_is_nowhere(repository: git.Repository, head: str) -> None:
    known = git.Merged(repository)
    assert known.merged_as("main", head) is None
    assert known.squashed_as("main", head) is None
    assert known.merged_as("none", git.resolve(repository, "main")) is None
    assert known.squashed_as("none", git.resolve(repository, "main")) is None


def test_a_branch_that_is_moved_back_contains_it_no_more(repository: git.Repository) -> None:
    before, known = git.resolve(repository, "main"), git.Merged(repository)
    head = begin(repository, {"a": b"2\n"})
    merged = merge(repository, MAIN, head)
    assert known.merged_as("main", head) == merged
    git.update_ref(repository, MAIN, before, merged)
    assert known.merged_as("main", head) is None


def test_content_is_found_as_soon_as_it_is_there(repository: git.Repository) -> None:
    head, known = begin(repository, {"a": b"2\n", "b": None}), git.Merged(repository)
    assert known.squashed_as("main", head) is None
    put(repository, {"a": b"2\n"})
    assert known.squashed_as("main", head) is None
    last = put(repository, {"b": None})
    put(repository, {"c": b"1\n"})
    assert known.squashed_as("main", head) == last
    put(repository, {"a": b"3\n"})
    assert known.squashed_as("main", head) == last
    assert git.Merged(repository).squashed_as("main", head) == last


def test_a_branch_that_was_brought_up_to_date_is_judged_by_its_own_changes(
    repository: git.Repository,
) -> None:
    begin(repository, {"a": b"2\n"})
    put(repository, {"b": b"2\n"})
    head = merge(repository, BRANCH, git.resolve(repository, "main"))
    known = git.Merged(repository)
    assert known.squashed_as("main", head) is None
    put(repository, {"b": b"3\n"})
    last = put(repository, {"a": b"2\n"})
    assert known.squashed_as("main", head) == last


def test_a_branch_without_changes_brought_nothing(repository: git.Repository) -> None:
    begin(repository, {"a": b"2\n"})
    head = put(repository, {"a": b"1\n"}, BRANCH)
    put(repository, {"a": b"2\n"})
    assert git.Merged(repository).squashed_as("main", head) is None


def test_what_was_so_before_the_branch_began_is_no_merge(repository: git.Repository) -> None:
    put(repository, {"a": b"2\n"})
    put(repository, {"a": b"1\n"})
    head = begin(repository, {"a": b"2\n"})
    put(repository, {"b": b"2\n"})
    assert git.Merged(repository).squashed_as("main", head) is None
