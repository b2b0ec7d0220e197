"""A set of objects as references see it: by name, by label, by port."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from sluice.core.kubernetes.rules.containers import ports_of
from sluice.core.kubernetes.rules.problem import Pointer, mapping, mappings, text
from sluice.core.kubernetes.rules.workloads import selects

Identity = tuple[str, str, str, str]
"""Group, kind, namespace, name."""

_TEMPLATES: dict[str, tuple[tuple[str, ...], ...]] = {
    "Pod": ((),),
    "CronJob": (("spec", "jobTemplate", "spec", "template"),),
    "LeaderWorkerSet": (
        ("spec", "leaderWorkerTemplate", "workerTemplate"),
        ("spec", "leaderWorkerTemplate", "leaderTemplate"),
    ),
    **dict.fromkeys(
        ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "Rollout"),
        (("spec", "template"),),
    ),
}


def identity(data: dict[str, Any]) -> Identity:
    """What identifies an object in a cluster, whatever the version of its API."""
    metadata = mapping(data, "metadata")
    api, kind = text(data, "apiVersion"), text(data, "kind")
    group = api.partition("/")[0] if "/" in api else ""
    return group, kind, text(metadata, "namespace"), text(metadata, "name")


class Item(NamedTuple):
    """One object of the set, with its position in it."""

    position: int
    data: dict[str, Any]
    identity: Identity

    @property
    def kind(self) -> str:
        """The kind, without its group."""
        return self.identity[1]

    @property
    def namespace(self) -> str:
        """The namespace as written; nothing stands for whichever the object is applied to."""
        return self.identity[2]

    @property
    def name(self) -> str:
        """The name as written."""
        return self.identity[3]


@dataclass(frozen=True, eq=False)
class Pods:
    """The pods that one object makes."""

    item: Item
    pointer: Pointer
    labels: dict[str, Any]
    spec: dict[str, Any]

    @cached_property
    def ports(self) -> list[tuple[str, int]]:
        """The ports that their containers name."""
        containers = [
            container
            for kind in ("containers", "initContainers")
            for _, container in mappings(self.spec, kind)
        ]
        return [port for container in containers for port in ports_of(container)]


@dataclass
class World:
    """All objects of the set."""

    items: dict[str, list[Item]] = field(default_factory=lambda: defaultdict(list))
    by_name: dict[tuple[str, str, str], Item] = field(default_factory=dict)
    pods: list[Pods] = field(default_factory=list)
    _by_label: dict[tuple[str, str, str], list[Pods]] = field(
        default_factory=lambda: defaultdict(list)
    )
    _by_namespace: dict[str, list[Pods]] = field(default_factory=lambda: defaultdict(list))

    def add(self, item: Item) -> None:
        """Take one more object into account."""
        _, kind, namespace, name = item.identity
        self.items[kind].append(item)
        self.by_name.setdefault((kind, namespace, name), item)
        for part in _made(item):
            self.by_name.setdefault((part.kind, namespace, part.name), part)
        for pods in _pods(item):
            self.pods.append(pods)
            self._by_namespace[namespace].append(pods)
            for key, value in pods.labels.items():
                if isinstance(value, str):
                    self._by_label[namespace, key, value].append(pods)

    def get(self, kind: str, namespace: str, name: str) -> Item | None:
        """The object of this name."""
        return self.by_name.get((kind, namespace, name))

    def selected(self, namespace: str, selector: dict[str, Any]) -> list[Pods]:
        """The pods that a selector (matchLabels, matchExpressions) matches."""
        candidates = self._by_namespace.get(namespace, [])
        for key, value in mapping(selector, "matchLabels").items():
            if not isinstance(value, str):
                return []
            narrowed = self._by_label.get((namespace, key, value), [])
            if len(narrowed) < len(candidates):
                candidates = narrowed
        return [pods for pods in candidates if selects(selector, pods.labels)]


def _made(item: Item) -> Iterator[Item]:
    """The Services that the controller of a Canary makes."""
    group, kind, namespace, _ = item.identity
    if (group, kind) != ("flagger.app", "Canary"):
        return
    spec = mapping(item.data, "spec")
    service = mapping(spec, "service")
    apex = text(service, "name") or text(mapping(spec, "targetRef"), "name")
    port = {"name": text(service, "portName") or "http", "port": service.get("port")}
    for name in (apex, f"{apex}-primary", f"{apex}-canary") if apex else ():
        data = {"spec": {"ports": [port]}}
        yield Item(item.position, data, ("", "Service", namespace, name))


def world_of(objects: Sequence[tuple[int, dict[str, Any]]]) -> World:
    """The set of these objects, each given with its position."""
    world = World()
    for position, data in objects:
        world.add(Item(position, data, identity(data)))
    return world


def templates_of(data: dict[str, Any]) -> Iterator[tuple[Pointer, dict[str, Any]]]:
    """The templates of pods in an object, each with where it stands."""
    for path in _TEMPLATES.get(text(data, "kind"), ()):
        template = mapping(data, *path)
        if template:
            yield path, template


def _pods(item: Item) -> Iterator[Pods]:
    for path, template in templates_of(item.data):
        labels, spec = mapping(template, "metadata", "labels"), mapping(template, "spec")
        yield Pods(item, (*path, "spec"), labels, spec)
