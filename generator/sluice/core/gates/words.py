"""What properties of a gate say in words, and which way its metric counts."""

from sluice.core.specs.reader import written
from sluice.core.specs.rollout_records import Gate

WRITERS = {
    "experiments": "in experiment",
    "users": "by user",
    "evaluators": "evaluated by",
    "runs": "in run",
}
"""What a gate can ask of who wrote a number, each as it begins in a sentence."""


def no_words(_gate: Gate) -> str:
    """Nothing: other properties say it."""
    return ""


def of_regression(gate: Gate) -> str:
    """How much worse than the deployed version it may be."""
    worse = "higher" if better_is_lower(gate) else "lower"
    return f"at most {gate.max_regression} {worse} than the deployed version"


def of_errors(gate: Gate) -> str:
    """What standard errors do to the other conditions."""
    against = "clear of it by" if gate.safety else "give or take"
    return f"{against} {gate.standard_errors} standard errors"


def of_registration(gate: Gate) -> str:
    """That it must be measured late enough, where it must."""
    return "measured after the version was registered" if gate.after_registration else ""


def of_writers(gate: Gate) -> str:
    """Whose numbers count."""
    named = written(gate.measured_by) if gate.measured_by else {}
    parts = [
        f"{begin} {' or '.join(named[kind])}" for kind, begin in WRITERS.items() if named.get(kind)
    ]
    return ", ".join(parts)


def better_is_lower(gate: Gate) -> bool:
    """What the gate says; without a word, and with nothing but an upper limit, lower is better."""
    if gate.better is not None:
        return gate.better == "lower"
    return gate.max is not None and gate.min is None and gate.max_regression is None
