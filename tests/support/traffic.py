"""Where the live routes of a cluster lead, and whether anything answers there."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from support.argocd.objects import Cluster, Data, Key

WORKLOADS = ("Deployment", "LeaderWorkerSet")
CANARY = "nginx.ingress.kubernetes.io/canary"


class Backend(NamedTuple):
    """Something that a route names.

    Args:
        route: the route.
        kind: of what is named.
        name: of what is named, in the route's own namespace.
        weight: the share in percent of the requests that the rule is for.
        general: whether the rule is for every request, and not for chosen ones only.
    """

    route: Key
    kind: str
    name: str
    weight: int
    general: bool

    @property
    def key(self) -> Key:
        """The key of what is named."""
        group = "" if self.kind == "Service" else "inference.networking.k8s.io"
        return self.route._replace(group=group, kind=self.kind, name=self.name)


def backends(cluster: Cluster) -> Iterator[Backend]:
    """Everything that live routes name."""
    for key, live in cluster.objects.items():
        read = _ROUTES.get(key.kind)
        if read is not None and live.deleting is None:
            yield from (Backend(key, *named) for named in read(live.data))


def shares(cluster: Cluster, namespace: str) -> dict[str, int]:
    """The percent of all requests that each workload of a namespace gets.

    What leads to no workload is under an empty name. On nginx the Ingress of a candidate takes its
    weight from the main one.
    """
    general = [b for b in backends(cluster) if b.general and b.route.namespace == namespace]
    taken = sum(b.weight for b in general if _is_canary(cluster, b))
    total: Counter[str] = Counter()
    for backend in general:
        main = backend.route.kind == "Ingress" and not _is_canary(cluster, backend)
        names = sorted(key.name for key in workloads(cluster, backend))
        total["+".join(names)] += backend.weight - (taken if main else 0)
    return {name: weight for name, weight in total.items() if name or weight}


def workloads(cluster: Cluster, backend: Backend) -> list[Key]:
    """The workloads behind what a route names, but those that are being deleted."""
    live = cluster.objects.get(backend.key)
    if live is None or live.deleting is not None:
        return []
    selector = live.data["spec"]["selector"]
    labels: Mapping[str, str] = selector.get("matchLabels", selector)
    return [
        key
        for key, workload in cluster.objects.items()
        if key.kind in WORKLOADS
        and (key.server, key.namespace) == (backend.route.server, backend.route.namespace)
        and workload.deleting is None
        and labels.items() <= _pod_labels(workload.data).items()
    ]


def is_served(cluster: Cluster, backend: Backend) -> bool:
    """Whether something answers to all requests that this backend gets."""
    return backend.weight == 0 or bool(workloads(cluster, backend))


def _is_canary(cluster: Cluster, backend: Backend) -> bool:
    annotations = cluster.objects[backend.route].data["metadata"].get("annotations", {})
    return CANARY in annotations


def _pod_labels(workload: Data) -> Mapping[str, str]:
    spec = workload["spec"]
    template = spec.get("template") or spec["leaderWorkerTemplate"]["leaderTemplate"]
    labels: Mapping[str, str] = template["metadata"]["labels"]
    return labels


def _http_route(data: Data) -> Iterator[tuple[str, str, int, bool]]:
    for rule in data["spec"]["rules"]:
        general = not any("headers" in match for match in rule.get("matches", ()))
        for ref in rule["backendRefs"]:
            yield ref.get("kind", "Service"), ref["name"], ref.get("weight", 1), general
        for entry in rule.get("filters", ()):
            if entry["type"] == "RequestMirror":
                yield "Service", entry["requestMirror"]["backendRef"]["name"], 0, general


def _virtual_service(data: Data) -> Iterator[tuple[str, str, int, bool]]:
    for rule in data["spec"]["http"]:
        general = not any("headers" in match for match in rule.get("match", ()))
        for route in rule["route"]:
            yield "Service", route["destination"]["host"], route.get("weight", 100), general
        if "mirror" in rule:
            yield "Service", rule["mirror"]["host"], 0, general


def _ingress(data: Data) -> Iterator[tuple[str, str, int, bool]]:
    annotations = data["metadata"].get("annotations", {})
    weight = int(annotations.get(f"{CANARY}-weight", "0")) if CANARY in annotations else 100
    chosen = any(name.startswith(f"{CANARY}-by-") for name in annotations)
    for rule in data["spec"]["rules"]:
        for path in rule["http"]["paths"]:
            name = path["backend"]["service"]["name"]
            yield "Service", name, weight, True
            if chosen:
                yield "Service", name, 100, False


_ROUTES: Mapping[str, Callable[[Any], Iterator[tuple[str, str, int, bool]]]] = {
    "HTTPRoute": _http_route,
    "Ingress": _ingress,
    "VirtualService": _virtual_service,
}
