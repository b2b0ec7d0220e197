"""What properties of a gate say in words, and which way its metric counts."""

from collections.abc import Mapping
from typing import Any

Gate = Mapping[str, Any]
WRITERS = {
    "experiments": "in experiment",
    "users": "by user",
    "evaluators": "evaluated by",
    "runs": "in run",
}
"""What a gate can ask of who wrote a number, each as it begins in a sentence."""
_BOUNDS = {"min", "max", "maxRegression"}


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
    return ", ".join(parts)


def better_is_lower(gate: Gate) -> bool:
    """What the gate says; without a word, and with nothing but an upper limit, lower is better."""
    said = gate.get("better", "lower" if gate.keys() & _BOUNDS == {"max"} else "higher")
    return bool(said == "lower")
