"""What is wrong with a property of a gate, whatever is measured: a rule, a message and a remedy."""

from collections.abc import Iterator, Sequence

from sluice.core.specs.reader import written
from sluice.core.specs.rollout_records import Gate
from sluice.core.units import seconds

Problem = tuple[str, str, str]


def no_problems(_gate: Gate) -> Iterator[Problem]:
    """Nothing can be wrong with it that the schema does not know."""
    yield from ()


def of_subjects(gate: Gate, subjects: Sequence[str]) -> Iterator[Problem]:
    """A gate that is about several things, or about none.

    Args:
        gate: the gate.
        subjects: the properties of which it may have one.
    """
    properties = written(gate).keys()
    present = [name for name in subjects if name in properties]
    stray = sorted(properties - set(subjects)) if gate.metric is None else []
    if len(present) != 1 or stray:
        named = ", ".join([*present, *stray])
        message = f"a gate asks one thing: a metric, an approval or a soak, not {named}"
        yield "REF060", message, "write one gate for each"


def of_limits(gate: Gate) -> Iterator[Problem]:
    """Limits that no value is within."""
    if gate.min is not None and gate.max is not None and gate.min > gate.max:
        yield "REF012", "no value is above min and below max", "correct it"


def of_safety(gate: Gate) -> Iterator[Problem]:
    """Safety without a limit."""
    if gate.safety and not _has_limit(gate):
        message = "a metric of safety needs a limit: no regression is harmless by being small"
        yield "REF060", message, "add min or max"


def of_errors(gate: Gate) -> Iterator[Problem]:
    """Standard errors that excuse nothing and add to nothing."""
    if gate.max_regression is None and not gate.safety:
        message = "standardErrors counts with maxRegression or safety only"
        yield "REF060", message, "add one of them, or remove it"


def of_error_metric(gate: Gate) -> Iterator[Problem]:
    """The name of a standard error that nobody asks for."""
    if gate.standard_errors is None:
        message = "errorMetric counts with standardErrors only"
        yield "REF060", message, "add standardErrors, or remove it"


def of_better(gate: Gate) -> Iterator[Problem]:
    """A direction in which nothing is compared."""
    if gate.max_regression is None and not _has_limit(gate):
        yield "REF060", "better counts with a limit or maxRegression only", "remove it"


def of_soak(gate: Gate) -> Iterator[Problem]:
    """A soak that is over at once."""
    if gate.soak is not None and not seconds(gate.soak.duration):
        yield "REF060", "a soak of no time asks nothing", "give it a duration"


def _has_limit(gate: Gate) -> bool:
    return gate.min is not None or gate.max is not None
