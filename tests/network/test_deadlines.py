"""Servers that drip, and answers that are bombs: every conversation ends, and its kind is told."""

import gzip
import itertools
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from sluice.core.finding import UsageError
from sluice.network import deadlines
from support.loop import Loop
from support.slow_servers import (
    HEAD,
    OF_GIT,
    REMOTES,
    Server,
    ask_cluster,
    ask_forge,
    ask_git,
    ask_git_with_token,
    ask_mlflow,
    ask_prometheus,
    head,
    running,
    short,
)

__all__ = ["short"]  # a fixture

pytestmark = pytest.mark.server
MOST_PIECES = 3_000
LONG = 10  # seconds that nobody should sleep
STEP = 0.05  # seconds between two bytes
LONGEST = 400  # so many of them, if nobody breaks off


def drip(server: Server, peer: socket.socket, before: bytes, each: bytes) -> None:
    """Send a byte now and then, as long as anybody listens."""
    peer.sendall(before)
    for _ in range(LONGEST):
        if server.ended.wait(STEP):
            return
        peer.sendall(each)


def in_headers(server: Server, peer: socket.socket) -> None:
    drip(server, peer, b"HTTP/1.1 200 OK\r\nX-Long: ", b"a")


def in_body(server: Server, peer: socket.socket) -> None:
    headers, begin = head(server)
    drip(server, peer, headers + b"Content-Length: 100000\r\n\r\n" + begin, b" ")


def in_chunks(server: Server, peer: socket.socket) -> None:
    headers, begin = head(server)
    before = headers + b"Transfer-Encoding: chunked\r\n\r\n4\r\n" + begin + b"\r\n"
    drip(server, peer, before, b"1\r\n \r\n")


def in_silence(server: Server, peer: socket.socket) -> None:
    drip(server, peer, b"", b"")


@pytest.mark.parametrize("answer", [in_headers, in_body, in_chunks])
@pytest.mark.parametrize("ask", REMOTES)
def test_a_server_that_drips_is_left(
    tmp_path: Path,
    short: None,
    ask: Callable[[Server, Path], None],
    answer: Callable[[Server, socket.socket], None],
) -> None:
    del short
    finished = threading.Event()

    def watched(server: Server, peer: socket.socket) -> None:
        answer(server, peer)
        finished.set()

    with running(watched) as server:
        with pytest.raises(UsageError, match=r"in time|end of its answer"):
            ask(server, tmp_path)
        assert not finished.is_set()  # it was broken off, not waited for


def test_connections_that_others_made_to_us_are_not_cut() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        ours = socket.create_connection(listening.getsockname())
        theirs, _ = listening.accept()
        with ours, theirs:
            before = len(list(Path("/dev/fd").iterdir()))
            deadlines.cut_connections()
            assert len(list(Path("/dev/fd").iterdir())) == before
            assert ours.recv(1) == b""
            listening.settimeout(5)
            again = socket.create_connection(listening.getsockname())
            answered, _ = listening.accept()
            with again, answered:
                answered.sendall(b"x")
                assert again.recv(1) == b"x"


def bomb(encoding: str) -> bytes:
    plain = b"[" + b" " * (8 << 20) + b"]"
    deflated = zlib.compress(plain)
    return {
        "gzip": gzip.compress(plain),
        "gzip, gzip": gzip.compress(gzip.compress(plain)),
        "deflate": deflated,
        "br": b"\x0b\x02\x80hello\x03",
        "zstd": b"(\xb5/\xfd\x04\x00A\x00\x00hello",
        "X-GZIP": gzip.compress(plain),
    }[encoding]


@pytest.mark.parametrize("encoding", ["gzip", "gzip, gzip", "deflate", "br", "zstd", "X-GZIP"])
@pytest.mark.parametrize("ask", [ask_forge, ask_prometheus, ask_mlflow, ask_git_with_token])
def test_nothing_is_inflated(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ask: Callable[[Server, Path], None],
    encoding: str,
) -> None:
    inflated: list[int] = []

    def send(_server: Server, peer: socket.socket) -> None:
        body = bomb(encoding)
        size = f"Content-Encoding: {encoding}\r\nContent-Length: {len(body)}\r\n"
        peer.sendall(HEAD + size.encode() + b"Connection: close\r\n\r\n" + body)

    whole = zlib.decompressobj

    def counted(bits: int = zlib.MAX_WBITS) -> object:
        inflated.append(bits)
        return whole(bits)

    monkeypatch.setattr(zlib, "decompressobj", counted)
    with running(send) as server:
        with pytest.raises(UsageError):
            ask(server, tmp_path)
        head = server.asked[0].lower()
    assert b"accept-encoding: identity" in head
    assert not inflated


@pytest.mark.slow
@pytest.mark.parametrize("answer", [in_headers, in_silence])
def test_a_signal_ends_a_daemon_whose_registry_drips(
    tmp_path: Path, answer: Callable[[Server, socket.socket], None]
) -> None:
    loop = Loop(tmp_path)
    with running(answer) as server:
        command = ["reconcile", "--registry", f"http://{server.address}"]
        process = subprocess.Popen(
            [sys.executable, "-c", _EARLY, *command, "--repository", str(loop.bare)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "NO_PROXY": "*"},
        )
        try:
            assert server.first.wait(60)
            process.send_signal(signal.SIGTERM)
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 0, err
    assert "Traceback" not in err


_EARLY = """
import sys
from sluice.reconciler.daemon import loop
loop._PATIENT, loop._LAST = 0.2, 5.0
from sluice.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_what_nothing_interrupts_ends_with_the_process(tmp_path: Path) -> None:
    code = (
        "import signal, threading, time, os\n"
        "from sluice.reconciler.daemon import loop\n"
        "loop._PATIENT, loop._LAST = 0.1, 0.3\n"
        "with loop._stop_on_signals(lambda: None):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    while True: time.sleep(1)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, timeout=60, check=False, capture_output=True
    )
    assert (done.returncode, done.stderr) == (0, b"")


def endless(server: Server, peer: socket.socket) -> None:
    headers, begin = head(server)
    peer.sendall(headers + b"Connection: close\r\n\r\n" + begin)
    while not server.ended.is_set():
        peer.sendall(b" " * 65536)


@pytest.mark.parametrize("ask", [ask_forge, ask_prometheus, ask_mlflow, ask_cluster])
def test_an_answer_without_an_end_is_not_read_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ask: Callable[[Server, Path], None]
) -> None:
    for limit in (
        "forges.wire._LARGEST",
        "metrics.prometheus.SIZE_LIMIT",
        "network.transport.LARGEST_ANSWER",
    ):
        monkeypatch.setattr(f"sluice.{limit}", 1 << 20)
    with (
        running(endless) as server,
        pytest.raises(UsageError, match=r"end of its answer|more than|MiB"),
    ):
        ask(server, tmp_path)


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(content), content)


BRANCHES = chunk(b"".join(b"003f%040x refs/heads/%06x\n" % (n, n) for n in range(1, 10_000)))
FLOODS = {
    "a header": (b"HTTP/1.1 200 OK\r\nX-Long: ", b"a" * len(BRANCHES)),
    "branches": (
        OF_GIT
        + b"Transfer-Encoding: chunked\r\n\r\n"
        + chunk(b"001e# service=git-upload-pack\n0000003e%040x refs/heads/0\0ofs\n" % 1),
        BRANCHES,
    ),
}


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system tells no memory")
@pytest.mark.parametrize("ask", [ask_git, ask_git_with_token])
@pytest.mark.parametrize("what", FLOODS)
def test_what_has_no_bounds_of_its_own_does_not_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ask: Callable[[Server, Path], None], what: str
) -> None:
    monkeypatch.setattr(deadlines, "MOST_MEMORY", 32 << 20)
    monkeypatch.setattr("sluice.git.advertisement._LARGEST", 1 << 20)
    begin, piece = FLOODS[what]

    def flood(server: Server, peer: socket.socket) -> None:
        peer.sendall(begin)
        for _ in range(MOST_PIECES):
            peer.sendall(piece)
        server.ended.wait()

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with (
        running(flood) as server,
        pytest.raises(UsageError, match="its answer has no end within 512 MiB"),
    ):
        ask(server, tmp_path)
    taken = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert taken < MOST_PIECES * len(piece) >> 11  # KiB: half of what would have come


def test_pages_without_an_end_are_not_read_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = itertools.count()

    def one_more(_server: Server, peer: socket.socket) -> None:
        models = '{"name": "m"},' * 100 + '{"name": "m"}'
        body = f'{{"registered_models": [{models}], "next_page_token": "{next(count)}"}}'.encode()
        peer.sendall(HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    monkeypatch.setattr("sluice.network.transport.LARGEST_CONVERSATION", 10_000)
    with running(one_more) as server, pytest.raises(UsageError, match="MiB"):
        ask_mlflow(server, tmp_path)
    assert next(count) < 20


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("ask", [ask_forge, ask_prometheus, ask_mlflow, ask_cluster])
def test_nobody_sleeps_as_long_as_a_server_wants(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ask: Callable[[Server, Path], None],
    status: int,
) -> None:
    slept: list[float] = []

    def later(_server: Server, peer: socket.socket) -> None:
        wanted = b"Retry-After: 7200\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
        peer.sendall(b"HTTP/1.1 %d Later\r\n" % status + wanted)

    rest = time.sleep
    monkeypatch.setattr(time, "sleep", lambda s: rest(s) if s < LONG else slept.append(s))
    with running(later) as server, pytest.raises(UsageError):
        ask(server, tmp_path)
    assert not slept
