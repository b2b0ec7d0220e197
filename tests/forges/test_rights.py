"""What the credentials may not do is found out without doing anything, and told by its name."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sluice.core.finding import UsageError
from sluice.core.promotion.outcome import cause_of
from sluice.forges.answers import RefusedError
from support.forge_fake import Fault, Reply
from support.forge_harness import FAKES, FakeHarness, faked

NEW = "team/renamed"
SCOPES = {
    "github": {
        "DELETE .*/git/refs/": "Contents",
        "PATCH .*/pulls/": "Pull requests",
        "POST .*/statuses/": "Commit statuses",
    },
    "gitlab": {"(POST|PUT|DELETE) ": "api"},
    "gitea": {
        "(POST|PATCH|DELETE) .*/(pulls|branches|statuses)": "write:repository",
        "(POST|PATCH|DELETE) .*/issues": "write:issue",
        "GET .*/user$": "read:user",
    },
}
SCOPES["forgejo"] = SCOPES["gitea"]
WORDS = {
    "github": "Resource not accessible by personal access token",
    "gitlab": "insufficient_scope",
    "gitea": "token does not have at least one of required scope(s)",
}
WORDS["forgejo"] = WORDS["gitea"]
EVERY = [(kind, call, scope) for kind, each in SCOPES.items() for call, scope in each.items()]


@pytest.fixture(params=sorted(FAKES))
def at(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FakeHarness]:
    with faked(request.param, tmp_path) as harness:
        harness.propose()
        harness.fake.seen.clear()
        yield harness


def cause(act: Callable[[], object]) -> str:
    with pytest.raises(UsageError) as caught:
        act()
    assert "\n" not in str(caught.value)
    return cause_of(caught.value)


def update(at: FakeHarness) -> object:
    return at.propose("other words", "other words", "sluice", "sluice/new")


def test_who_may_everything_lacks_nothing_and_leaves_nothing(at: FakeHarness) -> None:
    state = at.fake.state
    before = (dict(state.pulls), list(state.statuses), list(state.notes), at.tip(), at.tip("main"))
    labels = dict(state.labels)
    found = at.forge.rights()
    assert found
    assert [right.said for right in found if not right.ok] == []
    assert before == (state.pulls, state.statuses, state.notes, at.tip(), at.tip("main"))
    assert state.labels == labels
    assert at.time.slept == []


@pytest.mark.parametrize(("kind", "call", "scope"), EVERY)
def test_a_scope_that_is_missing_is_named(tmp_path: Path, kind: str, call: str, scope: str) -> None:
    with faked(kind, tmp_path) as at:
        at.fake.state.lacking = {call: WORDS[kind]}
        missing = [right for right in at.forge.rights() if not right.ok]
        assert missing
        assert all(f"give it {scope};" in right.remedy for right in missing)
        assert all(WORDS[kind] in right.said for right in missing)


def test_a_scope_that_a_call_lacks_is_the_cause(at: FakeHarness) -> None:
    at.fake.state.lacking = {"(POST|PATCH|PUT) ": WORDS[at.kind]}
    assert cause(lambda: update(at)) == "missing scope"


@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_scopes_that_are_told_need_no_trial(tmp_path: Path, kind: str) -> None:
    with faked(kind, tmp_path) as at:
        at.fake.state.scopes = "read:org, repo" if kind == "github" else "api,read_user"
        assert all(right.ok for right in at.forge.rights())
        assert at.fake.writes() == []
        at.fake.state.scopes = "read:org" if kind == "github" else "read_api"
        at.fake.state.lacking = {"(POST|PATCH|PUT|DELETE) ": WORDS[kind]}
        assert not any(right.ok for right in at.forge.rights())


def test_an_account_that_only_reads_is_told_so(at: FakeHarness) -> None:
    at.fake.state.may_push = False
    (right,) = at.forge.rights()
    assert (right.ok, "not write to it" in right.said) == (False, True)
    assert at.fake.writes() == []
    assert cause(lambda: update(at)) == "read-only token"


def test_an_archived_repository_is_told_so(at: FakeHarness) -> None:
    at.fake.state.archived = True
    (right,) = at.forge.rights()
    assert (right.ok, "archived" in right.said) == (False, True)
    assert at.fake.writes() == []
    with pytest.raises(UsageError, match="has the repository archived or locked"):
        update(at)
    assert cause(lambda: update(at)) == "archived"


def test_a_repository_that_was_renamed_is_told_with_its_new_name(at: FakeHarness) -> None:
    at.fake.state.moved = NEW
    (right,) = at.forge.rights()
    assert (right.ok, NEW in right.said) == (False, True)
    address = f"{at.kind}:{NEW}@{at.fake.place}"
    assert address in right.remedy
    assert [pull.number for pull in at.forge.list("open")] == [1]


def test_what_is_written_to_a_renamed_repository(at: FakeHarness) -> None:
    """GitHub repeats a write there by its redirect; the others must be given the address."""
    at.fake.state.moved = NEW
    if at.kind == "github":
        update(at)
        assert at.fake.state.pulls[1].title == "other words"
        return
    assert cause(lambda: update(at)) == "renamed"
    assert at.fake.state.pulls[1].title == "t"


def test_a_moved_repository_names_where_it_is(tmp_path: Path) -> None:
    with faked("gitea", tmp_path) as at:
        at.propose()
        at.fake.state.moved = NEW
        with pytest.raises(UsageError, match=f"has moved to {NEW}; give its new address"):
            update(at)


def test_a_write_is_not_led_to_another_host(at: FakeHarness) -> None:
    there = "https://elsewhere.example/api/v1/repos/a/b"
    at.fake.faults = [Fault("(PATCH|PUT|POST) ", Reply(301, headers={"Location": there}), 99)]
    with pytest.raises(UsageError, match="redirects to another host, elsewhere"):
        update(at)


@pytest.mark.parametrize(
    ("status", "said", "named"),
    [
        (401, "Bad credentials", "credentials refused"),
        (403, "Resource not accessible by integration", "missing scope"),
        (403, "no", "read-only token"),
        (403, "Repository was archived so is read-only.", "archived"),
        (423, "", "archived"),
        (422, "Protected branch update failed", "protected branch"),
        (405, "Non GET methods are not allowed for moved projects", "renamed"),
        (500, "", "forge answers 500"),
        (422, "Validation Failed", "forge answers 422"),
    ],
)
def test_a_refusal_knows_its_cause(status: int, said: str, named: str) -> None:
    assert cause_of(RefusedError("", status, said)) == named


def test_what_knows_no_cause_gets_that_of_its_caller() -> None:
    assert cause_of(UsageError("x")) == "other"
    assert cause_of(UsageError("x"), "unreachable") == "unreachable"
