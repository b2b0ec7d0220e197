"""The fields of specs by their schemas, and the valid cases that use them."""

from functools import cache
from typing import Any

import jsonschema_rs

from sluice.core.documents.load import load
from sluice.core.specs.schema import FILES, Schemas
from sluice.system import resources
from support import trees

SCHEMAS = Schemas(resources.read_schema)
Path_ = tuple[str | int, ...]


def dotted(kind: str, path: Path_) -> str:
    return ".".join([kind, *(str(part) for part in path if part not in ("spec", 0))])


@cache
def uses() -> list[tuple[dict[str, bytes], str, dict[str, Any]]]:
    """Every spec of the valid cases: its tree, its path, its data."""
    return [
        (files, path, dict(load(path, raw).data))
        for files in map(trees.case, trees.cases("valid"))
        for path, raw in files.items()
        if path.rpartition("/")[2] in FILES
    ]


def at(node: Any, path: Path_) -> Any:  # noqa: ANN401  # any YAML
    for part in path:
        inside = isinstance(node, list) and isinstance(part, int) and len(node) > part
        if not inside and not (isinstance(node, dict) and part in node):
            return None
        node = node[part]
    return node


@cache
def validator(kind: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(SCHEMAS.bundled(kind))
