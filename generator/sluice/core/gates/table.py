"""Every property of a gate as a record: what it says, how it is judged, what can be wrong with it.

The schema has the shape of a gate, and this table its meaning: a property that is in the schema
and not here is never asked, so that a gate with it fails.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sluice.core.gates import complaints, problems, words
from sluice.core.gates.case import Case
from sluice.core.gates.problems import Problem
from sluice.core.gates.words import WRITERS
from sluice.core.gates.writers import counted
from sluice.core.model import Evaluation
from sluice.core.specs.reader import written
from sluice.core.specs.rollout_records import Gate

Kind = Literal["measurement", "limit", "regression", "age", "approval", "soak", "origin"]
IN_TURN: tuple[Kind, ...] = ("measurement", "age", "limit", "regression")
"""Kinds of conditions on a metric, in the order in which they are asked: each relies on those
before it."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One property of a gate.

    Args:
        name: as the schema has it.
        kind: on what a version fails by it.
        complain: why a version does not meet it; empty when it does. None where the property is
            no condition by itself.
        alters: the properties whose meaning it changes.
        admit: which measurements count because of it.
        is_subject: whether it is what the gate is about, of which a gate has one.
        fields: its own properties, where it is an object.
        say: it in words.
        find_problems: what is wrong with it, whatever is measured.
        compares: whether it compares a version with its successor, or asks for its age: a person
            may decide against it when a version goes back to where it was.
        lapses: whether it may be met now and not any more when a forge merges later.
        needs_history: whether it asks who served when.
    """

    name: str
    kind: Kind = "limit"
    complain: Callable[[Case], str] | None = None
    alters: tuple[str, ...] = ()
    admit: Callable[[Gate, Evaluation], Evaluation] | None = None
    is_subject: bool = False
    fields: tuple[str, ...] = ()
    say: Callable[[Gate], str] = words.no_words
    find_problems: Callable[[Gate], Iterator[Problem]] = problems.no_problems
    compares: bool = False
    lapses: bool = False
    needs_history: bool = False


# In the order in which a sentence has them.
_ALL = (
    Condition("metric", kind="measurement", complain=complaints.distrusted, is_subject=True),
    Condition(
        "min",
        complain=complaints.below,
        say=lambda gate: f"at least {gate.min}",
        find_problems=problems.of_limits,
    ),
    Condition("max", complain=complaints.above, say=lambda gate: f"at most {gate.max}"),
    Condition(
        "maxRegression",
        kind="regression",
        complain=complaints.regressed,
        say=words.of_regression,
        compares=True,
    ),
    Condition("better", alters=("min", "max", "maxRegression"), find_problems=problems.of_better),
    Condition(
        "standardErrors",
        complain=complaints.unknown_error,
        alters=("min", "max", "maxRegression"),
        say=words.of_errors,
        find_problems=problems.of_errors,
    ),
    Condition("errorMetric", alters=("standardErrors",), find_problems=problems.of_error_metric),
    Condition(
        "dataset",
        kind="measurement",
        complain=complaints.on_another_dataset,
        say=lambda gate: f"on {gate.dataset}",
    ),
    Condition(
        "maxAge",
        kind="age",
        complain=complaints.too_old,
        say=lambda gate: f"not older than {gate.max_age}",
        compares=True,
        lapses=True,
    ),
    Condition(
        "afterRegistration",
        kind="age",
        complain=complaints.before_registration,
        say=words.of_registration,
        compares=True,
    ),
    Condition(
        "safety",
        kind="measurement",
        complain=complaints.without_dataset,
        alters=("standardErrors",),
        find_problems=problems.of_safety,
    ),
    Condition(
        "measuredBy",
        admit=counted,
        alters=("metric",),
        fields=tuple(WRITERS),
        say=words.of_writers,
    ),
    Condition("approval", kind="approval", is_subject=True, fields=("tag", "values"), lapses=True),
    Condition(
        "soak",
        kind="soak",
        is_subject=True,
        fields=("environment", "duration", "release"),
        find_problems=problems.of_soak,
        needs_history=True,
    ),
)
CONDITIONS: Mapping[str, Condition] = {condition.name: condition for condition in _ALL}
SUBJECTS = tuple(condition.name for condition in _ALL if condition.is_subject)
COMPARING: frozenset[Kind] = frozenset(record.kind for record in _ALL if record.compares)
"""Kinds of failures that a person may decide against for a version that served before."""


def conditions_of(gate: Gate) -> list[Condition]:
    """The records of a gate's properties that have one, in the order of a sentence."""
    properties = written(gate)
    return [condition for name, condition in CONDITIONS.items() if name in properties]


def problems_of(gate: Gate) -> list[Problem]:
    """What is wrong with a gate, whatever is measured."""
    mixed = list(problems.of_subjects(gate, SUBJECTS))
    if mixed:
        return mixed
    return [problem for record in conditions_of(gate) for problem in record.find_problems(gate)]


def unknown_properties(document: Mapping[str, Any]) -> list[str]:
    """Properties of a gate, and of what is in them, that nothing asks; a gate with one fails.

    Args:
        document: the gate as it is written: its record has none of what nothing asks.
    """
    names = sorted(document.keys() - CONDITIONS.keys())
    for name, condition in CONDITIONS.items():
        if condition.fields and isinstance(document.get(name), Mapping):
            inner = document[name].keys() - set(condition.fields)
            names += [f"{name}.{field}" for field in sorted(inner)]
    return names


def condition(gate: Gate) -> str:
    """A gate in words."""
    return ", ".join(filter(None, (record.say(gate) for record in conditions_of(gate))))
