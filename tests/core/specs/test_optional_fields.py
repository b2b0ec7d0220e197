"""What a schema accepts is a finding or renders: absent fields, and odd values."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from sluice.core.documents.emit import emit
from sluice.core.pipeline import Specs
from sluice.core.plan.difference import plan
from sluice.core.plan.text import as_markdown
from sluice.core.reports.board import render_board
from sluice.core.reports.page_templates import PageTemplates
from sluice.core.reports.status import Outside, status
from sluice.core.unforeseen import RULE as UNFORESEEN
from sluice.system import resources
from support import trees
from support.spec_fields import SCHEMAS, at, dotted, uses, validator

Path_ = tuple[str | int, ...]

ODD: tuple[object, ...] = (
    *("", " ", "0", "-1", "-", "/", "0s", "1e3", "ünï✓", "a\0b", "x" * 5000),
    *(0, -1, 2**62, 10**40, 0.5, -0.0, 5.0, 8.0, float(2**62), 1e300),
    *(True, None, [], {}, [""], [{}], {"": ""}),
)
"""Values that a schema may accept and nobody expects."""

NOTHING = Specs({}, {}, [])
PAGES = PageTemplates(resources.read_pages)


def key_paths(node: object, path: Path_ = ()) -> Iterator[Path_]:
    """Every key of a spec by its path, those inside lists too."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield (*path, key)
            yield from key_paths(value, (*path, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from key_paths(value, (*path, index))


def refused_or_shown(files: Mapping[str, bytes]) -> None:
    """Every command that looks at a tree has an answer."""
    findings, manifests = trees.outcome(files)
    assert findings or manifests
    assert not [finding for finding in findings if finding.rule == UNFORESEEN]
    workspace = trees.workspace_of(files)
    told = status(workspace.specs, workspace.tools.catalog, workspace.files, Outside("0" * 40))
    assert render_board(told, None, PAGES)
    if manifests:
        catalog = workspace.tools.catalog
        rendered = workspace.render()
        assert as_markdown(plan(NOTHING, workspace.specs, {}, rendered, catalog))
        assert as_markdown(plan(workspace.specs, NOTHING, rendered, {}, catalog))


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
    refused_or_shown(files)
    findings, _ = trees.outcome(files)
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
    refused_or_shown(files)


def fields() -> Iterator[tuple[str, Mapping[str, bytes], str, Any, Path_]]:
    """One use of each field of the valid cases, by schema."""
    seen: set[str] = set()
    for files, file, data in uses():
        for path in key_paths(data):
            name = dotted(data["kind"], tuple(part for part in path if isinstance(part, str)))
            if name not in seen:
                seen.add(name)
                yield name, files, file, data, path


def odd_trees(values: Sequence[object]) -> Iterator[Mapping[str, bytes]]:
    """A tree for each field and each of the values that its schema accepts there."""
    for _, files, file, data, path in fields():
        for value in values:
            odd = copy.deepcopy(data)
            at(odd, path[:-1])[path[-1]] = value
            if validator(data["kind"]).is_valid(odd):
                yield {**files, file: emit(odd)}


@pytest.mark.parametrize("value", ["", 0, -0.0, 1e300, []], ids=repr)
def test_an_odd_value_is_a_finding_or_shown(value: object) -> None:
    for files in list(odd_trees([value]))[::9]:
        refused_or_shown(files)


@pytest.mark.slow
@pytest.mark.parametrize("value", ODD, ids=lambda value: repr(value)[:20])
def test_every_odd_value_is_a_finding_or_shown(value: object) -> None:
    for files in odd_trees([value]):
        refused_or_shown(files)


WRONG: tuple[object, ...] = (0, -1, "", "x", None, True, [], {})
OWN = {"engines": "vllm", "accelerators": "nvidia-l40s", "architectures": "qwen2.5-7b"}
"""Entries of the catalog that the base uses, and that a repository may have of its own."""


def odd_entries(entry: Any) -> Iterator[tuple[Path_, tuple[object, ...]]]:  # noqa: ANN401  # any YAML
    """Each place of an entry with a value for it; no value where it is to be absent."""
    seen: set[Path_] = set()
    for path in key_paths(entry):
        place = tuple("" if isinstance(part, int) else part for part in path)
        if place not in seen:
            seen.add(place)
            yield path, ()
            yield from ((path, (value,)) for value in WRONG)


def check_own_entries(family: Any, step: int) -> None:  # noqa: ANN401  # a literal
    """An odd entry of a repository's own catalog is a finding, or it renders."""
    entry = trees.plain(resources.read_catalog_entry(family, OWN[family]))
    places = list(odd_entries(entry))
    for path, values in places[::step]:
        odd = copy.deepcopy(entry)
        if values:
            at(odd, path[:-1])[path[-1]] = values[0]
        else:
            del at(odd, path[:-1])[path[-1]]
        files = {**trees.base(), f"catalog/{family}/{OWN[family]}.yaml": emit(odd)}
        findings, manifests = trees.outcome(files)
        assert findings or manifests, path


@pytest.mark.parametrize("family", OWN)
def test_an_entry_of_ones_own_with_something_odd_is_a_finding_or_shown(family: str) -> None:
    check_own_entries(family, 311)


@pytest.mark.slow
@pytest.mark.parametrize("family", OWN)
def test_every_odd_entry_of_ones_own_is_a_finding_or_shown(family: str) -> None:
    check_own_entries(family, 1)
