"""A chart of what changed, as a diagram that forges draw inside Markdown."""

import math
import re
from collections.abc import Sequence

from sluice.core.gates.judge import GateResult
from sluice.core.markdown import fenced

_MOST_BARS = 12
_LONGEST_LABEL = 28
# All that a label in quotation marks may hold without ending it or beginning something else.
_NOT_IN_A_LABEL = re.compile(r"[^\w./ -]", re.ASCII)


def chart(gates: Sequence[GateResult]) -> str:
    """Bars of each metric's change in percent of the deployed value; nothing without two values.

    In percent, since metrics have units of their own; better is up, whatever way a metric counts.
    """
    bars = [(gate.metric, change) for gate in gates if (change := _percent(gate)) is not None]
    if not bars:
        return ""
    shown = bars[:_MOST_BARS]
    names = ", ".join(f'"{_label(name)}"' for name, _ in shown)
    values = ", ".join(f"{value:.2f}" for _, value in shown)
    most = max(1.0, *(math.ceil(abs(value)) for _, value in shown))
    text = (
        'xychart-beta\n    title "Change against the deployed version, better is up"\n'
        f'    x-axis [{names}]\n    y-axis "percent" {-most:g} --> {most:g}\n    bar [{values}]'
    )
    return fenced(text, "mermaid")


def _percent(gate: GateResult) -> float | None:
    if gate.delta is None or not gate.baseline or not math.isfinite(gate.delta):
        return None
    change = 100 * gate.delta / abs(gate.baseline)
    return (-change if gate.lower_is_better else change) if math.isfinite(change) else None


def _label(name: str) -> str:
    plain = _NOT_IN_A_LABEL.sub("_", name)
    return plain if len(plain) <= _LONGEST_LABEL else f"{plain[: _LONGEST_LABEL - 2]}.."
