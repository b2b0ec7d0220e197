"""Asking a cluster for its version: a stand-in API server, and everything that can be wrong."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sluice.cluster.version import read_server_version
from sluice.core.finding import UsageError
from support.kubeconfig import configure


class Api(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        body = json.dumps(
            {"major": "1", "minor": "34+", "buildDate": "", "compiler": "", "gitCommit": "",
             "gitTreeState": "", "gitVersion": "v1.34.2", "goVersion": "", "platform": ""}
        )  # fmt: skip
        self.send_response(self.status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name
        pass


@pytest.fixture
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_minor_version_is_told(
    address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    configure(monkeypatch, tmp_path, address)
    assert read_server_version() == "1.34"


def test_a_refusal_is_one_line_without_the_token(
    address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Api, "status", 403)
    configure(monkeypatch, tmp_path, address)
    with pytest.raises(UsageError, match="403") as raised:
        read_server_version()
    assert "\n" not in str(raised.value)
    assert "s3cr3t" not in str(raised.value)


@pytest.mark.parametrize("text", ["a: [b", "hello", "clusters: 3\n", "", "contexts: [{}]\n"])
def test_a_kubeconfig_that_is_none_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str
) -> None:
    """The client does not check it, and fails in many ways."""
    (tmp_path / "config").write_text(text)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    with pytest.raises(
        UsageError, match=r"kubeconfig is broken|no cluster is configured"
    ) as raised:
        read_server_version()
    assert "\n" not in str(raised.value)


def test_no_answer_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    configure(monkeypatch, tmp_path, "http://127.0.0.1:9")
    with pytest.raises(UsageError, match="does not answer") as raised:
        read_server_version()
    assert "\n" not in str(raised.value)


def test_no_configuration_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nowhere"))
    with pytest.raises(UsageError, match="no cluster is configured"):
        read_server_version()


def test_an_unknown_context_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    configure(monkeypatch, tmp_path, "http://127.0.0.1:9")
    with pytest.raises(UsageError, match="other"):
        read_server_version("other")
