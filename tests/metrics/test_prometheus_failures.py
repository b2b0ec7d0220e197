"""Everything that can be wrong between us and a Prometheus: one line, and no secret in it."""

import base64
import datetime as dt
import json
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from sluice.core.analysis.queries import Question
from sluice.core.finding import UsageError
from sluice.metrics import prometheus
from sluice.metrics.prometheus import Prometheus
from sluice.reconciler.rollouts.observers import open_observers
from support.prometheus_server import Request, reply, serving

EMPTY = {"status": "success", "data": {"resultType": "matrix", "result": []}}
SECRET = "s3cr3t-t0ken"  # noqa: S105  # of nobody


def query(url: str, **environment: str) -> prometheus.Answer:
    given = {f"SLUICE_PROMETHEUS_{name}": value for name, value in environment.items()}
    with Prometheus(url, given) as client:
        return client.query("up[1m]", 1000.0)


def answering(status: int, body: object, **headers: str) -> Any:  # noqa: ANN401  # a context
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return serving(lambda handler: reply(handler, status, raw, **headers))


@pytest.mark.parametrize(
    ("environment", "name", "value"),
    [
        ({"TOKEN": SECRET}, "authorization", f"Bearer {SECRET}"),
        ({"TOKEN": f"{SECRET}\n"}, "authorization", f"Bearer {SECRET}"),
        (
            {"USERNAME": "me", "PASSWORD": SECRET},
            "authorization",
            "Basic " + base64.b64encode(f"me:{SECRET}".encode()).decode(),
        ),
        ({"TENANT": "team-a"}, "x-scope-orgid", "team-a"),
        ({}, "authorization", None),
    ],
)
def test_credentials_come_from_the_environment(
    environment: dict[str, str], name: str, value: str | None
) -> None:
    heard: list[str | None] = []

    def handle(handler: Request) -> None:
        heard.append(handler.headers.get(name))
        reply(handler, 200, json.dumps(EMPTY).encode())

    with serving(handle) as url:
        query(url, **environment)
    assert heard == [value]


def test_a_path_prefix_is_kept_and_the_query_is_sent_as_a_form() -> None:
    heard: list[tuple[str, str, bytes]] = []

    def handle(handler: Request) -> None:
        heard.append((handler.command, handler.path, handler.body))
        reply(handler, 200, json.dumps(EMPTY).encode())

    with serving(handle) as url:
        query(f"{url}/prefix/")
    expected = b"query=up%5B1m%5D&time=1000.000&timeout=20s"
    assert heard == [("POST", "/prefix/api/v1/query", expected)]


def test_where_only_reading_is_allowed_it_is_sent_by_get() -> None:
    def handle(handler: Request) -> None:
        reply(handler, 405 if handler.command == "POST" else 200, json.dumps(EMPTY).encode())

    with serving(handle) as url:
        assert query(url).series == []


def test_warnings_mean_that_the_answer_is_partial() -> None:
    with answering(200, {**EMPTY, "warnings": ["a store is down"]}) as url:
        answer = query(url)
    assert answer.is_partial
    assert answer.warnings == ("a store is down",)


def test_a_mark_means_that_the_answer_is_partial() -> None:
    with answering(200, {**EMPTY, "isPartial": True}) as url:
        assert query(url).is_partial


@pytest.mark.parametrize("more", [{"infos": ["not a counter"]}, {"isPartial": False}])
def test_remarks_do_not_mean_that_anything_is_missing(more: dict[str, object]) -> None:
    with answering(200, {**EMPTY, **more}) as url:
        assert not query(url).is_partial


def test_a_server_that_is_silent_is_asked_once_for_all_rollouts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
    asked = open_observers({})
    question = Question("up", {})
    assert [asked.answer(address, question, 60, 1_000) for _ in range(3)] == [None] * 3
    assert len(asked.problems) == 1


MATRIX = {"resultType": "matrix", "result": [{"metric": {}, "values": [[1, "x"]]}]}


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, b"", "SLUICE_PROMETHEUS_TOKEN"),
        (403, b"", r"\(403\)"),
        (404, b"", "path prefix"),
        (429, b"", "ask less often"),
        (503, b"busy", r"\(503\)"),
        (520, b"", "status 520"),
        (302, b"", "status 302"),
        (200, b"<html>Sign in</html>", "login page"),
        (200, [], "login page"),
        (200, {"status": "success"}, "login page"),
        (422, {"status": "error", "error": "no\nsuch  function"}, "query: no such function"),
        (200, {"status": "success", "data": {"resultType": "scalar", "result": []}}, "a scalar"),
        (200, {"status": "success", "data": {}}, "cannot be read"),
        (200, {"status": "success", "data": MATRIX}, "cannot be read"),
    ],
)
def test_an_answer_that_is_no_good_is_one_line(status: int, body: object, said: str) -> None:
    with (
        answering(status, body, location="http://127.0.0.1:1/") as url,
        pytest.raises(UsageError, match=said) as caught,
    ):
        query(url, TOKEN=SECRET)
    assert "\n" not in str(caught.value)
    assert SECRET not in str(caught.value)


def test_an_answer_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus, "SIZE_LIMIT", 1 << 20)
    with (
        answering(200, b" " * (3 << 20)) as url,
        pytest.raises(UsageError, match="more than 1 MiB"),
    ):
        query(url)


def test_a_server_that_is_silent_runs_into_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus, "ANSWER_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(UsageError, match="in time"):
            query(f"http://127.0.0.1:{port}")


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(UsageError, match="does not answer"):
        query(f"http://127.0.0.1:{port}")


@pytest.mark.parametrize(
    "address",
    ["", "prometheus:9090", "ftp://x", "http://", "http://[x", f"http://me:{SECRET}@host/"],
)
def test_an_address_that_cannot_be_used(address: str) -> None:
    with pytest.raises(UsageError) as caught:
        Prometheus(address, {})
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("name", ["TOKEN", "TENANT"])
def test_a_secret_that_would_break_a_header_is_refused_unseen(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        query("http://127.0.0.1:1", **{name: f"{SECRET}\r\nx: y"})
    assert SECRET not in str(caught.value)


def certificate(folder: Path) -> Path:
    """A certificate for loopback, and its key, in one file."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415  # optional
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415  # optional

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
    start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=36500))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    path = folder / "certificate.pem"
    path.write_bytes(built.public_bytes(pem) + private)
    return path


def test_certificates_are_verified(tmp_path: Path) -> None:
    pem = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)

    def handle(handler: Request) -> None:
        reply(handler, 200, json.dumps(EMPTY).encode())

    with serving(handle, context) as url:
        secure = url.replace("http://127.0.0.1", "https://localhost")
        assert query(secure, CA=str(pem)).series == []
        with pytest.raises(UsageError, match="certificate"):
            query(secure)


def test_certificates_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be used"):
        query("https://localhost", CA=str(tmp_path / "absent"))
    (tmp_path / "empty").touch()
    with pytest.raises(UsageError, match="cannot be used"):
        query("https://localhost", CA=str(tmp_path / "empty"))
