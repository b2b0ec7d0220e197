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


<<<<<<< HEAD
def condition(gate: Gate) -> str:
    """The condition in words."""
    parts = []
    if gate.min is not None:
        parts.append(f"at least {gate.min}")
    if gate.max is not None:
        parts.append(f"at most {gate.max}")
    if gate.max_regression is not None:
        worse = "higher" if better_is_lower(gate) else "lower"
        parts.append(f"at most {gate.max_regression} {worse} than the deployed version")
    if gate.standard_errors is not None:
        against = "clear of it by" if gate.safety else "give or take"
        parts.append(f"{against} {gate.standard_errors} standard errors")
    if gate.dataset is not None:
        parts.append(f"on {gate.dataset}")
    if gate.max_age is not None:
        parts.append(f"not older than {gate.max_age}")
    if gate.after_registration:
        parts.append("measured after the version was registered")
    writers = written(gate.measured_by) if gate.measured_by else {}
    for kind, beginning in WRITERS.items():
        if named := writers.get(kind):
            parts.append(f"{beginning} {' or '.join(named)}")
=======
def no_words(_gate: Gate) -> str:
    """Nothing: other properties say it."""
    return ""


def of_regression(gate: Gate) -> str:
    """How much worse than the deployed version it may be."""
    worse = "higher" if better_is_lower(gate) else "lower"
    return f"at most {gate['maxRegression']} {worse} than the deployed version"


def of_errors(gate: Gate) -> str:
    """What standard errors do to the other conditions."""
    against = "clear of it by" if gate.get("safety") else "give or take"
    return f"{against} {gate['standardErrors']} standard errors"


def of_registration(gate: Gate) -> str:
    """That it must be measured late enough, where it must."""
    return "measured after the version was registered" if gate["afterRegistration"] else ""


def of_writers(gate: Gate) -> str:
    """Whose numbers count."""
    named = gate["measuredBy"]
    parts = [
        f"{begin} {' or '.join(named[kind])}" for kind, begin in WRITERS.items() if kind in named
    ]
>>>>>>> 471c614 (x)
    return ", ".join(parts)


def better_is_lower(gate: Gate) -> bool:
    """What the gate says; without a word, and with nothing but an upper limit, lower is better."""
    if gate.better is not None:
        return gate.better == "lower"
    return gate.max is not None and gate.min is None and gate.max_regression is None
