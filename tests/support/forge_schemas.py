"""Whether a request is one that the API's description knows, and an answer one that it gives.

GitHub's description is a slice of the published one; those of GitLab and Gitea are written by
hand in the same form, requests only.
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from jsonschema import Draft202012Validator

_DATA = Path(__file__).parents[1] / "data" / "openapi"
_PREFIXES = {"github": "/api/v3", "gitlab": "/api/v4", "gitea": "/api/v1"}
_MAPS = {"properties", "schemas"}  # whose keys are names, not keywords


def complaints(
    kind: str, method: str, path: str, query: Mapping[str, str], body: object
) -> list[str]:
    """Return what the description does not allow in a request."""
    call = f"{method} {path}"
    if path.endswith("/graphql"):
        return [] if isinstance(body, dict) and set(body) == {"query", "variables"} else [call]
    operation = _operation(kind, method, path)
    if operation is None:
        return [f"{call}: no such operation"]
    found = []
    known = {p["name"]: p for p in operation["parameters"] if p["in"] == "query"}
    for name, value in query.items():
        if name not in known:
            found.append(f"{call}: no parameter {name}")
        else:
            found += _errors(kind, f"{call}: {name}", _typed(value), known[name]["schema"])
    schema = _content(operation.get("requestBody"))
    if schema is None:
        return found + ([f"{call}: takes no body"] if body is not None else [])
    return found + _errors(kind, f"{call}: body", body, schema)


def answer_complaints(kind: str, method: str, path: str, status: int, data: object) -> list[str]:
    """Return what the description does not promise of an answer; what it leaves out is fine."""
    # Rules are put together from parts, of which each would refuse the fields of the other.
    if path.endswith("/graphql") or "/rules/branches/" in path:
        return []
    operation = _operation(kind, method, path)
    answer = operation and operation["responses"].get(str(status))
    if answer is None:
        return [f"{method} {path}: does not answer {status}"]
    schema = _content(answer)
    where = f"{method} {path}: answer"
    return _errors(kind, where, data, schema, loose=True) if schema else []


def _errors(
    kind: str, where: str, value: object, schema: Mapping[str, Any], *, loose: bool = False
) -> list[str]:
    components = _components(kind, loose=loose)
    whole = {**_plain(schema, loose=loose), "components": {"schemas": components}}
    return [f"{where}: {error.message}" for error in Draft202012Validator(whole).iter_errors(value)]


def _operation(kind: str, method: str, path: str) -> Any:  # noqa: ANN401 - JSON is anything
    description = _described(kind)
    plain = path.removeprefix(_PREFIXES[kind]) if path.startswith(_PREFIXES[kind]) else path
    for template, methods in description["paths"].items():
        # A ref and a branch may have slashes in them, everything else is one segment.
        pattern = re.sub(r"\{(?:ref|head|branch_path|basehead)\}", ".+", template)
        pattern = re.sub(r"\{\w+\}", "[^/]+", pattern)
        if method.lower() in methods and re.fullmatch(pattern, plain):
            operation = methods[method.lower()]
            parameters = [_resolved(kind, p) for p in operation.get("parameters", ())]
            return {**operation, "parameters": parameters}
    return None


def _resolved(kind: str, node: Any) -> Any:  # noqa: ANN401 - JSON is anything
    if "$ref" not in node:
        return node
    _, _, group, name = node["$ref"].split("/")
    return _described(kind)["components"][group][name]


def _content(node: Any) -> Any:  # noqa: ANN401 - JSON is anything
    return node["content"]["application/json"]["schema"] if node and "content" in node else None


@cache
def _described(kind: str) -> Any:  # noqa: ANN401 - JSON is anything
    return json.loads((_DATA / f"{kind}.json").read_text(encoding="utf-8"))


@cache
def _components(kind: str, *, loose: bool) -> Any:  # noqa: ANN401 - JSON is anything
    schemas = _described(kind).get("components", {}).get("schemas", {})
    return {name: _plain(schema, loose=loose) for name, schema in schemas.items()}


def _plain(node: Any, *, loose: bool, names: bool = False) -> Any:  # noqa: ANN401 - JSON is anything
    """Turn OpenAPI 3.0 into JSON Schema that knows no other fields: a typo shall not pass."""
    if isinstance(node, list):
        return [_plain(each, loose=loose) for each in node]
    if not isinstance(node, dict):
        return node
    dropped = {"nullable", "format"} | ({"required"} if loose else set())
    made = {
        key: _plain(value, loose=loose, names=key in _MAPS and not names)
        for key, value in node.items()
        if names or key not in dropped
    }
    if names:
        return made
    if loose and "oneOf" in made:
        made["anyOf"] = made.pop("oneOf")  # without what is required they overlap
    if "properties" in node and "allOf" not in node:
        made.setdefault("additionalProperties", False)
    return {"anyOf": [made, {"type": "null"}]} if node.get("nullable") else made


def _typed(text: str) -> object:
    return int(text) if text.isdecimal() else unquote(text)
