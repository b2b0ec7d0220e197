"""Each field of a rollout's gate changes what is watched; one that nothing asks is refused."""

from typing import Any

import pytest

from sluice.core.analysis.signal_table import FIELDS, SIGNALS
from sluice.core.analysis.signals import check_analysis, watches
from sluice.core.layout import Key
from sluice.core.specs.records import read_release
from support import extensions, trees

ENGINE = trees.tools().catalog.engine("vllm", "0.33.0")
assert ENGINE is not None
KEY = Key("production", "platform", "chat")
COUNTERS = {"requests": {"metric": "all_total"}, "bad": {"metric": "bad_total"}}
OWN = {"signal": "custom", **COUNTERS}
ERRORS, SLOW = {"signal": "errors"}, {"signal": "timeToFirstToken", "above": 1}

CHANGES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "signal": (ERRORS, {"signal": "preemptions"}),
    "name": (ERRORS, {**ERRORS, "name": "failures"}),
    "mode": (ERRORS, {**ERRORS, "mode": "observe"}),
    "minRequests": (ERRORS, {**ERRORS, "minRequests": 51}),
    "above": (SLOW, {**SLOW, "above": 2.5}),
    "requests": (OWN, {**OWN, "requests": {"metric": "other_total"}}),
    "bad": (OWN, {**OWN, "bad": {"metric": "other_total"}}),
    "tolerated": (ERRORS, {**ERRORS, "tolerated": 1.1}),
    "excluded": (ERRORS, {**ERRORS, "excluded": 3.1}),
    "absolute": (ERRORS, {**ERRORS, "absolute": {"p0": 0.001, "p1": 0.5}}),
}


def analysis() -> Any:  # noqa: ANN401  # JSON
    return extensions.house().rollout["analysis"]["properties"]


def watched(gate: dict[str, Any]) -> object:
    assert ENGINE
    return watches(read_release({"rollout": {"analysis": {"gates": [gate]}}}), ENGINE)


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_a_field_changes_what_is_watched(name: str) -> None:
    one, other = CHANGES[name]
    assert watched(one) != watched(other)


def test_the_fields_are_those_of_the_schema() -> None:
    assert analysis()["gates"]["items"]["properties"].keys() == FIELDS == CHANGES.keys()


def test_a_field_that_nothing_asks_is_refused() -> None:
    assert ENGINE
    release = trees.workspace_of(trees.base()).specs.releases[KEY]
    gate = {**ERRORS, "minSamples": 1000}
    release.document.data["spec"]["rollout"] = {"analysis": {"gates": [gate]}}
    (finding,) = check_analysis(release, ENGINE)
    assert finding.message.startswith("nothing asks for minSamples")


@pytest.mark.parametrize("name", sorted(SIGNALS))
def test_what_a_signal_has_no_use_for_is_a_field(name: str) -> None:
    signal = SIGNALS[name]
    assert set(signal.without) <= FIELDS
    assert not (signal.is_timed and signal.is_own)


def test_each_guard_of_the_schema_is_asked() -> None:
    fields = {"queue": 7, "cache": 0.5, "for": "7m"}
    assert analysis()["guards"]["properties"].keys() == fields.keys()
    for name, value in fields.items():
        given = read_release({"rollout": {"analysis": {"guards": {name: value}}}})
        assert given.rollout.analysis.guards != read_release({}).rollout.analysis.guards, name
