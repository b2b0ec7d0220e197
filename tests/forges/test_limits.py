"""Limits of the server and our own: bounded waiting, and silence when asked for it."""

from collections.abc import Iterator, Mapping
from email.utils import formatdate
from pathlib import Path

import pytest

from sluice.core.finding import UsageError
from sluice.forges.limits import Budget, RateLimitedError, Window, read_pause, read_remaining
from sluice.forges.timing import Timing
from support.forge_fake import Fault, Reply
from support.forge_harness import FakeHarness, faked

NOW = 1_800_000_000.0
SECONDARY = "You have exceeded a secondary rate limit. Please wait a few minutes."


@pytest.fixture(params=["github", "gitlab", "gitea"])
def at(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FakeHarness]:
    with faked(str(request.param), tmp_path) as harness:
        yield harness


def _limit(headers: Mapping[str, str], status: int = 429, said: str = "slow down") -> Reply:
    return Reply(status, {"message": said}, headers=headers)


@pytest.mark.parametrize("status", [403, 429])
@pytest.mark.parametrize(
    "headers",
    [
        {"Retry-After": "20"},
        {"Retry-After": formatdate(NOW + 20, usegmt=True)},
        {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(NOW) + 19)},
        {"RateLimit-Remaining": "0", "RateLimit-Reset": str(int(NOW) + 19)},
    ],
)
def test_a_short_limit_is_waited_for(
    at: FakeHarness, status: int, headers: Mapping[str, str]
) -> None:
    at.fake.faults = [Fault(".*", _limit(headers, status))]
    assert at.propose().number == 1
    assert at.time.now - NOW == pytest.approx(20.5)
    assert at.forge.usage.retries == 1


@pytest.mark.parametrize(
    ("headers", "status", "said"),
    [({}, 403, SECONDARY), ({}, 429, ""), ({"Retry-After": "soon"}, 429, "")],
)
def test_a_limit_without_a_time_is_a_minute(
    at: FakeHarness, headers: Mapping[str, str], status: int, said: str
) -> None:
    at.fake.faults = [Fault(".*", _limit(headers, status, said))]
    at.forge.list()
    assert at.time.now - NOW == pytest.approx(60.5)


def test_a_long_limit_is_told_and_kept(at: FakeHarness) -> None:
    at.fake.faults = [Fault(".*", _limit({"Retry-After": "3600"}, said=SECONDARY))]
    with pytest.raises(RateLimitedError, match=r"secondary rate limit.*3600 s") as caught:
        at.forge.list()
    assert caught.value.seconds == pytest.approx(3600.5)
    assert len(at.fake.seen) == 1
    with pytest.raises(RateLimitedError):
        at.propose()
    assert len(at.fake.seen) == 1
    assert at.time.slept == []
    at.time.now += 3601
    assert at.propose().number == 1


def test_waiting_ends(at: FakeHarness) -> None:
    at.fake.faults = [Fault(".*", _limit({"Retry-After": "30"}), times=99)]
    with pytest.raises(RateLimitedError):
        at.forge.list()
    assert len(at.fake.seen) == 4


def test_a_forbidden_call_is_not_a_limit(at: FakeHarness) -> None:
    at.fake.faults = [Fault(".*", _limit({"X-RateLimit-Remaining": "4999"}, 403, "no"))]
    with pytest.raises(UsageError, match="403") as caught:
        at.forge.list()
    assert not isinstance(caught.value, RateLimitedError)
    assert len(at.fake.seen) == 1


def test_a_server_under_maintenance_is_asked_again_when_it_says(at: FakeHarness) -> None:
    at.fake.faults = [Fault(".*", _limit({"Retry-After": "7"}, 503))]
    at.forge.list()
    assert at.time.slept == [7.0]


def test_what_is_left_is_known(at: FakeHarness) -> None:
    assert at.forge.usage.remaining is None
    at.fake.limit = 17
    at.forge.list()
    assert at.forge.usage.remaining == 17
    assert (at.forge.usage.calls, at.forge.usage.writes) == (len(at.fake.seen), 0)


def test_our_own_budget_stops_before_the_server_does(tmp_path: Path) -> None:
    with faked("github", tmp_path) as at:
        head = at.propose().head

        def say(number: int) -> None:
            path, body = f"/repos/team/models/statuses/{head}", {"state": "pending"}
            at.forge._http.call("POST", path, body={**body, "context": str(number)})

        for number in range(449):
            say(number)
        with pytest.raises(RateLimitedError, match="our own budget"):
            say(449)
        assert len(at.fake.writes()) == 450
        # 70 a minute, so there were waits, but no long one.
        assert 360 <= at.time.now - NOW < 3600
        assert max(at.time.slept) <= 60
        assert at.forge.list()


def test_a_window_forgets() -> None:
    window = Window(2, 60)
    budget = Budget(calls=(window,), writes=(Window(1, 10),))
    budget.spend(0, write=True)
    assert budget.wait(1, write=True) == 9
    assert budget.wait(1, write=False) == 0
    budget.spend(1, write=False)
    assert budget.wait(2, write=False) == 58
    assert budget.wait(60, write=False) == 0
    assert Budget().wait(0, write=True) == 0


def test_the_pauses_grow_are_bounded_and_differ() -> None:
    least, most = Timing(random=lambda: 0.0), Timing(random=lambda: 1.0)
    assert [least.backoff(n) for n in range(8)] == [0.5, 1, 2, 4, 8, 15, 15, 15]
    assert [most.backoff(n) for n in range(8)] == [1, 2, 4, 8, 16, 30, 30, 30]


@pytest.mark.parametrize("text", ["-5", "1e9", "٣", "9" * 400, "nan", "Mon, 99 Foo", "\0"])
def test_nonsense_in_headers_is_a_bounded_wait(text: str) -> None:
    asked = read_pause(429, {"retry-after": text}, "", NOW)
    assert asked is not None
    assert 0 <= asked.seconds <= 24 * 3600
    asked = read_pause(403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": text}, "", NOW)
    assert asked is not None
    assert 0 <= asked.seconds <= 24 * 3600
    assert read_remaining({"x-ratelimit-remaining": text}) is None
