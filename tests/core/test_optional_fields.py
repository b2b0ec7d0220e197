"""A field that a schema does not require may be absent: alone, or together with all others."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from core import trees
from core.test_promises import SCHEMAS, at, dotted, uses, validator
from sluice.core.emit import emit

Path_ = tuple[str | int, ...]


def key_paths(node: object, path: Path_ = ()) -> Iterator[Path_]:
    """Every key of a spec by its path, those inside lists too."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield (*path, key)
            yield from key_paths(value, (*path, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from key_paths(value, (*path, index))


def optional_fields() -> list[Any]:
    """One use of each field of a valid case that may be absent, by schema."""
    seen: dict[str, Any] = {}
    for files, file, data in uses():
        for path in key_paths(data):
            name = dotted(data["kind"], tuple(part for part in path if isinstance(part, str)))
            if name in seen:
                continue
            without = copy.deepcopy(data)
            del at(without, path[:-1])[path[-1]]
            if validator(data["kind"]).is_valid(without):
                seen[name] = pytest.param({**files, file: emit(without)}, id=name)
    return list(seen.values())


@pytest.mark.parametrize("files", optional_fields())
def test_9_a_field_that_is_absent_is_a_finding_or_nothing(files: Mapping[str, bytes]) -> None:
    findings, manifests = trees.outcome(files)
    assert findings or manifests
    assert all(finding.help for finding in findings)


def required_only(data: Any, schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Any:  # noqa: ANN401  # any YAML
    """A spec without everything that its schema lets be absent."""
    name = schema.get("$ref", "").rpartition("/")[2]
    whole = {**definitions.get(name, {}), **schema}
    if isinstance(data, Mapping):
        required, inner = whole.get("required", ()), whole.get("properties", {})
        kept = {key: value for key, value in data.items() if key in required}
        return {k: required_only(v, inner.get(k, {}), definitions) for k, v in kept.items()}
    if isinstance(data, list):
        return [required_only(item, whole.get("items", {}), definitions) for item in data]
    return data


@pytest.mark.parametrize("folder", trees.cases("valid"), ids=lambda folder: folder.name)
def test_9_everything_that_may_be_absent_may_be_so_at_once(folder: Any) -> None:  # noqa: ANN401  # a path
    files = trees.case(folder)
    for case, file, data in uses():
        if case == files:
            schema = SCHEMAS.bundled(data["kind"])
            bare = required_only(data, schema, schema["$defs"])
            files = {**files, file: emit(bare)}
    findings, manifests = trees.outcome(files)
    assert findings or manifests
