import json
from pathlib import Path

import pytest

from sluice import git
from sluice.core.finding import UsageError
from sluice.forges.local import LocalForge
from sluice.forges.local_records import PULLS
from support.git_fixtures import (
    AUTHOR,
    BRANCH,
    HEAD,
    MAIN,
    Clock,
    assert_sound,
    propose,
    put,
    refs,
    run_git,
)


@pytest.fixture
def repo(tmp_path: Path) -> git.Repository:
    repo = git.init_bare(tmp_path / "a.git")
    put(repo, {"a": b"1\n", "b": b"1\n"})
    return repo


@pytest.fixture
def forge(repo: git.Repository) -> LocalForge:
    return LocalForge(git.Store(repo), Clock(), AUTHOR)


def test_it_is_a_forge(forge: LocalForge, repo: git.Repository) -> None:
    pull = propose(forge, repo)
    assert (pull.number, pull.state, pull.author) == (1, "open", AUTHOR.name)
    assert pull.head == git.tip(repo, HEAD)
    assert pull.labels == ("x",)
    assert list(forge.list()) == [pull]
    assert forge.get(1) == pull


def test_saying_the_same_again_writes_nothing(forge: LocalForge, repo: git.Repository) -> None:
    first = propose(forge, repo)
    before = refs(repo)
    assert propose(forge, repo) == first
    assert refs(repo) == before


@pytest.mark.parametrize("field", ["title", "body", "labels", "head"])
def test_a_difference_updates_the_one_pull_request(
    forge: LocalForge, repo: git.Repository, field: str
) -> None:
    first = propose(forge, repo)
    words = {"title": "t", "body": "b", "labels": ["x"]}
    if field == "head":
        put(repo, {"a": b"3\n"}, HEAD)
    else:
        words[field] = ["y"] if field == "labels" else "other"
    second = forge.ensure(branch=BRANCH, base="main", **words)  # type: ignore[arg-type] # mixed values
    assert second.number == first.number
    assert getattr(second, field) != getattr(first, field)
    assert forge.get(1) == second
    assert len(forge.list()) == 1


def test_the_head_is_the_branch_as_it_is_now(forge: LocalForge, repo: git.Repository) -> None:
    propose(forge, repo)
    moved = put(repo, {"a": b"3\n"}, HEAD)
    assert forge.get(1).head == moved
    assert forge.list("open")[0].head == moved


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a\nb\r\nc\n",
        "---\nPull-Request: #99\n\nMerged-by: me\n",
        "Zoë 模型 🚀 \u202e \ud800",
        "\0\x1b[31m\x7f",
        '"}, {"state": "merged"',
        "../../x",
        "x" * 300_000,
    ],
)
def test_any_text_comes_back_as_it_was(forge: LocalForge, repo: git.Repository, text: str) -> None:
    put(repo, {"a": b"2\n"}, HEAD, onto=git.resolve(repo, "main"))
    forge.ensure(branch=BRANCH, base="main", title=text, body=text, labels=[text])
    pull = forge.get(1)
    assert (pull.title, pull.body, pull.labels) == (text, text, (text,))
    merged = forge.merge(1, pull.head)
    assert (merged.title, merged.body) == (text, text)
    trailers = git.commit_of(repo, merged.merged_as).trailers
    assert dict(trailers) == {
        "Pull-Request": "#1",
        "Merged-by": f"{AUTHOR.name} <{AUTHOR.email}>",
    }
    forge.close(1, text)
    assert_sound(repo.path or "")


def test_the_record_is_canonical_json(forge: LocalForge, repo: git.Repository) -> None:
    propose(forge, repo)
    text = git.read_tree(repo, PULLS).files["open/0/1.json"].decode()
    assert text == json.dumps(json.loads(text), sort_keys=True, indent=2) + "\n"


def test_acting_twice_writes_nothing_the_second_time(
    forge: LocalForge, repo: git.Repository
) -> None:
    pull = propose(forge, repo)
    merged = forge.merge(1, pull.head)
    propose(forge, repo, {"a": b"4\n"})
    closed = forge.close(2, "no")
    before = refs(repo)
    assert forge.merge(1, pull.head) == forge.close(1, "late") == merged
    assert forge.close(2, "other") == forge.merge(2, "0" * 40) == closed
    assert refs(repo) == before
    assert [p.state for p in forge.list()] == ["closed", "merged"]
    assert forge.reason(2) == "no"
    assert forge.reason(1) == ""


def test_closing_keeps_the_branch_and_the_next_proposal_is_a_new_one(
    forge: LocalForge, repo: git.Repository
) -> None:
    first = propose(forge, repo)
    forge.close(1, "wrong\nmodel")
    assert forge.reason(1) == "wrong\nmodel"
    assert git.tip(repo, HEAD) == first.head
    assert propose(forge, repo).number == 2


def test_a_closed_head_survives_collection(forge: LocalForge, repo: git.Repository) -> None:
    first = propose(forge, repo)
    forge.close(1, "no")
    git.update_ref(repo, HEAD, None, first.head)
    run_git(repo.path or "", "gc", "-q", "--prune=now")
    assert run_git(repo.path or "", "show", f"{forge.get(1).head}:a") == "2"


def test_a_missing_branch_reads_as_closed_and_reading_writes_nothing(
    forge: LocalForge, repo: git.Repository
) -> None:
    first = propose(forge, repo)
    git.update_ref(repo, HEAD, None, first.head)
    before = refs(repo)
    assert forge.get(1).state == "closed"
    assert forge.reason(1) == "its branch is gone"
    assert forge.list("open") == []
    assert refs(repo) == before
    forge.close(1, "late")
    assert forge.reason(1) == "its branch is gone"
    assert "closed/0/1.json" in git.list_tree(repo, PULLS)


def test_what_a_person_merged_counts_as_merged(forge: LocalForge, repo: git.Repository) -> None:
    first = propose(forge, repo)
    base = git.resolve(repo, "main")
    tree = git.write_tree(repo, first.head, {})
    by_hand = git.commit(repo, tree, [base, first.head], "by hand", AUTHOR, time=1)
    git.update_ref(repo, MAIN, by_hand, base)
    put(repo, {"z": b"1"})
    assert (forge.get(1).state, forge.get(1).merged_as) == ("merged", by_hand)
    put(repo, {"a": b"5\n"}, HEAD, onto=git.resolve(repo, "main"))
    second = propose(forge, repo)
    assert second.number == 2
    assert forge.get(1).merged_as == by_hand
    assert set(git.list_tree(repo, PULLS)) == {"next", "merged/0/1.json", "open/0/2.json"}


def test_whoever_comes_second_adopts_what_the_first_opened(
    forge: LocalForge, repo: git.Repository
) -> None:
    class Interrupted(git.Store):
        def move(self, ref: str, new: str | None, expected: str | None) -> bool:
            if git.tip(repo, PULLS) is None:
                propose(forge, repo)
            return super().move(ref, new, expected)

    put(repo, {"a": b"2\n"}, HEAD, onto=git.resolve(repo, "main"))
    late = LocalForge(Interrupted(repo), Clock(), AUTHOR)
    assert late.ensure(branch=BRANCH, base="main", title="late", body="").number == 1
    assert [(pull.number, pull.title) for pull in forge.list()] == [(1, "late")]


def test_nothing_to_propose_is_a_usage_error(forge: LocalForge, repo: git.Repository) -> None:
    git.update_ref(repo, HEAD, git.resolve(repo, "main"), None)
    for branch, base in [(BRANCH, "main"), ("none", "main"), (BRANCH, "none"), ("a b", "main")]:
        with pytest.raises(UsageError):
            forge.ensure(branch=branch, base=base, title="t", body="b")
    for act in (forge.get, lambda n: forge.close(n, ""), lambda n: forge.merge(n, "")):
        with pytest.raises(UsageError, match="no pull request #7"):
            act(7)
    assert git.tip(repo, PULLS) is None


def test_a_broken_record_is_a_usage_error(forge: LocalForge, repo: git.Repository) -> None:
    propose(forge, repo)
    for broken in (b"{", b"[]", b"{}", b'{"reason": "", "merging": "", "labels": 1}'):
        put(repo, {"open/0/1.json": broken}, PULLS)
        with pytest.raises(UsageError, match="cannot be read"):
            forge.list()


def test_records_are_split_by_thousands(forge: LocalForge, repo: git.Repository) -> None:
    propose(forge, repo)
    forge.close(1, "")
    put(repo, {"next": b"1999\n"}, PULLS)
    assert propose(forge, repo).number == 1999
    forge.close(1999, "")
    assert propose(forge, repo).number == 2000
    found = set(git.list_tree(repo, PULLS))
    assert found == {"next", "closed/0/1.json", "closed/1/1999.json", "open/2/2000.json"}
    assert [pull.number for pull in forge.list()] == [2000, 1999, 1]
