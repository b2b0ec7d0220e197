"""The signals that a rollout's gates may name, as records of what is counted and how."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sluice.core.specs.rollout_records import SignalGate


@dataclass(frozen=True, slots=True)
class Signal:
    """What a gate of a rollout is about.

    Args:
        name: as specs have it.
        defaults: fields of a gate where it does not say them.
        is_timed: whether answers above a time are bad, by a histogram; other signals count events.
        is_own: whether the gate itself names the counters.
        only_compared: whether nothing has to pass by it: each kind of event is compared by itself.
        without: fields of a gate that have no use with it.
        at_the_edge: whether a gateway counts it too, for requests that no engine has seen.
    """

    name: str
    defaults: Mapping[str, Any] = field(default_factory=lambda: {"minRequests": 50})
    is_timed: bool = False
    is_own: bool = False
    only_compared: bool = False
    without: tuple[str, ...] = ()
    at_the_edge: bool = False


_ALL = (
    Signal(
        "errors",
        {"absolute": {"p0": 0.005, "p1": 0.02}, "minRequests": 50},
        at_the_edge=True,
    ),
    Signal("timeToFirstToken", {"matched": True, "minRequests": 50}, is_timed=True),
    Signal("timePerOutputToken", {"matched": True, "minRequests": 50}, is_timed=True),
    Signal("preemptions", {"excluded": 3.0, "minRequests": 50}),
    Signal("length", {"excluded": 1.5, "twoSided": True, "minRequests": 50}),
    Signal("custom", is_own=True),
    # Answers that blame the client.
    Signal("refusals", {}, only_compared=True, without=("excluded", "absolute", "minRequests")),
)
SIGNALS: Mapping[str, Signal] = {signal.name: signal for signal in _ALL}
FIELDS = frozenset(
    {
        *("signal", "name", "mode", "minRequests"),
        *("above", "requests", "bad"),
        *("tolerated", "excluded", "absolute"),
    }
)
"""Fields of a gate that something asks: a gate with another one is refused, not ignored."""
ERRORS = _ALL[0]
"""What a release is judged by that names no signal: failed answers."""
REFUSALS = _ALL[-1]
"""What is compared in every rollout, whether or not a gate names it."""


def signal_of(gate: SignalGate) -> Signal:
    """The signal that a gate of a rollout names."""
    return SIGNALS[gate.signal]
