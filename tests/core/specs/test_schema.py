"""Our JSON Schemas: they document every field, and two validators agree about every spec."""

import copy
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import jsonschema
import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.core.documents.load import Document, load
from sluice.core.finding import FindingsError
from sluice.core.specs.schema import FILES, KINDS, Schemas
from sluice.system import resources
from support import hostile, trees

SCHEMAS = Schemas(resources.read_schema)


def properties(kind: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every property of a schema with its path; definitions once."""
    bundled = SCHEMAS.bundled(kind)
    definitions = bundled.pop("$defs")
    yield from _properties(bundled, kind)
    for name, definition in definitions.items():
        yield from _properties(definition, f"{kind}:{name}")


def _properties(schema: Mapping[str, Any], path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, inner in schema.get("properties", {}).items():
        yield f"{path}.{name}", inner
        yield from _properties(inner, f"{path}.{name}")
    if isinstance(schema.get("items"), dict):
        yield from _properties(schema["items"], f"{path}[]")


PROPERTIES = [
    pytest.param(kind, schema, id=path) for kind in KINDS for path, schema in properties(kind)
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_schema_is_a_valid_schema(kind: str) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMAS.bundled(kind))


@pytest.mark.parametrize(("kind", "schema"), PROPERTIES)
def test_every_field_is_described_in_a_sentence(kind: str, schema: Mapping[str, Any]) -> None:
    assert re.fullmatch(r"[A-Za-z].+\.", schema["description"])


@pytest.mark.parametrize(("kind", "schema"), PROPERTIES)
def test_every_example_of_a_field_is_accepted_by_it(kind: str, schema: Mapping[str, Any]) -> None:
    alone = {**schema, "$defs": SCHEMAS.bundled(kind)["$defs"]}
    assert schema["examples"]
    for example in schema["examples"]:
        jsonschema.Draft202012Validator(alone).validate(example)
        jsonschema_rs.Draft202012Validator(alone).validate(example)


@pytest.mark.parametrize("kind", KINDS)
def test_every_mapping_is_closed(kind: str) -> None:
    """An unknown key is an error everywhere: each mapping lists its keys or says what they are."""
    bundled = SCHEMAS.bundled(kind)
    mappings = [s for s in _schemas(bundled) if s.get("type") == "object"]
    assert [s for s in mappings if "additionalProperties" not in s] == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_pattern_is_anchored(kind: str) -> None:
    patterns = [s["pattern"] for s in _schemas(SCHEMAS.bundled(kind)) if "pattern" in s]
    assert [p for p in patterns if not (p.startswith("^") and p.endswith("$"))] == []


def verdicts(kind: str, data: object) -> tuple[bool, bool, bool]:
    """Whether the fast validator, the slow one and Sluice accept it."""
    fast, slow = validators(kind)
    document = Document("x.yaml", b"", data)  # type: ignore[arg-type]  # mutants are no mappings
    return fast.is_valid(data), slow.is_valid(data), not list(SCHEMAS.findings(document, kind))


@cache
def validators(kind: str) -> tuple[jsonschema_rs.Validator, jsonschema.Draft202012Validator]:
    bundled = SCHEMAS.bundled(kind)
    return jsonschema_rs.Draft202012Validator(bundled), jsonschema.Draft202012Validator(bundled)


def documents(*kinds: str) -> list[tuple[str, dict[str, Any]]]:
    """Every spec of the cases that can be read."""
    found = []
    for files in (trees.case(folder) for kind in kinds for folder in trees.cases(kind)):
        for path, raw in files.items():
            kind = FILES.get(path.rpartition("/")[2])
            try:
                if kind:
                    found.append((kind, dict(load(path, raw).data)))
            except FindingsError:
                continue
    return found


def test_both_validators_agree_about_every_case() -> None:
    for kind, data in documents("valid", "invalid"):
        fast, slow, ours = verdicts(kind, data)
        assert fast == ours
        assert fast == slow or '\\n"' in json.dumps(
            data
        )  # the slow one lets a last line break pass


MUTANTS = st.one_of(
    st.sampled_from(hostile.TEXTS),
    st.sampled_from([None, True, 0, -1, 1, 2.0, 0.5, 101, [], {}, [1], {"a": 1}, 10**20]),
    st.text(max_size=5),
)


VALID = documents("valid")


@st.composite
def mutated(draw: st.DrawFn) -> tuple[str, Any]:
    """A valid spec with one part replaced, removed, added or doubled."""
    kind, valid = draw(st.sampled_from(VALID))
    data = copy.deepcopy(valid)
    holder, key = draw(st.sampled_from(list(_slots(data))))
    match draw(st.integers(0, 3)):
        case 0 | 1:
            holder[key] = draw(MUTANTS)
        case 2:
            del holder[key]
        case _ if isinstance(holder, dict):
            holder[draw(st.text(min_size=1, max_size=6))] = draw(MUTANTS)
        case _:
            holder.append(holder[key])
    return kind, data


@settings(max_examples=1200)
@given(mutated())
def test_what_is_refused_has_a_finding_and_what_has_a_finding_is_refused(
    mutant: tuple[str, Any],
) -> None:
    fast, slow, ours = verdicts(*mutant)
    assert fast == ours
    if fast:
        assert slow  # the slow one is laxer about `$`, never stricter


def test_a_line_break_at_the_end_of_a_value_is_no_way_around_a_pattern() -> None:
    files = trees.replaced(trees.base(), trees.RELEASE, 'version: "7"', 'version: "7\\n"')
    document = load(trees.RELEASE, files[trees.RELEASE])
    assert [finding.rule for finding in SCHEMAS.findings(document, "ModelRelease")] == ["SCH005"]


def test_a_verdict_of_the_fast_validator_is_never_without_a_finding(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sluice.core.specs.schema._explain", lambda *_: iter(()))
    document = load("x.yaml", b"spec: 1\n")
    assert {finding.rule for finding in SCHEMAS.findings(document, "ModelRelease")} == {"SCH009"}


def test_a_password_in_a_refused_address_is_not_repeated() -> None:
    folder = trees.CASES / "invalid" / "repository-with-credentials"
    (finding,) = trees.outcome(trees.case(folder))[0]
    assert "hunter2" not in f"{finding.message}{finding.help}"


def _slots(node: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401  # any YAML
    """Each container with each of its keys or indices."""
    keys = list(node) if isinstance(node, dict) else range(len(node))
    for key in keys:
        yield node, key
        if isinstance(node[key], dict | list):
            yield from _slots(node[key])


def _schemas(node: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401  # any JSON
    if isinstance(node, dict):
        yield node
        for key, value in node.items():
            if key not in ("examples", "enum", "const"):
                yield from _schemas(value)
    elif isinstance(node, list):
        for item in node:
            yield from _schemas(item)
