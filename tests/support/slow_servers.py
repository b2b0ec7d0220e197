"""Servers that drip or stay silent, and everything that converses with one."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sluice import git
from sluice.cluster import connection, version
from sluice.forges import open_forge, wire
from sluice.forges.timing import Timing
from sluice.git import network, remote
from sluice.metrics import prometheus
from sluice.registries import mlflow_errors, open_registry

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
OF_GIT = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\n"


class Server:
    """Answers each connection in one way, and knows of those that were broken off."""

    def __init__(self, answer: Callable[["Server", socket.socket], None]) -> None:
        self._answer = answer
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.asked: list[bytes] = []
        self.ended = threading.Event()
        self.first = threading.Event()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def serve(self) -> None:
        while not self.ended.is_set():
            try:
                peer, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(peer,), daemon=True).start()

    def _one(self, peer: socket.socket) -> None:
        with peer:
            try:
                self.asked.append(peer.recv(65536))
                self.first.set()
                self._answer(self, peer)
            except OSError:
                return

    def close(self) -> None:
        self.ended.set()
        self._socket.close()


def head(server: Server) -> tuple[bytes, bytes]:
    """The headers for who asks, and how a body begins."""
    return (OF_GIT, b"fff0") if b"/info/refs" in server.asked[-1] else (HEAD, b"    ")


@contextmanager
def running(answer: Callable[[Server, socket.socket], None]) -> Iterator[Server]:
    server = Server(answer)
    threading.Thread(target=server.serve, daemon=True).start()
    try:
        yield server
    finally:
        server.close()


def ask_forge(server: Server, _folder: Path) -> None:
    environ = {"SLUICE_FORGE_TOKEN": "t"}
    forge = open_forge(f"gitea:a/b@http://{server.address}", environ, Timing(sleep=lambda _: None))
    forge.list("open")


def ask_prometheus(server: Server, _folder: Path) -> None:
    with prometheus.Prometheus(f"http://{server.address}", {}) as client:
        client.query("up", 1.0)


def ask_mlflow(server: Server, _folder: Path) -> None:
    open_registry(f"http://{server.address}").versions({"m"})


def ask_git(server: Server, folder: Path) -> None:
    mirror = git.open_mirror(f"http://{server.address}/a/b.git", folder)
    mirror.refresh()


def ask_git_with_token(server: Server, folder: Path) -> None:
    mirror = git.open_mirror(f"http://{server.address}/a/b.git", folder, lambda: ("u", "p"))
    mirror.refresh()


def ask_cluster(server: Server, folder: Path) -> None:
    config = folder / "kubeconfig"
    cluster = f"clusters: [{{name: c, cluster: {{server: 'http://{server.address}'}}}}]\n"
    context = "contexts: [{name: c, context: {cluster: c, user: u}}]\ncurrent-context: c\n"
    users = "users: [{name: u, user: {}}]\napiVersion: v1\nkind: Config\n"
    config.write_text(cluster + context + users)
    os.environ["KUBECONFIG"] = str(config)
    version.read_server_version()


REMOTES = [ask_forge, ask_prometheus, ask_mlflow, ask_git, ask_git_with_token, ask_cluster]


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines of a moment."""
    for module, name in (
        (wire, "_DEADLINE"),
        (prometheus, "WHOLE_SECONDS"),
        (mlflow_errors, "WHOLE_SECONDS"),
        (remote, "WHOLE_SECONDS"),
        (remote, "LONG_SECONDS"),
        (network, "WHOLE_SECONDS"),
        (connection, "WHOLE_SECONDS"),
    ):
        monkeypatch.setattr(module, name, 0.4)
    monkeypatch.setattr("sluice.git.advertisement.WHOLE_SECONDS", 0.4)
    monkeypatch.setattr("sluice.registries.mlflow.WHOLE_SECONDS", -0.6)  # and a second a model
    monkeypatch.setenv("KUBECONFIG", "")
