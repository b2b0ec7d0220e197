"""The schemas of the catalog: they take all that Sluice brings, and whatever is misspelt is told.

They are compared with the records as well, so that no key is described that nothing reads.
"""

import copy
import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from _pytest.mark.structures import ParameterSet

from sluice.core.catalog.entries import FAMILIES, Family
from sluice.core.finding import Finding
from sluice.system import resources
from sluice.workspace.toolkit import check_entries, make_toolkit

BROUGHT = [(family, name) for family in FAMILIES for name in resources.list_catalog(family)]
ALIKE = 2
"""Entries of a family say much the same: so many of them are spoilt each time, the rest is slow."""
FREE = (
    ("bind",),
    ("config", "base"),
    ("deprecated",),
    ("environment",),
    ("env",),
    ("hostPaths",),
    ("image", "variants"),
    ("labelSuffix",),
    ("labels",),
    ("nodeAffinity",),
    ("nodeSelector",),
    ("offline",),
    ("podAnnotations",),
    ("podLabels",),
    ("podResources",),
    ("preemptible",),
    ("arm",),
    ("stable",),
    ("candidate",),
    ("profiles",),
    ("removed",),
    ("countSelector",),
    ("withEndpoint",),
)
"""Mappings whose keys are names that only the entry's author knows."""
FREE_BELOW = ("withEnv", "withPodFields", "labels", "kinds", "values", "choices")
"""The same, wherever they stand. Of values and choices some fields list what they take."""
PLAIN = (("config", "base"),)
"""What is given to the engine as it stands, whatever it is."""

Pointer = tuple[str | int, ...]


def brought(family: Family, name: str) -> Any:  # noqa: ANN401  # any YAML
    return copy.deepcopy(resources.read_catalog_entry(family, name))


def told(family: Family, name: str, entry: object) -> list[Finding]:
    """What is said of an entry when it is the repository's own."""
    path = f"catalog/{family}/{name}.yaml"
    raw = json.dumps(entry, indent=1).encode()  # which is YAML, too
    return check_entries(make_toolkit({path: raw}).catalog, [path])


def by_name(case: tuple[str, str]) -> str:
    return "/".join(case)


@pytest.mark.parametrize(("family", "name"), BROUGHT, ids=map(by_name, BROUGHT))
def test_every_entry_that_sluice_brings_is_accepted(family: Family, name: str) -> None:
    assert told(family, name, brought(family, name)) == []


def nodes(node: object, pointer: Pointer = ()) -> Iterator[tuple[Pointer, object]]:
    """Every part of an entry with its pointer."""
    yield pointer, node
    if isinstance(node, dict):
        for key, value in node.items():
            yield from nodes(value, (*pointer, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from nodes(value, (*pointer, index))


def value_at(node: Any, pointer: Pointer) -> Any:  # noqa: ANN401  # any YAML
    for part in pointer:
        node = node[part]
    return node


def is_free(pointer: Pointer) -> bool:
    """Whether the key that a pointer ends with is a name of the author's own."""
    above = pointer[:-1]
    if any(above[: len(free)] == free for free in PLAIN) or above in FREE:
        return True
    if above[:1] == ("refused",):
        return str(pointer[-1]).startswith("--")
    return bool(above) and above[-1] in FREE_BELOW


def renamed(entry: Any, pointer: Pointer) -> Any:  # noqa: ANN401  # any YAML
    """The entry with one key misspelt, in the place where it stood."""
    changed = copy.deepcopy(entry)
    holder = value_at(changed, pointer[:-1])
    items = [(f"{key}Zz" if key == pointer[-1] else key, value) for key, value in holder.items()]
    holder.clear()
    holder.update(items)
    return changed


def keys_of(entry: object) -> list[Pointer]:
    """The keys that have a meaning; of many like each other the first few will do."""
    found: dict[Pointer, list[Pointer]] = {}
    for pointer, _ in nodes(entry):
        if pointer and isinstance(pointer[-1], str) and not is_free(pointer):
            shape = tuple("#" if isinstance(part, int) else part for part in pointer)
            found.setdefault(shape, []).append(pointer)
    return [pointer for alike in found.values() for pointer in alike[:2]]


def check_told(findings: Sequence[Finding], entry: object, pointer: Pointer) -> None:
    """Something is said, at a line that exists, and nothing in it was unforeseen."""
    assert findings, pointer
    lines = json.dumps(entry, indent=1).count("\n") + 1
    for finding in findings:
        assert finding.rule.startswith(("SCH", "CAT", "YAML")), (pointer, finding)
        assert 1 <= finding.place.line <= lines
        assert finding.help


def spoilt() -> list[ParameterSet]:
    """Every entry that Sluice brings; the first ones of each family each time."""
    cases = []
    for family in FAMILIES:
        for index, name in enumerate(resources.list_catalog(family)):
            marks = [pytest.mark.slow] if index >= ALIKE else []
            cases.append(pytest.param(family, name, marks=marks, id=f"{family}/{name}"))
    return cases


@pytest.mark.parametrize(("family", "name"), spoilt())
def test_every_misspelt_key_is_told(family: Family, name: str) -> None:
    entry = brought(family, name)
    for pointer in keys_of(entry):
        changed = renamed(entry, pointer)
        findings = told(family, name, changed)
        check_told(findings, changed, pointer)
        assert any(f"{pointer[-1]}Zz" in finding.message for finding in findings), pointer


def wrong_types(value: object) -> list[object]:
    """Values of other types than a scalar's own."""
    if isinstance(value, bool):
        return ["maybe", {"a": 1}]
    if isinstance(value, int | float):
        return ["seven", None]
    return [7, [1]]


def takes_any_scalar(pointer: Pointer) -> bool:
    """Whether the engine decides what a value is: text, a number, true or false."""
    return len(pointer) > 1 and pointer[-2] == "values"


@pytest.mark.parametrize(("family", "name"), spoilt())
def test_every_scalar_of_a_wrong_type_is_told(family: Family, name: str) -> None:
    entry = brought(family, name)
    shapes: set[Pointer] = set()
    for pointer, value in nodes(entry):
        shape = tuple("#" if isinstance(part, int) else part for part in pointer)
        is_plain = any(pointer[: len(plain)] == plain for plain in PLAIN)
        if isinstance(value, dict | list) or is_plain or shape in shapes:
            continue
        shapes.add(shape)
        for other in wrong_types(value):
            if takes_any_scalar(pointer) and isinstance(other, str | int):
                continue
            changed = copy.deepcopy(entry)
            value_at(changed, pointer[:-1])[pointer[-1]] = other
            check_told(told(family, name, changed), changed, pointer)
