import os
from pathlib import Path

import pytest

from sluice import git
from sluice.core.finding import UsageError
from sluice.core.model import Signature
from support.git_fixtures import MAIN, put, run_git


@pytest.fixture
def repo(tmp_path: Path) -> git.Repository:
    return git.init_bare(tmp_path / "a.git")


def test_a_work_tree_path_leads_to_its_repository(tmp_path: Path) -> None:
    run_git(tmp_path, "init", "-q")
    (tmp_path / "deep" / "er").mkdir(parents=True)
    found = git.open_repository(tmp_path / "deep" / "er")
    assert os.path.realpath(found.path or "") == os.path.realpath(tmp_path / ".git")


def test_what_is_no_repository_is_said_in_one_line(tmp_path: Path) -> None:
    for path, words in [(tmp_path, "not a Git repository"), (tmp_path / "x", "no such file")]:
        with pytest.raises(UsageError, match=words) as caught:
            git.open_repository(path)
        assert "\n" not in str(caught.value)


def test_a_sha256_repository_is_refused_by_name(tmp_path: Path) -> None:
    run_git(tmp_path, "init", "-q", "--object-format=sha256")
    with pytest.raises(UsageError, match="SHA-256 repositories are not supported"):
        git.open_repository(tmp_path)


def test_an_unknown_extension_is_refused_by_name(tmp_path: Path) -> None:
    run_git(tmp_path, "init", "-q")
    run_git(tmp_path, "config", "core.repositoryFormatVersion", "1")
    run_git(tmp_path, "config", "extensions.refStorage", "reftable")
    with pytest.raises(UsageError, match="extension that is not supported"):
        git.open_repository(tmp_path)


def test_init_names_the_head_and_opens_what_exists(tmp_path: Path) -> None:
    first = git.init_bare(tmp_path / "a.git", "refs/heads/trunk")
    assert first.is_bare
    assert run_git(tmp_path / "a.git", "symbolic-ref", "HEAD") == "refs/heads/trunk"
    made = put(first, {"a": b"1"}, "refs/heads/trunk")
    assert git.resolve(git.init_bare(tmp_path / "a.git"), "refs/heads/trunk") == made


def test_revisions_resolve_as_git_resolves_them(repo: git.Repository) -> None:
    first, second = put(repo, {"a": b"1"}), put(repo, {"a": b"2"})
    run_git(repo.path or "", "tag", "-a", "-m", "v", "v1", first)
    git.update_ref(repo, "refs/remotes/origin/main", first, None)
    for revision in ["main", MAIN, "HEAD", second, second[:10]]:
        assert git.resolve(repo, revision) == second
    for revision in ["main~1", "HEAD^", "origin/main", "v1"]:
        assert git.resolve(repo, revision) == first


@pytest.mark.parametrize(
    "revision",
    [
        "",
        "nope",
        "HEAD~9",
        "HEAD:a",
        "HEAD^{tree}",
        "a..b",
        "-x",
        "a\0b",
        "\ud800",
        "0" * 40,
        "a b",
    ],
)
def test_an_unknown_revision_is_a_usage_error(repo: git.Repository, revision: str) -> None:
    put(repo, {"a": b"1"})
    with pytest.raises(UsageError):
        git.resolve(repo, revision)


def test_a_commit_is_reproducible_and_moves_nothing(repo: git.Repository) -> None:
    tree = git.write_tree(repo, None, {"a": b"1"})
    who = Signature("Zoë", "z@example.com")
    made = git.commit(repo, tree, [], "héllo", who, time=1_700_000_000)
    assert made == git.commit(repo, tree, [], "héllo\n", who, time=1_700_000_000)
    assert git.tip(repo, MAIN) is None
    raw = run_git(repo.path or "", "cat-file", "commit", made)
    assert "author Zoë <z@example.com> 1700000000 +0000" in raw


@pytest.mark.parametrize("name", ["", "a\nparent x", "<x>", "a\0b", "\ud800"])
def test_a_name_that_could_forge_a_commit_is_refused(repo: git.Repository, name: str) -> None:
    tree = git.write_tree(repo, None, {})
    with pytest.raises(UsageError):
        git.commit(repo, tree, [], "m", Signature(name, "a@example.com"))


def test_a_commit_on_a_missing_parent_or_with_a_nul_is_refused(repo: git.Repository) -> None:
    tree = git.write_tree(repo, None, {})
    for parents, message in [(["1" * 40], "m"), ([], "a\0b"), (["zz"], "m"), ([], "\ud800")]:
        with pytest.raises(UsageError):
            git.commit(repo, tree, parents, message, Signature("A", "a@example.com"))
