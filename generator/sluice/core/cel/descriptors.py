"""Message types for the type checker: what the engine checks fields against."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sluice.core.cel import wire
from sluice.core.cel.libraries.declaration import TYPES

_STRING, _BOOL, _INT64, _DOUBLE, _MESSAGE = 9, 8, 3, 1, 11
_OPTIONAL, _REPEATED = 1, 3
_SCALARS = {"string": _STRING, "boolean": _BOOL, "integer": _INT64, "number": _DOUBLE}
_ANYTHING = ".google.protobuf.Value"
_ANY_LIST = ".google.protobuf.ListValue"
_TIMESTAMP = ".google.protobuf.Timestamp"
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)

Schema = Mapping[str, Any]


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _map(values: Schema) -> Schema:
    return {"type": "object", "additionalProperties": values}


_TEXT: Schema = {"type": "string"}
_NUMBER: Schema = {"type": "integer"}
_TIME: Schema = {"type": "string", "format": "date-time"}
_KIND = _object(group=_TEXT, version=_TEXT, kind=_TEXT)
_RESOURCE = _object(group=_TEXT, version=_TEXT, resource=_TEXT)

REQUEST: Schema = _object(
    kind=_KIND,
    resource=_RESOURCE,
    subResource=_TEXT,
    requestKind=_KIND,
    requestResource=_RESOURCE,
    requestSubResource=_TEXT,
    name=_TEXT,
    namespace=_TEXT,
    operation=_TEXT,
    userInfo=_object(username=_TEXT, uid=_TEXT, groups=_list(_TEXT), extra=_map(_list(_TEXT))),
    dryRun={"type": "boolean"},
    options={},
)
"""The fields of `request` that the API server declares."""

NAMESPACE: Schema = _object(
    metadata=_object(
        name=_TEXT,
        generateName=_TEXT,
        namespace=_TEXT,
        labels=_map(_TEXT),
        annotations=_map(_TEXT),
        UID=_TEXT,
        creationTimestamp=_TIME,
        deletionGracePeriodSeconds=_NUMBER,
        deletionTimestamp=_TIME,
        generation=_NUMBER,
        resourceVersion=_TEXT,
        finalizers=_list(_TEXT),
    ),
    spec=_object(finalizers=_list(_TEXT)),
    status=_object(
        phase=_TEXT,
        conditions=_list(
            _object(status=_TEXT, type=_TEXT, lastTransitionTime=_TIME, message=_TEXT, reason=_TEXT)
        ),
    ),
)
"""The fields of `namespaceObject` that the API server declares."""


@dataclass(frozen=True)
class File:
    """What the engine asks of a descriptor file."""

    serialized_pb: bytes


class Pool:
    """Finds message types for the engine, in place of protobuf's own pool.

    Args:
        schemas: JSON Schema by message name; `$ref`s lead into `definitions`.
    """

    def __init__(self, schemas: Mapping[str, Schema], definitions: Schema | None = None) -> None:
        builder = _Builder(definitions or {})
        for name, schema in schemas.items():
            builder.message(name, schema)
        own = [name.removeprefix("kubernetes.") for name in TYPES.values() if "kubernetes" in name]
        net = [name.removeprefix("net.") for name in TYPES.values() if name.startswith("net.")]
        self._files = {
            "kubernetes": _file("kubernetes", [*builder.finished(), *map(_empty, own)]),
            "net": _file("net", map(_empty, net)),
        }

    def FindFileByName(self, name: str) -> File:  # noqa: N802  # the engine calls it so
        """The file of that name, or KeyError."""
        return self._files[name.removesuffix(".proto")]

    def FindFileContainingSymbol(self, name: str) -> File:  # noqa: N802  # the engine calls it so
        """The file that declares a message type, or KeyError."""
        return self._files[name.partition(".")[0]]

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # extensions, which there are none of
        raise KeyError(name)


def _file(package: str, messages: Iterable[bytes]) -> File:
    dependencies = (b"google/protobuf/struct.proto", b"google/protobuf/timestamp.proto")
    head = wire.field(1, f"{package}.proto") + wire.field(2, package)
    parts = [wire.field(3, name) for name in dependencies]
    parts += [wire.field(4, message) for message in messages]
    return File(head + b"".join(parts))


def _empty(name: str) -> bytes:
    return wire.field(1, name)


@dataclass
class _Builder:
    definitions: Schema
    bodies: dict[str, bytes] = field(default_factory=dict)

    def finished(self) -> Iterable[bytes]:
        return [wire.field(1, name) + body for name, body in self.bodies.items()]

    def message(self, name: str, schema: Schema) -> str:
        """Declare a message type and give its full name; one that contains itself ends here."""
        if name not in self.bodies:
            self.bodies[name] = b""
            fields = nested = b""
            usable = (key for key in schema["properties"] if _IDENTIFIER.fullmatch(key))
            for number, key in enumerate(sorted(usable), 1):
                content, entry = self._field(name, key, number, schema["properties"][key])
                fields += content
                nested += entry
            self.bodies[name] = fields + nested
        return f".kubernetes.{name}"

    def _field(self, owner: str, key: str, number: int, schema: Schema) -> tuple[bytes, bytes]:
        schema, origin = self._resolved(schema)
        child = origin or f"{owner}_{key}"
        kind = _kind(schema)
        if kind == "array":
            return _descriptor(key, number, _REPEATED, *self._type(child, schema["items"])), b""
        values = schema.get("additionalProperties")
        if kind == "object" and isinstance(values, Mapping) and not schema.get("properties"):
            entry = "".join(part[:1].upper() + part[1:] for part in key.split("_")) + "Entry"
            nested = self._entry(entry, child, values)
            target = f".kubernetes.{owner}.{entry}"
            return _descriptor(key, number, _REPEATED, _MESSAGE, target), nested
        return _descriptor(key, number, _OPTIONAL, *self._type(child, schema)), b""

    def _entry(self, name: str, child: str, values: Schema) -> bytes:
        fields = _descriptor("key", 1, _OPTIONAL, _STRING, "")
        fields += _descriptor("value", 2, _OPTIONAL, *self._type(child, values))
        return wire.field(3, wire.field(1, name) + fields + wire.field(7, wire.field(7, 1)))

    def _type(self, name: str, schema: Schema) -> tuple[int, str]:
        schema, origin = self._resolved(schema)
        kind = _kind(schema)
        if kind == "object" and _can_be_message(schema.get("properties") or {}):
            return _MESSAGE, self.message(origin or name, schema)
        if kind == "array":
            return _MESSAGE, _ANY_LIST
        if schema.get("format") == "date-time":
            return _MESSAGE, _TIMESTAMP
        if kind in _SCALARS:
            return _SCALARS[kind], ""
        return _MESSAGE, _ANYTHING

    def _resolved(self, schema: Schema) -> tuple[Schema, str]:
        origin = ""
        while "$ref" in schema:
            target = str(schema["$ref"]).rpartition("/")[2]
            origin = re.sub(r"\W", "_", target)
            schema = self.definitions[target]
        return schema, origin


def _can_be_message(properties: Schema) -> bool:
    """Protobuf takes no two fields that differ in underscores only; then anything goes."""
    names = {key.replace("_", "").lower() for key in properties}
    return 0 < len(names) == len(properties)


def _kind(schema: Schema) -> str:
    """The only type that a value can have besides null, or nothing."""
    if isinstance(schema.get("const"), str):
        return "string"
    given = schema.get("type")
    kinds = [given] if isinstance(given, str) else [k for k in given or () if k != "null"]
    return kinds[0] if len(kinds) == 1 else ""


def _descriptor(name: str, number: int, label: int, kind: int, target: str) -> bytes:
    content = (
        wire.field(1, name) + wire.field(3, number) + wire.field(4, label) + wire.field(5, kind)
    )
    return wire.field(2, content + (wire.field(6, target) if target else b""))
