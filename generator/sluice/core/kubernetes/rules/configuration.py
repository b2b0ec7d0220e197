"""ConfigMaps, Secrets, claims of storage, quotas and priorities."""

import binascii
import json
from base64 import b64decode
from itertools import pairwise
from typing import Any

from sluice.core.kubernetes.rules.changes import fixed
from sluice.core.kubernetes.rules.checks import between, file_name, one_of, subdomain, words
from sluice.core.kubernetes.rules.problem import (
    Context,
    Fault,
    Faults,
    mapping,
    show,
    text,
    texts,
    whole,
)
from sluice.core.kubernetes.rules.quantities import amount, quantity
from sluice.core.kubernetes.rules.shape import Fields, Root, each, leaf, node, required, values

_LIMIT = 1024 * 1024
_HIGHEST = 10**9
_ALONE = "ReadWriteOncePod"
_MODES = ("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", _ALONE)
_NEEDED = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}


def _check_keys(data: dict[str, Any], _: Context) -> Faults:
    for side in ("data", "stringData", "binaryData"):
        for key in mapping(data, side):
            if not isinstance(key, str):
                continue
            if wrong := file_name(key):
                yield Fault("SEM120", (side, key), wrong)


def _check_no_key_twice(data: dict[str, Any], _: Context) -> Faults:
    for key in mapping(data, "data").keys() & mapping(data, "binaryData").keys():
        yield Fault("SEM121", ("binaryData", key), f"{show(key)} stands in data as well")


def _check_size(data: dict[str, Any], _: Context) -> Faults:
    secret = data.get("kind") == "Secret"
    size = 0
    for side, encoded in (("data", secret), ("stringData", False), ("binaryData", True)):
        held = [value for value in mapping(data, side).values() if isinstance(value, str)]
        lengths = [len(value) if value.isascii() else len(_bytes(value)) for value in held]
        size += sum(lengths) * 3 // 4 if encoded else sum(lengths)
    if size > _LIMIT:
        yield Fault("SEM122", (), f"{size:,} bytes; {_LIMIT:,} are allowed")


def _bytes(value: str) -> bytes:
    return value.encode(errors="replace")


def _encoded(value: str) -> str | None:
    try:
        b64decode(_bytes(value.replace("\n", "").replace("\r", "")), validate=True)
    except (binascii.Error, ValueError):
        return "the value is not base64"
    return None


def _check_keys_of_type(secret: dict[str, Any], _: Context) -> Faults:
    given = mapping(secret, "data").keys() | mapping(secret, "stringData").keys()
    for key in _NEEDED.get(text(secret, "type"), ()):
        if key not in given:
            yield Fault("SEM124", (), f"{text(secret, 'type')} needs the key {key}")
    docker = text(mapping(secret, "stringData"), ".dockerconfigjson")
    if docker and not _is_json(docker):
        yield Fault("SEM124", ("stringData", ".dockerconfigjson"), "the value is not JSON")


def _is_json(value: str) -> bool:
    try:
        json.loads(value)
    except (ValueError, RecursionError):
        return False
    return True


def _check_unchanged(data: dict[str, Any], context: Context) -> Faults:
    old = context.old
    if old is None or old.get("immutable") is not True:
        return
    for side in ("data", "binaryData", "immutable"):
        if old.get(side) != data.get(side):
            yield Fault("SEM127", (side,) if side in data else (), f"{side} has changed")


def _check_same_type(data: dict[str, Any], context: Context) -> Faults:
    old = text(context.old, "type") if context.old else ""
    if old and old != (text(data, "type") or "Opaque"):
        yield Fault("SEM127", ("type",) if "type" in data else (), "type has changed")


def _check_modes(spec: dict[str, Any], _: Context) -> Faults:
    modes = [mode for _, mode in texts(spec, "accessModes")]
    if not modes:
        yield Fault("SEM125", (), "accessModes is missing")
    elif _ALONE in modes and set(modes) != {_ALONE}:
        yield Fault("SEM125", ("accessModes",), f"{_ALONE} stands beside others")


def _check_storage(spec: dict[str, Any], _: Context) -> Faults:
    size = mapping(spec, "resources", "requests").get("storage")
    worth = amount(size)
    if size is None:
        yield Fault("SEM126", (), "resources.requests.storage is missing")
    elif worth is None or worth <= 0:
        place = ("resources", "requests", "storage")
        yield Fault("SEM126", place, quantity(size) or f"{show(size)} is not above zero")


def _check_order(item: dict[str, Any], _: Context) -> Faults:
    order = ("min", "defaultRequest", "default", "max")
    for low, high in pairwise(order):
        for resource, value in mapping(item, low).items():
            other = mapping(item, high).get(resource)
            less, more = amount(value), amount(other)
            if less is not None and more is not None and less > more:
                message = f"{low} {show(value)} is above {high} {show(other)}"
                yield Fault("SEM128", (low, resource), message)


def _check_priority(spec: dict[str, Any], _: Context) -> Faults:
    value = whole(spec, "value")
    name = text(mapping(spec, "metadata"), "name")
    if value is not None and value > _HIGHEST and not name.startswith("system-"):
        yield Fault("SEM129", ("value",), f"{show(value)} is above {_HIGHEST}")
    if name.startswith("system-"):
        yield Fault("SEM129", ("metadata", "name"), f"{show(name)} is for the cluster's own")


_BASE64 = values(leaf("SEM123", words(_encoded)))
CONFIG_MAP: Root = (
    {"binaryData": _BASE64},
    (_check_keys, _check_no_key_twice, _check_size, _check_unchanged),
)
SECRET: Root = (
    {"data": _BASE64},
    (_check_keys, _check_size, _check_keys_of_type, _check_unchanged, _check_same_type),
)
_CLAIM_FIELDS: Fields = {
    "accessModes": each(leaf("SEM125", one_of(*_MODES, empty=False))),
    "volumeMode": leaf("SEM125", one_of("Filesystem", "Block")),
    "storageClassName": leaf("SEM125", words(lambda name: subdomain(name) if name else None)),
}
CLAIM = node(
    _CLAIM_FIELDS,
    _check_modes,
    _check_storage,
    fixed("accessModes", "storageClassName", "volumeName", "volumeMode", "selector"),
)
CLAIM_TEMPLATE = node(
    {"spec": node(_CLAIM_FIELDS, _check_modes, _check_storage)}, required("SEM126", "spec")
)
_AMOUNTS = values(leaf("SEM128", quantity))
QUOTA = node({"hard": _AMOUNTS})
_LIMITED = ("Pod", "Container", "PersistentVolumeClaim")


def _limit_type(value: str) -> str | None:
    return None if "/" in value else one_of(*_LIMITED, empty=False)(value)


_RANGE: Fields = {
    **dict.fromkeys(("min", "max", "default", "defaultRequest"), _AMOUNTS),
    "type": leaf("SEM128", words(_limit_type)),
}
LIMIT_RANGE = node({"limits": each(node(_RANGE, required("SEM128", "type"), _check_order))})
PRIORITY_CLASS: Root = (
    {
        "value": leaf("SEM129", between(-(2**31))),
        "preemptionPolicy": leaf("SEM129", one_of("PreemptLowerPriority", "Never")),
    },
    (_check_priority,),
)
