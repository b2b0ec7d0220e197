"""The schemas of the catalog beside its records: every key is read, and the defaults agree."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from sluice.core.catalog.entries import FAMILIES, Family
from support.catalog_families import KINDS, READERS, SCHEMAS

Pointer = tuple[str, ...]
UNREAD = {("versions", "known")}
"""What decides only how other keys are read, where no version is asked for."""
SMALLEST: Mapping[Family, Mapping[str, Any]] = {
    "engines": {
        "name": "x",
        "title": "X",
        "status": "active",
        "versions": {"minimum": "1.0.0", "known": "1.4.0"},
        "image": {"repository": "registry.example.com/x"},
        "user": 1000,
        "sharedMemory": "parallel",
        "command": ["x"],
        "joinArguments": True,
        "port": 80,
        "bind": {"--host": "0.0.0.0"},  # noqa: S104  # data of an entry
        "model": {"flag": "--model"},
        "health": {"startup": "/s", "liveness": "/l", "readiness": "/r"},
        "startupSeconds": 1,
        "fields": {"serving.maxModelLen": {}},
        "metrics": {},
        "flags": ["seed"],
    },
    "accelerators": {"name": "x", "title": "X", "resource": "example.com/x", "memoryMiB": 1},
    "architectures": {
        "layers": 4,
        "hiddenSize": 64,
        "heads": 8,
        "intermediateSize": 128,
        "vocabularySize": 1000,
        "maxLength": 512,
    },
    "sources": {"name": "x", "title": "X"},
    "sharing": {
        "name": "x",
        "title": "X",
        "vendors": ["acme"],
        "fields": ["profile"],
        "memory": "profile",
    },
    "queueing": {"name": "x", "title": "X"},
    "gateways": {"name": "x", "title": "X", "providers": ["nginx"], "counters": {}},
}
SMALL_ENOUGH: Mapping[str, Any] = {
    "kvHeads": 2,
    "headDim": 128,
    "slidingWindow": {"size": 16, "layers": 2},
    "moe": {"experts": 8, "expertsPerToken": 2, "intermediateSize": 32},
    "linearAttention": {"layers": 2, "stateElements": 1, "layerParameters": 1},
    "attentionGate": True,
    "qkNorm": True,
    "tiedEmbeddings": True,
    "normsPerLayer": 4,
    "imageVariant": "rocm",
}
"""Values that fit the smallest entries, where the examples of the schema do not."""


def resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema with what it refers to."""
    reference = schema.get("$ref")
    if reference is None:
        return schema
    target: Any = root
    for part in reference.removeprefix("#/").split("/"):
        target = target[part]
    return {**resolved(target, root), **schema}


def optional(
    schema: Mapping[str, Any], root: Mapping[str, Any], above: Pointer = ()
) -> Iterator[tuple[Pointer, Mapping[str, Any]]]:
    """The properties that an entry may have, at each level."""
    for name, inner in resolved(schema, root).get("properties", {}).items():
        found = resolved(inner, root)
        yield (*above, name), found
        yield from optional(found, root, (*above, name))


def properties(family: Family) -> Iterator[tuple[Pointer, Mapping[str, Any]]]:
    root = SCHEMAS.bundled(KINDS[family])
    yield from optional(root, root)


def put(entry: Any, pointer: Pointer, value: object) -> None:  # noqa: ANN401  # any YAML
    *parents, last = pointer
    for parent in parents:
        entry = entry[parent]
    entry[last] = value


def beside(family: Family, pointer: Pointer, root: Mapping[str, Any]) -> dict[str, Any]:
    """The smallest entry with what a property stands in."""
    entry = copy.deepcopy(dict(SMALLEST[family]))
    known = dict(optional(root, root))
    for end in range(1, len(pointer)):
        node: Any = entry
        for part in pointer[: end - 1]:
            node = node[part]
        if pointer[end - 1] not in node:
            example = SMALL_ENOUGH.get(pointer[end - 1], known[pointer[:end]]["examples"][0])
            put(entry, pointer[:end], copy.deepcopy(example))
    return entry


def read(family: Family, entry: Mapping[str, Any]) -> object:
    """The record, or what is wrong where it cannot be read."""
    try:
        return READERS[family](entry)
    except (TypeError, ValueError, KeyError) as error:
        return repr(error)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_property_of_a_schema_is_read(family: Family) -> None:
    """An entry with it makes another record than one without it."""
    root = SCHEMAS.bundled(KINDS[family])
    for pointer, schema in properties(family):
        if pointer in UNREAD:
            continue
        given = beside(family, pointer, root)
        lacking = copy.deepcopy(given)
        value = SMALL_ENOUGH.get(pointer[-1], schema["examples"][0])
        put(given, pointer, copy.deepcopy(value))
        put(lacking, pointer, None)
        holder: Any = lacking
        for part in pointer[:-1]:
            holder = holder[part]
        del holder[pointer[-1]]
        assert read(family, given) != read(family, lacking), pointer


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_absent_is_what_the_schema_says(family: Family) -> None:
    root = SCHEMAS.bundled(KINDS[family])
    for pointer, schema in properties(family):
        if "default" in schema and pointer != ("reason",):
            lacking = beside(family, pointer, root)
            holder: Any = lacking
            for part in pointer[:-1]:
                holder = holder[part]
            holder.pop(pointer[-1], None)
            given = copy.deepcopy(lacking)
            put(given, pointer, schema["default"])
            assert read(family, given) == read(family, lacking), pointer
