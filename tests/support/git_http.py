"""A Git server on loopback: `git http-backend` behind basic authentication."""

import os
import ssl
import subprocess
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

TOKEN = "s3cret-token"  # noqa: S105 - of a server that lives for one test
_CGI = {"Content-Type": "CONTENT_TYPE", "Content-Encoding": "HTTP_CONTENT_ENCODING"}


@dataclass(frozen=True)
class Fault:
    """An answer to everything that a client asks."""

    status: int
    content: bytes = b""
    fields: tuple[tuple[str, str], ...] = ()


class GitServer(ThreadingHTTPServer):
    """Serves the bare repositories of a directory to whoever knows the token."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, root: Path, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.root = root
        self.scheme = "https" if tls else "http"
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.token = TOKEN
        self.refused = 0
        self.requests: list[str] = []
        self.redirect = ""
        self.redirects_pushes = ""
        self.moved: dict[str, str] = {}  # how a path began, and begins now
        self.fault: Fault | None = None
        self.flood = 0  # bytes of a header that does not end
        self.authorizations: list[str] = []
        self.before_update: Callable[[], None] | None = None

    def url(self, name: str) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}/{name}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: GitServer

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        pass

    def _serve(self) -> None:
        body, fault = self._body(), self.server.fault
        self.server.authorizations.append(self.headers.get("Authorization", ""))
        if self.server.flood:
            self._flood(self.server.flood)
        elif fault:
            self._answer(fault.status, fault.fields, fault.content)
        elif self.server.redirect:
            self._answer(302, [("Location", self.server.redirect + self.path)], b"")
        elif self.server.redirects_pushes and "receive-pack" in self.path:
            self._answer(302, [("Location", self.server.redirects_pushes + self.path)], b"")
        elif place := self._place():
            self._answer(301, [("Location", place)], b"")
        elif self._user() is None:
            self.server.refused += 1
            self._answer(401, [("WWW-Authenticate", 'Basic realm="git"')], b"")
        else:
            self._backend(body)

    def _flood(self, size: int) -> None:
        self.close_connection = True
        with suppress(OSError):  # whoever listened has enough
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
            for _ in range(size >> 16):
                self.wfile.write(b"a" * (1 << 16))

    def _place(self) -> str:
        """Where what is asked for is now, nothing when it is here."""
        for old, new in self.server.moved.items():
            if self.path.startswith(old):
                return self.path.replace(old, new, 1)
        return ""

    def _user(self) -> str | None:
        given = self.headers.get("Authorization", "")
        for user in ("x-access-token", "oauth2", "robot"):
            if given == "Basic " + b64encode(f"{user}:{self.server.token}".encode()).decode():
                return user
        return None

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _backend(self, body: bytes) -> None:
        path, _, query = self.path.partition("?")
        self.server.requests.append(f"{self.command} {path.rpartition('/')[2]}")
        if path.endswith("/git-receive-pack") and self.server.before_update:
            self.server.before_update()
        done = subprocess.run(
            ["git", "http-backend"],
            input=body,
            env=self._environment(path, query, len(body)),
            capture_output=True,
            check=True,
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = [tuple(line.split(": ", 1)) for line in head.decode().split("\r\n")]
        status = next((int(v.split()[0]) for k, v in fields if k == "Status"), 200)
        self._answer(status, [(k, v) for k, v in fields if k != "Status"], content)

    def _environment(self, path: str, query: str, length: int) -> dict[str, str]:
        cgi = {name: self.headers.get(header, "") for header, name in _CGI.items()}
        return {
            **os.environ,
            **cgi,
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_PROJECT_ROOT": str(self.server.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_LENGTH": str(length),
            "REMOTE_USER": "robot",
            "REMOTE_ADDR": "127.0.0.1",
        }

    def _answer(self, status: int, fields: Sequence[tuple[str, ...]], content: bytes) -> None:
        self.send_response(status)
        for name, value in fields:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def serving(root: Path, tls: ssl.SSLContext | None = None) -> Iterator[GitServer]:
    """Serve while the block runs."""
    server = GitServer(root, tls)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
