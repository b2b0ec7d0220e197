import textwrap
from pathlib import Path

import pytest

from sluice import git
from sluice.forges.local import LocalForge
from sluice.forges.local_records import PULLS
from support.git_fixtures import AUTHOR, assert_sound, outputs, put, race, run_git

RACER = textwrap.dedent("""
    import sys
    from sluice import git
    from sluice.core.model import Signature
    from sluice.forges.local import LocalForge

    path, me, act = sys.argv[1:]
    forge = LocalForge(git.Store(git.open_repository(path)), lambda: 5, Signature(me, "a@b.c"))
    print("ready", flush=True)
    sys.stdin.readline()
    if act == "ensure":
        for branch in ("one", "two", "three"):
            title = f"{branch} by {me}"
            print(forge.ensure(branch=branch, base="main", title=title, body="b").number)
    else:
        for pull in forge.list("open"):
            print(forge.merge(pull.number, pull.head).state)
""")
BRANCHES = ("one", "two", "three")


def all_at_once(repo: git.Repository, act: str) -> list[list[str]]:
    """Let eight processes do the same and return the lines of each."""
    processes = race(RACER, [[repo.path or "", f"p{n}", act] for n in range(8)])
    return [said.split() for said in outputs(processes)]


@pytest.fixture
def repo(tmp_path: Path) -> git.Repository:
    repo = git.init_bare(tmp_path / "a.git")
    base = put(repo, {"a": b"1"})
    for branch in BRANCHES:
        put(repo, {branch: b"1"}, f"refs/heads/{branch}", onto=base)
    return repo


def test_a_branch_has_one_pull_request_whoever_asks(repo: git.Repository) -> None:
    said = all_at_once(repo, "ensure")
    pulls = LocalForge(git.Store(repo), lambda: 9, AUTHOR).list()
    assert sorted(pull.branch for pull in pulls) == sorted(BRANCHES)
    assert [pull.number for pull in pulls] == [3, 2, 1]
    by_branch = {pull.branch: str(pull.number) for pull in pulls}
    assert said == [[by_branch[branch] for branch in BRANCHES]] * 8
    log = run_git(repo.path or "", "log", "--format=%s", PULLS).splitlines()
    assert sum(line.startswith("Open #") for line in log) == 3
    assert_sound(repo.path or "")


def test_each_pull_request_is_merged_once_whoever_asks(repo: git.Repository) -> None:
    forge = LocalForge(git.Store(repo), lambda: 9, AUTHOR)
    for branch in BRANCHES:
        forge.ensure(branch=branch, base="main", title=branch, body="")
    said = all_at_once(repo, "merge")
    assert {state for states in said for state in states} == {"merged"}
    merged = forge.list("merged")
    assert len(merged) == 3
    line = run_git(repo.path or "", "rev-list", "--first-parent", "main").splitlines()
    assert len(line) == 4
    assert {pull.merged_as for pull in merged} == set(line[:3])
    assert set(git.read_tree(repo, "main").files) == {"a", *BRANCHES}
    assert git.list_refs(repo, "refs/heads/") == {"refs/heads/main": line[0]}
    assert_sound(repo.path or "")
