"""Look up the strict schema of a Kubernetes kind in the data under `schemas/kubernetes`.

Each file there is one part: {"versions"?, "kinds": {"<apiVersion>/<kind>": variants},
"definitions": {"<name>": variants}}, where variants maps a Kubernetes version to the schema that
holds from that version on (null: gone from that version on). Parts merge by key.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

DRAFT = "https://json-schema.org/draft/2020-12/schema"
_REF_PREFIX = "#/$defs/"

Variants = Mapping[str, dict[str, Any] | None]


def merge(parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Join the parsed files of `schemas/kubernetes` into one; the order of the parts is free."""
    merged: dict[str, Any] = {"versions": [], "kinds": {}, "definitions": {}}
    for part in parts:
        merged["versions"] += part.get("versions", [])
        merged["kinds"] |= part["kinds"]
        merged["definitions"] |= part["definitions"]
    return merged


def schema_for(
    schemas: Mapping[str, Any], version: str, api_version: str, kind: str
) -> dict[str, Any] | None:
    """The self-contained JSON Schema (2020-12) of one kind as a cluster of `version` knows it.

    `version` is "1.34" (a patch level is ignored). A version newer than the newest stored one
    gets the newest. None: the version is older than all stored ones, or it has no such kind.
    Raises ValueError if `version` does not begin with two numbers.
    """
    if _key(version) < _key(schemas["versions"][0]):
        return None
    root = _at(schemas["kinds"].get(f"{api_version}/{kind}", {}), version)
    if root is None:
        return None
    return {"$schema": DRAFT, **root, "$defs": _closure(root, schemas["definitions"], version)}


def _closure(
    root: dict[str, Any], definitions: Mapping[str, Variants], version: str
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    pending = set(_references(root))
    while pending:
        name = pending.pop()
        found[name] = _at(definitions[name], version)
        pending |= set(_references(found[name])) - found.keys()
    return dict(sorted(found.items()))


def _references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref" and isinstance(value, str):
                yield value.removeprefix(_REF_PREFIX)
            else:
                yield from _references(value)
    elif isinstance(node, list):
        for item in node:
            yield from _references(item)


def _at(variants: Variants, version: str) -> dict[str, Any] | None:
    since = [start for start in variants if _key(start) <= _key(version)]
    return variants[max(since, key=_key)] if since else None


def _key(version: str) -> tuple[int, int]:
    major, minor = version.removeprefix("v").split(".")[:2]
    return int(major), int(minor)
