"""Every field of `serving`, on every engine: it changes what is rendered, or it is refused.

The fields are read from the schema, so that a new one is tried without a word here.
"""

import itertools
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from sluice.core.catalog.entries import Engine
from sluice.core.catalog.settings import word
from support import engine_cases as cases
from support import trees

SCHEMA = json.loads((trees.ROOT / "schemas" / "model-release.schema.json").read_text("utf-8"))
SERVING: dict[str, Any] = SCHEMA["$defs"]["serving"]["properties"]
ENGINES = list(cases.engines())
REFUSALS = {
    "ENG002": "the engine has no such setting",
    "ENG003": "the engine does not know the value",
    "ENG014": "it means nothing beside what else is said",
    "ENG015": "it needs a pinned commit",
    "ENG017": "the method needs a model, or has no use for one",
    "ENG018": "two models would have one name",
}


def whole(field: str) -> list[Any]:
    """Values of a field of `serving`, as the schema takes them."""
    schema = SERVING[field]
    return list(groups(schema)) if "properties" in schema else scalars(schema)


def groups(schema: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every mixture of the required values, with and without what is optional."""
    required = schema.get("required", [])
    known = schema["properties"]
    choices = [scalars(resolved(known[name])) for name in required]
    for chosen in itertools.product(*choices):
        least = dict(zip(required, chosen, strict=True))
        yield least
        for name in known.keys() - required:
            yield {**least, name: known[name]["examples"][0]}


def resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema with what it refers to."""
    reference = schema.get("$ref")
    return {**SCHEMA["$defs"][reference.rpartition("/")[2]], **schema} if reference else schema


def scalars(schema: Mapping[str, Any]) -> list[Any]:
    if "enum" in schema:
        return list(schema["enum"])
    if schema.get("type") == "boolean":
        return [True, False]
    return list(schema["examples"])


def inner(schema: Mapping[str, Any], example: Any) -> Iterator[Any]:  # noqa: ANN401  # any JSON
    """The example with one value in it replaced by another one that the schema takes."""
    if isinstance(example, dict):
        for key, value in example.items():
            below = resolved(schema["properties"][key])
            yield from ({**example, key: changed} for changed in inner(below, value))
    elif isinstance(example, list):
        for index, value in enumerate(example):
            for changed in inner(schema["items"], value):
                yield [*example[:index], changed, *example[index + 1 :]]
    elif "enum" in schema:
        yield from (value for value in schema["enum"] if value != example)
    elif isinstance(example, bool):
        yield not example
    elif isinstance(example, int | float):
        yield example + 1
    elif schema.get("$ref", "").endswith("quantity"):
        yield f"1{example}"
    else:
        yield f"{example}x"


def needs_nothing(engine: Engine, field: str, value: object) -> bool:
    """Whether the catalog says that this value is what the engine does by itself."""
    return any(
        setting.omit == value or (setting.choices or {}).get(word(value)) == []
        for setting in engine.fields.get(f"serving.{field}", ())
    )


def examples(engine: Engine, field: str) -> list[Any]:
    """Values of a field: those of the schema, and those that the engine's entry lists."""
    settings = engine.fields.get(f"serving.{field}", ())
    listed = [] if _is_switch(field) else [v for s in settings for v in s.accepted() or ()]
    numeric = SERVING[field].get("type") == "integer"
    return whole(field) + [int(value) if numeric else value for value in listed]


def _is_switch(field: str) -> bool:
    return bool(SERVING[field].get("type") == "boolean")


def _companions(engine: Engine, field: str) -> dict[str, Any]:
    """What else has to be said for a field to mean anything."""
    if field in ("maxLoras", "maxLoraRank") and "serving.adapters" in engine.fields:
        return {"adapters": SERVING["adapters"]["examples"][0]}
    return {}


def _model(engine: Engine, field: str) -> dict[str, Any]:
    """Code that comes with a model runs from a commit only."""
    honoured = field == "trustRemoteCode" and f"serving.{field}" in engine.fields
    return {"source": cases.HUB} if honoured else {}


@pytest.mark.parametrize("field", SERVING)
@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
def test_a_field_changes_the_output_or_is_refused(engine: Engine, field: str) -> None:
    beside, model = _companions(engine, field), _model(engine, field)
    without = cases.release(engine, serving=beside, model=model)
    accepted = 0
    for value in examples(engine, field):
        release = cases.release(engine, serving={**beside, field: value}, model=model)
        found = cases.errors(release)
        if found:
            assert {finding.rule for finding in found} <= REFUSALS.keys()
            continue
        accepted += 1
        changed = cases.output(release) != cases.output(without)
        assert changed or needs_nothing(engine, field, value), value
    known = [path for path in engine.fields if f"{path}.".startswith(f"serving.{field}.")]
    assert bool(accepted) == bool(known)


@pytest.mark.parametrize("field", [f for f in SERVING if SERVING[f]["type"] in ("object", "array")])
@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
def test_a_field_within_a_field_changes_the_output_or_is_refused(
    engine: Engine, field: str
) -> None:
    for value in whole(field):
        release = cases.release(engine, serving={field: value})
        if cases.errors(release):
            continue
        for other in inner(SERVING[field], value):
            changed = cases.release(engine, serving={field: other})
            found = cases.errors(changed)
            assert {finding.rule for finding in found} <= REFUSALS.keys()
            assert found or cases.output(changed) != cases.output(release), other
