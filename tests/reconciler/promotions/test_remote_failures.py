"""Remotes that fail: one line each that says what and what to do, no secret, and on it goes."""

import logging
import resource
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice import cli, git
from sluice.core.finding import UsageError
from sluice.forges.limits import RateLimitedError
from sluice.network import deadlines
from sluice.reconciler.daemon.cycle_log import Diary
from sluice.reconciler.daemon.loop import Daemon
from sluice.reconciler.promotions.cycle import cycle
from support.forge_fake import TOKEN, Fault, Reply
from support.loop import KEY
from support.remote_loop import RemoteLoop, remote_loop
from support.repository_acts import second_release

pytestmark = pytest.mark.server
PAGE = f"<html><body>Sign in {TOKEN}</body></html>"


@pytest.fixture(autouse=True)
def no_token_of_git(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLUICE_GIT_TOKEN", raising=False)


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[RemoteLoop]:
    with remote_loop(tmp_path, "github") as loop:
        loop.register(1)
        loop.register(2)
        yield loop


def _harmless(text: str) -> bool:
    return "\n" not in text and TOKEN not in text and len(text) < 600


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 422, 500, 503])
@pytest.mark.parametrize("html", [True, False])
def test_a_creation_that_is_refused_is_one_line_and_the_next_cycle_goes_on(
    loop: RemoteLoop,
    status: int,
    html: bool,  # noqa: FBT001  # a parameter of the test
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    reply = Reply(status, text=PAGE) if html else Reply(status, {"message": f"no {TOKEN}"})
    loop.fake.faults = [Fault("POST .*/pulls$", reply, times=9)]
    (said,) = loop.chat().reasons
    assert loop.fake.faults[0].times < 9
    assert _harmless(said)
    assert str(status) in said
    loop.fake.faults = []
    assert loop.chat().what == "proposed"
    assert TOKEN not in caplog.text
    for tip in loop.refs().values():
        assert TOKEN not in git.commit_of(loop.repository, tip).message


def test_a_limit_ends_the_cycle_and_says_for_how_long(loop: RemoteLoop) -> None:
    reply = Reply(429, {"message": "slow down"}, headers={"Retry-After": "900"})
    loop.fake.faults = [Fault("POST .*/pulls$", reply, times=9)]
    with pytest.raises(RateLimitedError) as raised:
        loop.chat()
    assert 900 <= raised.value.seconds <= 901
    assert _harmless(str(raised.value))
    loop.fake.faults = []
    assert loop.chat().what == "proposed"


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_a_forge_that_cannot_be_read_is_one_line(loop: RemoteLoop, status: int) -> None:
    loop.fake.faults = [Fault("GET .*/pulls", Reply(status, text=PAGE), times=9)]
    with pytest.raises(UsageError) as raised:
        loop.chat()
    assert _harmless(str(raised.value))
    loop.fake.faults = []
    assert loop.chat().what == "proposed"


def test_git_credentials_that_are_refused_are_sent_once_a_cycle(loop: RemoteLoop) -> None:
    for name in ("assistant", "writer", "coder"):
        second_release(loop, name)
    loop.chat()
    loop.register(3)
    world = loop.world()

    def replace_the_token() -> None:
        loop.server.token, loop.server.refused = "another", 0

    loop.fake.before["GET .*/pulls$"] = replace_the_token
    with pytest.raises(git.CredentialsRefusedError, match="renew them") as raised:
        list(cycle(world))
    assert _harmless(str(raised.value))
    assert loop.server.refused == 1


def test_what_all_releases_fail_by_ends_the_cycle(loop: RemoteLoop) -> None:
    for name in ("assistant", "writer", "coder", "poet"):
        second_release(loop, name)
    reply = Reply(403, {"message": "Resource not accessible"})
    loop.fake.faults = [Fault("POST .*/pulls$", reply, times=99)]
    with pytest.raises(UsageError, match="403"):
        loop.cycle()
    assert len(loop.fake.calls("POST .*/pulls$")) == 3
    loop.fake.faults = []
    assert {o.what for k, o in loop.cycle().items() if k.startswith("production")} == {"proposed"}


def test_the_command_says_it_and_exits_with_its_code(
    loop: RemoteLoop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SLUICE_FORGE_TOKEN", TOKEN)
    forge = f"github:team/models@{loop.fake.place}"
    where = ["--repository", loop.server.url("models.git"), "--forge", forge]
    registry = ["--registry", f"file:{loop.folder / 'registry.json'}"]
    command = ["reconcile", "--once", *where, *registry, "--state", str(loop.folder / "cli")]
    assert cli.main(command) == 0
    assert f"{KEY}: proposed version 2 (#1)" in capsys.readouterr().out
    loop.fake.token = "other"  # noqa: S105 - of a test
    assert cli.main(command) == 2
    said = capsys.readouterr().err
    assert "401" in said
    assert TOKEN not in said


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system tells no memory")
def test_a_server_that_fills_the_memory_is_left_and_the_daemon_goes_on(
    loop: RemoteLoop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(deadlines, "MOST_MEMORY", 32 << 20)
    daemon = Daemon(loop.world(), Diary("text"), 1, threading.Event())
    loop.server.flood = 2 << 30
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    daemon.once()
    taken = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert taken < (1 << 20)  # KiB: half of what was sent
    assert "its answer has no end within" in capsys.readouterr().err
    assert daemon.trouble == "unreachable"
    loop.server.flood = 0
    daemon.patience.forgive()
    daemon.once()
    assert not daemon.trouble
    assert f"{KEY}: proposed version 2" in capsys.readouterr().out
