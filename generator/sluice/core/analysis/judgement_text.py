"""A judgement for people."""

from sluice.core.analysis.counts import Counts, total
from sluice.core.analysis.judgement import GateVerdict, Judgement
from sluice.core.outgoing import lines_of

_HEAD = ("gate", "verdict", "ln E bad", "E ok", "SPRT", "candidate", "stable")


def as_text(counts: Counts, judgement: Judgement) -> str:
    """The verdict, and a line for each gate with its counts in this step."""
    rows = [
        _HEAD,
        *(_row(gate, counts, i) for i, gate in enumerate(judgement.gates)),
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    head = f"{judgement.verdict}: {judgement.reason}"
    return lines_of([head, "", *lines, ""]) + _bounds(counts)


def _row(gate: GateVerdict, counts: Counts, index: int) -> tuple[str, ...]:
    batches = [b for b in counts.gates[index].batches if b.step == counts.step]
    candidate = total(cell for batch in batches for cell in batch.candidate)
    stable = total(cell for batch in batches for cell in batch.stable)
    return (
        gate.name,
        f"{gate.verdict}{' (observed)' if gate.observe else ''}",
        "-" if gate.ln_e_bad is None else f"{gate.ln_e_bad:.3f}",
        "-" if gate.e_ok is None else f"{gate.e_ok:.3g}",
        gate.sprt or "-",
        f"{candidate.bad} of {candidate.requests}",
        f"{stable.bad} of {stable.requests}",
    )


def _bounds(counts: Counts) -> str:
    fail, passing = counts.bound(required=True), 1 / counts.parameters.beta
    said = f"a gate fails once ln E bad reached {fail:.3f}, and passes with E ok of {passing:.3g}\n"
    if all(each.gate.required for each in counts.gates):
        return said
    beside = counts.bound(required=False)
    return f"{said}one that need not pass fails once ln E bad reached {beside:.3f}\n"
