"""Every failure is one line that says what to do, and shows no secret."""

import logging
import re
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sluice.core.finding import UsageError
from sluice.forges import open_forge, wire
from sluice.forges.answers import redact
from support.forge_fake import TOKEN, Fault, Reply
from support.forge_harness import FakeHarness, connected, faked

ALL = ".*"
LOGIN_PAGE = Reply(200, text=f"<!doctype html><html><body>Sign in {TOKEN}</body></html>")
SAID = {
    401: "credentials .*renew SLUICE_FORGE_TOKEN",
    403: "SLUICE_FORGE_TOKEN needs read and write access",
    404: "check the address",
    405: "rules of its branches",
    409: "the next cycle looks again",
    410: "check the settings",
    413: "too long",
    418: "refuses",
    422: "refuses these values",
    423: "archived or locked",
    429: "limits the rate",
    500: "status page or log",
    502: "status page or log",
    503: "status page or log",
}


@pytest.fixture(params=["github", "gitlab", "gitea"])
def at(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FakeHarness]:
    with faked(str(request.param), tmp_path) as harness:
        yield harness


def _fail(at: FakeHarness, act: Callable[[], object]) -> str:
    """Return the one line; nothing about it may hold the token."""
    with pytest.raises(UsageError) as caught:
        act()
    line = str(caught.value)
    shown = "".join(traceback.format_exception(caught.value))
    assert TOKEN not in shown + repr(caught.value) + repr(vars(caught.value))
    assert len(line.splitlines()) == 1
    assert "<" not in line
    return line


@pytest.mark.parametrize("status", SAID)
@pytest.mark.parametrize("form", ["json", "text", "html", "empty"])
def test_each_status_says_what_to_do(
    at: FakeHarness, status: int, form: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    echo = f"bad\nthing: Authorization: Bearer {TOKEN}"
    replies = {
        "json": Reply(status, {"message": echo, "errors": [{"code": "custom", "message": echo}]}),
        "text": Reply(status, text=echo),
        "html": Reply(status, text=f"<html><body>{echo}</body></html>"),
        "empty": Reply(status),
    }
    pull = at.propose()
    at.fake.faults = [Fault(ALL, replies[form], times=99)]
    acts: list[Callable[[], object]] = [
        at.forge.list,
        lambda: at.forge.ensure(branch=at.branch, base="main", title="t2", body="b"),
        lambda: at.forge.close(pull.number, "r"),
        lambda: at.forge.merge(pull.number, pull.head),
    ]
    lines = [_fail(at, act) for act in acts]
    assert re.search(SAID[status], lines[0])
    assert f"({status})" in lines[0] or status == 429
    assert ("bad thing" in lines[0]) == (form in ("json", "text"))
    assert TOKEN not in caplog.text
    assert len(at.fake.state.pulls) == 1
    assert not at.fake.state.notes


def test_the_next_cycle_continues(at: FakeHarness) -> None:
    at.fake.faults = [Fault(ALL, Reply(500), times=4)]
    _fail(at, at.forge.list)
    assert at.propose().number == 1


def test_a_login_page_is_no_forge(at: FakeHarness) -> None:
    at.fake.faults = [Fault(ALL, LOGIN_PAGE, times=99)]
    acts: list[Callable[[], object]] = [at.forge.list, lambda: at.forge.get(1), at.forge.whoami]
    for act in acts:
        assert "look for a login page or a proxy" in _fail(at, act)


@pytest.mark.parametrize("data", [{}, [], [{}], [None], {"number": "x"}, "text", 7, None])
def test_json_of_something_else_is_no_forge(at: FakeHarness, data: object) -> None:
    at.fake.faults = [Fault(ALL, Reply(200, data), times=99)]
    assert "answers, but not as" in _fail(at, lambda: at.forge.get(1))
    if data != []:
        assert "answers, but not as" in _fail(at, lambda: at.forge.list("open"))


def test_the_credentials_do_not_follow_to_another_host(at: FakeHarness, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    with faked(at.kind, tmp_path / "b") as other:
        to = {"Location": f"{other.fake.place}/api"}
        at.fake.faults = [Fault(ALL, Reply(302, headers=to), times=99)]
        assert "redirects to another host, 127.0.0.1" in _fail(at, at.forge.list)
        assert other.fake.seen == []


def test_a_moved_repository_is_followed_on_its_own_host_only_where_that_is_safe(
    at: FakeHarness,
) -> None:
    at.push({"a": b"2\n"})
    path = at.fake.dialect.prefix.replace("(?:/v3)?", "/v3")
    there = {"github": "/repos/team/models/pulls", "gitea": "/repos/team/models/pulls"}
    to = {"Location": f"{path}{there.get(at.kind, '/projects/team%2Fmodels/merge_requests')}"}
    create = "POST .*/(pulls|merge_requests)$"
    at.fake.faults = [Fault(create, Reply(301, headers=to))]
    assert "has moved to team" in _fail(at, at.propose)
    at.fake.faults = [Fault(create, Reply(307, headers=to))]
    assert at.propose().number == 1
    at.fake.faults = [Fault("GET .*/(pulls|merge_requests)$", Reply(301, headers=to))]
    assert [pull.number for pull in at.forge.list("open")] == [1]
    at.fake.faults = [Fault(ALL, Reply(301, headers=to), times=99)]
    assert "may have moved" in _fail(at, at.forge.list)


def test_a_server_that_says_nothing_or_nothing_whole(
    at: FakeHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    at.fake.faults = [Fault(ALL, None, times=99)]
    assert "broke off the connection" in _fail(at, at.forge.list)
    assert len(at.fake.seen) == 4
    at.fake.faults = []
    at.propose()
    monkeypatch.setattr(wire, "_LARGEST", 10)
    assert "does not come to an end" in _fail(at, at.forge.list)


def test_a_server_that_never_answers(at: FakeHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "_TIMEOUT", 0.05)
    impatient = connected(at.kind, at.fake, at.time)
    done = threading.Event()
    for number in range(1, 5):
        at.fake.before[f"({number})?"] = done.wait
    try:
        assert "does not answer in time" in _fail(at, impatient.list)
    finally:
        done.set()


def test_a_server_that_is_not_there(at: FakeHarness) -> None:
    at.fake.shutdown()
    at.fake.server_close()
    assert "is not reachable" in _fail(at, at.forge.list)


def test_a_host_that_is_unknown_or_has_no_certificate(at: FakeHarness) -> None:
    address = f"{at.kind}:team/models@{at.fake.place.replace('http://', '')}"
    forge = open_forge(address, {"SLUICE_FORGE_TOKEN": TOKEN}, at.time.timing)
    assert re.search("not reachable|broke off|certificate", _fail(at, forge.list))


def test_a_wrong_token_is_refused_once(at: FakeHarness) -> None:
    wrong = connected(at.kind, at.fake, at.time, {"SLUICE_FORGE_TOKEN": "ghp_wrongWRONG0123456789"})
    line = _fail(at, wrong.list)
    assert "renew SLUICE_FORGE_TOKEN" in line
    assert "wrongWRONG" not in line
    assert len(at.fake.seen) == 1


def test_no_secret_is_in_any_pull_request(at: FakeHarness) -> None:
    pull = at.propose("t", "b", "sluice/x")
    at.forge.upsert_comment(pull.number, "plan", "text")
    at.forge.close(pull.number, "no")
    assert TOKEN not in repr(vars(at.fake.state))
    assert TOKEN not in repr([(seen.path, seen.query, seen.body) for seen in at.fake.seen])


@pytest.mark.parametrize(
    "secret",
    [
        "ghp_0123456789abcdef",
        "ghs_0123456789abcdef",
        "github_pat_0123456789_abcdef",
        "glpat-0123456789.abcdef",
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIxMiJ9.c2lnbmF0dXJl",
    ],
)
def test_tokens_that_are_not_ours_are_not_shown_either(secret: str) -> None:
    for text in (f"bad {secret} here", f"token={secret}", f"https://u:{secret}@host/x?t={secret}"):
        assert secret not in redact(text)
    assert (
        redact("https://user:word@host/x?y=z is\r\n\x1b[31m down") == "https://host/x is [31m down"
    )
    assert len(redact("x " * 1000)) == 300
