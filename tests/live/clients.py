"""Clients that are played, and the counters of the engines that answer them.

Requests go where the live routes lead, and a real Prometheus scrapes what is counted of them. Who
looks at the routes so often also sees whether one ever names a Service without ready endpoints.
"""

import contextlib
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from live.cluster import Cluster
from live.processes import POLL
from support import traffic
from support.argocd.objects import Cluster as Snapshot
from support.argocd.objects import Live, key_of
from support.prometheus_server import prometheus, reply, serving

RATE = 400.0
"""Requests in a second that each release gets."""
CHOSEN = 0.2
"""The part of them that has the header of a rule for chosen requests."""
SERVICE = "kubernetes.io/service-name"
RELEASE, VERSION = "sluice.dev/release", "sluice.dev/version"
ROUTES = {
    "HTTPRoute": "gateway.networking.k8s.io/v1/httproutes",
    "Ingress": "networking.k8s.io/v1/ingresses",
    "VirtualService": "networking.istio.io/v1/virtualservices",
}
WORKLOADS = {"Deployment": "apps/v1/deployments"}
SLICES = "discovery.k8s.io/v1/endpointslices"

Object = Mapping[str, Any]


class Sight(NamedTuple):
    """What was there of a namespace at one time: Services that routes name, and Deployments."""

    named: frozenset[str]
    deployed: frozenset[str]
    shares: tuple[tuple[str, int], ...]
    chosen: frozenset[str]


@dataclass
class Clients:
    """Counts requests by the live routes, and remembers what the routes led to.

    Attributes:
        looks: how often the routes were looked at.
        problems: Services without ready endpoints that a route named, in words.
        sights: of each namespace, what was seen, in order and without repetitions.
        counted: answers, by namespace, release and version.
    """

    cluster: Cluster
    looks: int = 0
    problems: list[str] = field(default_factory=list)
    sights: dict[str, list[Sight]] = field(default_factory=lambda: defaultdict(list))
    counted: dict[tuple[str, str, str], float] = field(default_factory=lambda: defaultdict(float))

    def look(self, seconds: float) -> None:
        """Look once, and count the requests of the time since the last look.

        A route that is there before and after the Services were looked at did name them meanwhile.
        """
        before = self._routes()
        snapshot = self._snapshot(before)
        ready = self._services_with_endpoints()
        after = {_identity(route) for route in self._routes()}
        standing = [route for route in before if _identity(route) in after]
        self.looks += 1
        for backend in traffic.backends(self._snapshot(standing)):
            where = f"{backend.route.namespace}/{backend.name}"
            if where not in ready:
                now = time.strftime("%H:%M:%S")
                self.problems.append(f"{now} {backend.route} names {where}: nothing is ready")
        self._remember(snapshot)
        self._count(snapshot, seconds)

    def metrics(self) -> str:
        """Return the counters of all engines, as they export them."""
        lines = ["# TYPE http_requests_total counter"]
        for (namespace, release, version), count in list(self.counted.items()):
            labels = (
                f'namespace="{namespace}",sluice_dev_release="{release}",'
                f'sluice_dev_version="{version}",pod="{release}-v{version}-0"'
            )
            lines.append(f'http_requests_total{{{labels},status="2xx"}} {int(count)}')
            lines.append(f'http_requests_total{{{labels},status="5xx"}} 0')
        return "\n".join([*lines, ""])

    def _list(self, path: str, kind: str = "", api: str = "") -> list[dict[str, Any]]:
        answer = self.cluster.ask("GET", path).json()
        return [{"apiVersion": api, "kind": kind, **item} for item in answer["items"]]

    def _routes(self) -> list[dict[str, Any]]:
        return [
            item
            for kind, path in ROUTES.items()
            for item in self._list(f"/apis/{path}", kind, path.rpartition("/")[0])
        ]

    def _snapshot(self, routes: Sequence[dict[str, Any]]) -> Snapshot:
        objects = [*routes, *self._list("/api/v1/services", "Service", "v1")]
        for kind, path in WORKLOADS.items():
            objects += self._list(f"/apis/{path}", kind, path.rpartition("/")[0])
        snapshot = Snapshot()
        for data in objects:
            deleting = 0 if "deletionTimestamp" in data["metadata"] else None
            if data["spec"].get("selector") is None and data["kind"] == "Service":
                continue  # such as that of the API server itself
            snapshot.objects[key_of(data, "", "")] = Live(data, {}, "", 0, deleting)
        return snapshot

    def _services_with_endpoints(self) -> set[str]:
        return {
            f"{one['metadata']['namespace']}/{one['metadata']['labels'][SERVICE]}"
            for one in self._list(f"/apis/{SLICES}")
            if SERVICE in one["metadata"].get("labels", {})
            and any(e["conditions"].get("ready") for e in one.get("endpoints") or ())
        }

    def _remember(self, snapshot: Snapshot) -> None:
        backends = list(traffic.backends(snapshot))
        for namespace in {key.namespace for key in snapshot.objects if key.kind in ROUTES}:
            own = [backend for backend in backends if backend.route.namespace == namespace]
            sight = Sight(
                frozenset(backend.name for backend in own),
                frozenset(
                    key.name
                    for key in snapshot.objects
                    if key.namespace == namespace and key.kind in WORKLOADS
                ),
                tuple(sorted(traffic.shares(snapshot, namespace).items())),
                frozenset(backend.name for backend in own if not backend.general),
            )
            if self.sights[namespace][-1:] != [sight]:
                self.sights[namespace].append(sight)

    def _count(self, snapshot: Snapshot, seconds: float) -> None:
        for namespace in {key.namespace for key in snapshot.objects if key.kind in ROUTES}:
            shares = {
                name: part / 100 for name, part in traffic.shares(snapshot, namespace).items()
            }
            chosen = {
                key.name
                for backend in traffic.backends(snapshot)
                if backend.route.namespace == namespace and not backend.general
                for key in traffic.workloads(snapshot, backend)
            }
            for name in chosen:
                shares = {other: part * (1 - CHOSEN) for other, part in shares.items()}
                shares[name] = shares.get(name, 0) + CHOSEN
            for key, live in snapshot.objects.items():
                if key.namespace == namespace and key.kind in WORKLOADS:
                    labels = live.data["spec"]["template"]["metadata"]["labels"]
                    of = namespace, labels[RELEASE], labels[VERSION]
                    self.counted[of] += RATE * seconds * shares.get(key.name, 0)


def _identity(route: Object) -> tuple[str, str]:
    """Return what is the same only while nobody has changed a route, or marked it for deletion."""
    return route["metadata"]["uid"], route["metadata"]["resourceVersion"]


@contextlib.contextmanager
def asking(cluster: Cluster) -> Iterator[Clients]:
    """Let clients ask until the end of the block."""
    clients = Clients(cluster)
    done = threading.Event()
    failures: list[Exception] = []

    def ask_on() -> None:
        last = time.monotonic()
        while not done.wait(POLL):
            now = time.monotonic()
            try:
                clients.look(now - last)
            except httpx.TransportError:  # the next look sees it
                continue
            except Exception as error:  # noqa: BLE001  # told at the end, by who waits for it
                failures.append(error)
                return
            last = now

    thread = threading.Thread(target=ask_on)
    thread.start()
    try:
        yield clients
    finally:
        done.set()
        thread.join()
    assert not failures, failures


@contextlib.contextmanager
def counting(clients: Clients, folder: Path) -> Iterator[str]:
    """Let a Prometheus scrape what is counted until the end of the block; give its address."""
    with (
        serving(lambda request: reply(request, 200, clients.metrics().encode())) as url,
        prometheus(folder, url.removeprefix("http://"), {}) as address,
    ):
        yield address
