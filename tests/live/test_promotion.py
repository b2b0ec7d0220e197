"""From an alias in a real registry, by its webhook, to a pull request on a real forge."""

import base64
import os
import re
import secrets
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from live.chain import SLUICE
from live.gitea import BOT, OWNER, Gitea
from live.processes import Ports, running, wait_for, wait_until_up
from sluice.commands import init
from support.git_fixtures import CLEAN, run_git
from support.mlflow_server import post, register, set_alias

MODEL = "qwen2.5-7b-instruct"
ALIAS = "champion"
REPOSITORY = "promoted"
PROMOTIONS = 30
POLL = 0.02
TICKS = os.sysconf("SC_CLK_TCK")
ENVIRONMENT = "environments/production/environment.yaml"


@dataclass(frozen=True)
class Loop:
    """A registry that delivers webhooks, and a daemon that takes them."""

    registry: str
    gitea: Gitea
    address: str
    process: subprocess.Popen[bytes]

    def promote(self, version: str) -> float:
        """Move the alias; return after how many seconds the pull request is of that version."""
        set_alias(self.registry, MODEL, version, ALIAS)
        began = time.monotonic()
        wait_for(lambda: self._is_proposed(version), f"version {version} is proposed", pause=POLL)
        return time.monotonic() - began

    def _is_proposed(self, version: str) -> bool:
        pulls = self.gitea.ask("GET", f"/repos/{OWNER}/{REPOSITORY}/pulls?state=open")
        return any(pull["title"].endswith(f" {version}") for pull in pulls)

    def metric(self, name: str, label: str = "") -> float:
        """Return the sum of a metric of the daemon over its labels, or where it has one of them."""
        text = httpx.get(f"{self.address}/metrics", trust_env=False).text
        pattern = rf"^{re.escape(name)}(\{{[^}}]*\}})? (\S+)$"
        found = re.findall(pattern, text, re.MULTILINE)
        return sum(float(value) for labels, value in found if label in labels)

    def spent(self) -> Mapping[str, float]:
        """Return what the daemon has taken so far."""
        calls = {
            f"calls to the {remote}": self.metric("sluice_remote_calls", f'remote="{remote}"')
            for remote in ("registry", "forge", "git")
        }
        return {
            "s in cycles": self.metric("sluice_cycle_seconds_sum"),
            "cycles": self.metric("sluice_cycle_seconds_count"),
            "s of processor time": self.processor_time(),
            **calls,
        }

    def processor_time(self) -> float:
        """Return the seconds of processor time that the daemon has taken."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS


@pytest.fixture
def registry(tmp_path: Path, ports: Ports) -> Iterator[str]:
    """Give a server that delivers webhooks to this machine, too."""
    port, folder = ports.take(), tmp_path / "registry"
    environ = {
        "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http,https",
        "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
        "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": base64.urlsafe_b64encode(b"." * 32).decode(),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host=127.0.0.1", f"--port={port}"),
        *(f"--backend-store-uri=sqlite:///{folder / 'registry.db'}", "--workers=1"),
    ]
    url = f"http://127.0.0.1:{port}"
    with running(folder, "mlflow", command, environ) as process:
        wait_until_up(process, folder, "mlflow", lambda: _answers(f"{url}/health"))
        yield url


@pytest.fixture
def loop(registry: str, gitea: Gitea, ports: Ports, tmp_path: Path) -> Iterator[Loop]:
    """Give a daemon that has proposed nothing yet, and that polls too seldom to matter."""
    clone, secret, port = tmp_path / "clone", secrets.token_hex(), ports.take()
    address = f"http://127.0.0.1:{port}"
    # At first, since the server remembers for a minute that there is none.
    hook = {
        "name": "sluice",
        "url": f"{address}/webhooks/registry",
        "secret": secret,
        "events": [{"entity": "MODEL_VERSION_ALIAS", "action": "CREATED"}],
    }
    post(registry, "webhooks", hook)
    for version in range(1, PROMOTIONS + 2):
        register(registry, MODEL, version_source=_source(version), metrics={"mmlu/acc": 0.7})
    _write(clone, gitea.create(REPOSITORY), gitea.bot)
    environ = {
        **CLEAN,
        "SLUICE_FORGE": gitea.address(REPOSITORY),
        "SLUICE_FORGE_TOKEN": gitea.bot,
        "SLUICE_STATE": str(tmp_path / "state"),
        "MLFLOW_TRACKING_URI": registry,
        "SLUICE_REGISTRY_WEBHOOK_SECRET": secret,
    }
    command = [SLUICE, "reconcile", "--interval=600", f"--listen=127.0.0.1:{port}"]
    with running(tmp_path, "reconcile", [*command, f"--root={clone}"], environ) as process:
        wait_for(lambda: _answers(f"{address}/readyz"), "the daemon has looked once")
        found = Loop(registry, gitea, address, process)
        set_alias(registry, MODEL, "1", ALIAS)
        wait_for(lambda: found.metric("sluice_deliveries_total") > 0, "a webhook is delivered")
        yield found


def _source(version: int) -> str:
    return f"pvc://model-pvc/{MODEL}-awq/{version}"


def _write(clone: Path, url: str, token: str) -> None:
    """Push a repository whose one environment follows the alias."""
    init.write(clone)
    for folder in ("environments/staging", "manifests/staging"):
        for path in sorted((clone / folder).rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
    (clone / "manifests" / "_bootstrap" / "staging.yaml").unlink(missing_ok=True)
    path = clone / ENVIRONMENT
    path.write_text(path.read_text().replace("stage: Production", f"alias: {ALIAS}"))
    subprocess.run([SLUICE, "render"], cwd=clone, check=True, capture_output=True)
    run_git(clone, "init", "--quiet", "--initial-branch=main")
    run_git(clone, "add", "--all")
    run_git(clone, "commit", "--quiet", "--message=Model releases")
    remote = url.replace("://", f"://{BOT}:{token}@")
    run_git(clone, "push", "--quiet", "--force", remote, "main")


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).is_success
    except httpx.TransportError:
        return False


def test_every_promotion_is_a_pull_request_soon(loop: Loop, notes: list[str]) -> None:
    before = loop.spent()
    lags = [loop.promote(str(version)) for version in range(2, PROMOTIONS + 2)]
    each = {what: (spent - before[what]) / PROMOTIONS for what, spent in loop.spent().items()}
    notes.append(
        f"promotion to pull request: p50 {statistics.median(lags):.2f} s, "
        f"p95 {statistics.quantiles(lags, n=20)[-1]:.2f} s, the longest {max(lags):.2f} s; of each "
        + ", ".join(f"{spent:.2f} {what}" for what, spent in each.items())
    )
    assert loop.metric("sluice_deliveries_total") >= PROMOTIONS
