"""A simulation for people and for programs."""

from collections.abc import Iterable, Iterator
from typing import Any

from sluice.core.analysis.judgement_file import judgement_data
from sluice.core.rollout.file import fields
from sluice.core.rollout.model import Write
from sluice.core.rollout.simulation import Tick
from sluice.core.units import duration


def as_text(ticks: Iterable[Tick]) -> Iterator[str]:
    """A line, without its end, for each tick in which something changed and for its commit."""
    shown = ""
    for tick in ticks:
        rollout = tick.rollout
        verdict = tick.judgement.verdict if tick.judgement else "no metrics"
        step = f" {rollout.step}" if rollout.state == "STEP" else ""
        said = f"{rollout.state + step:<14} {rollout.weight:>3} %  {verdict:<12} "
        numbers = _numbers(tick)
        line = f"{said}{numbers}{tick.decision.reason}"
        for event in tick.events:
            yield f"{duration(tick.time):>8}  * {event}"
        if line != shown or tick.decision.write:
            yield f"{duration(tick.time):>8}  {line}"
        if tick.decision.write and line != shown:
            yield from _commit(tick.decision.write)
        for note in tick.decision.notes:
            yield f"{'':>8}  ! {note}"
        shown = line


def _numbers(tick: Tick) -> str:
    gates = tick.judgement.gates if tick.judgement and tick.rollout.weight else ()
    return "".join(
        f"{gate.name} lnE={gate.ln_e_bad or 0.0:.2f} Eok={gate.e_ok or 0.0:.3g}  " for gate in gates
    )


def _commit(write: Write) -> Iterator[str]:
    head = f"{'':>8}  -> {write.kind} by {write.lane}"
    yield head + (", for a person to merge" if write.approval else "")
    said: dict[str, Any] = fields(write.rollout) if write.rollout else {"rollout.yaml": "removed"}
    if write.quarantine:
        said["quarantine"] = write.quarantine
    for key, value in said.items():
        if key not in ("specHash", "since", "reason"):
            yield f"{'':>8}       {key}: {value}"


def as_data(tick: Tick) -> dict[str, Any]:
    """A tick as JSON."""
    write = tick.decision.write
    return {
        "time": tick.time,
        "events": list(tick.events),
        "rollout": fields(tick.rollout),
        "judgement": judgement_data(tick.judgement) if tick.judgement else None,
        "reason": tick.decision.reason,
        "notes": list(tick.decision.notes),
        "write": _write_data(write) if write else None,
    }


def _write_data(write: Write) -> dict[str, Any]:
    return {
        "kind": write.kind,
        "lane": write.lane,
        "approval": write.approval,
        "quarantine": write.quarantine or None,
        "reason": write.reason,
        "rollout": fields(write.rollout) if write.rollout else None,
    }
