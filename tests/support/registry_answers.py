"""A registry server that gives one answer to everything."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = tuple[int, str, str]
TEXT, HTML, JSON = "text/plain", "text/html", "application/json"


@contextlib.contextmanager
def answering(
    answer: Callable[[str], Answer], headers: list[Mapping[str, str]] | None = None
) -> Iterator[str]:
    """Serve `answer(path)` (status, content type, body) to every GET; give `host:port`.

    The headers of each request are added to `headers`.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, kind, body = answer(self.path)
            if headers is not None:
                headers.append(dict(self.headers))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - inherited
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
