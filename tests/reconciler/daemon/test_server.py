"""The daemon's small server: no silent, slow or odd client keeps others from asking for health."""

import contextlib
import hmac
import socket
import threading
from collections.abc import Iterator, Mapping
from hashlib import sha256

import pytest

from sluice.reconciler.daemon import connections
from sluice.reconciler.daemon.server import Listener, Verifier, serve
from sluice.reconciler.daemon.telemetry import Telemetry
from sluice.reconciler.daemon.webhooks import FORGE_SECRET, read_verifiers

pytestmark = pytest.mark.server
SECRET = "canary-listener-secret"  # noqa: S105  # of a test
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


class Served:
    """A listener that is served, and who was woken."""

    def __init__(self, port: int, telemetry: Telemetry, woken: list[str]) -> None:
        self.port, self.telemetry, self.woken = port, telemetry, woken

    def connected(self) -> socket.socket:
        peer = socket.create_connection(("127.0.0.1", self.port))
        peer.settimeout(30)
        return peer

    def said(self, *parts: bytes) -> bytes:
        """All that is answered until the server ends the connection."""
        with self.connected() as peer:
            for part in parts:
                peer.sendall(part)
            return to_end(peer)

    def is_healthy(self) -> bool:
        return self.said(HEALTH.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")).startswith(
            b"HTTP/1.1 200"
        )

    def delivered(self, result: str) -> float:
        labels = {"source": "forge", "result": result}
        return self.telemetry.registry.get_sample_value("sluice_deliveries_total", labels) or 0


def to_end(peer: socket.socket) -> bytes:
    found = b""
    with contextlib.suppress(ConnectionError):
        while part := peer.recv(65536):
            found += part
    return found


@contextlib.contextmanager
def served(known: Mapping[str, Verifier] | None = None) -> Iterator[Served]:
    telemetry, woken = Telemetry(), list[str]()
    known = known or read_verifiers("github", {FORGE_SECRET: SECRET}, lambda: 0.0)
    listener = Listener(telemetry, lambda: True, str, woken.append, known)
    with serve(listener, "127.0.0.1:0") as port:
        yield Served(port, telemetry, woken)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """No patience."""
    monkeypatch.setattr(connections, "HEADER_SECONDS", 0.3)
    monkeypatch.setattr(connections, "ANSWER_SECONDS", 0.6)


@pytest.mark.parametrize(
    "begin", [b"", b"POST /webhooks/forge HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab"]
)
def test_silent_and_slow_connections_keep_nobody_out(begin: bytes) -> None:
    with served() as server, contextlib.ExitStack() as open_:
        for _ in range(connections.MOST_CONNECTIONS + 50):
            open_.enter_context(server.connected()).sendall(begin)
        assert server.is_healthy()


@pytest.mark.parametrize(
    "begin",
    [
        b"",
        b"GET /heal",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: ",
        HEALTH,
        HEALTH + b"GET /metrics HTTP/1.1\r\nX-A: ",
        b"POST /webhooks/forge HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc",
        b"POST /webhooks/forge HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc",
        b"POST /webhooks/other HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\nabc",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n",
    ],
)
def test_who_does_not_come_to_the_point_is_left(hasty: None, begin: bytes) -> None:
    del hasty
    ended = threading.Event()
    with served() as server, server.connected() as peer:
        peer.sendall(begin)

        def drip() -> None:
            with contextlib.suppress(OSError):
                while not ended.wait(0.05):
                    peer.sendall(b"a")

        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            to_end(peer)  # it has an end
        finally:
            ended.set()
            dripping.join()
        assert server.is_healthy()
        assert not server.woken


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (b"GET /healthz HTTP/1.0\r\n\r\n", b"200"),
        (b"HEAD /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"200"),
        (b"GET /%68ealthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"200"),
        (b"GET /healthz%00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"404"),
        (b"GET /../healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"404"),
        (b"POST /webhooks/%66orge%2Fx HTTP/1.0\r\nContent-Length: 0\r\n\r\n", b"404"),
        (b"POST /webhooks/forge HTTP/1.0\r\nContent-Length: 0\r\n\r\n", b"401"),
        (b"GET /healthz HTTP/1.1\r\nX-Big: " + b"a" * 20_000 + b"\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 3_000 + b"\r\n", b"400"),
        (b"POST /webhooks/forge HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"400"),
        (
            b"POST /webhooks/forge HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            b"400",
        ),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"400"),
    ],
)
def test_odd_requests_have_plain_answers(hasty: None, asked: bytes, status: bytes) -> None:
    del hasty
    with served() as server:
        answer = server.said(asked)
        assert answer.startswith(b"HTTP/1.1 " + status)
        assert b"Traceback" not in answer
        assert server.is_healthy()


def test_requests_that_come_together_are_all_answered() -> None:
    with served() as server:
        last = HEALTH.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        assert server.said(HEALTH * 20 + last).count(b"HTTP/1.1 200") == 21


def delivery(body: bytes, name: str) -> bytes:
    signature = hmac.new(SECRET.encode(), body, sha256).hexdigest()
    return (
        f"POST /webhooks/forge HTTP/1.1\r\nHost: x\r\nX-GitHub-Delivery: {name}\r\n"
        f"X-Hub-Signature-256: sha256={signature}\r\nContent-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    ).encode() + body


def test_a_delivery_that_is_played_again_under_another_id_wakes_nobody() -> None:
    with served() as server:
        for name in ("one", "two", "three"):
            assert server.said(delivery(b'{"a": 1}', name)).startswith(b"HTTP/1.1 202")
        assert server.woken == ["forge"]
        assert (server.delivered("accepted"), server.delivered("replayed")) == (1, 2)
        server.said(delivery(b'{"a": 2}', "one"))
        assert server.woken == ["forge", "forge"]


def test_a_delivery_that_nobody_foresaw_is_refused_and_the_next_one_heard() -> None:
    def verify(_headers: Mapping[str, str], body: bytes) -> object:
        raise RecursionError(body)

    with served({"forge": verify}) as server:  # type: ignore[dict-item]
        answer = server.said(delivery(b"{}", "one"))
        assert answer.startswith(b"HTTP/1.1 400")
        assert b"cannot be read" in answer
        assert server.is_healthy()
