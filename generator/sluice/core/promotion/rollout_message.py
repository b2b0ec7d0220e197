"""The words of a rollout's commits and pull requests, with the evidence as a table and a plot."""

from collections.abc import Iterable, Mapping, Sequence

from sluice.core.analysis.counts import Batch, Counts, total
from sluice.core.analysis.judgement import Judgement
from sluice.core.layout import Key
from sluice.core.markdown import code, fenced, table
from sluice.core.promotion.message import line, marker
from sluice.core.rollout import file as rollout_file
from sluice.core.rollout.model import Rollout, Write

_BARS = " ▁▂▃▄▅▆▇█"
_WIDTH = 60


def title(key: Key, before: Rollout, write: Write) -> str:
    """One line, the same for the commit and the pull request."""
    where = f"{key.environment}/{key.name}"
    said = {
        "settle": f"version {before.candidate} is stable",
        "restore": f"back to version {before.stable}",
    }.get(write.kind, "")
    if not said and write.rollout is not None:
        said = f"version {before.candidate} {_step(before, write.rollout)}"
    return f"{where}: {line(said)}"


def _step(before: Rollout, after: Rollout) -> str:
    state = after.state.lower().replace("_", " ")
    if after.weight == before.weight:
        return f"{state} at {after.weight} %"
    return f"{before.weight} % -> {after.weight} %, {state}"


def commit_message(
    key: Key, before: Rollout, write: Write, evidence: str = "", actor: str = ""
) -> str:
    """Subject, the reason, and trailers by which Git tells the rollout's history.

    Args:
        key: the release.
        before: where the rollout stood.
        write: what is written.
        evidence: the digest of the evidence file, if there is one.
        actor: the person who asked for it, if one did.
    """
    after = write.rollout
    trailers = {
        "Release": str(key),
        "Model-Version": before.candidate,
        "Previous-Version": before.stable,
        "Rollout-State": after.state if after else write.kind.upper(),
        "Rollout-Step": str(after.step) if after else "",
        "Rollout-Weight": str(after.weight) if after else "",
        "Verdict": write.evidence.verdict if write.evidence else "",
        "Evidence-Sha256": evidence,
        "Quarantine": write.quarantine,
        "Actor": actor,
    }
    lines = [f"{name}: {line(value)}" for name, value in trailers.items() if value]
    return f"{title(key, before, write)}\n\n{line(write.reason)}\n\n" + "\n".join(lines) + "\n"


def proposal_marker(before: Rollout, write: Write, clock: str) -> str:
    """What a pull request proposes, and since which commit: its closing is a word on that only."""
    after = write.rollout
    what = f"{after.state}:{after.step}:{after.weight}" if after else write.kind
    return f"rollout:{before.candidate}:{what}:{clock}"


def body(
    before: Rollout,
    write: Write,
    clock: str,
    counts: Counts | None,
    evidence: str = "",
) -> str:
    """The pull request's text; `evidence` is the path of the file with the counts."""
    sections = [
        f"{code(write.reason)}",
        _exposure(before, write),
        _evidence(write.evidence, counts, evidence) if counts else "",
        _advice(before, write),
        marker(proposal_marker(before, write, clock), ()),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _exposure(before: Rollout, write: Write) -> str:
    after = write.rollout
    weight = after.weight if after else before.weight
    head = ("version", "requests now", "requests then")
    rows = [
        (code(before.candidate), f"{before.weight} %", f"{weight} %"),
        (code(before.stable), f"{100 - before.weight} %", f"{100 - weight} %"),
    ]
    return table(head, rows)


def _advice(before: Rollout, write: Write) -> str:
    how = "It waits for a person. " if write.approval else ""
    return (
        f"{how}Merging it goes on; closing it pauses the rollout. `sluice rollback` gives every "
        f"request back to version {code(before.stable)}."
    )


def _evidence(judgement: Judgement | None, counts: Counts, path: str) -> str:
    if judgement is None:
        return ""
    rows = []
    for verdict, counted in zip(judgement.gates, counts.gates, strict=True):
        batches = [b for b in counted.batches if b.step == counts.step]
        own = total(cell for batch in batches for cell in batch.candidate)
        other = total(cell for batch in batches for cell in batch.stable)
        rows.append(
            (
                code(verdict.name),
                verdict.verdict,
                f"{own.bad} of {own.requests}",
                f"{other.bad} of {other.requests}",
                "" if verdict.e_ok is None else f"{verdict.e_ok:.3g}",
            )
        )
    head = ("gate", "verdict", "candidate", "stable", "E ok")
    where = f"\n\nThe counts are in {code(path)}; `sluice judge` replays them." if path else ""
    return f"### Evidence\n\n{table(head, rows)}{where}\n\n{plot(counts)}"


def plot(counts: Counts) -> str:
    """Shares of bad events by batch, of both versions on one scale, as a block of text."""
    lines: list[str] = []
    for counted in counts.gates:
        batches = counted.batches[-_WIDTH:]
        if not batches:
            continue
        arms = {"candidate": _rates(batches, own=True), "stable": _rates(batches, own=False)}
        most = max((rate for rates in arms.values() for rate in rates), default=0.0)
        lines.append(f"{counted.gate.name}, bad share by batch, full height {most:.3%}")
        lines += [f"  {name:<9} |{_bars(rates, most)}|" for name, rates in arms.items()]
    if not lines:
        return "No batch was counted."
    first = min(b.at for c in counts.gates for b in c.batches[-_WIDTH:])
    since = rollout_file.to_text(first)
    return fenced("\n".join([*lines, f"from {since}, a batch is {counts.parameters.batch} s"]))


def _rates(batches: Sequence[Batch], *, own: bool) -> list[float]:
    cells = [total(batch.candidate if own else batch.stable) for batch in batches]
    return [cell.bad / cell.requests if cell.requests else 0.0 for cell in cells]


def _bars(rates: Iterable[float], most: float) -> str:
    last = len(_BARS) - 1
    return "".join(_BARS[round(last * rate / most)] if most else " " for rate in rates)


def about(key: Key, rollout: Rollout) -> Mapping[str, str]:
    """What evidence says of whom it is about."""
    return {"release": str(key), "candidate": rollout.candidate, "stable": rollout.stable}
