"""Every operation of every forge against every way in which a server can fail.

Whatever happens, a caller sees one line that says what and what to do, no secret and no
traceback, and the same operation works once the server does.
"""

import functools
import itertools
import re
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from sluice.core.finding import UsageError
from sluice.forges.limits import RateLimitedError
from support.forge_fake import TOKEN, Reply
from support.forge_harness import connected, faked
from support.forge_operations import DATE, EVERY, OPERATIONS, WRITING, Bench, Failure

KINDS = ("github", "gitlab", "gitea")
ECHO = f"no\n\x1b[31m\x9b@everyone Authorization: Bearer {TOKEN} https://robot:{TOKEN}@x/?t={TOKEN}"
PAGE = f"<!doctype html><html><body>{ECHO}</body></html>"


# These differ from one forge to the next; the whole table takes long.
DIFFERENT = {"401", "403", "404", "405", "409", "422", "429-long", "500", "200-html", "time-out"}


def json(status: int, **headers: str) -> Reply:
    reply = {"message": ECHO, "errors": [{"code": "custom", "message": ECHO}]}
    return Reply(status, reply, headers={k.replace("_", "-"): v for k, v in headers.items()})


def text(status: int, body: str, **headers: str) -> Reply:
    return Reply(status, text=body, headers=headers)


FORBIDS = "needs read and write access|may not merge"
LIMITS = "limits the rate of calls"
NO_FORGE = "answers, but not as"
REDIRECTS = "redirects"
FAILURES = (
    Failure("400", json(400), r"refuses \(400\)|checks, reviews"),
    Failure("401", json(401), "renew SLUICE_FORGE_TOKEN|may not merge"),
    Failure("403", json(403), FORBIDS),
    Failure("403-html", text(403, PAGE), "a web page"),
    Failure("403-secondary", Reply(403, {"message": "a secondary rate limit"}), LIMITS, waits=True),
    Failure("403-spent", json(403, X_RateLimit_Remaining="0"), LIMITS, waits=True),
    Failure("404", json(404), "check the address|there is no "),
    Failure("404-html", text(404, PAGE), "check the address|there is no "),
    Failure("405", json(405), "rules of its branches|checks, reviews"),
    Failure("408", json(408), "the next cycle tries again"),
    Failure("409", json(409), "looks again|checks, reviews"),
    Failure("410", json(410), "check the settings"),
    Failure("412", json(412), "looks again"),
    Failure("413", json(413), "too long"),
    Failure("422", json(422), r"refuses these values|checks, reviews"),
    Failure("423", json(423), "unlock"),
    Failure("429", json(429), LIMITS, waits=True),
    Failure("429-after", json(429, Retry_After="3"), LIMITS, waits=True),
    Failure("429-long", json(429, Retry_After="7200"), "7200 s|7201 s", waits=True),
    Failure(
        "429-date",
        json(429, Retry_After=DATE),
        "7200 s|7201 s",
        waits=True,
    ),
    Failure("429-html", text(429, PAGE), LIMITS, waits=True),
    Failure("451", json(451), r"refuses \(451\)"),
    Failure("500", json(500), "status page or log"),
    Failure("500-empty", Reply(500), "status page or log"),
    Failure("502-html", text(502, PAGE), "status page or log"),
    Failure("503", json(503), "status page or log"),
    Failure("503-long", json(503, Retry_After="7200"), "7200 s|7201 s", waits=True),
    Failure("504-after", json(504, Retry_After="5"), "status page or log"),
    Failure("200-html", text(200, PAGE), NO_FORGE),
    Failure("200-cut", text(200, f'{{"number": 1, "title": "{TOKEN}'), NO_FORGE),
    Failure("200-text", text(200, ECHO), NO_FORGE),
    Failure("200-deep", text(200, "[" * 50_000), NO_FORGE),
    Failure("301-nowhere", Reply(301), REDIRECTS),
    Failure("302-elsewhere", Reply(302, headers={"Location": f"https://x.invalid/?t={TOKEN}"}), ""),
    Failure("307-nonsense", Reply(307, headers={"Location": "https://[x/"}), "cannot be read"),
    Failure("308-round", Reply(308, headers={"Location": "?"}), REDIRECTS),
    Failure("reset", httpx.ReadError, "broke off the connection"),
    Failure("half", httpx.RemoteProtocolError, "broke off the connection"),
    Failure("time-out", httpx.ReadTimeout, "does not answer in time"),
    Failure("no-route", httpx.ConnectError, "is not reachable"),
)


@pytest.fixture
def bench(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Bench]:
    with faked(str(request.param), tmp_path) as at:
        made = Bench(at)
        client = functools.partial(httpx.Client, transport=httpx.MockTransport(made.handle))
        monkeypatch.setattr("sluice.forges.wire.httpx.Client", client)
        yield made


# What may be asked for in vain without that being an error.
LENIENT = {("reviews", "404"), ("reviews", "404-html"), ("reviews", "409"), ("reviews", "422")}
LENIENT |= {("cancel", "404"), ("cancel", "404-html")}  # nothing is scheduled then
LENIENT |= {("objectors", "404"), ("objectors", "404-html")}  # a server without reviews
LENIENT |= {("unlabel", "404"), ("unlabel", "404-html")}  # it is off already
WRITES = set(OPERATIONS) - {"list", "get", "of_branch", "whoami", "objectors", "lost"}


def _said(act: Callable[[], object]) -> str | None:
    """The one line of a failure, None without one; nothing about it may hold the token."""
    try:
        act()
    except UsageError as error:
        line = str(error)
        shown = "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
        assert TOKEN not in shown
        assert "\x1b" not in line
        assert "\x9b" not in line
        assert len(line.splitlines()) == 1
        assert "<" not in line
        assert len(line) < 700
        return f"{'limited: ' * isinstance(error, RateLimitedError)}{line}"
    return None


def _cases() -> Iterator[object]:
    for kind, failure, struck in itertools.product(KINDS, FAILURES, (EVERY, WRITING)):
        brief = struck == WRITING and (kind == "github" or failure.name in DIFFERENT)
        name = f"{kind}-{failure.name}-{'all' if struck == EVERY else 'writes'}"
        marks = () if brief else (pytest.mark.slow,)
        yield pytest.param(kind, failure, struck, id=name, marks=marks)


@pytest.mark.parametrize(("bench", "failure", "struck"), list(_cases()), indirect=["bench"])
def test_every_operation_fails_with_one_line_and_works_again(
    bench: Bench, failure: Failure, struck: str
) -> None:
    at = bench.at
    at.push({"a": b"2\n"})
    at.fake.state.waiting = True
    bench.struck = struck
    for bench.number, (name, act) in enumerate(OPERATIONS.items()):
        at.push({"b": b"%d" % bench.number}, f"sluice/prod/new{bench.number}")
        at.propose()
        if name == "cancel":
            at.forge.merge_when_ready(1, at.fake.state.pulls[1].head)
        if name == "close":
            at.fake.state.pulls[1].automatic = ""
        if name == "merge":
            at.fake.state.waiting = False
        if name == "lost":
            at.fake.state.close(at.fake.state.pulls[1])
        if name == "unlabel":
            at.fake.state.pulls[1].labels.add("x")
            at.fake.state.label("x")
        at.time.now += 100_000  # no limit of before is left
        forge = connected(at.kind, at.fake, at.time)
        bench.failure, bench.sent = failure, 0
        line = _said(functools.partial(act, forge, bench))
        bench.failure = None
        strikes = struck == EVERY or name in WRITES
        if strikes and (line or (name, failure.name) not in LENIENT):
            assert line, name
            assert re.search(failure.says, line), name
            assert line.startswith("limited: ") == failure.waits, name
        assert bench.sent <= 40, name
        at.time.now += 100_000
        again = connected(at.kind, at.fake, at.time)
        assert _said(functools.partial(act, again, bench)) is None, name
        if name in ("lost", "settle", "close", "merge"):
            at.fake.state.pulls[1].state = "open"
    assert bench.elsewhere == 0
    assert TOKEN not in repr(vars(at.fake.state))
