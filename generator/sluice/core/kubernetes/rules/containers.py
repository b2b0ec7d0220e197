"""Containers: names, images, environment, ports."""

import re
from collections.abc import Iterator
from typing import Any

from sluice.core.kubernetes.rules import probes, quantities, security, volumes
from sluice.core.kubernetes.rules.checks import (
    between,
    dns_label,
    file_name,
    one_of,
    port_name,
    subdomain,
    words,
)
from sluice.core.kubernetes.rules.problem import (
    Context,
    Fault,
    Faults,
    mappings,
    show,
    text,
    whole,
)
from sluice.core.kubernetes.rules.shape import (
    Fields,
    NodeRule,
    each,
    exactly_one,
    leaf,
    node,
    required,
    unique,
)

_NEW_NAMES = (1, 34)
_OLD_NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
_NEW_NAME = re.compile(r"[ -<>-~]+")
_HOST = r"[A-Za-z0-9][-A-Za-z0-9.]*(?::[0-9]{1,5})?|\[[0-9A-Fa-f:]+\](?::[0-9]{1,5})?"
_IMAGE = re.compile(
    rf"(?:(?:{_HOST})/)?[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@[a-z0-9+._-]+:[0-9a-fA-F]{32,})?"
)
_LONGEST_IMAGE = 512
_FIELD_PATHS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
)
_KEYED_PATHS = ("metadata.labels", "metadata.annotations")
_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")


def _image(value: str) -> str | None:
    if len(value) <= _LONGEST_IMAGE and _IMAGE.fullmatch(value):
        return None
    return f"{show(value)} is no image reference" if value else None


def _field_path(value: str) -> str | None:
    path, bracket, _ = value.partition("[")
    is_known = path in (_KEYED_PATHS if bracket else _FIELD_PATHS)
    return None if is_known else f"{show(value)} is no field that a container can be told"


def _check_environment(container: dict[str, Any], context: Context) -> Faults:
    pattern = _NEW_NAME if context.version >= _NEW_NAMES else _OLD_NAME
    first_places: dict[str, int] = {}
    for index, variable in mappings(container, "env"):
        name = variable.get("name")
        if name in (None, ""):
            yield Fault("SEM015", ("env", index), "name is missing")
        elif isinstance(name, str):
            if not pattern.fullmatch(name):
                yield Fault("SEM015", ("env", index, "name"), f"{show(name)} is no name")
            first = first_places.setdefault(name, index)
            if first != index:
                message = f"{show(name)} is set in env[{first}] as well"
                yield Fault("SEM016", ("env", index, "name"), message)
        if isinstance(variable.get("valueFrom"), dict):
            for fault in _check_sources(variable, context):
                yield Fault(fault.rule, ("env", index, "valueFrom", *fault.pointer), fault.message)


_ONE_SOURCE = exactly_one("SEM017", *_SOURCES)


def _check_sources(variable: dict[str, Any], context: Context) -> Faults:
    source = variable["valueFrom"]
    if variable.get("value"):
        yield Fault("SEM017", (), "value is set too; only one may be")
    yield from _ONE_SOURCE(source, context)
    if isinstance(source.get("fieldRef"), dict):
        path = text(source["fieldRef"], "fieldPath")
        if wrong := _field_path(path):
            yield Fault("SEM017", ("fieldRef", "fieldPath") if path else ("fieldRef",), wrong)
    for key in ("configMapKeyRef", "secretKeyRef"):
        reference = source.get(key)
        for field in ("name", "key") if isinstance(reference, dict) else ():
            value = text(reference, field)
            if not value:
                yield Fault("SEM017", (key,), f"{field} is missing")
            elif wrong := (subdomain if field == "name" else file_name)(value):
                yield Fault("SEM017", (key, field), wrong)


def _check_ports(container: dict[str, Any], _: Context) -> Faults:
    first_places: dict[tuple[object, ...], int] = {}
    for index, item in mappings(container, "ports"):
        number = item.get("containerPort")
        if number in (None, 0):
            yield Fault("SEM018", ("ports", index), "containerPort is missing")
            continue
        port = (show(number), show(item.get("protocol") or "TCP"), show(item.get("hostPort")))
        first = first_places.setdefault(port, index)
        if first != index:
            message = f"{port[0]} of {port[1]} stands in ports[{first}] as well"
            yield Fault("SEM021", ("ports", index, "containerPort"), message)


_NAMED = node({"name": leaf("SEM017", words(subdomain))}, required("SEM017", "name"))
_FIELDS: Fields = {
    "name": leaf("SEM010", words(dns_label)),
    "image": leaf("SEM013", words(_image)),
    "imagePullPolicy": leaf("SEM014", one_of("Always", "IfNotPresent", "Never")),
    "terminationMessagePolicy": leaf("SEM014", one_of("File", "FallbackToLogsOnError")),
    "envFrom": each(
        node(
            {"configMapRef": _NAMED, "secretRef": _NAMED},
            exactly_one("SEM017", "configMapRef", "secretRef"),
        )
    ),
    "ports": each(
        node(
            {
                "name": leaf("SEM019", words(lambda name: port_name(name) if name else None)),
                "containerPort": leaf("SEM018", between(0, 65535)),
                "hostPort": leaf("SEM018", between(0, 65535)),
                "protocol": leaf("SEM014", one_of("TCP", "UDP", "SCTP")),
            }
        )
    ),
    "resources": quantities.RESOURCES,
    "securityContext": security.OF_CONTAINER,
    **probes.FIELDS,
}
_RULES: tuple[NodeRule, ...] = (
    required("SEM010", "name"),
    required("SEM012", "image"),
    _check_environment,
    unique("SEM020", "ports", "name"),
    _check_ports,
    volumes.ONE_MOUNT_A_PATH,
    volumes.check_mounts,
)
CONTAINER = node(_FIELDS, *_RULES)


def ports_of(container: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """The ports of a container: name (or nothing) and number."""
    for _, item in mappings(container, "ports"):
        number = whole(item, "containerPort")
        if number is not None:
            yield text(item, "name"), number
