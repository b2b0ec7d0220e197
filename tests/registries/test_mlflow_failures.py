"""Servers that are down, hang, refuse or are something else: one clear line, soon, no secret."""

import contextlib
import json
import socket
import threading
from collections.abc import Iterator, Mapping

import pytest

from sluice.core.finding import UsageError
from sluice.core.model import Evaluation, ModelVersion
from sluice.registries import open_registry
from sluice.registries.mlflow import MlflowRegistry
from support.registry_answers import HTML, JSON, TEXT, Answer, answering

VERSION = ModelVersion("m", "1", source="s3://m", created=0, updated=0, run_id="0" * 32)


def complaints(address: str) -> list[str]:
    """What each of the registry's calls says about the server there."""
    url = f"http://someone:hunter2@{address}"
    said = []
    for call in (
        lambda: open_registry(url).versions(["m"]),
        lambda: open_registry(url).evaluation(VERSION),
        lambda: open_registry(url).describe(),
    ):
        with pytest.raises(UsageError) as caught:
            call()
        said.append(str(caught.value))
    for line in said:
        assert line.startswith(f"MLflow at http://{address} ")
        assert "\n" not in line
        assert "hunter2" not in line
        assert caught.value.__cause__ is None
    return said


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")


def test_a_dead_server(capfd: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as closed:
        # Bound, so that nobody else gets the port, and not listening.
        closed.bind(("127.0.0.1", 0))
        said = complaints(f"127.0.0.1:{closed.getsockname()[1]}")
    assert {"is not reachable: check that it runs, its address and port" in s for s in said} == {
        True
    }
    assert capfd.readouterr().err == ""


def test_a_server_that_never_answers() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=16) as silent:
        said = complaints(f"127.0.0.1:{silent.getsockname()[1]}")
    assert {"does not answer in time" in line for line in said} == {True}


HALF = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"


@contextlib.contextmanager
def breaking(payload: bytes, *, hangs: bool) -> Iterator[str]:
    """Serve part of an answer, then close the connection, or keep it and say no more."""
    kept: list[socket.socket] = []

    def serve(listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                kept.append(connection)
                connection.recv(1 << 16)
                connection.sendall(payload)
                if not hangs:
                    connection.close()

    with socket.create_server(("127.0.0.1", 0), backlog=16) as listening:
        thread = threading.Thread(target=serve, args=(listening,))
        thread.start()
        try:
            yield f"127.0.0.1:{listening.getsockname()[1]}"
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in kept:
                connection.close()


@pytest.mark.parametrize("payload", [HALF, CHUNKED, b"", b"SSH-2.0-OpenSSH_9.6\r\n"])
def test_a_server_that_breaks_off(payload: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with breaking(payload, hangs=False) as address:
        said = complaints(address)
    assert {"breaks the connection off" in line for line in said} == {True}


def test_a_server_that_stops_in_the_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with breaking(HALF, hangs=True) as address:
        said = complaints(address)
    assert {"does not answer in time" in line for line in said} == {True}


def test_an_unknown_host() -> None:
    with pytest.raises(UsageError, match=r"^MLflow at http://no\.invalid is not reachable"):
        open_registry("http://no.invalid").versions(["m"])


def _refusal(status: int, code: str, message: str) -> Answer:
    return status, JSON, json.dumps({"error_code": code, "message": message})


# What 3.17 says.
NO_WORKSPACE = [
    _refusal(404, "RESOURCE_DOES_NOT_EXIST", "Workspace 'nope' not found"),
    _refusal(400, "INVALID_PARAMETER_VALUE", "Workspace name 'No!' must match the pattern ^[a-z]$"),
    _refusal(400, "INVALID_PARAMETER_VALUE", "Active workspace is required."),
]
WRONG_HOST = (403, TEXT, "Invalid Host header - possible DNS rebinding attack detected")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((403, TEXT, "Invalid Host header - possible attack"), "--allowed-hosts 127.0.0.1"),
        ((401, TEXT, "You are not authenticated."), "set MLFLOW_TRACKING_USERNAME"),
        ((401, JSON, '{"error_code": "UNAUTHENTICATED"}'), "set MLFLOW_TRACKING_USERNAME"),
        ((401, JSON, '{"message": "who are you?"}'), "set MLFLOW_TRACKING_USERNAME"),
        ((401, JSON, "{}"), "set MLFLOW_TRACKING_USERNAME"),
        ((401, JSON, '{"error_code": "OF_A_PROXY"}'), "set MLFLOW_TRACKING_USERNAME"),
        ((429, JSON, '{"error_code": 17}'), "limits the rate of requests (429)"),
        ((302, HTML, ""), "sends us to another address (302)"),
        ((500, HTML, "<h1>Internal Server Error</h1>"), "fails (500): look into the server's log"),
        ((503, TEXT, ""), "fails (503)"),
        ((500, JSON, '{"error_code": "INTERNAL_ERROR", "message": "a\\nb"}'), "fails (500)"),
        ((200, HTML, "<html>Please log in</html>"), "answers, but not as MLflow does"),
        ((200, JSON, "[]"), "answers, but not as MLflow does"),
        ((418, TEXT, "a\nteapot at http://u:hunter2@x"), "refuses (418)"),
        ((404, HTML, "<h1>Not Found</h1>"), "has no such API (404)"),
        *((answer, "set MLFLOW_WORKSPACE to one that") for answer in NO_WORKSPACE),
        ((414, TEXT, "URI Too Long"), "(414)"),
    ],
)
def test_an_unhelpful_answer(answer: Answer, expected: str) -> None:
    with answering(lambda _: answer) as address:
        for line in complaints(address):
            assert expected in line


@pytest.mark.parametrize("name", ["plain", "o'brien"])
@pytest.mark.parametrize(
    "information", [(404, HTML, ""), (200, JSON, '{"workspaces_enabled": false}')]
)
def test_a_server_without_workspaces_that_is_asked_for_one(
    monkeypatch: pytest.MonkeyPatch, information: Answer, name: str
) -> None:
    monkeypatch.setenv("MLFLOW_WORKSPACE", "team-a")
    with (
        answering(lambda _: information) as address,
        pytest.raises(UsageError, match="has no workspace 'team-a': set MLFLOW_WORKSPACE"),
    ):
        open_registry(f"http://{address}").versions([name])


def test_a_server_that_fails_for_who_asks_for_a_workspace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_WORKSPACE", "team-a")
    with answering(lambda _: (500, TEXT, "")) as address:
        said = complaints(address)[-1]
    assert said.endswith("if it has no workspaces, unset MLFLOW_WORKSPACE")


def test_a_host_that_is_refused_is_named_as_it_is_sent() -> None:
    with answering(lambda _: WRONG_HOST) as address:
        assert f"--allowed-hosts {address}, and what else calls it" in complaints(address)[0]


def test_a_workspace_is_asked_for_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_WORKSPACE", "team-a")
    seen: list[Mapping[str, str]] = []
    with answering(lambda _: (200, TEXT, "3.17.2"), seen) as address:
        registry = open_registry(f"http://{address}")
        assert registry.describe() == f"MLflow 3.17.2 at http://{address}, workspace team-a"
        assert registry.url(VERSION).endswith("/versions/1?workspace=team-a")
    assert [headers["X-MLFLOW-WORKSPACE"] for headers in seen] == ["team-a"]


@pytest.mark.parametrize("name", ["plain", "o'brien"])
@pytest.mark.parametrize("answer", NO_WORKSPACE)
def test_a_workspace_that_is_none_is_not_taken_for_models_that_are_gone(
    answer: Answer, name: str
) -> None:
    with (
        answering(lambda _: answer) as address,
        pytest.raises(UsageError, match="has no default workspace"),
    ):
        open_registry(f"http://{address}").versions([name])


@pytest.mark.parametrize("answer", [WRONG_HOST, *NO_WORKSPACE])
def test_who_cannot_be_asked_for_webhooks_has_not_said_that_there_are_none(answer: Answer) -> None:
    with answering(lambda _: answer) as address, pytest.raises(UsageError):
        MlflowRegistry(f"http://{address}").hooks()


def test_a_dead_server_has_no_webhooks_that_are_wrong() -> None:
    with pytest.raises(UsageError, match="is not reachable"):
        MlflowRegistry("http://127.0.0.1:9").hooks()


@pytest.mark.parametrize(
    ("version", "lacks"),
    [
        ("3.3.0", ""),
        ("3.2.0", ", without webhooks (3.3)"),
        ("2.22.5", ", without logged models (3.0), without webhooks (3.3)"),
        ("2.2.1", ", without aliases (2.3), without logged models (3.0), without webhooks (3.3)"),
        ("3.18.0rc1", ""),
    ],
)
def test_what_an_older_server_does_not_have(version: str, lacks: str) -> None:
    with answering(lambda _: (200, TEXT, version)) as address:
        said = open_registry(f"http://{address}").describe()
        assert said == f"MLflow {version} at http://{address}{lacks}"


FORBIDDEN: list[Answer] = [
    (403, TEXT, "Permission denied"),
    (403, JSON, '{"error_code": "PERMISSION_DENIED"}'),
]


@pytest.mark.parametrize("answer", FORBIDDEN)
def test_an_account_that_may_read_nothing(answer: Answer) -> None:
    with answering(lambda _: answer) as address:
        registry = open_registry(f"http://{address}")
        with pytest.raises(UsageError, match=r"denies access \(403\): the account needs READ"):
            registry.versions(["m"])


@pytest.mark.parametrize("answer", FORBIDDEN)
def test_an_account_that_may_not_read_one_model_and_one_run(answer: Answer) -> None:
    def guarded(path: str) -> Answer:
        return answer if "/get" in path else (200, JSON, "{}")

    with answering(guarded) as address:
        registry = open_registry(f"http://{address}")
        assert registry.versions(["m", "n"]) == {}
        (gap,) = registry.evaluation(VERSION).gaps
    assert gap.endswith("cannot be read: the account lacks READ on its experiment")


def test_json_of_another_shape_is_not_mlflow() -> None:
    body = json.dumps({"registered_models": 3})
    with (
        answering(lambda _: (200, JSON, body)) as address,
        pytest.raises(UsageError, match="answers, but not as MLflow does"),
    ):
        open_registry(f"http://{address}").versions(["m"])


def test_an_older_server_without_logged_models_and_lists_in_filters() -> None:
    def old(path: str) -> Answer:
        if "logged-models" in path:
            return 404, HTML, "<h1>Not Found</h1>"
        if "IN+%28" in path:
            body = {"error_code": "INVALID_PARAMETER_VALUE", "message": "only 'run_id' supports IN"}
            return 400, JSON, json.dumps(body)
        return 200, JSON, json.dumps(_OLD[path.partition("?")[0].rpartition("/mlflow/")[2]])

    with answering(old) as address:
        registry = open_registry(f"http://{address}")
        (version,) = registry.versions(["m"])["m"]
        assert (version.version, version.aliases) == ("3", ("champion",))
        found = registry.evaluation(version)
    assert found.measurements["acc"].value == 0.5
    assert found.measurements["acc"].doubt == ""


_OLD = {
    "registered-models/get": {
        "registered_model": {"name": "m", "aliases": [{"alias": "champion", "version": "3"}]}
    },
    "model-versions/search": {
        "model_versions": [
            {
                "name": "m",
                "version": "3",
                "creation_timestamp": 1,
                "source": f"models:/m-{'0' * 32}",
                "run_id": "r",
            }
        ]
    },
    "experiments/get": {"experiment": {"experiment_id": "0", "name": "Default"}},
    "runs/get": {
        "run": {
            "info": {"run_id": "r", "lifecycle_stage": "active", "status": "FINISHED"},
            "data": {"metrics": [{"key": "acc", "value": 0.5, "timestamp": 1, "step": "0"}]},
        }
    },
}


def test_what_the_user_set_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "soon")
    with answering(lambda _: (200, TEXT, "3.17.2")) as address:
        line = "cannot be used: .*MLFLOW_HTTP_REQUEST_TIMEOUT"
        with pytest.raises(UsageError, match=line):
            open_registry(f"http://{address}").describe()


def test_a_version_without_run_and_logged_model_asks_nothing() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        registry = open_registry(f"http://127.0.0.1:{closed.getsockname()[1]}")
        plain = ModelVersion("m", "1", source="s3://m", created=0, updated=0)
        assert registry.evaluation(plain) == Evaluation()
