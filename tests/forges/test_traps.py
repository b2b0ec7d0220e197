"""What the documentation of forges does not tell, each thing once."""

from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

import pytest

from sluice import git
from sluice.core.finding import UsageError
from sluice.core.forge import Status
from sluice.forges.answers import RefusedError
from sluice.forges.limits import RateLimitedError, read_pause
from sluice.forges.wire import _parse_origin
from support.forge_app import App, app, key
from support.forge_fake import TOKEN, Fault, Reply, Seen
from support.forge_harness import FakeHarness, faked

__all__ = ["app", "key"]

NOW = 1_800_000_000.0
GRAPHQL = "POST .*/graphql"
CHECK = Status("sluice/gates", "success", "2 of 2 conditions passed")


@pytest.fixture(params=["github", "gitlab", "gitea", "forgejo"])
def at(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FakeHarness]:
    with faked(str(request.param), tmp_path) as harness:
        yield harness


@pytest.fixture
def github(tmp_path: Path) -> Iterator[FakeHarness]:
    with faked("github", tmp_path) as harness:
        yield harness


def _drop(at: FakeHarness) -> None:
    ref = f"refs/heads/{at.branch}"
    git.update_ref(at.repository, ref, None, git.tip(at.repository, ref))


def test_who_closes_and_deletes_the_branch_has_still_rejected_it(at: FakeHarness) -> None:
    pull = at.propose()
    state = at.fake.state
    state.close(state.pulls[pull.number])
    _drop(at)
    assert [(each.branch, each.state) for each in at.forge.list()] == [(at.branch, "closed")]
    assert [each.number for each in at.forge.of_branch(at.branch)] == [pull.number]
    assert at.forge.get(pull.number).branch == at.branch


def test_an_old_closed_one_does_not_hide_the_open_one(at: FakeHarness) -> None:
    first = at.propose()
    at.forge.close(first.number, "no")
    at.push({"a": b"3\n"})
    second = at.propose()
    assert second.number != first.number
    assert at.propose("other").number == second.number


def test_a_base_with_a_slash_is_one_segment_of_an_address(at: FakeHarness) -> None:
    main = git.resolve(at.repository, "main")
    git.update_ref(at.repository, "refs/heads/release/2.0", main, None)
    at.push({"a": b"2\n"})
    words = {"branch": at.branch, "base": "release/2.0", "title": "t", "body": "b"}
    assert at.forge.ensure(**words).number == 1
    assert at.forge.ensure(**words).number == 1
    assert at.forge.get(1).base == "release/2.0"


def test_what_is_not_found_right_after_it_was_opened_is_looked_for_again(
    at: FakeHarness,
) -> None:
    at.push({"a": b"2\n"})
    at.fake.faults = [Fault("POST .*/(labels|merge_requests)$", Reply(404, {"message": "no"}))]
    pull = at.propose("t", "b", "sluice")
    assert (pull.number, pull.labels) == (1, ("sluice",))
    assert len(at.fake.state.pulls) == 1


@pytest.mark.parametrize(
    "error",
    [
        {"message": "Could not resolve to a node with the global id of 'PR_x'."},
        {"errors": [{"resource": "PullRequest", "code": "invalid", "field": "head"}]},
        {"errors": [{"field": "head_sha", "code": "missing_field", "resource": "PullRequest"}]},
        {"errors": ["Head sha can't be blank", "No commits between main and x"]},
    ],
)
def test_what_github_has_not_noticed_yet_is_tried_again(
    github: FakeHarness, error: dict[str, object]
) -> None:
    github.push({"a": b"2\n"})
    reply = Reply(422, {"message": "Validation Failed", **error})
    github.fake.faults = [Fault("POST .*/pulls$", reply, times=2)]
    assert github.propose().number == 1
    assert len(github.time.slept) == 2


def test_a_reviewer_is_asked_again_when_the_pull_request_was_too_new(github: FakeHarness) -> None:
    number = github.propose().number
    reply = Reply(422, {"message": "Could not resolve to a node with the global id of 'x'."})
    github.fake.faults = [Fault("POST .*/requested_reviewers$", reply)]
    assert github.forge.request_reviews(number, ["alice"]) == ()
    assert github.fake.state.pulls[number].reviewers == ["alice"]


@pytest.mark.parametrize(
    "error",
    [
        {"type": "RATE_LIMITED", "message": f"API rate limit exceeded for {TOKEN}"},
        {"message": "You have exceeded a secondary rate limit. Please wait."},
    ],
)
def test_a_limit_in_an_answer_of_success_is_one(github: FakeHarness, error: dict[str, str]) -> None:
    pull = github.propose()
    github.fake.state.waiting = True
    github.fake.faults = [Fault(GRAPHQL, Reply(200, {"data": None, "errors": [error]}))]
    with pytest.raises(RateLimitedError, match="limits the rate of calls") as caught:
        github.forge.merge_when_ready(pull.number, pull.head)
    assert TOKEN not in str(caught.value)
    github.forge.list()
    assert github.time.slept == [pytest.approx(60, abs=1)]


def test_what_graphql_complains_of_is_one_line_without_secrets(github: FakeHarness) -> None:
    pull = github.propose()
    said = [{"message": f"no\n{TOKEN}"}]
    github.fake.faults = [Fault(GRAPHQL, Reply(200, {"data": None, "errors": said}), times=9)]
    with pytest.raises(UsageError, match=r"cannot be merged now: no \*\*\*") as caught:
        github.forge.merge_when_ready(pull.number, pull.head)
    assert TOKEN not in str(caught.value)


def test_a_merge_says_what_state_it_found(github: FakeHarness) -> None:
    pull = github.propose()
    github.fake.state.blocked = "Changes must be made through the merge queue"
    with pytest.raises(UsageError, match=r"merge queue, its merge state is blocked; look at"):
        github.forge.merge(pull.number, pull.head)


@pytest.mark.parametrize("status", [401, 403])
def test_who_may_do_all_but_merge_is_told_so(at: FakeHarness, status: int) -> None:
    pull = at.propose()
    reply = Reply(status, {"message": f"{status} no"})
    at.fake.faults = [Fault("(PUT|POST) .*/merge$", reply, times=9)]
    with pytest.raises(UsageError, match="may not merge into main; let it"):
        at.forge.merge(pull.number, pull.head)


def test_what_is_merged_is_merged_though_its_branch_must_stay(
    at: FakeHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    pull = at.propose()
    forbidden = Reply(403, {"message": "protected branch"})
    monkeypatch.setattr(at.fake.state, "drop", lambda _branch: None)
    at.fake.faults = [Fault("DELETE ", forbidden, times=9)]
    assert at.forge.merge(pull.number, pull.head).state == "merged"


def test_our_status_is_found_among_many(at: FakeHarness) -> None:
    head = at.propose().head
    key = "name" if at.kind == "gitlab" else "context"
    many = [{key: f"ci/{n}", "state": "success", "commit": head} for n in range(230)]
    at.fake.state.statuses = [*many, {key: CHECK.context, "state": "success", "commit": head}]
    at.fake.state.statuses[-1]["description"] = CHECK.description
    before = at.fake.writes()
    at.forge.set_status(head, CHECK)
    assert at.fake.writes() == before


def test_an_account_without_a_name_is_none(at: FakeHarness) -> None:
    at.fake.faults = [Fault("GET .*/user$", Reply(200, {}), times=9)]
    with pytest.raises(UsageError, match="answers, but not as"):
        at.forge.whoami()


def test_pages_end_though_a_server_promises_more(at: FakeHarness) -> None:
    more = {"Link": "<https://internal.invalid/?page=2>; rel=next"}
    at.fake.faults = [Fault("GET .*/(pulls|merge_requests)$", Reply(200, [], headers=more), 99)]
    assert at.forge.list("open") == []
    assert len(at.fake.seen) == 1


def test_a_long_body_links_to_what_it_leaves_out(at: FakeHarness) -> None:
    long = "Summary.\n\n### What changes\n\n" + "p" * 1_100_000 + "\n\n### End\n\ne"
    body = at.propose("t", long).body
    page = f"{at.fake.place}/team/models/{'-/' if at.kind == 'gitlab' else ''}compare"
    assert f"look at the [changed files]({page}/main...{at.branch})" in body
    assert "### End\n\ne" in body


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (429, {"retry-after": formatdate(NOW + 30)}, 30),  # -0000: in UTC, whoever reads it
        (429, {"retry-after": "Fri Jan 15 08:00:30 2027"}, 30),
        (429, {"ratelimit-remaining": "0", "ratelimit-reset": "30"}, 31),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1800000030"}, 31),
        (502, {"retry-after": "30"}, 30),
        (403, {"x-ratelimit-remaining": "12"}, None),
        (500, {}, None),
    ],
)
def test_a_time_is_read_however_it_is_written(
    status: int, headers: dict[str, str], seconds: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    asked = read_pause(status, headers, "", NOW)
    assert (asked and asked.seconds) == seconds


def test_a_server_that_is_out_of_service_for_long_is_left_alone(at: FakeHarness) -> None:
    at.fake.faults = [Fault(".*", Reply(503, headers={"Retry-After": "3600"}), times=99)]
    with pytest.raises(RateLimitedError, match=r"out of service \(503\): it goes on in 3600 s"):
        at.forge.list()
    with pytest.raises(RateLimitedError):
        at.forge.list()
    assert (len(at.fake.seen), at.time.slept) == (1, [])


@pytest.mark.parametrize(("status", "advice"), [(404, "INSTALLATION_ID"), (422, "installed for")])
def test_an_app_that_gets_no_token_is_not_mistaken_for_a_missing_thing(
    app: App, status: int, advice: str
) -> None:
    def refused(seen: Seen) -> Reply | None:
        return Reply(status, {"message": "no"}) if "/app" in seen.path else None

    app.at.fake.app = refused
    for act in (lambda: app.at.forge.get(1), app.at.forge.list, lambda: app.at.forge.merge(1, "x")):
        with pytest.raises(UsageError, match=advice) as caught:
            act()
        assert not isinstance(caught.value, RefusedError)
    assert app.at.fake.calls("/pulls") == []


def test_an_app_whose_server_is_down_asks_a_few_times(app: App) -> None:
    app.at.fake.faults = [Fault("access_tokens", None, times=99)]
    with pytest.raises(UsageError, match="broke off"):
        app.at.forge.list()
    assert len(app.at.fake.seen) == 4
    app.at.fake.faults = []
    assert app.at.forge.list() == []


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://git.example/api", "https://GIT.example:443/x", True),
        ("http://127.0.0.1/api", "http://127.0.0.1:80/x", True),
        ("https://git.example/api", "http://git.example:443/x", False),
        ("https://git.example/api", "https://git.example:8443/x", False),
        ("https://git.example/api", "https://git.example.evil/x", False),
        ("https://git.example/api", "https://git.example@evil/x", False),
    ],
)
def test_a_host_is_the_same_with_its_usual_port(one: str, other: str, *, same: bool) -> None:
    assert (_parse_origin(one) == _parse_origin(other)) == same
