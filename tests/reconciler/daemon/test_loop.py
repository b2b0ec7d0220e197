"""The daemon: stops when asked, waits longer after failures, and is woken by deliveries."""

import base64
import hmac
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from sluice import git
from sluice.core.finding import UsageError
from sluice.reconciler.daemon.backoff import LONGEST, SHORTEST, Patience
from sluice.reconciler.daemon.cycle_log import Diary
from sluice.reconciler.daemon.loop import Daemon
from sluice.reconciler.daemon.server import LARGEST_BODY, serve
from sluice.reconciler.daemon.webhooks import FORGE_SECRET, REGISTRY_SECRET, read_verifiers
from sluice.reconciler.runtime import Runtime
from support.loop import KEY, Loop

pytestmark = pytest.mark.server
SECRET = "canary-delivery-secret"  # noqa: S105  # of a test
NOW = 1_800_000_000


@pytest.fixture
def loop(tmp_path: Path) -> Loop:
    loop = Loop(tmp_path)
    loop.register(1)
    loop.register(2)
    return loop


def daemon(loop: Loop, form: str = "json", interval: float = 3600) -> Daemon:
    upstream = git.Direct(loop.repository)
    world = Runtime(upstream, loop.registry, loop.forge, lambda: 2_000)
    return Daemon(world, Diary(form), interval, threading.Event())


@contextmanager
def served(made: Daemon, kind: str = "github") -> Iterator[httpx.Client]:
    environ = {REGISTRY_SECRET: SECRET, FORGE_SECRET: SECRET}
    known = read_verifiers("github" if kind == "github" else None, environ, lambda: NOW)
    with (
        serve(made.listener(known), "127.0.0.1:0") as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        yield client


def signed(body: bytes, name: str = "d1", when: int = NOW) -> dict[str, str]:
    message = f"{name}.{when}.".encode() + body
    made = base64.b64encode(hmac.new(SECRET.encode(), message, sha256).digest()).decode()
    return {
        "X-MLflow-Delivery-Id": name,
        "X-MLflow-Timestamp": str(when),
        "X-MLflow-Signature": f"v1,{made}",
    }


BODY = b'{"entity":"something_new","action":"made","workspace":"team-a","data":{"name":"m\\u00e9"}}'


def test_a_cycle_is_told_counted_and_makes_it_ready(
    loop: Loop, capsys: pytest.CaptureFixture[str]
) -> None:
    made = daemon(loop)
    with served(made) as client:
        assert (client.get("/healthz").status_code, client.get("/readyz").status_code) == (200, 503)
        assert made.once() == 3600
        assert client.get("/readyz").status_code == 200
        metrics = client.get("/metrics").text
    assert 'sluice_outcomes_total{what="proposed"} 1.0' in metrics
    assert "sluice_promotion_lag_seconds_count 1.0" in metrics
    assert "sluice_cycle_seconds_count 1.0" in metrics
    records = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    (told,) = [r for r in records if r.get("release") == KEY]
    assert (told["event"], told["what"], told["version"]) == ("outcome", "proposed", "2")
    made.once()
    made.once()
    again = capsys.readouterr().out.splitlines()
    assert [json.loads(text)["what"] for text in again if KEY in text] == ["unchanged"]


def test_trouble_is_told_and_waited_for_longer_and_longer(
    loop: Loop, capsys: pytest.CaptureFixture[str]
) -> None:
    made = daemon(loop, "text", interval=1)
    registry = loop.folder / "registry.json"
    held = registry.read_text()
    registry.unlink()
    waits = [made.once() for _ in range(4)]
    assert waits == sorted(waits)
    assert waits[3] >= 8 * SHORTEST
    assert made.trouble == "unreachable"
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 4
    assert all("trying again in about" in line for line in said)
    registry.write_text(held)
    assert made.once() == 1
    assert not made.trouble


def test_a_release_that_fails_waits_by_itself() -> None:
    now = [0.0]
    patience = Patience(lambda: now[0], lambda: 0.5)
    for _ in range(20):
        assert patience.failed("bad") <= 1.2 * LONGEST
        assert not patience.is_due("bad")
        assert patience.is_due("good")
    now[0] += 2 * LONGEST
    assert patience.is_due("bad")
    patience.succeeded("bad")
    assert patience.failed("bad") < 2 * SHORTEST
    assert patience.failed("told", at_least=5_000) >= 5_000


def test_a_signed_delivery_wakes_once_and_nothing_else_does(loop: Loop) -> None:
    made = daemon(loop)
    with served(made) as client:

        def sent(headers: dict[str, str], body: bytes = BODY) -> tuple[int, bool]:
            made.wake.clear()
            answer = client.post("/webhooks/registry", content=body, headers=headers)
            assert SECRET not in answer.text
            return answer.status_code, made.wake.is_set()

        assert sent(signed(BODY)) == (202, True)
        assert sent(signed(BODY)) == (202, False)
        assert sent(signed(BODY, "d2"), BODY + b" ") == (401, False)
        assert sent(signed(BODY, "d3", NOW - 301)) == (401, False)
        assert sent(signed(BODY, "d3", NOW + 301)) == (401, False)
        assert sent({**signed(BODY, "d4"), "X-MLflow-Delivery-Id": "d5"}) == (401, False)
        assert sent({}) == (401, False)
        assert sent(signed(BODY, "d6"), b"x" * (LARGEST_BODY + 1)) == (413, False)
        assert client.get("/webhooks/registry").status_code == 405
        assert client.post("/webhooks/other", content=BODY).status_code == 404
        metrics = client.get("/metrics").text
    assert 'sluice_deliveries_total{result="accepted",source="registry"} 1.0' in metrics
    assert 'sluice_deliveries_total{result="replayed",source="registry"} 1.0' in metrics
    assert SECRET not in metrics


def test_a_delivery_of_the_forge_wakes(loop: Loop) -> None:
    made = daemon(loop)
    signature = hmac.new(SECRET.encode(), BODY, sha256).hexdigest()
    headers = {"X-Hub-Signature-256": f"sha256={signature}", "X-GitHub-Delivery": "g1"}
    with served(made) as client:
        assert client.post("/webhooks/forge", content=BODY, headers=headers).status_code == 202
        assert made.wake.is_set()
    with served(made, "embedded") as client:
        assert client.post("/webhooks/forge", content=BODY, headers=headers).status_code == 404


def test_a_port_that_is_taken_is_one_line(loop: Loop) -> None:
    made = daemon(loop)
    with served(made) as client:
        where = f"127.0.0.1:{client.base_url.port}"
        with pytest.raises(UsageError, match="cannot listen"), serve(made.listener({}), where):
            pass
    with pytest.raises(UsageError, match="HOST:PORT"), serve(made.listener({}), "8080"):
        pass


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_good_order(loop: Loop, number: int) -> None:
    registry = f"file:{loop.folder / 'registry.json'}"
    command = ["reconcile", "--registry", registry, "--repository", str(loop.bare)]
    more = ["--format", "json", "--listen", "127.0.0.1:0"]
    process = subprocess.Popen(
        [sys.executable, "-m", "sluice", *command, *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout
        lines = iter(process.stdout.readline, "")
        assert any('"proposed"' in line for line in lines)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, err) == (0, "")
    assert json.loads(out.splitlines()[-1])["event"] == "stopped"


@pytest.mark.parametrize(("spent", "paused"), [(0.0, True), (60.0, False)])
def test_a_look_that_took_long_needs_no_pause_after_it(
    loop: Loop, spent: float, *, paused: bool
) -> None:
    """A delivery that came meanwhile is not kept waiting once more."""
    pauses: list[float] = []

    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            pauses.append(timeout or 0.0)
            return False

    made = daemon(loop)
    made.stop = Stop()
    made.began -= spent
    made.woken("forge")
    made.rest(3600)
    assert (pauses[0] > 0) is paused


def test_a_wake_ends_the_rest(loop: Loop) -> None:
    made = daemon(loop)
    ended = threading.Event()

    def rest() -> None:
        made.rest(3600)
        ended.set()

    thread = threading.Thread(target=rest)
    thread.start()
    made.woken("registry")
    thread.join(timeout=60)
    assert ended.is_set()
