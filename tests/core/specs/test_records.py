"""The records of specs are what the schemas say: the same fields and defaults, all of them read.

A field that is in the schema and in no record would be accepted and ignored; so would one that is
in a record and that nothing asks for.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import MISSING
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, NamedTuple, cast, get_args, get_origin

import pytest
from jsonschema import Draft202012Validator

import sluice
from sluice.core.model import Follow
from sluice.core.specs.environment_records import EnvironmentSpec
from sluice.core.specs.reader import is_record, key_of, read_record, written
from sluice.core.specs.records import ReleaseSpec, read_release
from sluice.core.specs.schema import Schemas
from sluice.core.units import seconds
from support import trees

RECORDS = {"ModelRelease": ReleaseSpec, "Environment": EnvironmentSpec}
AS_WRITTEN = {
    "ModelRelease.model.architecture": "the numbers of a model, which `core.memory` reads",
    "ModelRelease.scaling.target": "rendered in the order in which they are written",
    "ModelRelease.placement.spot.label": "rendered in the order in which it is written",
    "ModelRelease.placement.tolerations": "rendered as they are written",
    "ModelRelease.placement.require": "rendered as they are written",
    "ModelRelease.placement.prefer": "rendered as they are written",
    "Environment.pools.tolerations": "rendered as they are written",
    "Environment.argocd.automated": "rendered in the order in which it is written",
    "Environment.argocd.kinds": "rendered as they are written",
    "Environment.defaults": "merged into releases before it is read",
}
"""Mappings that stay mappings, and why."""
NAMED_BY_DATA = {
    "Serving": "engines",
    "Speculative": "engines",
    "KvOffload": "engines",
    "KvTransfer": "engines",
    "Share": "sharing",
    "SourceAccess": "sources",
    "Weights": "sources",
    "SignalGate": "gates of evidence",
    "MeasuredBy": "words of gates",
}
"""Records some of whose fields are read by names in data: those of a family of the catalog, or of
the one form that gates have in evidence, in scenarios and in releases."""
NOT_WRITTEN = {"document"}
ONLY_OF_FREEZES = {"Environment.promotion.windows": {"from", "to", "reason"}}
"""A window has the record of a freeze, and these of its fields are never written."""


class Field(NamedTuple):
    """A field of a record."""

    name: str
    type: object
    default: object


def fields(record: type) -> list[Field]:
    """The fields of a record; MISSING where one has no default."""
    defaults = getattr(record, "_field_defaults", {})
    kinds = record.__annotations__.items()
    return [Field(name, kind, defaults.get(name, MISSING)) for name, kind in kinds]


def schema_of(kind: str) -> Mapping[str, Any]:
    """The schema of a kind, whole."""
    schemas: Schemas = trees.workspace_of(trees.base()).tools.schemas
    return schemas.bundled(kind)


def resolved(part: Mapping[str, Any], whole: Mapping[str, Any]) -> Mapping[str, Any]:
    """A part of a schema with what it refers to in its place."""
    while "$ref" in part:
        node: Any = whole
        for step in part["$ref"].removeprefix("#/").split("/"):
            node = node[step]
        part = {**node, **{key: value for key, value in part.items() if key != "$ref"}}
    return part


def record_in(kind: Any) -> type | None:  # noqa: ANN401  # any annotation
    """The record that a field holds, itself or in a list, a mapping, or or-nothing."""
    if is_record(kind):
        return cast("type", kind)
    if get_origin(kind) is Annotated:
        return None
    inner = [record_in(each) for each in get_args(kind) if each not in (NoneType, ...)]
    return next(filter(None, inner), None)


def below(part: Mapping[str, Any], whole: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema of an object, of the objects in a list, or of those in a mapping."""
    part = resolved(part, whole)
    for key in ("items", "additionalProperties"):
        if isinstance(part.get(key), Mapping) and "properties" not in part:
            return below(part[key], whole)
    return part


def pairs(
    path: str, part: Mapping[str, Any], record: type, whole: Mapping[str, Any]
) -> Iterator[tuple[str, type, Field, Mapping[str, Any]]]:
    """Each field of a record, and of the records in it, with the schema of its property."""
    properties = below(part, whole)["properties"]
    listed = [each for each in fields(record) if each.name not in NOT_WRITTEN]
    missing = ONLY_OF_FREEZES.get(path, set())
    assert {key_of(each.name) for each in listed} - missing == properties.keys(), path
    for each in (each for each in listed if key_of(each.name) not in missing):
        inner, about = f"{path}.{key_of(each.name)}", properties[key_of(each.name)]
        yield inner, record, each, resolved(about, whole)
        held = record_in(each.type)
        if held is not None:
            yield from pairs(inner, about, held, whole)
        else:
            assert ("properties" in below(about, whole)) == (inner in AS_WRITTEN), inner


def all_pairs(kind: str) -> list[tuple[str, type, Field, Mapping[str, Any]]]:
    whole = schema_of(kind)
    return list(pairs(kind, whole["properties"]["spec"], RECORDS[kind], whole))


@pytest.mark.parametrize("kind", RECORDS)
def test_each_property_has_a_field_and_each_field_a_property(kind: str) -> None:
    paths = {path for path, *_ in all_pairs(kind)}
    assert {path for path in AS_WRITTEN if path.startswith(kind)} <= paths


@pytest.mark.parametrize("kind", RECORDS)
def test_a_default_is_the_same_in_the_schema_and_in_the_record(kind: str) -> None:
    for path, _, field, about in all_pairs(kind):
        stated = about.get("default")
        value = field.default
        plain = isinstance(value, str | int | float) and Draft202012Validator(
            {key: about[key] for key in ("minimum", "enum", "exclusiveMinimum") if key in about}
        ).is_valid(value if field.type != Annotated[int, seconds] else 1)
        if isinstance(stated, str) and not isinstance(value, str):
            stated = seconds(stated)
        assert stated == (value if plain and value != "" else None), path


@pytest.mark.parametrize("kind", RECORDS)
def test_what_must_be_written_has_no_default_and_the_rest_has_one(kind: str) -> None:
    for path, record, field, _ in all_pairs(kind):
        has_default = field.default is not MISSING
        assert has_default or record not in (ReleaseSpec, EnvironmentSpec), path


def test_each_field_is_read_above_the_specs() -> None:
    package = Path(sluice.__file__).parent
    specs = set((package / "core" / "specs").glob("*.py"))
    specs -= {package / "core" / "specs" / "rollout_plan.py"}  # the plan of a rollout asks, too
    names: set[str] = set()
    for file in package.rglob("*.py"):
        if file not in specs:
            tree = ast.parse(file.read_text())
            names |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    data = {
        family: "\n".join(path.read_text() for path in (package / "catalog" / family).glob("*"))
        for family in NAMED_BY_DATA.values()
    }
    data["words of gates"] = (package / "core" / "gates" / "words.py").read_text()
    data["gates of evidence"] = (package / "core" / "analysis" / "judgement_file.py").read_text()
    for kind in RECORDS:
        for path, record, field, _ in all_pairs(kind):
            family = NAMED_BY_DATA.get(record.__name__, "")
            assert field.name in names or key_of(field.name) in data.get(family, ""), path


def test_durations_are_seconds_and_whole_numbers_are_whole() -> None:
    spec = read_release(
        {"scaling": {"max": 8.0, "idleAfter": "1h30m"}, "accelerator": {"count": 2.0}}
    )
    assert (spec.scaling.max, spec.scaling.idle_after, spec.accelerator.count) == (8, 5400, 2)
    assert isinstance(spec.scaling.max, int)


def test_lists_and_mappings_of_records_are_read_too() -> None:
    spec = read_release(
        {
            "rollout": {"steps": [{"weight": 10, "soak": "10m"}]},
            "gates": [{"metric": "acc", "measuredBy": {"users": ["ci"]}}],
        }
    )
    assert spec.rollout.steps[0].soak == 600
    assert spec.gates[0].measured_by is not None
    assert spec.gates[0].measured_by.users == ("ci",)
    pools = read_record(EnvironmentSpec, {"pools": {"gpu": {"nodeSelector": {}, "serves": False}}})
    assert not pools.pools["gpu"].serves


def test_what_is_written_is_told_from_what_is_a_default() -> None:
    spec = read_release({"scaling": {"min": 1}})
    assert spec.says("scaling.min")
    assert not spec.says("scaling.max")
    assert spec.scaling.least == 1
    assert written(Follow(stage="Production")) == {"stage": "Production", "alias": ""}
