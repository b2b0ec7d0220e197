from pathlib import Path

import pytest

from sluice import git
from sluice.core.finding import UsageError
from sluice.forges.local import LocalForge
from sluice.forges.local_records import PULLS
from support.git_fixtures import (
    AUTHOR,
    HEAD,
    MAIN,
    Clock,
    assert_sound,
    propose,
    put,
    refs,
    run_git,
)


class KilledError(Exception):
    """Stands for the end of the process."""


class Mortal(git.Store):
    """A store whose process ends before or after its n-th move of a ref."""

    def __init__(self, repo: git.Repository, at: int, *, after: bool) -> None:
        super().__init__(repo)
        self._left, self._after = at, after

    def move(self, ref: str, new: str | None, expected: str | None) -> bool:
        self._left -= 1
        if self._left == 0 and not self._after:
            raise KilledError
        moved = super().move(ref, new, expected)
        if self._left == 0:
            raise KilledError
        return moved


@pytest.fixture
def repo(tmp_path: Path) -> git.Repository:
    repo = git.init_bare(tmp_path / "a.git")
    put(repo, {"a": b"1\n", "b": b"1\n"})
    return repo


@pytest.fixture
def forge(repo: git.Repository) -> LocalForge:
    return LocalForge(git.Store(repo), Clock(), AUTHOR)


def test_merging_makes_a_merge_commit_and_drops_the_branch(
    forge: LocalForge, repo: git.Repository
) -> None:
    base = git.resolve(repo, "main")
    pull = propose(forge, repo)
    merged = forge.merge(1, pull.head)
    assert (merged.state, merged.merged_as) == ("merged", git.resolve(repo, "main"))
    made = git.commit_of(repo, "main")
    assert made.parents == (base, pull.head)
    assert made.message.startswith("Merge pull request #1: t\n\nPull-Request: #1\n")
    assert git.read_tree(repo, "main").files["a"] == b"2\n"
    assert git.tip(repo, HEAD) is None
    assert forge.list("open") == []
    assert forge.get(1) == merged
    assert_sound(repo.path or "")


def test_a_merge_takes_in_what_the_base_got_meanwhile(
    forge: LocalForge, repo: git.Repository
) -> None:
    pull = propose(forge, repo)
    put(repo, {"b": b"2\n"})
    forge.merge(1, pull.head)
    assert git.read_tree(repo, "main").files == {"a": b"2\n", "b": b"2\n"}


def test_a_conflict_names_the_files_and_changes_nothing(
    forge: LocalForge, repo: git.Repository
) -> None:
    pull = propose(forge, repo)
    put(repo, {"a": b"3\n"})
    before = refs(repo)
    with pytest.raises(UsageError, match="conflicts with main in a; run reconcile again"):
        forge.merge(1, pull.head)
    assert refs(repo) == before


def test_a_head_that_moved_is_not_merged(forge: LocalForge, repo: git.Repository) -> None:
    pull = propose(forge, repo)
    put(repo, {"a": b"3\n"}, HEAD)
    before = refs(repo)
    with pytest.raises(UsageError, match="moved"):
        forge.merge(1, pull.head)
    assert refs(repo) == before


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_a_merge_killed_anywhere_ends_as_if_it_had_not_been(
    repo: git.Repository,
    forge: LocalForge,
    at: int,
    after: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    pull = propose(forge, repo)
    mortal = LocalForge(Mortal(repo, at, after=after), Clock(), AUTHOR)
    with pytest.raises(KilledError):
        mortal.merge(1, pull.head)
    in_base = git.is_ancestor(repo, pull.head, "main")
    assert forge.get(1).state == ("merged" if in_base else "open")
    merged = forge.merge(1, pull.head)
    assert (merged.state, merged.merged_as) == ("merged", git.resolve(repo, "main"))
    assert git.tip(repo, HEAD) is None
    assert run_git(repo.path or "", "rev-list", "--count", "--first-parent", "main") == "2"
    assert set(git.list_tree(repo, PULLS)) == {"next", "merged/0/1.json"}
    assert_sound(repo.path or "")


def test_a_merge_that_was_killed_is_seen_even_after_the_branch_moved_on(
    repo: git.Repository, forge: LocalForge
) -> None:
    pull = propose(forge, repo)
    mortal = LocalForge(Mortal(repo, 2, after=True), Clock(), AUTHOR)
    with pytest.raises(KilledError):
        mortal.merge(1, pull.head)
    put(repo, {"a": b"9\n"}, HEAD)
    first = forge.get(1)
    assert (first.state, first.head) == ("merged", pull.head)
    second = propose(forge, repo)
    assert (second.number, second.state) == (2, "open")
    assert git.tip(repo, HEAD) == second.head


def test_a_merge_is_announced_once_however_often_it_is_killed(
    repo: git.Repository, forge: LocalForge
) -> None:
    pull, clock = propose(forge, repo), Clock()
    for _ in range(2):
        with pytest.raises(KilledError):
            LocalForge(Mortal(repo, 2, after=False), clock, AUTHOR).merge(1, pull.head)
        # The second one has nothing to announce, so its second move is the record's.
    said = run_git(repo.path or "", "log", "--first-parent", "--format=%s", PULLS).splitlines()
    assert said.count("Announce the merge of #1") == 1
    assert forge.merge(1, pull.head).state == "merged"


def test_a_merge_beats_a_close_that_came_between(repo: git.Repository, forge: LocalForge) -> None:
    pull = propose(forge, repo)
    rival = LocalForge(git.Store(repo), Clock(), AUTHOR)

    class Interrupted(git.Store):
        def move(self, ref: str, new: str | None, expected: str | None) -> bool:
            if ref == MAIN:
                rival.close(1, "too late")
            return super().move(ref, new, expected)

    merged = LocalForge(Interrupted(repo), Clock(), AUTHOR).merge(1, pull.head)
    assert merged.state == "merged"
    assert forge.get(1) == merged
    assert set(git.list_tree(repo, PULLS)) == {"next", "merged/0/1.json"}


def test_a_base_that_moves_during_the_merge_is_merged_with(
    repo: git.Repository, forge: LocalForge
) -> None:
    pull = propose(forge, repo)
    moved: list[str] = []

    class Interrupted(git.Store):
        def move(self, ref: str, new: str | None, expected: str | None) -> bool:
            if ref == MAIN and not moved:
                moved.append(put(repo, {"b": b"7\n"}))
            return super().move(ref, new, expected)

    LocalForge(Interrupted(repo), Clock(), AUTHOR).merge(1, pull.head)
    assert git.read_tree(repo, "main").files == {"a": b"2\n", "b": b"7\n"}
    assert git.commit_of(repo, "main").parents == (moved[0], pull.head)
