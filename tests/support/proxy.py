"""A proxy on loopback that tunnels, and remembers what it was asked."""

import select
import socket
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

USER, PASSWORD = "proxy-user", "canary-proxy-password"


@dataclass
class Proxy:
    """`asked` are the hosts and ports that it was to connect to, `headers` what came along."""

    address: str = ""
    locked: bool = False
    status: int = 200
    asked: list[str] = field(default_factory=list)
    headers: list[str] = field(default_factory=list)

    def with_credentials(self) -> str:
        return self.address.replace("://", f"://{USER}:{PASSWORD}@")


@contextmanager
def proxying() -> Iterator[Proxy]:
    proxy = Proxy()

    class Handler(_Handler):
        of: ClassVar[Proxy] = proxy

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    proxy.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    of: ClassVar[Proxy]

    def do_CONNECT(self) -> None:
        self.of.headers.append(str(self.headers))
        expected = "Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.of.locked and self.headers.get("Proxy-Authorization") != expected:
            self.send_response(407)
            self.send_header("Proxy-Authenticate", 'Basic realm="proxy"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.of.asked.append(self.path)
        self.send_response(self.of.status)
        if self.of.status != 200:
            self.send_header("Content-Length", "0")
        self.end_headers()
        if self.of.status == 200:
            host, _, port = self.path.rpartition(":")
            with socket.create_connection((host, int(port))) as far:
                _pump(self.connection, far)
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base's name
        pass


def _pump(near: socket.socket, far: socket.socket) -> None:
    ends = {near: far, far: near}
    while True:
        for one in select.select(list(ends), [], [])[0]:
            try:
                content = one.recv(65_536)
                ends[one].sendall(content)
            except OSError:
                return
            if not content:
                return
