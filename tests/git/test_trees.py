from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sluice import git
from sluice.core.finding import UsageError
from support.git_fixtures import assert_sound, run_git


@pytest.fixture
def repo(tmp_path: Path) -> git.Repository:
    return git.init_bare(tmp_path / "a.git")


def mktree(repo: git.Repository, *lines: bytes) -> str:
    return run_git(repo.path or "", "mktree", "-z", "--missing", stdin=b"\0".join(lines) + b"\0")


def test_prefixes_are_whole_components(repo: git.Repository) -> None:
    files = {"env/a": b"1", "env/b/c": b"2", "environ": b"3", "env-x/d": b"4"}
    tree = git.write_tree(repo, None, files)
    assert git.read_tree(repo, tree).files == files
    assert set(git.read_tree(repo, tree, ["env"]).files) == {"env/a", "env/b/c"}
    assert set(git.read_tree(repo, tree, ["env/", "env/b", "environ", "no"]).files) == {
        "env/a",
        "env/b/c",
        "environ",
    }
    assert set(git.read_tree(repo, tree, ["env/b/c"]).files) == {"env/b/c"}
    assert set(git.list_tree(repo, tree, ["env", "env-x", "env/b"])) == set(files) - {"environ"}


def test_links_and_submodules_are_not_read_as_files(repo: git.Repository) -> None:
    target = git.list_tree(repo, git.write_tree(repo, None, {"x": b"/etc/passwd"}))["x"].id
    tree = mktree(
        repo,
        f"120000 blob {target}\tlink".encode(),
        f"160000 commit {'1' * 40}\tsub".encode(),
        f"100755 blob {target}\ttool".encode(),
    )
    read = git.read_tree(repo, tree)
    assert read.files == {"tool": b"/etc/passwd"}
    assert read.links == {"link", "sub"}
    assert git.read_tree(repo, tree, ["link"]).links == {"link"}


def test_a_file_above_the_limit_is_reported_and_not_loaded(repo: git.Repository) -> None:
    tree = git.write_tree(repo, None, {"at": b"x" * 100, "above": b"x" * 101})
    read = git.read_tree(repo, tree, limit=100)
    assert set(read.files) == {"at"}
    assert read.oversized == {"above"}


def test_names_that_are_not_utf8_survive(repo: git.Repository) -> None:
    blob = git.list_tree(repo, git.write_tree(repo, None, {"x": b"1"}))["x"].id
    tree = mktree(repo, f"100644 blob {blob}\t".encode() + b"b\xff")
    assert git.read_tree(repo, tree).files == {"b\udcff": b"1"}


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/a",
        "a/",
        "a//b",
        ".",
        "..",
        "a/../b",
        ".git/x",
        "a/.GIT",
        "a/.git. ",
        "GIT~1/x",
        "a\0b",
    ],
)
def test_paths_that_git_must_not_hold_are_refused(repo: git.Repository, path: str) -> None:
    for content in (b"x", None):
        with pytest.raises(UsageError):
            git.write_tree(repo, None, {path: content})


def test_a_tree_that_is_absurdly_deep_is_refused(repo: git.Repository) -> None:
    with pytest.raises(UsageError):
        git.write_tree(repo, None, {"d/" * 2000 + "f": b"1"})
    flat = tree = git.write_tree(repo, None, {"f": b"1"})
    for _ in range(1200):
        builder = repo.TreeBuilder()
        builder.insert("d", tree, 0o040000)
        tree = str(builder.write())
    for act in (
        lambda: git.read_tree(repo, tree),
        lambda: git.list_tree(repo, tree),
        lambda: git.changed_paths(repo, flat, tree),
    ):
        with pytest.raises(UsageError, match="directories deep"):
            act()


def test_modes_of_untouched_and_overwritten_files_stay(repo: git.Repository) -> None:
    blob = git.list_tree(repo, git.write_tree(repo, None, {"x": b"1"}))["x"].id
    modes = {"link": 0o120000, "run": 0o100755, "tool": 0o100755}
    base = mktree(repo, *(f"{m:o} blob {blob}\t{n}".encode() for n, m in modes.items()))
    tree = git.write_tree(repo, base, {"run": b"new", "plain": b"2"})
    found = {path: entry.mode for path, entry in git.list_tree(repo, tree).items()}
    assert found == modes | {"plain": 0o100644}


def test_emptied_directories_vanish_and_absent_files_delete_silently(repo: git.Repository) -> None:
    base = git.write_tree(repo, None, {"a/b/c": b"1", "d": b"2"})
    tree = git.write_tree(repo, base, {"a/b/c": None, "no/such": None, "d/x": None})
    assert tree == git.write_tree(repo, None, {"d": b"2"})
    empty = git.write_tree(repo, tree, {"d": None})
    assert empty == "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


def test_a_file_and_a_directory_change_places_only_when_said(repo: git.Repository) -> None:
    base = git.write_tree(repo, None, {"a/b": b"1", "f": b"2"})
    swapped = git.write_tree(repo, base, {"a/b": None, "a": b"x", "f": None, "f/g": b"y"})
    assert git.read_tree(repo, swapped).files == {"a": b"x", "f/g": b"y"}
    for changes in ({"a": b"x"}, {"f/g": b"y"}, {"n": b"1", "n/m": b"2"}):
        with pytest.raises(UsageError):
            git.write_tree(repo, base, changes)
    assert git.write_tree(repo, base, {"a": None}) == base


names = st.sampled_from(["a", "b", "c.yaml"])
paths = st.lists(names, min_size=1, max_size=4).map("/".join)
changesets = st.dictionaries(paths, st.one_of(st.none(), st.sampled_from([b"1", b"2", b""])))


def expected(files: dict[str, bytes], changes: dict[str, bytes | None]) -> dict[str, bytes] | None:
    """Say what a change makes of files, or None when a path would be file and directory."""
    after = {path: text for path, text in files.items() if path not in changes}
    after |= {path: text for path, text in changes.items() if text is not None}
    inner = {path[:i] for path in after for i, char in enumerate(path) if char == "/"}
    return None if inner & after.keys() else after


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(changesets, max_size=5))
def test_trees_behave_like_a_dictionary(
    repo: git.Repository, steps: list[dict[str, bytes | None]]
) -> None:
    files: dict[str, bytes] = {}
    tree = git.write_tree(repo, None, {})
    for changes in steps:
        after = expected(files, changes)
        if after is None:
            with pytest.raises(UsageError):
                git.write_tree(repo, tree, changes)
            continue
        new = git.write_tree(repo, tree, changes)
        assert git.read_tree(repo, new).files == after
        assert new == git.write_tree(repo, None, after)
        differing = sorted(p for p in files.keys() | after.keys() if files.get(p) != after.get(p))
        assert git.changed_paths(repo, tree, new) == differing
        inside = [path for path in differing if path == "a" or path.startswith("a/")]
        assert git.changed_paths(repo, tree, new, "a") == inside
        files, tree = after, new


def test_what_was_written_is_sound_and_changes_show_modes(repo: git.Repository) -> None:
    base = git.write_tree(repo, None, {"x/y": b"1", "z": b"2"})
    blob = git.list_tree(repo, base)["z"].id
    run = mktree(
        repo,
        f"100755 blob {blob}\tz".encode(),
        f"040000 tree {run_git(repo.path or '', 'rev-parse', base + ':x')}\tx".encode(),
    )
    assert git.changed_paths(repo, base, run) == ["z"]
    assert_sound(repo.path or "")
