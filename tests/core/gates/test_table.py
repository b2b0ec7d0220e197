"""Each property of a gate is asked; one that nothing asks fails the gate."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from sluice.core.gates.conditions import Circumstances, judge_all
from sluice.core.gates.table import CONDITIONS, condition, unknown_properties
from sluice.core.gates.words import WRITERS
from sluice.core.layout import Key
from sluice.core.model import Evaluation, ModelVersion
from sluice.core.specs.reader import read_record
from sluice.core.specs.rollout_records import Gate
from support import extensions, gate_examples, trees
from support.gate_examples import EXAMPLES, Example

VERSION = ModelVersion("m", "8", "pvc://m/8", created=gate_examples.REGISTERED, updated=0)


def passes(gate: Mapping[str, Any], example: Example) -> bool:
    found = trees.workspace_of(trees.base()).specs.releases[Key("production", "platform", "chat")]
    spec = {**found.document.data["spec"], "gates": [gate] if gate else []}
    document = replace(found.document, data={**found.document.data, "spec": spec})
    release = replace(found, document=document)
    about = Circumstances(gate_examples.NOW)
    results = judge_all(release, VERSION, example.candidate, example.baseline, about)
    return all(result.passed for result in results)


@pytest.mark.parametrize("name", sorted(CONDITIONS))
def test_a_property_decides_by_itself(name: str) -> None:
    example = EXAMPLES[name]
    without = {key: value for key, value in example.gate.items() if key != name}
    if CONDITIONS[name].is_subject:
        without = {}
    assert passes(example.gate, example) != passes(without, example)


@pytest.mark.parametrize(
    "gate",
    [
        {"metric": "acc", "min": 0.1, "minSamples": 1000},
        {"metric": "acc", "min": 0.1, "measuredBy": {"teams": ["a"], "users": ["eval-bot"]}},
        {"approval": {"tag": "approved-by", "by": 2}},
        {"soak": {"environment": "staging", "duration": "24h", "requests": 5}},
        {"opinion": "good"},
    ],
)
def test_a_gate_with_a_property_that_nothing_asks_fails(gate: dict[str, Any]) -> None:
    assert not passes(gate, Example(gate, gate_examples.evaluation(0.9, user="eval-bot")))
    (name,) = unknown_properties(gate)
    assert name.partition(".")[2] not in WRITERS


def test_it_says_which_property_nothing_asks() -> None:
    found = trees.workspace_of(trees.base()).specs.releases[Key("production", "platform", "chat")]
    found.document.data["spec"]["gates"] = [{"metric": "acc", "min": 0, "minSamples": 1}]
    evaluation = gate_examples.evaluation(0.9)
    (result,) = judge_all(found, VERSION, evaluation, None, Circumstances())
    assert (result.passed, result.failed, result.metric) == (False, True, "acc")
    assert result.reason.startswith("nothing asks for minSamples")


def test_every_condition_is_in_the_sentence() -> None:
    for name, example in EXAMPLES.items():
        record = CONDITIONS[name]
        if not record.is_subject and record.complain is not None and name != "safety":
            gate = read_record(Gate, example.gate)
            assert record.say(gate) in condition(gate) != "", name


def test_the_properties_are_those_of_the_schema() -> None:
    assert CONDITIONS.keys() == extensions.house().gate.keys() == EXAMPLES.keys()
    assert passes({}, Example({}, Evaluation()))
