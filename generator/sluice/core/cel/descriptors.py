"""Message types for the type checker: what the engine checks fields against."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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
        kubernetes, net = _file("kubernetes"), _file("net")
        builder = _Builder(kubernetes, definitions or {})
        for name, schema in schemas.items():
            builder.message(name, schema)
        for name in TYPES.values():
            package, _, short = name.partition(".")
            (net if package == "net" else kubernetes).message_type.add(name=short)
        self._files = {
            "kubernetes": File(kubernetes.SerializeToString()),
            "net": File(net.SerializeToString()),
        }

    def FindFileByName(self, name: str) -> File:  # noqa: N802  # the engine calls it so
        """The file of that name, or KeyError."""
        return self._files[name.removesuffix(".proto")]

    def FindFileContainingSymbol(self, name: str) -> File:  # noqa: N802  # the engine calls it so
        """The file that declares a message type, or KeyError."""
        return self._files[name.partition(".")[0]]

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # extensions, which there are none of
        raise KeyError(name)


def _file(package: str) -> Any:  # noqa: ANN401  # protobuf's FileDescriptorProto
    from google.protobuf import descriptor_pb2  # type: ignore[import-untyped]  # noqa: PLC0415  # loads slowly

    dependencies = ("google/protobuf/struct.proto", "google/protobuf/timestamp.proto")
    return descriptor_pb2.FileDescriptorProto(
        name=f"{package}.proto", package=package, dependency=dependencies
    )


class _Builder:
    """Fills a file with a message type for each kind of object in some schemas."""

    def __init__(self, file: Any, definitions: Schema) -> None:  # noqa: ANN401  # as _file makes it
        self._file = file
        self._definitions = definitions
        self._declared: set[str] = set()

    def message(self, name: str, schema: Schema) -> str:
        """Declare a message type and give its full name; one that contains itself ends here."""
        if name not in self._declared:
            self._declared.add(name)
            message = self._file.message_type.add(name=name)
            usable = (key for key in schema["properties"] if _IDENTIFIER.fullmatch(key))
            for number, key in enumerate(sorted(usable), 1):
                self._declare(message, key, number, schema["properties"][key])
        return f".kubernetes.{name}"

    def _declare(self, owner: Any, key: str, number: int, schema: Schema) -> None:  # noqa: ANN401  # a DescriptorProto
        schema, origin = self._resolve(schema)
        child = origin or f"{owner.name}_{key}"
        kind = _kind(schema)
        if kind == "array":
            _add_field(owner, key, number, self._type(child, schema["items"]), _REPEATED)
            return
        values = schema.get("additionalProperties")
        if kind == "object" and isinstance(values, Mapping) and not schema.get("properties"):
            entry = "".join(part[:1].upper() + part[1:] for part in key.split("_")) + "Entry"
            self._declare_entry(owner, entry, child, values)
            target = f".kubernetes.{owner.name}.{entry}"
            _add_field(owner, key, number, (_MESSAGE, target), _REPEATED)
            return
        _add_field(owner, key, number, self._type(child, schema))

    def _declare_entry(self, owner: Any, name: str, child: str, values: Schema) -> None:  # noqa: ANN401  # a DescriptorProto
        entry = owner.nested_type.add(name=name)
        entry.options.map_entry = True
        _add_field(entry, "key", 1, (_STRING, ""))
        _add_field(entry, "value", 2, self._type(child, values))

    def _type(self, name: str, schema: Schema) -> tuple[int, str]:
        schema, origin = self._resolve(schema)
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

    def _resolve(self, schema: Schema) -> tuple[Schema, str]:
        origin = ""
        while "$ref" in schema:
            target = str(schema["$ref"]).rpartition("/")[2]
            origin = re.sub(r"\W", "_", target)
            schema = self._definitions[target]
        return schema, origin


def _add_field(
    owner: Any,  # noqa: ANN401  # a DescriptorProto
    name: str,
    number: int,
    kind: tuple[int, str],
    label: int = _OPTIONAL,
) -> None:
    field = owner.field.add(name=name, number=number, label=label, type=kind[0])
    if kind[1]:
        field.type_name = kind[1]


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
