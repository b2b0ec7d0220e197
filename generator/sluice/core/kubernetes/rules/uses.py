"""What pods and routes need from other objects of the set."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from sluice.core.kubernetes.rules.problem import Pointer, mapping, mappings, show, text, whole
from sluice.core.kubernetes.rules.references import BETWEEN, Dangles, Dangling
from sluice.core.kubernetes.rules.world import Item, World

_FROM_ANNOTATION = "use-annotation"
"""What a load balancer's controller reads as: the backend stands in an annotation."""
_CONTAINERS = ("initContainers", "containers")
_FROM = {"configMapKeyRef": "ConfigMap", "secretKeyRef": "Secret"}
_ALL_FROM = {"configMapRef": "ConfigMap", "secretRef": "Secret"}


class Use(NamedTuple):
    """One reference to a ConfigMap or a Secret; no key stands for all of it."""

    pointer: Pointer
    kind: str
    name: str
    key: str


def _check_pods(world: World) -> Dangles:
    for pods in world.pods:
        for use in _find_uses(pods.spec):
            yield from _check_use(world, pods.item, pods.pointer, use)
        yield from _check_claims(world, pods.item, pods.pointer, pods.spec)
        account = text(pods.spec, "serviceAccountName")
        is_default = account in ("", "default")
        if not is_default and not world.get("ServiceAccount", pods.item.namespace, account):
            place = (*pods.pointer, "serviceAccountName")
            message = f"the set has no ServiceAccount {show(account)}"
            yield Dangling("SEM169", pods.item.position, place, message, outside=True)


def _check_use(world: World, item: Item, base: Pointer, use: Use) -> Dangles:
    place = (*base, *use.pointer)
    holder = world.get(use.kind, item.namespace, use.name)
    if holder is None:
        message = f"the set has no {use.kind} {show(use.name)}"
        yield Dangling("SEM166", item.position, place, message, outside=True)
    elif use.key and not any(
        use.key in mapping(holder.data, side) for side in ("data", "stringData", "binaryData")
    ):
        message = f"{use.kind} {show(use.name)} has no key {show(use.key)}"
        yield Dangling("SEM167", item.position, place, message)


def _find_uses(spec: dict[str, Any]) -> Iterator[Use]:
    for kind in _CONTAINERS:
        for number, container in mappings(spec, kind):
            for index, variable in mappings(container, "env"):
                source = mapping(variable, "valueFrom")
                place: Pointer = (kind, number, "env", index, "valueFrom")
                for field, holder in _FROM.items() if source else ():
                    yield from _read_use(source.get(field), (*place, field), holder)
            for index, source in mappings(container, "envFrom"):
                for field, holder in _ALL_FROM.items():
                    place = (kind, number, "envFrom", index, field)
                    yield from _read_use(source.get(field), place, holder)
    for index, volume in mappings(spec, "volumes"):
        yield from _find_uses_of_volume(volume, ("volumes", index))


def _read_use(reference: object, place: Pointer, kind: str) -> Iterator[Use]:
    name = text(reference, "name")
    if name and mapping(reference).get("optional") is not True:
        yield Use(place, kind, name, text(reference, "key"))


def _find_uses_of_volume(volume: dict[str, Any], place: Pointer) -> Iterator[Use]:
    yield from _find_uses_of_files(volume, place, {"configMap": "name", "secret": "secretName"})
    for index, source in mappings(mapping(volume, "projected"), "sources"):
        fields = {"configMap": "name", "secret": "name"}
        yield from _find_uses_of_files(source, (*place, "projected", "sources", index), fields)


def _find_uses_of_files(
    source: dict[str, Any], place: Pointer, fields: dict[str, str]
) -> Iterator[Use]:
    for field, named in fields.items():
        files = mapping(source, field)
        name = text(files, named)
        if not name or files.get("optional") is True:
            continue
        kind, here = ("ConfigMap" if field == "configMap" else "Secret"), (*place, field)
        items = mappings(files, "items")
        for index, item in items:
            yield Use((*here, "items", index, "key"), kind, name, text(item, "key"))
        if not items:
            yield Use(here, kind, name, "")


def _check_claims(world: World, item: Item, base: Pointer, spec: dict[str, Any]) -> Dangles:
    for index, volume in mappings(spec, "volumes"):
        name = text(mapping(volume, "persistentVolumeClaim"), "claimName")
        if name and world.get("PersistentVolumeClaim", item.namespace, name) is None:
            place = (*base, "volumes", index, "persistentVolumeClaim", "claimName")
            message = f"the set has no PersistentVolumeClaim {show(name)}"
            yield Dangling("SEM168", item.position, place, message, outside=True)


def _check_routes(world: World) -> Dangles:
    for kind, targets in _TARGETS.items():
        for item in world.items.get(kind, ()):
            for target in targets(item):
                yield from _check_target(world, item, target)


class Target(NamedTuple):
    """One Service that a route names, with a port by number or by name, if any."""

    pointer: Pointer
    namespace: str
    name: str
    port: int | str | None


def _check_target(world: World, item: Item, target: Target) -> Dangles:
    service = world.get("Service", target.namespace, target.name)
    if service is None:
        message = f"the set has no Service {show(target.name)}"
        yield Dangling("SEM164", item.position, target.pointer, message, outside=True)
    elif target.port is not None:
        field = "name" if isinstance(target.port, str) else "port"
        ports = [port.get(field) for _, port in mappings(mapping(service.data, "spec"), "ports")]
        if target.port not in ports:
            message = f"Service {show(target.name)} has no port {show(target.port)}"
            yield Dangling("SEM165", item.position, target.pointer, message)


def _list_targets_of_ingress(item: Item) -> Iterator[Target]:
    spec = mapping(item.data, "spec")
    backends: list[tuple[Pointer, Any]] = [(("spec", "defaultBackend"), spec.get("defaultBackend"))]
    for number, rule in mappings(spec, "rules"):
        for index, path in mappings(mapping(rule, "http"), "paths"):
            where = ("spec", "rules", number, "http", "paths", index, "backend")
            backends.append((where, path.get("backend")))
    for place, backend in backends:
        service = mapping(backend, "service")
        port = mapping(service, "port")
        name = text(service, "name")
        if name:
            wanted = whole(port, "number") or text(port, "name") or None
            wanted = None if wanted == _FROM_ANNOTATION else wanted
            yield Target((*place, "service"), item.namespace, name, wanted)


def _list_targets_of_gateway_route(item: Item) -> Iterator[Target]:
    for number, rule in mappings(mapping(item.data, "spec"), "rules"):
        for index, backend in mappings(rule, "backendRefs"):
            if text(backend, "kind") in ("", "Service") and not backend.get("group"):
                place = ("spec", "rules", number, "backendRefs", index)
                namespace = text(backend, "namespace") or item.namespace
                if text(backend, "name"):
                    yield Target(place, namespace, text(backend, "name"), whole(backend, "port"))


def _list_targets_of_mesh_route(item: Item) -> Iterator[Target]:
    for number, rule in mappings(mapping(item.data, "spec"), "http"):
        for index, route in mappings(rule, "route"):
            destination = mapping(route, "destination")
            name, _, rest = text(destination, "host").partition(".")
            namespace = rest.removesuffix(".svc.cluster.local").removesuffix(".svc")
            if name and "." not in namespace and not name.startswith("*"):
                place = ("spec", "http", number, "route", index, "destination")
                port = whole(mapping(destination, "port"), "number")
                yield Target(place, namespace or item.namespace, name, port)


_TARGETS: dict[str, Callable[[Item], Iterator[Target]]] = {
    "Ingress": _list_targets_of_ingress,
    "HTTPRoute": _list_targets_of_gateway_route,
    "VirtualService": _list_targets_of_mesh_route,
}

WHOLE: tuple[Callable[[World], Dangles], ...] = (*BETWEEN, _check_pods, _check_routes)
"""Every rule about the set as a whole."""
