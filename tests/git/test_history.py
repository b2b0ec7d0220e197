from pathlib import Path

import pytest

from sluice import git
from sluice.core.finding import UsageError
from support.git_fixtures import AUTHOR, MAIN, put, run_git


@pytest.fixture
def repo(tmp_path: Path) -> git.Repository:
    return git.init_bare(tmp_path / "a.git")


def test_a_commit_is_read_whole(repo: git.Repository) -> None:
    first = put(repo, {"a": b"1"}, message="first")
    made = put(repo, {"a": b"2"}, message="subject\n\nModel: chat\nVersion: 7\n")
    found = git.commit_of(repo, "main")
    assert (found.id, found.parents) == (made, (first,))
    assert (found.author, found.email, found.time) == (AUTHOR.name, AUTHOR.email, 1_000)
    assert list(found.trailers.items()) == [("Model", "chat"), ("Version", "7")]


@pytest.mark.parametrize(
    "message",
    [
        "s\n\nA: 1\nB: 2\n",
        "s\n\nA: 1\n\nB: 2\n",
        "s\n\nA: 1\n\ntext\n",
        "A: 1\n",
        "s\n\nA: 1\nfree text here\n",
        "s\n\ntext\nSigned-off-by: x\n",
        "s\n\nA: folded\n  over\n  lines\n",
        "s\n\nA: x: y\n",
        "s\n\nA : 1\n",
        "s\n\nhttps://example.com\n",
        "s\n\nA: é\r\nB: 2\r\n",
        "s\n\n(cherry picked from commit 1)\nA: 1\n",
    ],
)
def test_trailers_are_those_that_git_sees(repo: git.Repository, message: str) -> None:
    made = put(repo, {"a": b"1"}, message=message)
    theirs = run_git(repo.path or "", "interpret-trailers", "--parse", stdin=message.encode())
    ours = git.commit_of(repo, made).trailers
    assert "\n".join(f"{key}: {value}" for key, value in ours.items()) == theirs


def test_history_of_a_file_follows_first_parents(repo: git.Repository) -> None:
    added = put(repo, {"d/f": b"1", "g": b"1"})
    put(repo, {"g": b"2"})
    changed = put(repo, {"d/f": b"2"})
    side = put(repo, {"d/f": b"3"}, "refs/heads/side", onto=changed)
    merge = git.commit(
        repo, git.write_tree(repo, side, {}), [changed, side], "merge", AUTHOR, time=1
    )
    git.update_ref(repo, MAIN, merge, changed)
    removed = put(repo, {"d/f": None})
    put(repo, {"g": b"3"})
    history = [found.id for found in git.file_history(repo, "main", "d/f")]
    assert history == [removed, merge, changed, added]
    assert list(git.file_history(repo, "main", "no/such")) == []


def test_ancestry(repo: git.Repository) -> None:
    root = put(repo, {"a": b"1"})
    left = put(repo, {"a": b"2"})
    right = put(repo, {"b": b"2"}, "refs/heads/side", onto=root)
    alone = git.commit(repo, git.write_tree(repo, None, {}), [], "x", AUTHOR, time=1)
    assert git.merge_base(repo, "main", "side") == root
    assert git.merge_base(repo, "main", alone) is None
    assert git.is_ancestor(repo, root, left)
    assert git.is_ancestor(repo, left, left)
    assert not git.is_ancestor(repo, left, root)
    assert not git.is_ancestor(repo, left, right)


def test_merging_takes_both_sides_or_names_the_conflicts(repo: git.Repository) -> None:
    root = put(repo, {"a": b"1\n", "b": b"1\n"})
    ours = put(repo, {"a": b"2\n", "x": b"1"})
    clean = put(repo, {"b": b"2\n"}, "refs/heads/clean", onto=root)
    clash = put(repo, {"a": b"3\n", "x": b"2"}, "refs/heads/clash", onto=root)
    merged = git.merge_trees(repo, ours, clean)
    assert git.read_tree(repo, merged.tree).files == {"a": b"2\n", "b": b"2\n", "x": b"1"}
    assert git.merge_trees(repo, ours, clash) == git.Merge("", ("a", "x"))
    assert git.merge_trees(repo, root, clash).tree == run_git(
        repo.path or "", "rev-parse", f"{clash}^{{tree}}"
    )


def test_a_merge_does_not_follow_renames(repo: git.Repository) -> None:
    text = b"".join(b"line %d\n" % n for n in range(50))
    root = put(repo, {"old": text})
    moved = put(repo, {"old": None, "new": text})
    edited = put(repo, {"old": text + b"more\n"}, "refs/heads/side", onto=root)
    assert git.merge_trees(repo, moved, edited).conflicts == ("old",)


def test_the_diff_applies_with_git(repo: git.Repository, tmp_path: Path) -> None:
    old = put(repo, {"d/a": b"1\n2\n3\n", "gone": b"x\n", "same": b"s\n"})
    new = put(repo, {"d/a": b"1\ntwo\n3\n", "gone": None, "d/new": b"n\n"})
    text = git.diff_text(repo, old, new)
    work = tmp_path / "work"
    run_git(tmp_path, "clone", "-q", repo.path or "", str(work))
    run_git(work, "checkout", "-q", old)
    run_git(work, "apply", "--index", stdin=text.encode())
    assert run_git(work, "write-tree") == run_git(work, "rev-parse", f"{new}^{{tree}}")
    scoped = git.diff_text(repo, old, new, ["d"])
    assert "two" in scoped
    assert "gone" not in scoped
    assert git.diff_text(repo, new, new) == ""


def test_a_shallow_clone_has_a_history_that_ends(repo: git.Repository, tmp_path: Path) -> None:
    put(repo, {"a": b"1"})
    last = put(repo, {"a": b"2"})
    run_git(tmp_path, "clone", "-q", "--depth=1", f"file://{repo.path}", "shallow")
    shallow = git.open_repository(tmp_path / "shallow")
    assert [found.id for found in git.file_history(shallow, "HEAD", "a")] == [last]


def test_an_unknown_commit_is_a_usage_error(repo: git.Repository) -> None:
    with pytest.raises(UsageError):
        git.commit_of(repo, "main")
