"""A real Argo CD against the cluster: its repository server and its application controller.

It has no API server, and so no webhooks: it looks at Git every RESYNC seconds, and remembers what a
branch was for as long.
"""

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from live.cluster import Cluster
from live.parts import cache
from live.processes import Ports, running, wait_until_up

NAMESPACE = "argocd"
RESYNC = 15
POLLS = 2
"""What Git says is to be in the cluster after so many looks of Argo CD at Git."""


@dataclass(frozen=True)
class Addresses:
    """Ports of what its parts ask, and the cluster that they follow."""

    redis: int
    repository_server: int
    kubeconfig: Path


@contextlib.contextmanager
def argocd(cluster: Cluster, ports: Ports, folder: Path) -> Iterator[None]:
    """Run Argo CD until the end of the block."""
    for name in ("tls", "ssh", "gpg", "plugins", "tmp"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "ssh" / "ssh_known_hosts").touch()
    _install(cluster)
    # It is one program that plays the part it is called by, as in its image.
    for part in ("argocd-repo-server", "argocd-application-controller"):
        (folder / part).symlink_to(cache() / "argocd")
    environ = _environment(cluster, folder)
    redis, metrics, controller = (ports.take() for _ in range(3))
    asked = Addresses(redis, ports.take(), cluster.kubeconfig)
    with (
        running(folder, "redis", _redis(redis)),
        running(folder, "repo-server", _repo_server(asked, folder, metrics), environ) as one,
        running(folder, "controller", _controller(asked, folder, controller), environ) as two,
    ):
        wait_until_up(one, folder, "repo-server", lambda: _is_healthy(metrics))
        wait_until_up(two, folder, "controller", lambda: _is_healthy(controller))
        yield


def _install(cluster: Cluster) -> None:
    """Configure it as a default installation is; what is not watched matters for health."""
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    files = f"--filename={cache() / 'argocd-config'}"
    cluster.kubectl(
        "apply", "--server-side", "--force-conflicts", f"--namespace={NAMESPACE}", files
    )
    cluster.apply(
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "AppProject",
            "metadata": {"name": "default", "namespace": NAMESPACE},
            "spec": {
                "sourceRepos": ["*"],
                "destinations": [{"namespace": "*", "server": "*"}],
                "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
            },
        }
    )


def add_repository(cluster: Cluster, url: str, username: str, password: str) -> None:
    """Tell Argo CD how to read a private repository."""
    cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": "repository",
                "namespace": NAMESPACE,
                "labels": {"argocd.argoproj.io/secret-type": "repository"},
            },
            "stringData": {"type": "git", "url": url, "username": username, "password": password},
        }
    )


def _environment(cluster: Cluster, folder: Path) -> Mapping[str, str]:
    return {
        "PATH": f"{cache()}:{os.environ['PATH']}",  # it calls git-verify-wrapper.sh by name
        "KUBECONFIG": str(cluster.kubeconfig),
        "TMPDIR": str(folder / "tmp"),
        "ARGOCD_FAKE_IN_CLUSTER": "true",  # so that https://kubernetes.default.svc means this one
        "ARGOCD_GPG_ENABLED": "false",
        "ARGOCD_TLS_DATA_PATH": str(folder / "tls"),
        "ARGOCD_SSH_DATA_PATH": str(folder / "ssh"),
        "ARGOCD_GNUPGHOME": str(folder / "gpg"),
        "ARGOCD_PLUGINSOCKFILEPATH": str(folder / "plugins"),
        "ARGOCD_ASK_PASS_SOCK": str(folder / "askpass.sock"),
    }


def _redis(port: int) -> list[str | Path]:
    return [
        *("redis-server", "--bind", "127.0.0.1", "--port", str(port)),
        *("--save", "", "--appendonly", "no", "--daemonize", "no"),
    ]


def _repo_server(asked: Addresses, folder: Path, metrics: int) -> list[str | Path]:
    return [
        folder / "argocd-repo-server",
        "--address=127.0.0.1",
        f"--port={asked.repository_server}",
        "--metrics-address=127.0.0.1",
        f"--metrics-port={metrics}",
        f"--revision-cache-expiration={RESYNC}s",
        "--disable-tls",
        "--client-ca-path=",
        f"--redis=127.0.0.1:{asked.redis}",
        "--logformat=text",
    ]


def _controller(asked: Addresses, folder: Path, metrics: int) -> list[str | Path]:
    return [
        folder / "argocd-application-controller",
        f"--kubeconfig={asked.kubeconfig}",
        f"--namespace={NAMESPACE}",
        f"--metrics-port={metrics}",
        f"--repo-server=127.0.0.1:{asked.repository_server}",
        "--repo-server-plaintext",
        f"--redis=127.0.0.1:{asked.redis}",
        f"--app-resync={RESYNC}",
        "--app-resync-jitter=0",
        "--persist-resource-health",
        "--logformat=text",
    ]


def argocd_version() -> str:
    """Return the version that the program says it is of."""
    command = [str(cache() / "argocd"), "version", "--client", "--output=json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return str(json.loads(done.stdout)["client"]["Version"]).partition("+")[0]


def _is_healthy(port: int) -> bool:
    try:
        with httpx.Client(trust_env=False) as client:
            return client.get(f"http://127.0.0.1:{port}/healthz").is_success
    except httpx.TransportError:
        return False
