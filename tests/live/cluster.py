"""A real Kubernetes API on loopback, with controllers, a scheduler and nodes that are played.

Pods are scheduled and become ready, but nothing runs in them. Of the custom resources only the
definitions are there; nobody acts on them, but for `routing`, which accepts HTTPRoutes.
"""

import contextlib
import json
import secrets
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import yaml

from live.parts import DEFINITIONS, HERE, cache
from live.processes import Ports, running, wait_for, wait_until_up
from support.tls import authority

TIMEOUT = 60.0
VOLUMES = 40
MERGE = "application/merge-patch+json"


@dataclass(frozen=True)
class Cluster:
    """The API server, as an administrator sees it."""

    folder: Path
    url: str
    client: httpx.Client

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    def kubectl(
        self, *arguments: str, stdin: str = "", check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl; a failure is one of the test unless it is to be looked at."""
        done = subprocess.run(
            [str(cache() / "kubectl"), f"--kubeconfig={self.kubeconfig}", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, done.stderr[-3000:]
        return done

    def apply(self, *objects: Mapping[str, Any]) -> None:
        """Put objects into the cluster by server-side apply."""
        if not objects:
            return
        text = yaml.safe_dump_all(objects, sort_keys=False)
        self.kubectl("apply", "--server-side", "--force-conflicts", "--filename=-", stdin=text)

    def get(self, kind: str, name: str, namespace: str) -> dict[str, Any]:
        """Return an object, empty when it is not there."""
        said = self.kubectl(
            "get", kind, name, f"--namespace={namespace}", "--ignore-not-found", "--output=json"
        ).stdout
        found: dict[str, Any] = json.loads(said) if said else {}
        return found

    def list(self, kind: str, namespace: str, selector: str = "") -> list[dict[str, Any]]:
        """Return the objects of a kind in a namespace."""
        said = self.kubectl(
            "get", kind, f"--namespace={namespace}", f"--selector={selector}", "--output=json"
        ).stdout
        items: list[dict[str, Any]] = json.loads(said)["items"]
        return items

    def ask(
        self,
        method: str,
        path: str,
        data: Mapping[str, Any] | None = None,
        kind: str = "application/json",
        **query: str,
    ) -> httpx.Response:
        """Return the answer to one request of the API, whatever it is."""
        return self.client.request(
            method,
            f"{path}?{urlencode(query)}" if query else path,
            content=json.dumps(data) if data is not None else None,
            headers={"content-type": kind},
        )


@contextlib.contextmanager
def api_server(folder: Path, ports: Ports) -> Iterator[Cluster]:
    """Run the API server with its controllers, and with our definitions of custom resources."""
    folder.mkdir(parents=True, exist_ok=True)
    store, peer = (f"http://127.0.0.1:{ports.take()}" for _ in range(2))
    port = ports.take()
    authorities = authority(folder)
    authorities.server()
    keys = folder / "server-2.pem"
    token = secrets.token_hex(16)
    (folder / "tokens.csv").write_text(f"{token},admin,admin,system:masters\n")
    url = f"https://127.0.0.1:{port}"
    _write_kubeconfig(folder, url, authorities.path, token)
    with contextlib.ExitStack() as stack:
        stack.enter_context(running(folder, "etcd", _etcd(store, peer)))
        server = stack.enter_context(running(folder, "apiserver", _api_server(store, port, keys)))
        context = ssl.create_default_context(cafile=str(authorities.path))
        client = stack.enter_context(
            httpx.Client(
                base_url=url,
                verify=context,
                headers={"authorization": f"Bearer {token}"},
                trust_env=False,
                timeout=TIMEOUT,
            )
        )
        wait_until_up(server, folder, "apiserver", lambda: _is_ready(client))
        cluster = Cluster(folder, url, client)
        _create_definitions(cluster)
        stack.enter_context(running(folder, "controllers", _controllers(folder, ports, keys)))
        yield cluster


def _etcd(store: str, peer: str) -> list[str | Path]:
    return [
        cache() / "etcd",
        "--data-dir=etcd",
        "--unsafe-no-fsync",
        "--log-level=error",
        f"--listen-client-urls={store}",
        f"--advertise-client-urls={store}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
    ]


def _api_server(store: str, port: int, keys: Path) -> list[str | Path]:
    return [
        cache() / "kube-apiserver",
        f"--etcd-servers={store}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--tls-cert-file={keys}",
        f"--tls-private-key-file={keys}",
        "--token-auth-file=tokens.csv",
        "--authorization-mode=RBAC",
        "--allow-privileged",
        "--service-account-issuer=https://live.example.com",
        f"--service-account-key-file={keys}",
        f"--service-account-signing-key-file={keys}",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--endpoint-reconciler-type=none",
        "--feature-gates=ImageVolume=true",  # as from 1.35 on; without it the field is dropped
    ]


def _as_client(ports: Ports) -> list[str]:
    """Return the options that the parts of a control plane share."""
    return [
        "--kubeconfig=kubeconfig",
        "--authentication-kubeconfig=kubeconfig",
        "--authorization-kubeconfig=kubeconfig",
        "--bind-address=127.0.0.1",
        f"--secure-port={ports.take()}",
        "--leader-elect=false",
    ]


def _controllers(folder: Path, ports: Ports, keys: Path) -> list[str | Path]:
    return [
        cache() / "kube-controller-manager",
        *_as_client(ports),
        "--cert-dir=certificates/controllers",
        f"--service-account-private-key-file={keys}",
        f"--root-ca-file={folder / 'authority.pem'}",
    ]


def _write_kubeconfig(folder: Path, url: str, certificate: Path, token: str) -> None:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "live",
        "clusters": [
            {"name": "live", "cluster": {"server": url, "certificate-authority": str(certificate)}}
        ],
        "users": [{"name": "admin", "user": {"token": token}}],
        "contexts": [{"name": "live", "context": {"cluster": "live", "user": "admin"}}],
    }
    (folder / "kubeconfig").write_text(yaml.safe_dump(config))


def _is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").is_success
    except httpx.TransportError:
        return False


def _create_definitions(cluster: Cluster) -> None:
    # Created, since some are too long for what a client-side apply leaves in an annotation.
    files = [f"--filename={cache() / 'crds' / name}.yaml" for name in DEFINITIONS]
    cluster.kubectl("create", *files)
    cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=120s")


@contextlib.contextmanager
def nodes(cluster: Cluster, ports: Ports) -> Iterator[None]:
    """Run a scheduler, and nodes whose pods become ready at once."""
    port = ports.take()
    scheduler: list[str | Path] = [
        cache() / "kube-scheduler",
        *_as_client(ports),
        "--cert-dir=certificates/scheduler",
    ]
    kubelets: list[str | Path] = [
        cache() / "kwok",
        "--kubeconfig=kubeconfig",
        f"--config={cache() / 'kwok-stages.yaml'}",
        "--manage-all-nodes",
        f"--server-address=127.0.0.1:{port}",
        "--node-ip=127.0.0.1",
        f"--node-port={port}",
        "--node-lease-duration-seconds=40",  # without leases nodes become unready after 50 s
    ]
    with (
        running(cluster.folder, "scheduler", scheduler),
        running(cluster.folder, "kwok", kubelets),
    ):
        cluster.kubectl("apply", f"--filename={HERE / 'nodes.yaml'}")
        cluster.apply(*map(_volume, range(VOLUMES)))
        cluster.kubectl("wait", "--for=condition=Ready", "node", "--all", "--timeout=120s")
        # The controllers make it, and without it no pod is admitted.
        wait_for(
            lambda: bool(cluster.get("serviceaccount", "default", "default")),
            "there is a service account",
        )
        yield


def _volume(number: int) -> dict[str, Any]:
    """Return a volume: nothing provisions storage here, a claim without a class is bound to one."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"volume-{number}"},
        "spec": {
            "capacity": {"storage": "10Ti"},
            "accessModes": ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany"],
            "hostPath": {"path": "/nonexistent"},
        },
    }
