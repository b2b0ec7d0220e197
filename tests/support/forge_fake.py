"""A forge on loopback: three dialects of HTTP over one state, with the faults of real ones."""

import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import httpx

from support.forge_schemas import answer_complaints, complaints
from support.forge_state import ForgeState, Problem

TOKEN = "canary-0123456789abcdef"  # noqa: S105 - seeded to be searched for


@dataclass(frozen=True)
class Seen:
    """A request as it came; the path is still encoded."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    headers: Mapping[str, str]

    @property
    def line(self) -> str:
        return f"{self.method} {self.path}"

    def number(self, name: str, default: int) -> int:
        return int(self.query.get(name, default))


@dataclass(frozen=True)
class Reply:
    """An answer; `data` is JSON, `text` anything else. Items of a list are cut into pages."""

    status: int = 200
    data: Any = None
    text: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Fault:
    """What happens instead, or after the request had its effect; no reply means silence."""

    where: str  # a regular expression for "METHOD path"
    reply: Reply | None
    times: int = 1
    after: bool = False


_ARCHIVED: Mapping[str, tuple[int, object]] = {
    "github": (403, {"message": "Repository was archived so is read-only."}),
    "gitlab": (403, {"message": "403 Forbidden - the project is archived"}),
    "gitea": (423, {"message": "team/models is archived"}),
}
_MAY_NOT = {
    "github": "Must have push access to repository",
    "gitlab": "403 Forbidden",
    "gitea": "user should have a permission to write to a repo",
}
Route = tuple[str, str, Callable[..., Reply]]


@dataclass(frozen=True)
class Dialect:
    """How one kind of forge speaks: where its API begins, its routes and its page parameter."""

    kind: str
    prefix: str
    routes: tuple[Route, ...]
    size: str
    authorization: str
    refused: Callable[[Problem], Reply]


class FakeForge(ThreadingHTTPServer):
    """Serves one repository, `team/models`, of which every path below is a real one."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, dialect: Dialect, bare: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.dialect, self.state = dialect, ForgeState(bare)
        self.state.drafts_by_title = dialect.kind != "github"
        self.token = TOKEN
        self.faults: list[Fault] = []
        self.seen: list[Seen] = []
        self.violations: list[str] = []
        self.before: dict[str, Callable[[], object]] = {}
        self.largest_page = 50 if dialect.kind == "gitea" else 100
        self.app: Callable[[Seen], Reply | None] = lambda _seen: None
        self.limit: int | None = None  # calls left, as the headers tell
        self.reset: float | None = None  # when they count anew

    @property
    def place(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def calls(self, pattern: str = "") -> list[str]:
        """Return the requests so far as "METHOD path"."""
        said = [f"{seen.method} {seen.path}" for seen in self.seen]
        return [line for line in said if re.search(pattern, line)]

    def writes(self) -> list[str]:
        return [line for line in self.calls() if not line.startswith("GET")]

    def answer(self, seen: Seen) -> Reply | None:
        line = f"{seen.method} {seen.path}"
        for pattern in [p for p in self.before if re.search(p, line)]:
            act = self.before.pop(pattern, None)
            if act:
                act()
        fault = next((f for f in self.faults if f.times and re.search(f.where, line)), None)
        if fault:
            fault.times -= 1
            if fault.after:
                self._usual(seen)
            return fault.reply
        return self._usual(seen)

    def rendered(self, seen: Seen, reply: Reply) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and content as they go over the wire."""
        status, content = reply.status, _content(reply)
        headers = {"Content-Type": "text/html" if reply.text else "application/json"}
        headers |= reply.headers
        if seen.method == "GET" and status == 200:
            headers["ETag"] = f'W/"{hashlib.sha256(content).hexdigest()}"'
            if seen.headers.get("if-none-match") == headers["ETag"]:
                status, content = 304, b""
        if self.state.scopes:
            headers["X-OAuth-Scopes"] = self.state.scopes
        if self.limit is not None:
            headers["X-RateLimit-Remaining"] = str(self.limit)
        if self.reset is not None:
            headers["X-RateLimit-Reset"] = str(int(self.reset))
        return status, headers, content

    def _usual(self, seen: Seen) -> Reply:
        kind = self.dialect.kind
        line = (kind, seen.method, seen.path)
        self.violations += complaints(*line, seen.query, seen.body)
        reply = self.app(seen) or self._authorized(seen)
        if kind == "github" and reply.status < HTTPStatus.MULTIPLE_CHOICES:
            self.violations += answer_complaints(*line, reply.status, reply.data)
        return reply

    def _authorized(self, seen: Seen) -> Reply:
        if seen.headers.get("authorization") != f"{self.dialect.authorization} {self.token}":
            return Reply(401, {"message": "Bad credentials"})
        barred = self._barred(seen)
        if barred:
            return barred
        moved = self.root_of(self.state.moved) if self.state.moved else self.root
        here = seen.path.replace(moved, self.root, 1)
        for method, pattern, act in self.dialect.routes:
            found = re.fullmatch(self.dialect.prefix + pattern, here)
            if found and method == seen.method:
                with self.state.lock:
                    return self._acted(seen, act, found.groupdict())
        return Reply(404, {"message": "404 Not Found"})

    def _barred(self, seen: Seen) -> Reply | None:
        """What stands between a token and all calls of a kind, in the words of each forge."""
        state, kind, reads = self.state, self.dialect.kind, seen.method == "GET"
        root = self.root
        if state.moved and root in seen.path:
            there = seen.path.replace(root, self.root_of(state.moved), 1)
            there += f"?{urlencode(seen.query)}" if seen.query else ""
            if kind == "gitlab" and not reads:
                said = "405 Method Not Allowed - Non GET methods are not allowed for moved projects"
                return Reply(405, {"message": said})
            # Gitea 1.26.4 says "moved permanently" to writes too.
            return Reply(
                307 if kind == "github" and not reads else 301, headers={"Location": there}
            )
        lacking = [said for call, said in state.lacking.items() if re.search(call, seen.line)]
        if lacking:
            return Reply(403, {"message": lacking[0]})
        if reads:
            return None
        if state.archived:
            return Reply(*_ARCHIVED[kind])
        return None if state.may_push else Reply(403, {"message": _MAY_NOT[kind]})

    @property
    def root(self) -> str:
        return self.root_of("team/models")

    def root_of(self, name: str) -> str:
        gitlab = self.dialect.kind == "gitlab"
        return f"/projects/{quote(name, safe='')}" if gitlab else f"/repos/{name}"

    def _acted(self, seen: Seen, act: Callable[..., Reply], names: dict[str, str]) -> Reply:
        try:
            return self._paged(seen, act(self.state, seen, **names))
        except Problem as problem:
            return self.dialect.refused(problem)

    def _paged(self, seen: Seen, reply: Reply) -> Reply:
        """Cut a list as servers do: no page is larger than they like, and the rest is a link."""
        if not isinstance(reply.data, list) or seen.method != "GET":
            return reply
        size = min(seen.number(self.dialect.size, 30), self.largest_page)
        page = seen.number("page", 1)
        part = reply.data[(page - 1) * size : page * size]
        more = page * size < len(reply.data)
        # The host is what a server behind a proxy takes itself for.
        link = {"Link": f'<https://internal.invalid{seen.path}?page={page + 1}>; rel="next"'}
        return Reply(reply.status, part, headers=link if more else {})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet
    disable_nagle_algorithm = True
    server: FakeForge

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def _serve(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path, _, query = self.path.partition("?")
        seen = _seen(self.command, urlsplit(path).path, query, raw, dict(self.headers))
        self.server.seen.append(seen)
        reply = self.server.answer(seen)
        if reply is None:
            self.close_connection = True
            return
        self._send(seen, reply)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        pass

    def _send(self, seen: Seen, reply: Reply) -> None:
        status, headers, content = self.server.rendered(seen, reply)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def request_of(request: httpx.Request) -> Seen:
    """Return what a client sends, without a socket in between."""
    path, _, query = request.url.raw_path.decode().partition("?")
    return _seen(request.method, path, query, request.content, request.headers)


def _seen(method: str, path: str, query: str, raw: bytes, headers: Mapping[str, str]) -> Seen:
    return Seen(
        method,
        path,
        {key: values[-1] for key, values in parse_qs(query, keep_blank_values=True).items()},
        json.loads(raw) if raw else None,
        {key.lower(): value for key, value in headers.items()},
    )


def _content(reply: Reply) -> bytes:
    if reply.text is not None:
        return reply.text.encode()
    return b"" if reply.data is None else json.dumps(reply.data).encode()


@contextmanager
def serving(dialect: Dialect, bare: Path) -> Iterator[FakeForge]:
    """Serve while the block runs; afterwards no request may have broken the API's description."""
    server = FakeForge(dialect, bare)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert not server.violations, server.violations
