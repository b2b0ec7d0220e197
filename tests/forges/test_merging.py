"""Whatever way of merging a repository allows is used, and its commit still says everything."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice import git
from sluice.core.finding import UsageError
from sluice.core.promotion.history import approvals, mergers, trailers
from support.forge_fake import Fault, Reply
from support.forge_harness import FAKES, FakeHarness, faked
from support.git_fixtures import MAIN, put

STYLES = {
    "github": ("merge", "squash", "rebase"),
    "gitea": ("merge", "squash", "rebase", "rebase-merge", "fast-forward-only"),
    "forgejo": ("merge", "squash", "rebase", "rebase-merge", "fast-forward-only"),
}
EVERY = [(kind, style) for kind, styles in STYLES.items() for style in styles]
SAID = (
    "Promote chat to 8\n\nBecause Production says so.\n\nModel: chat\nVersion: 8\nRelease: p/t/c\n"
)


@pytest.fixture(params=sorted(FAKES))
def at(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FakeHarness]:
    with faked(request.param, tmp_path) as harness:
        yield harness


def proposed(at: FakeHarness, *messages: str) -> tuple[int, str]:
    """A pull request with these commits, which alice has approved; its number and head."""
    ref, head = f"refs/heads/{at.branch}", git.resolve(at.repository, MAIN)
    for number, said in enumerate(messages or (SAID,)):
        head = put(at.repository, {f"f{number}": b"x"}, ref, onto=head, message=said)
    pull = at.propose("Promote chat to 8")
    verdicts = {"alice": "approved", "bob": "changes"}
    at.fake.state.pulls[pull.number].verdicts = verdicts
    return pull.number, head


def squash(at: FakeHarness) -> None:
    at.fake.state.methods, at.fake.state.preferred = {"squash"}, "squash"
    at.fake.state.squashes = "always"


def message(at: FakeHarness) -> str:
    return git.commit_of(at.repository, MAIN).message


@pytest.mark.parametrize(("kind", "style"), EVERY)
def test_the_one_style_that_is_allowed_is_used(tmp_path: Path, kind: str, style: str) -> None:
    with faked(kind, tmp_path) as at:
        number, head = proposed(at)
        at.fake.state.methods, at.fake.state.preferred = {style}, style
        assert at.forge.merge(number, head).state == "merged"
        put_parents = len(git.commit_of(at.repository, MAIN).parents)
        assert put_parents == (2 if style in ("merge", "rebase-merge") else 1)


@pytest.mark.parametrize(("merges", "parents"), [("merge", 2), ("rebase_merge", 2), ("ff", 1)])
def test_gitlab_merges_as_the_project_has_it(tmp_path: Path, merges: str, parents: int) -> None:
    with faked("gitlab", tmp_path) as at:
        number, head = proposed(at)
        at.fake.state.project_merges = merges
        assert at.forge.merge(number, head).state == "merged"
        assert len(git.commit_of(at.repository, MAIN).parents) == parents


@pytest.mark.parametrize(
    ("option", "squashes"),
    [("never", False), ("default_off", False), ("default_on", True), ("always", True)],
)
def test_gitlab_squashes_as_the_project_has_it(
    tmp_path: Path,
    option: str,
    squashes: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    with faked("gitlab", tmp_path) as at:
        number, head = proposed(at)
        at.fake.state.squashes = option
        at.forge.merge(number, head)
        assert (len(git.commit_of(at.repository, MAIN).parents) == 1) == squashes
        assert at.fake.state.pulls[number].merged_as == git.resolve(at.repository, MAIN)


def test_settings_that_change_while_we_run_are_seen(at: FakeHarness) -> None:
    number, head = proposed(at)
    at.forge.merge(number, head)
    at.branch = "sluice/prod/other"
    number, head = proposed(at)
    squash(at)
    assert at.forge.merge(number, head).state == "merged"
    assert len(git.commit_of(at.repository, MAIN).parents) == 1


def test_a_repository_that_allows_nothing_says_so(tmp_path: Path) -> None:
    for kind in STYLES:
        with faked(kind, tmp_path / kind) as at:
            number, head = proposed(at)
            at.fake.state.methods = set()
            with pytest.raises(UsageError, match="allows no way of merging into main"):
                at.forge.merge(number, head)
            assert not at.fake.calls("(PUT|POST) .*/merge$")


def test_a_squash_keeps_the_trailers_and_names_everybody(at: FakeHarness) -> None:
    number, head = proposed(at)
    squash(at)
    at.forge.merge(number, head)
    said = message(at)
    assert said.splitlines()[0] == f"Promote chat to 8 (#{number})"
    told = trailers(said)
    assert (told["Model"], told["Version"], told["Release"]) == ("chat", "8", "p/t/c")
    assert "Because Production says so." in said
    assert (approvals([said]), mergers([said])) == (["alice"], ["robot"])


def test_a_squash_of_several_commits_says_what_each_said_in_order(at: FakeHarness) -> None:
    number, head = proposed(at, SAID, "Promote code to 3\n\nModel: code\nVersion: 3\n")
    squash(at)
    at.forge.merge(number, head)
    said = message(at)
    assert said.index("Promote chat to 8\n\nBecause") < said.index("Promote code to 3\n\nModel")
    assert said.count("Version: ") == 2


def test_a_merge_commit_names_who_approved(at: FakeHarness) -> None:
    number, head = proposed(at)
    at.forge.merge(number, head)
    assert approvals([message(at)]) == ["alice"]
    assert "bob" not in message(at)


def test_what_merges_later_keeps_the_trailers_too(at: FakeHarness) -> None:
    number, head = proposed(at)
    squash(at)
    at.fake.state.waiting = True
    assert at.forge.merge_when_ready(number, head).state == "open"
    at.fake.state.finish()
    assert at.forge.get(number).state == "merged"
    assert trailers(message(at))["Version"] == "8"


@pytest.mark.parametrize("kind", sorted(STYLES))
def test_a_style_that_is_not_allowed_any_more_is_not_waited_for(tmp_path: Path, kind: str) -> None:
    """Gitea 1.26.4 drops such a merge without a word when the checks have ended."""
    with faked(kind, tmp_path) as at:
        number, head = proposed(at)
        at.fake.state.waiting = True
        at.forge.merge_when_ready(number, head)
        writes = len(at.fake.writes())
        at.forge.merge_when_ready(number, head)
        asked = [line for line in at.fake.writes()[writes:] if "DELETE" in line]
        assert asked == []
        at.fake.state.methods, at.fake.state.preferred = {"squash"}, "squash"
        at.forge.merge_when_ready(number, head)
        at.fake.state.finish()
        assert at.forge.get(number).state == "merged"


def test_the_rules_of_a_branch_on_github_are_kept(tmp_path: Path) -> None:
    with faked("github", tmp_path) as at:
        number, head = proposed(at)
        at.fake.state.rules = [
            {"type": "required_linear_history"},
            {"type": "pull_request", "parameters": {"allowed_merge_methods": ["merge", "rebase"]}},
        ]
        at.forge.merge(number, head)
        assert message(at) == SAID


@pytest.mark.parametrize("status", [403, 404])
def test_a_github_without_rules_merges_all_the_same(tmp_path: Path, status: int) -> None:
    with faked("github", tmp_path) as at:
        number, head = proposed(at)
        at.fake.faults = [Fault("GET .*/rules/", Reply(status, {"message": "Not Found"}))]
        assert at.forge.merge(number, head).state == "merged"


def test_a_token_that_may_not_ask_who_it_is_merges_all_the_same(at: FakeHarness) -> None:
    number, head = proposed(at)
    squash(at)
    at.fake.faults = [Fault("GET .*/user$", Reply(403, {"message": "scope"}), times=9)]
    assert at.forge.merge(number, head).state == "merged"
    assert (approvals([message(at)]), mergers([message(at)])) == (["alice"], [])
