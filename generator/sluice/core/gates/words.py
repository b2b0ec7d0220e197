"""What a gate asks, in words, and which way its metric counts."""

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


def condition(gate: Gate) -> str:
    """The condition in words."""
    parts = []
    if "min" in gate:
        parts.append(f"at least {gate['min']}")
    if "max" in gate:
        parts.append(f"at most {gate['max']}")
    if "maxRegression" in gate:
        worse = "higher" if better_is_lower(gate) else "lower"
        parts.append(f"at most {gate['maxRegression']} {worse} than the deployed version")
    if "standardErrors" in gate:
        against = "clear of it by" if gate.get("safety") else "give or take"
        parts.append(f"{against} {gate['standardErrors']} standard errors")
    if "dataset" in gate:
        parts.append(f"on {gate['dataset']}")
    if "maxAge" in gate:
        parts.append(f"not older than {gate['maxAge']}")
    if gate.get("afterRegistration"):
        parts.append("measured after the version was registered")
    for kind, beginning in WRITERS.items():
        if named := gate.get("measuredBy", {}).get(kind):
            parts.append(f"{beginning} {' or '.join(named)}")
    return ", ".join(parts)


def better_is_lower(gate: Gate) -> bool:
    """What the gate says; without a word, and with nothing but an upper limit, lower is better."""
    said = gate.get("better", "lower" if gate.keys() & _BOUNDS == {"max"} else "higher")
    return bool(said == "lower")
