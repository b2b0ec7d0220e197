"""A stand-in API server that remembers what it was asked."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from support.kubeconfig import configure


class Api(BaseHTTPRequestHandler):
    """Answers by path, one page after the other."""

    answers: ClassVar[dict[str, list[Any]]] = {}
    status: ClassVar[int] = 200
    seen: ClassVar[list[tuple[str, str, str, Any]]] = []
    queries: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PATCH(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path, _, query = self.path.partition("?")
        self.queries.append(query)
        length = int(self.headers.get("Content-Length") or 0)
        sent = json.loads(self.rfile.read(length)) if length else None
        self.seen.append((self.command, path, self.headers.get("Content-Type") or "", sent))
        pages = self.answers.get(path, [])
        body = json.dumps(pages.pop(0) if pages else {}).encode()
        self.send_response(self.status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name
        pass


@pytest.fixture(autouse=True)
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[type[Api]]:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setattr(Api, "answers", {})
    monkeypatch.setattr(Api, "seen", [])
    monkeypatch.setattr(Api, "queries", [])
    monkeypatch.setattr(Api, "status", 200)
    http = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    configure(monkeypatch, tmp_path, f"http://127.0.0.1:{http.server_address[1]}")
    yield Api
    http.shutdown()
    thread.join()
    http.server_close()
