"""Two levels become one spec, and every value knows the place that it was written at."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sluice.core.documents.load import load
from sluice.core.documents.source import Pointer
from sluice.core.finding import Place
from sluice.core.layout import Key
from sluice.core.specs.records import lookup
from sluice.core.specs.resolve import Environment, Release, merge
from sluice.workspace.workspace import Workspace
from support import trees

VALUES = st.integers(0, 3) | st.lists(st.integers(0, 3), max_size=2)
SPECS = st.recursive(
    st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), VALUES | inner, max_size=3),
    max_leaves=8,
)


@given(SPECS, SPECS)
def test_merging_keeps_every_value_of_the_release_and_adds_the_rest(
    defaults: dict[str, Any], own: dict[str, Any]
) -> None:
    merged = merge(defaults, own)
    for pointer, value in leaves(own):
        assert at(merged, pointer) == value or value == {}
    for pointer, value in leaves(merged):
        assert at(own, pointer) == value or at(defaults, pointer) == value


@given(SPECS, SPECS)
def test_merging_changes_neither_side(defaults: dict[str, Any], own: dict[str, Any]) -> None:
    before = (repr(defaults), repr(own))
    merge(defaults, own)
    assert (repr(defaults), repr(own)) == before


@given(SPECS)
def test_defaults_alone_and_a_release_alone_stay_as_they_are(spec: dict[str, Any]) -> None:
    assert merge(spec, {}) == merge({}, spec) == merge(spec, spec) == spec


def test_a_list_is_replaced_and_never_joined() -> None:
    assert merge({"a": [1, 2], "b": {"c": [1]}}, {"a": [3]}) == {"a": [3], "b": {"c": [1]}}


def workspaces() -> Iterator[Any]:
    yield pytest.param(trees.reference(), id="reference")
    for folder in trees.cases("valid"):
        yield pytest.param(Workspace(trees.case(folder)), id=folder.name)


@pytest.mark.parametrize("workspace", list(workspaces()))
def test_the_place_of_every_resolved_value_holds_that_value(workspace: Workspace) -> None:
    for release in workspace.specs.releases.values():
        for pointer, value in leaves(release.spec.document):
            place, said = release.origin(pointer)
            inherited = place.file == release.environment.document.path
            assert said == ("default of the environment" if inherited else "release")
            assert written_at(workspace.files[place.file], place) == value


@pytest.mark.parametrize("workspace", list(workspaces()))
def test_the_place_of_every_key_holds_that_key(workspace: Workspace) -> None:
    for release in workspace.specs.releases.values():
        for pointer, _ in leaves(release.spec.document):
            if isinstance(pointer[-1], str):
                place = release.origin(pointer, key=True)[0]
                line = lines_of(workspace.files[place.file])[place.line - 1]
                assert line[place.column - 1 :].lstrip("\"'").startswith(pointer[-1])


def release(defaults: str = "{}", spec: str = "{}", rollout: str = "") -> Release:
    environment = load("e.yaml", f"spec:\n  defaults: {defaults}\n".encode())
    own = load("r.yaml", f"metadata: {{name: a}}\nspec: {spec}\n".encode())
    progress = load("o.yaml", rollout.encode()) if rollout else None
    return Release(Key("e", "t", "a"), own, Environment("e", environment), progress)


def test_a_value_that_nobody_wrote_has_the_place_of_what_is_around_it() -> None:
    place, said = release(spec="{model: {name: a}}").origin(("model", "version"))
    assert (place, said) == (Place("r.yaml", 2, 8), "absent")


def test_what_the_release_says_goes_before_the_default() -> None:
    both = release("{engine: {name: a, version: b}}", "{engine: {name: c}}")
    assert both.spec.document == {"engine": {"name": "c", "version": "b"}}
    assert both.origin(("engine", "name"))[1] == "release"
    assert both.origin(("engine", "version"))[1] == "default of the environment"


ROLLOUT = "spec: {weight: 25, stable: {spec: {model: {version: '6'}}}}\n"


def test_during_a_rollout_the_stable_version_keeps_its_own_spec() -> None:
    under_way = release("{engine: {name: e}}", "{model: {version: '7'}}", ROLLOUT)
    stable, candidate = under_way.variants
    assert (stable.version, stable.role) == ("6", "stable")
    assert (candidate.version, candidate.role) == ("7", "candidate")
    assert stable.spec.engine.name == candidate.spec.engine.name == "e"
    assert under_way.weight == 25


def test_the_stable_version_has_its_places_in_the_rollout() -> None:
    under_way = release("{}", "{model: {version: '7'}}", ROLLOUT)
    assert under_way.stable is not None
    place = under_way.stable.place("model.version")
    assert place.file == "o.yaml"
    assert ROLLOUT[place.column - 1 :].startswith("'6'")


def test_without_a_rollout_one_version_gets_everything() -> None:
    alone = release(spec="{model: {version: '7'}}")
    assert [variant.role for variant in alone.variants] == ["stable"]
    assert alone.weight == 0
    assert alone.stable is None


def test_looking_up_what_is_not_there_gives_the_default() -> None:
    assert lookup({"a": {"b": 1}}, "a.b") == 1
    assert lookup({"a": {"b": 1}}, "a.c", 2) == 2
    assert lookup({"a": 1}, "a.b.c", 2) == 2


def leaves(node: Any, pointer: Pointer = ()) -> Iterator[tuple[Pointer, Any]]:  # noqa: ANN401  # YAML
    """Every value that is no mapping; lists are replaced whole, so they are values."""
    if isinstance(node, dict) and node:
        for key, value in node.items():
            yield from leaves(value, (*pointer, key))
    elif pointer:
        yield pointer, node


def at(node: Any, pointer: Pointer) -> Any:  # noqa: ANN401  # any YAML
    for part in pointer:
        if not isinstance(node, dict) or part not in node:
            return None
        node = node[part]
    return node


def lines_of(raw: bytes) -> list[str]:
    return raw.decode("utf-8-sig").splitlines()


def written_at(raw: bytes, place: Place) -> Any:  # noqa: ANN401  # any YAML
    """What a YAML reader finds at exactly this place."""
    root = yaml.compose(raw, Loader=yaml.CSafeLoader)
    for node in _nodes(root) if root else ():
        if (node.start_mark.line + 1, node.start_mark.column + 1) == (place.line, place.column):
            return yaml.CSafeLoader("").construct_document(node)
    return None


def _nodes(node: yaml.Node) -> Iterator[yaml.Node]:
    children = [value for _, value in node.value] if isinstance(node, yaml.MappingNode) else []
    if isinstance(node, yaml.SequenceNode):
        children = node.value
    for child in children:
        yield child
        yield from _nodes(child)
