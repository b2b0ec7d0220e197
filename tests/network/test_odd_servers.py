"""Servers that do not keep to HTTP, or say what nobody asked for: one line, soon, little memory.

Of the many combinations a part runs each time, all of them in the slow run.
"""

import random
import resource
import socket
import struct
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest

from sluice.core.finding import UsageError
from support.slow_servers import HEAD, REMOTES, Server, head, running, short

__all__ = ["short"]  # a fixture
# A client may leave a socket to the collector when an answer is none.
pytestmark = [
    pytest.mark.server,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
Answer = Callable[[Server, socket.socket], None]
MOST_MEMORY = 200 << 10  # KiB: what an answer may have, three times


def raw(content: bytes) -> Answer:
    """Say this, whoever asks."""
    return lambda _, peer: peer.sendall(content)


def framed(more: bytes, body: bytes = b"") -> Answer:
    """Headers as they should be, these ones, and a body that begins as it should."""

    def answer(server: Server, peer: socket.socket) -> None:
        headers, begin = head(server)
        peer.sendall(headers + more + b"\r\n\r\n" + begin + body)

    return answer


def whole(body: bytes, status: bytes = b"200 OK", more: bytes = b"") -> Answer:
    length = b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body)
    kind = b"Content-Type: application/json\r\n"
    return raw(b"HTTP/1.1 " + status + b"\r\n" + kind + more + length + body)


def endless(before: bytes, each: bytes) -> Answer:
    """Say the one thing, then the other one until nobody listens any more."""

    def answer(server: Server, peer: socket.socket) -> None:
        peer.sendall(before)
        piece = each * (65536 // len(each) + 1)
        while not server.ended.is_set():
            peer.sendall(piece)

    return answer


def reset(_server: Server, peer: socket.socket) -> None:
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def to_itself(server: Server, peer: socket.socket) -> None:
    location = f"Location: http://{server.address}/again\r\n"
    whole(b"", b"307 Elsewhere", location.encode())(server, peer)


CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
ANSWERS: dict[str, Answer] = {
    "half a header": raw(b"HTTP/1.1 200 OK\r\nContent-Ty"),
    "less than its length": framed(b"Content-Length: 1000"),
    "more than its length": framed(b"Content-Length: 2\r\nConnection: close", b"x" * 1000),
    "a negative length": framed(b"Content-Length: -5"),
    "two lengths": framed(b"Content-Length: 2\r\nContent-Length: 7"),
    "a long length": framed(b"Content-Length: " + b"9" * 300),
    "continue": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "early hints": endless(b"", b"HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n"),
    "no content, and content": raw(b"HTTP/1.1 204 N\r\nContent-Length: 5\r\n\r\nhello"),
    "not modified": raw(b"HTTP/1.1 304 Not Modified\r\n\r\n"),
    "endless trailers": endless(HEAD + CHUNKED + b"2\r\n{}\r\n0\r\n", b"X-T: y\r\n"),
    "an endless body": endless(HEAD + b"Connection: close\r\n\r\n", b" "),
    "endless chunks": endless(HEAD + CHUNKED, b"400\r\n" + b" " * 1024 + b"\r\n"),
    "an endless size of a chunk": endless(HEAD + CHUNKED, b"0"),
    "an endless extension of a chunk": endless(HEAD + CHUNKED + b"2;", b"a"),
    "headers without end": endless(b"HTTP/1.1 200 OK\r\n", b"X: a\r\n"),
    "a large cookie": whole(b"{}", more=b"Set-Cookie: a=" + b"b" * (1 << 20) + b"\r\n"),
    "a redirect to itself": to_itself,
    "a redirect to nowhere": whole(b"", b"302 E", b"Location: http://[::1/\xff\r\n"),
    "another protocol": raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"),
    "an early protocol": raw(b"hello"),
    "TLS": raw(b"\x15\x03\x01\x00\x02\x02\x46"),
    "a long status": raw(b"HTTP/1.1 " + b"9" * 300 + b" OK\r\n\r\n"),
    "status 999": whole(b"{}", b"999 X"),
    "status 0": whole(b"{}", b"000 X"),
    "nothing": raw(b""),
    "a reset": reset,
    "binary headers": raw(b"HTTP/1.1 200 OK\r\nX\0: \0\r\n\xff\xfe: b\r\n\r\n{}"),
    "a strange charset": raw(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=idna\r\n"
        b"Content-Length: 4\r\n\r\n\xff\xfe{}"
    ),
    "an empty body": whole(b""),
    "null": whole(b"null"),
    "a number": whole(b"1"),
    "lists": whole(b"[[]]"),
    "a thing of nulls": whole(b"[null, 5]"),
    "nested": whole(b"[" * 100_000),
    "nested mappings": whole(b'{"a":' * 100_000),
    "a long number": whole(b"9" * 5000),
    "infinity": whole(b'[{"number": 1e999}]'),
    "wrong types": whole(b'[{"number": {"a": 1}, "head": [], "body": {"x": 5}, "state": 7}]'),
    "no UTF-8": whole(b"\xff\xfe\xfa"),
    "half a character": whole(b'{"registered_models": [{"name": "\\ud800"}], "major": "\\ud800"}'),
    "a login page": whole(b"<html>", b"200 OK"),
    "401": whole(b"{}", b"401 U"),
    "403": whole(b"{}", b"403 F", b"X-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 1e999\r\n"),
    "400": whole(b'{"error_code": 5, "message": {"a": []}}', b"400 B"),
    "429": whole(b"{}", b"429 L", b"Retry-After: " + b"9" * 30 + b"\r\n"),
    "429 before": whole(b"{}", b"429 L", b"Retry-After: -5\r\n"),
    "503": whole(b"", b"503 L", b"Retry-After: Wed, 21 Oct 9999999999 07:28:00 GMT\r\n"),
    "500": whole(b"[" * 100_000, b"500 B"),
}
ALL = list(product(REMOTES, ANSWERS))
SAMPLE = random.Random(7).sample(ALL, 20)  # noqa: S311  # a choice


def try_answer(ask: Callable[[Server, Path], None], name: str, folder: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with running(ANSWERS[name]) as server, pytest.raises(UsageError) as caught:
        ask(server, folder)
    assert "\n" not in str(caught.value)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MOST_MEMORY


@pytest.mark.parametrize(("ask", "name"), SAMPLE)
def test_an_odd_answer_is_one_line(
    tmp_path: Path, short: None, ask: Callable[[Server, Path], None], name: str
) -> None:
    del short
    try_answer(ask, name, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("ask", "name"), ALL)
def test_each_odd_answer_is_one_line(
    tmp_path: Path, short: None, ask: Callable[[Server, Path], None], name: str
) -> None:
    del short
    try_answer(ask, name, tmp_path)
