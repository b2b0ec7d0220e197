"""A real Prometheus on loopback that scrapes a synthetic engine, for tests."""

import contextlib
import http.client
import shutil
import socket
import ssl
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

DEADLINE = 60.0
POLL = 0.1
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))

CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: engine
    static_configs:
      - targets: ["{target}"]
        labels: {labels}
"""


class Engine:
    """Exports a histogram of times to the first token and a counter of requests, as engines do."""

    bounds = ("0.5", "1.0", "2.5", "+Inf")

    def __init__(self) -> None:
        self.counts = dict.fromkeys(self.bounds, 0)
        self.failed = 0
        self.scrapes = 0

    def serve(self, quick: int = 0, slow: int = 0, failed: int = 0) -> None:
        """Answer requests: quick ones within half a second, slow ones never."""
        for bound in self.bounds:
            self.counts[bound] += quick + (slow if bound == "+Inf" else 0)
        self.failed += failed

    def restart(self) -> None:
        """Forget everything, like a process that begins anew."""
        self.counts = dict.fromkeys(self.bounds, 0)
        self.failed = 0

    def text(self) -> str:
        lines = ["# TYPE engine:ttft_seconds histogram"]
        lines += [f'engine:ttft_seconds_bucket{{le="{b}"}} {n}' for b, n in self.counts.items()]
        lines += [f"engine:ttft_seconds_count {self.counts['+Inf']}", "engine:ttft_seconds_sum 1"]
        lines += ["# TYPE http_requests_total counter"]
        lines += [f'http_requests_total{{status="2xx"}} {self.counts["+Inf"] - self.failed}']
        if self.failed:
            lines += [f'http_requests_total{{status="5xx"}} {self.failed}']
        return "\n".join([*lines, "engine:nothing NaN", ""])


class Request(BaseHTTPRequestHandler):
    """A request with its body, which must be read lest the connection break."""

    body: bytes

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name
        pass


@contextlib.contextmanager
def serving(handle: Callable[[Request], None], tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Answer requests on loopback with a function; give the address, as if it had no TLS."""

    class Handler(Request):
        def do_GET(self) -> None:
            self.body = self.rfile.read(int(self.headers.get("content-length", 0)))
            handle(self)

        do_POST = do_GET  # noqa: N815  # the name that the base class asks for

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients may hang up
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def reply(handler: Request, status: int, body: bytes, **headers: str) -> None:
    handler.send_response(status)
    handler.send_header("content-length", str(len(body)))
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


@contextlib.contextmanager
def exporter(engine: Engine) -> Iterator[str]:
    """Serve the metrics of an engine; give host and port."""

    def handle(handler: Request) -> None:
        reply(handler, 200, engine.text().encode())
        engine.scrapes += 1

    with serving(handle) as url:
        yield url.removeprefix("http://")


def remember(folder: Path, lines: list[str]) -> None:
    """Put samples of the past, in OpenMetrics, into the storage of a server before it starts."""
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not installed: apt-get install prometheus")
    (folder / "past").write_text("\n".join([*lines, "# EOF", ""]))
    command = [program, "tsdb", "create-blocks-from", "openmetrics", "past", "data"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=DEADLINE)


@contextlib.contextmanager
def prometheus(
    folder: Path, target: str, labels: Mapping[str, str], *flags: str, more: str = ""
) -> Iterator[str]:
    """Run the server until the end of the block; skip the test where it is not installed.

    `more` is put at the end of its configuration.
    """
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("prometheus is not installed: apt-get install prometheus")
    written = "{" + ", ".join(f'{k}: "{v}"' for k, v in labels.items()) + "}"
    (folder / "prometheus.yml").write_text(CONFIG.format(target=target, labels=written) + more)
    port = _free_port()
    command = [
        program,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        *flags,
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: _is_ready(process, url, folder))
        yield url
    finally:
        process.terminate()
        process.wait(DEADLINE)


def _is_ready(process: subprocess.Popen[bytes], url: str, folder: Path) -> bool:
    if process.poll() is not None:
        raise RuntimeError((folder / "log").read_text()[-2000:])
    try:
        with _OPENER.open(f"{url}/-/ready", timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, http.client.HTTPException):
        return False


def wait_until(condition: Callable[[], bool]) -> None:
    """Return once a condition holds; it must come to hold within the deadline."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come to hold"
        time.sleep(POLL)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
