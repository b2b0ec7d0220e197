"""Start a real registry server on loopback, for the demo and for tests; standard library only."""

import contextlib
import http.client
import importlib.util
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from sluice.core.finding import UsageError

LOG_NAME = "server.log"
# What the server needs beyond its client, which is there in any case.
_PROGRAM = ("mlflow", "flask", "sqlalchemy")
_ATTEMPTS = 3
_START_DEADLINE_SECONDS = 120.0
_POLL_SECONDS = 0.1
_STOP_SECONDS = 5.0
_HOST = "127.0.0.1"
_MARK_HEADER = "x-started-as"
# A proxy configured for the machine must not see requests to this machine.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@contextlib.contextmanager
def serve_registry(
    directory: Path, on_ready: Callable[[str], object] | None = None
) -> Iterator[str]:
    """Serve a registry kept under `directory` and give its URL; end it and its children after.

    A second start on the same directory finds what the first one stored. `on_ready` is called
    with the URL once the server answers. The server's output goes to `server.log` there.

    Raises:
        UsageError: the server program is not installed, or does not come up.
    """
    if not all(map(importlib.util.find_spec, _PROGRAM)):
        raise UsageError("the registry server is not installed: pip install 'sluice-gitops[demo]'")
    directory = directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    with _end_on_sigterm():
        process, url = _start(directory)
        try:
            if on_ready:
                on_ready(url)
            yield url
        finally:
            _end(process)


@contextlib.contextmanager
def _end_on_sigterm() -> Iterator[None]:
    """Let SIGTERM unwind this process: its default ends us and leaves the server running."""
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _start(directory: Path) -> tuple[subprocess.Popen[bytes], str]:
    for _ in range(_ATTEMPTS):
        port, mark = _choose_port(), secrets.token_hex()
        process = _spawn(_make_command(directory, port, mark), directory)
        url = f"http://{_HOST}:{port}"
        try:
            ready = _wait(process, url, mark)
        except BaseException:
            _end(process)
            raise
        if ready:
            return process, url
        # Most likely another program took the port in between: choose again.
        _end(process)
    raise UsageError(f"the registry server does not start: {_read_last_line(directory / LOG_NAME)}")


def _make_command(directory: Path, port: int, mark: str) -> list[str]:
    return [
        *(sys.executable, "-m", "mlflow", "server", "--host", _HOST, "--port", str(port)),
        *("--backend-store-uri", f"sqlite:///{directory / 'registry.db'}"),
        *("--artifacts-destination", str(directory / "artifacts")),
        *("--workers", "1", "--uvicorn-opts", f"--header {_MARK_HEADER}:{mark}"),
    ]


def _spawn(command: list[str], directory: Path) -> subprocess.Popen[bytes]:
    with (directory / LOG_NAME).open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - our own interpreter and arguments, no shell
            command,
            cwd=directory,
            env=_make_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _make_environment() -> dict[str, str]:
    """Return this process's environment without settings that were meant for another server."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    return kept | {
        "DO_NOT_TRACK": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }


def _choose_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _wait(process: subprocess.Popen[bytes], url: str, mark: str) -> bool:
    """Whether this process came to answer at the URL; False when it ended instead."""
    deadline = time.monotonic() + _START_DEADLINE_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            return False
        if _is_healthy(url, mark):
            return True
        time.sleep(_POLL_SECONDS)
    raise UsageError(f"the registry server is not up after {_START_DEADLINE_SECONDS:.0f} s")


def _is_healthy(url: str, mark: str) -> bool:
    """Whether our server answers: another program on this port does not know the mark."""
    try:
        with _OPENER.open(f"{url}/health", timeout=2) as answer:
            return bool(answer.headers.get(_MARK_HEADER) == mark)
    except (OSError, http.client.HTTPException):
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the whole process group: politely, then surely."""
    _signal_group(process, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_STOP_SECONDS)
    # Also when the leader is gone: its workers may have outlived it.
    _signal_group(process, signal.SIGKILL)
    process.wait()


def _signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _read_last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    for line in reversed(lines):
        if line.strip():
            return line.strip()
    return "it wrote no log"
