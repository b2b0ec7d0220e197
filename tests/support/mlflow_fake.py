"""A tracking server whose answers a test writes down, for what no real server says."""

import contextlib
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Answer = tuple[int, str]
"""A status and a body; the body of a redirect is where it leads."""
RUN = "0" * 32


@dataclass
class Fake:
    """Answers by the end of the path; what is asked for is kept, with its headers."""

    answers: dict[str, Answer | Callable[[Mapping[str, list[str]]], Answer]]
    asked: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)

    def answer(self, target: str) -> Answer:
        parts = urlsplit(target)
        for end, answer in self.answers.items():
            if parts.path.endswith(end):
                return answer(parse_qs(parts.query)) if callable(answer) else answer
        return 404, json.dumps({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "none"})

    @contextlib.contextmanager
    def serving(self, tls: ssl.SSLContext | None = None) -> Iterator[str]:
        """Serve on loopback; give the address as `host:port`."""
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                fake.asked.append((self.path, dict(self.headers)))
                status, body = fake.answer(self.path)
                self.send_response(status)
                if status in (301, 302, 303, 307, 308):
                    self.send_header("Location", body)
                    body = ""
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body.encode())))
                self.end_headers()
                self.wfile.write(body.encode())

            do_POST = do_GET  # noqa: N815 - inherited

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - inherited
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            if tls:
                server.socket = tls.wrap_socket(server.socket, server_side=True)
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
            thread.start()
            try:
                yield f"127.0.0.1:{server.server_port}"
            finally:
                server.shutdown()
                thread.join()


def said(**content: Any) -> Answer:  # noqa: ANN401  # JSON
    return 200, json.dumps(content)


def version(name: str, number: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401  # JSON
    known = {"current_stage": "Production", "creation_timestamp": 1, "status": "READY"}
    return {"name": name, "version": number, "source": "pvc://c/m/1", **known, **more}


def run(run_id: str = RUN, **metrics: float) -> dict[str, Any]:
    rows = [{"key": k, "value": v, "timestamp": 1, "step": 0} for k, v in metrics.items()]
    info = {"run_id": run_id, "experiment_id": "7", "status": "FINISHED"}
    return {"info": {**info, "lifecycle_stage": "active"}, "data": {"metrics": rows}}
