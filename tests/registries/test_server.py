"""Starting and ending a server, with a small stand-in for the real one."""

import contextlib
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice.core.finding import UsageError
from sluice.registries import server
from sluice.registries.server import serve_registry
from support.registry_answers import TEXT, answering

# Answers like the real server, with a child that does not mind SIGTERM.
_STAND_IN = """
import http.server, os, signal, sys, time
port, mark, pids = int(sys.argv[1]), sys.argv[2], sys.argv[3]
child = os.fork()
if child == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)
    os._exit(0)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("x-started-as", mark)
        self.end_headers()
serving = http.server.HTTPServer(("127.0.0.1", port), Handler)
with open(pids, "w") as file:
    file.write(f"{os.getpid()} {child}")
serving.serve_forever()
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Replace the server's command; give the file with the process ids of who listens."""
    pids = tmp_path / "pids"

    def command(directory: Path, port: int, mark: str) -> list[str]:
        return [sys.executable, "-c", _STAND_IN, str(port), mark, str(pids)]

    monkeypatch.setattr(server, "_make_command", command)
    yield pids
    for pid in pids.read_text().split() if pids.exists() else ():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)


def ends(pidfd: int) -> bool:
    """Whether the process ended, at the latest in a while."""
    return bool(select.select([pidfd], [], [], 20)[0])


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs process descriptors")
def test_the_whole_group_ends_also_when_the_body_fails(stand_in: Path, tmp_path: Path) -> None:
    fds: list[int] = []

    def body() -> None:
        with serve_registry(tmp_path / "new" / "directory"):
            fds.extend(os.pidfd_open(int(pid)) for pid in stand_in.read_text().split())
            raise LookupError

    with pytest.raises(LookupError):
        body()
    assert [ends(fd) for fd in fds] == [True, True]
    for fd in fds:
        os.close(fd)


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs process descriptors")
def test_the_group_ends_also_when_we_are_terminated(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    code = f"""
import sys, pathlib
from sluice.registries import server
server._make_command = lambda _, port, mark: [
    sys.executable, "-c", {_STAND_IN!r}, str(port), mark, {str(pids)!r}]
with server.serve_registry(pathlib.Path({str(tmp_path)!r})):
    print("ready", flush=True)
    sys.stdin.read()
"""
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        fds = [os.pidfd_open(int(pid)) for pid in pids.read_text().split()]
        process.terminate()
        assert process.wait() == 128 + signal.SIGTERM
    assert [ends(fd) for fd in fds] == [True, True]
    for fd in fds:
        os.close(fd)


def test_on_ready_is_told_the_address(stand_in: Path, tmp_path: Path) -> None:
    told: list[str] = []
    with serve_registry(tmp_path, on_ready=told.append) as url:
        assert told == [url]
    assert url.startswith("http://127.0.0.1:")


def test_a_port_that_another_program_took_is_not_mistaken_for_ours(
    stand_in: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering(lambda _: (200, TEXT, "OK")) as other:
        free = server._choose_port
        ports = iter([int(other.rpartition(":")[2]), free()])
        monkeypatch.setattr(server, "_choose_port", lambda: next(ports))
        with serve_registry(tmp_path) as url:
            assert other not in url
    assert "Address already in use" in (tmp_path / "server.log").read_text()


def test_a_server_that_cannot_start_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [sys.executable, "-c", "raise SystemExit('the disk is full')"]
    monkeypatch.setattr(server, "_make_command", lambda *_: command)
    with (
        pytest.raises(UsageError, match=r"^the registry server does not start: the disk is full$"),
        serve_registry(tmp_path),
    ):
        pytest.fail("it does not run")


def test_a_server_that_never_comes_up_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids = tmp_path / "pids"
    code = f"import os, time; open({str(pids)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    monkeypatch.setattr(server, "_make_command", lambda *_: [sys.executable, "-c", code])
    monkeypatch.setattr(server, "_START_DEADLINE_SECONDS", 1.0)
    with pytest.raises(UsageError, match="not up after 1 s"), serve_registry(tmp_path):
        pytest.fail("it does not answer")
    with pytest.raises(ProcessLookupError):
        os.kill(int(pids.read_text()), 0)


def test_without_the_program_there_is_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_PROGRAM", ("json", "no_such_package_anywhere"))
    with pytest.raises(UsageError, match="pip install"), serve_registry(tmp_path):
        pytest.fail("it is not installed")


def test_settings_for_another_server_are_not_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://production.example.com")
    monkeypatch.setenv("PATH", "/bin")
    environment = server._make_environment()
    assert "MLFLOW_TRACKING_URI" not in environment
    assert environment["PATH"] == "/bin"
    assert environment["MLFLOW_DISABLE_TELEMETRY"] == "true"
