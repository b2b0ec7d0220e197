"""References between the objects of a set.

What the set lacks may exist in the cluster: then a reference to it is a note. Where the set is
closed (it holds all that there is), it is an error if pods cannot start, else a warning.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from sluice.core.kubernetes.rules.ingress import INGRESS_CLASS, canary, pinned
from sluice.core.kubernetes.rules.problem import (
    Pointer,
    mapping,
    mappings,
    show,
    text,
)
from sluice.core.kubernetes.rules.world import Item, Pods, World

_OWN_ROLES = re.compile(r"cluster-admin|admin|edit|view|system:.*")
"""The roles that every cluster has from the start."""


class Dangling(NamedTuple):
    """A problem between objects; `outside` when what is missing may exist in the cluster."""

    rule: str
    position: int
    pointer: Pointer
    message: str
    outside: bool = False


Dangles = Iterator[Dangling]


def _check_no_object_twice(world: World) -> Dangles:
    first_positions: dict[tuple[str, ...], int] = {}
    for items in world.items.values():
        for item in items:
            first = first_positions.setdefault(item.identity, item.position)
            if item.name and first != item.position:
                message = f"{item.kind} {show(item.name)} is defined more than once"
                yield Dangling("SEM008", item.position, ("metadata", "name"), message)


def _check_services(world: World) -> Dangles:
    for item in world.items.get("Service", ()):
        spec = mapping(item.data, "spec")
        selector = mapping(spec, "selector")
        if not selector or spec.get("type") == "ExternalName":
            continue
        pods = world.selected(item.namespace, {"matchLabels": selector})
        if not pods:
            message = "no workload of the set has these labels"
            yield Dangling("SEM160", item.position, ("spec", "selector"), message, outside=True)
            continue
        for index, port in mappings(spec, "ports"):
            target = port.get("targetPort")
            if isinstance(target, str) and target and not _is_named(target, pods):
                place = ("spec", "ports", index, "targetPort")
                message = f"no selected pod names a port {show(target)}"
                yield Dangling("SEM161", item.position, place, message)


def _is_named(name: str, pods: list[Pods]) -> bool:
    return any(port == name for some in pods for port, _ in some.ports)


def _check_budgets(world: World) -> Dangles:
    for item in world.items.get("PodDisruptionBudget", ()):
        selector = mapping(item.data, "spec", "selector")
        if selector and not world.selected(item.namespace, selector):
            message = "no workload of the set has these labels"
            yield Dangling("SEM163", item.position, ("spec", "selector"), message, outside=True)


def _check_monitors(world: World) -> Dangles:
    for item in world.items.get("PodMonitor", ()):
        spec = mapping(item.data, "spec")
        selector = mapping(spec, "selector")
        elsewhere = mapping(spec, "namespaceSelector")
        if not selector or elsewhere:
            continue
        pods = world.selected(item.namespace, selector)
        if not pods:
            message = "no workload of the set has these labels"
            yield Dangling("SEM177", item.position, ("spec", "selector"), message, outside=True)
        for index, endpoint in mappings(spec, "podMetricsEndpoints"):
            port = text(endpoint, "port")
            if pods and port and not _is_named(port, pods):
                place = ("spec", "podMetricsEndpoints", index, "port")
                message = f"no selected pod names a port {show(port)}"
                yield Dangling("SEM177", item.position, place, message)


_SCALERS = {"HorizontalPodAutoscaler": None, "ScaledObject": "Deployment"}


def _check_scalers(world: World) -> Dangles:
    owners: dict[tuple[str, str, str], Item] = {}
    for kind, default in _SCALERS.items():
        for item in world.items.get(kind, ()):
            reference = mapping(item.data, "spec", "scaleTargetRef")
            target = text(reference, "kind") or default or "", text(reference, "name")
            key = (target[0], item.namespace, target[1])
            place = ("spec", "scaleTargetRef", "name")
            first = owners.setdefault(key, item)
            if first is not item:
                message = f"{first.kind} {show(first.name)} scales {' '.join(target)} as well"
                yield Dangling("SEM170", item.position, place, message)
            workload = world.get(target[0], item.namespace, target[1])
            if workload is not None:
                yield from _check_scaled_workload(item, workload)
            elif target[1]:
                message = f"the set has no {' '.join(target)}"
                yield Dangling("SEM162", item.position, place, message, outside=True)


def _check_scaled_workload(scaler: Item, workload: Item) -> Dangles:
    spec = mapping(workload.data, "spec")
    if spec.get("replicas") is not None:
        message = f"{scaler.kind} {show(scaler.name)} decides how many there are"
        yield Dangling("SEM171", workload.position, ("spec", "replicas"), message)
    for place, resource, container in _find_measured_shares(mapping(scaler.data, "spec")):
        if not _is_requested(spec, resource, container):
            message = f"a container of {show(workload.name)} requests no {resource}"
            yield Dangling("SEM172", scaler.position, place, message)


def _find_measured_shares(spec: dict[str, Any]) -> Iterator[tuple[Pointer, str, str]]:
    """Resources that are measured as shares of requests; of one container, or of all."""
    for index, metric in mappings(spec, "metrics"):
        for key in ("resource", "containerResource"):
            source = mapping(metric, key)
            if mapping(source, "target").get("type") == "Utilization":
                yield (
                    ("spec", "metrics", index, key),
                    text(source, "name"),
                    text(source, "container"),
                )
    for index, trigger in mappings(spec, "triggers"):
        if text(trigger, "type") in ("cpu", "memory"):
            container = text(trigger.get("metadata"), "containerName")
            yield ("spec", "triggers", index), text(trigger, "type"), container


def _is_requested(spec: dict[str, Any], resource: str, name: str) -> bool:
    pod = mapping(spec, "template", "spec")
    holders = [c for _, c in mappings(pod, "containers") if not name or text(c, "name") == name]
    if not name and _asks(pod, resource):
        return True
    return all(_asks(container, resource) for container in holders)


def _asks(holder: dict[str, Any], resource: str) -> bool:
    return any(resource in mapping(holder, "resources", side) for side in ("requests", "limits"))


def _check_rivals(world: World) -> Dangles:
    first_items: dict[tuple[object, ...], Item] = {}
    for kind in ("Deployment", "StatefulSet", "DaemonSet", "Rollout"):
        for item in world.items.get(kind, ()):
            selector = mapping(item.data, "spec", "selector")
            labels = mapping(selector, "matchLabels")
            if not labels or selector.get("matchExpressions"):
                continue
            selected = (item.namespace, *sorted((str(k), show(v)) for k, v in labels.items()))
            first = first_items.setdefault(selected, item)
            if first.name != item.name or first.kind != item.kind:
                message = f"{first.kind} {show(first.name)} selects the same pods"
                yield Dangling("SEM173", item.position, ("spec", "selector"), message)


def _check_bindings(world: World) -> Dangles:
    for kind in ("RoleBinding", "ClusterRoleBinding"):
        for item in world.items.get(kind, ()):
            reference = mapping(item.data, "roleRef")
            role, name = text(reference, "kind"), text(reference, "name")
            namespace = item.namespace if role == "Role" else ""
            is_built_in = role == "ClusterRole" and _OWN_ROLES.fullmatch(name)
            if name and role and not is_built_in and world.get(role, namespace, name) is None:
                message = f"the set has no {role} {show(name)}"
                yield Dangling("SEM174", item.position, ("roleRef", "name"), message, outside=True)


def _list_paths(item: Item) -> Iterator[tuple[Pointer, tuple[str, str, str]]]:
    spec = mapping(item.data, "spec")
    annotation = mapping(item.data, "metadata", "annotations").get(INGRESS_CLASS)
    ingress_class = text(spec, "ingressClassName") or show(annotation)
    for number, rule in mappings(spec, "rules"):
        for index, path in mappings(mapping(rule, "http"), "paths"):
            place = ("spec", "rules", number, "http", "paths", index)
            yield place, (ingress_class, text(rule, "host"), text(path, "path"))


def _check_ingresses(world: World) -> Dangles:
    mains: dict[tuple[str, str, str], Item] = {}
    canaries: list[Item] = []
    for item in world.items.get("Ingress", ()):
        if canary(mapping(item.data, "metadata")):
            canaries.append(item)
            continue
        for place, path in _list_paths(item):
            if not path[1]:  # without a host a load balancer of its own may serve it
                continue
            first = mains.setdefault(path, item)
            if first is not item:
                message = f"Ingress {show(first.name)} serves {show(path[1] + path[2])} as well"
                yield Dangling("SEM175", item.position, place, message)
    for item in canaries:
        for place, path in _list_paths(item):
            if path[1] and path not in mains:
                message = f"no Ingress of the set serves {show(path[1] + path[2])}"
                yield Dangling("SEM176", item.position, place, message, outside=True)
            elif path[1] and pinned(mapping(mains[path].data, "metadata")):
                message = f"Ingress {show(mains[path].name)} keeps clients where they were"
                yield Dangling("SEM182", item.position, place, message)


BETWEEN: tuple[Callable[[World], Dangles], ...] = (
    _check_no_object_twice,
    _check_services,
    _check_budgets,
    _check_monitors,
    _check_scalers,
    _check_rivals,
    _check_bindings,
    _check_ingresses,
)
"""Rules about the set that start from objects other than pods and routes."""
