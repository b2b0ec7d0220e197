"""The text of a pull request; names and values of others are shown as code, never obeyed."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from sluice.core.confidential import redacted_value
from sluice.core.gates.judge import GateResult, comparable
from sluice.core.gates.writers import writer
from sluice.core.markdown import code, table
from sluice.core.model import Measurement
from sluice.core.plan.cost import Totals, money
from sluice.core.promotion import lineage
from sluice.core.promotion.chart import chart
from sluice.core.promotion.lineage import Origin
from sluice.core.promotion.message import Story, marker
from sluice.core.takeover.strategy import DEFAULT, strategy_of
from sluice.core.units import bytes_text

_MOST_ROWS = 20
_LONGEST = 500
_NONE = "none"
_OTHERWISE = " (measured otherwise)"
_MEMORY = (
    ("weights, all devices together", "weightBytes", bytes_text),
    ("for the cache, each device", "freeBytes", bytes_text),
    ("cache for a token, each device", "kvBytesPerToken", bytes_text),
    ("longest sequence in tokens", "maxLength", "{:,}".format),
    ("such sequences at once", "maxConcurrency", "{:,}".format),
)


def body(story: Story) -> str:
    """The whole text: sections that begin with a heading, and the marker at the end.

    Forges cut a text that is too long for them where a section begins.
    """
    sections = [
        _summary(story),
        f"### What changes\n\n{story.plan.rstrip()}",
        _evaluation(story),
        _memory(*story.memory),
        _cost(*story.totals),
        _rollout(story),
        _lineage(story),
        _superseded(story),
        _checklist(story),
        _checksum(story),
        marker(story.version.version, story.superseded, story.version.created),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _summary(story: Story) -> str:
    version = code(story.version.version)
    # What would end the address of a link is spelled, whatever the registry's own address is.
    page = quote(story.link, safe=":/?#@!$&'*+,;=%")
    linked = f" ([registry]({page}))" if page else ""
    said = (
        f"{code(story.model)} version {version}{linked} is in {code(story.follow)} of the "
        f"registry; {code(story.key)} serves version {code(story.before)}."
    )
    adapter = lineage.adapter_note(_origins(story))
    notes = [*story.notes, *story.evaluation.gaps, *([adapter] if adapter else [])]
    return "\n".join([said, *([""] if notes else []), *(f"- Note: {code(n)}" for n in notes)])


def _evaluation(story: Story) -> str:
    gates = story.gates
    if not gates and not story.evaluation.measurements:
        return "### Evaluation\n\nThis release has no gates, and nothing was measured."
    parts = ["### Evaluation"]
    parts.append(_gates(gates) if gates else "This release has no gates.")
    parts += [part for part in (chart(gates), _others(story)) if part]
    return "\n\n".join(parts)


def _gates(gates: Sequence[GateResult]) -> str:
    rows = [
        (
            code(gate.metric) + (" (safety)" if gate.safety else ""),
            _number(gate.baseline, gate.baseline_error) + ("" if gate.comparable else _OTHERWISE),
            _number(gate.value, gate.error),
            _change(gate.delta),
            code(gate.dataset) or _NONE,
            _writers(*gate.writers),
            code(gate.condition),
            _result(gate),
        )
        for gate in gates
    ]
    head = ("gate", "deployed", "proposed", "change", "dataset", "written by", "condition")
    return table((*head, "result"), rows)


def _writers(now: str, before: str) -> str:
    """Who wrote the numbers of a row, the deployed version's too where it was somebody else."""
    other = f"; deployed: {code(before)}" if before and before != now else ""
    return (code(now) or _NONE) + other


def _result(gate: GateResult) -> str:
    if gate.passed:
        return "passed" + (f": {code(gate.note, _LONGEST)}" if gate.note else "")
    return f"{'**waits**' if gate.waiting else '**failed**'}: {code(gate.reason, _LONGEST)}"


def _others(story: Story) -> str:
    """What was measured beside what the gates ask for."""
    asked = {gate.metric for gate in story.gates}
    before = story.baseline.measurements if story.baseline else {}
    rows = [
        _other(name, found, before.get(name))
        for name, found in sorted(story.evaluation.measurements.items())
        if name not in asked and "_stderr" not in name
    ]
    head = ("also measured", "deployed", "proposed", "change", "written by")
    return _limited(head, rows)


def _other(name: str, found: Measurement, old: Measurement | None) -> tuple[str, ...]:
    alike = comparable(found, old)
    known = old.value if old and not old.doubt else None
    change = None if known is None or found.doubt or not alike else found.value - known
    said = code(found.doubt) if found.doubt else _number(found.value)
    was = _number(known) + ("" if alike else _OTHERWISE)
    return code(name), was, said, _change(change), _writers(writer(found), writer(old))


def _memory(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    if not after:
        return ""
    rows = []
    for said, key, shown in _MEMORY:
        old, new = (
            shown(found[key]) if found.get(key) is not None else "unknown"
            for found in (before, after)
        )
        rows.append((said, old, new))
    verdict = {True: "It fits.", False: "**It does not fit.**"}.get(after["fits"], "No verdict.")
    problems = [f"- {code(problem)}" for problem in after.get("problems", ())]
    parts = ["### Memory", verdict, table(("", "deployed", "proposed"), rows), "\n".join(problems)]
    return "\n\n".join(filter(None, parts))


def _cost(before: Totals, after: Totals) -> str:
    rows = [
        (
            said,
            f"{totals.least_devices} to {totals.most_devices}",
            money(totals.least_cost),
            money(totals.most_cost),
            money(totals.rollout_cost),
        )
        for said, totals in (("deployed", before), ("proposed", after))
    ]
    head = (
        "this release",
        "devices",
        "cost at the least scale",
        "cost at the greatest",
        "in a rollout",
    )
    return f"### Cost\n\n{table(head, rows)}"


def _rollout(story: Story) -> str:
    strategy = strategy_of(story.rollout.get("strategy", DEFAULT.name))
    steps = story.rollout.get("steps", ())
    begins = ""
    if not strategy.has_candidate and not strategy.stops_first:
        begins = " Every request meets the new version once it is ready."
    elif steps and "controller" not in story.rollout:
        begins = (
            " Merging starts the new version beside the deployed one, without any request. "
            "Each step is then a change of its own."
        )
    lines = [f"### Rollout\n\nStrategy {code(strategy.name)}.{begins}"]
    if steps:
        rows = [(str(n), f"{s['weight']} %", code(s["soak"])) for n, s in enumerate(steps, 1)]
        lines.append(table(("step", "weight", "for at least"), rows))
    if story.periods:
        said = "\n".join(f"- {code(period)}" for period in story.periods)
        lines.append(f"When it may merge by itself, rollbacks excepted:\n\n{said}")
    return "\n\n".join(lines)


def _lineage(story: Story) -> str:
    rows = [_row(origin, origin.name) for origin in _origins(story) if origin.now or origin.before]
    known = lineage.parameters(story.evaluation, story.baseline)
    rows += [_row(origin, code(origin.name)) for origin in known[:_MOST_ROWS]]
    told = table(("", "proposed", "deployed", ""), rows)
    left = len(known) - _MOST_ROWS
    more = f"\n\n{left} more parameters are in the evidence." if left > 0 else ""
    return f"### Lineage\n\n{told}{more}"


def _row(origin: Origin, name: str) -> tuple[str, ...]:
    known = origin.before or not origin.now
    mark = "changed" if origin.changed and known else ""
    values = (redacted_value(origin.name, value) for value in (origin.now, origin.before))
    now, before = (code(value, _LONGEST) or _NONE for value in values)
    return name, now, before, mark


def _origins(story: Story) -> list[Origin]:
    return lineage.origins(story.version, story.evaluation, story.deployed, story.baseline)


def _superseded(story: Story) -> str:
    if not story.superseded:
        return ""
    listed = ", ".join(map(code, story.superseded))
    return f"### Superseded\n\nThis supersedes version {listed}, proposed here before."


def _checklist(story: Story) -> str:
    return (
        "### Before merging\n\n"
        + "\n".join(_tasks(story))
        + (
            f"\n\nClosing this pull request rejects version {code(story.version.version)}; "
            "it is not proposed again. Commits of others on this branch are left alone; deleting "
            "it hands it back."
        )
    )


def _tasks(story: Story) -> Iterator[str]:
    for gate in story.gates:
        if gate.waiting:
            yield f"- [ ] {code(gate.metric)}: {code(gate.reason, _LONGEST)}"
    yield "- [ ] The evaluation covers what this release is used for."
    yield "- [ ] The accelerators that the plan asks for are free."


def _checksum(story: Story) -> str:
    if not story.checksum:
        return ""
    frozen = f" The evidence is frozen in {code(story.evidence)}." if story.evidence else ""
    return f"### Checksum\n\nThe changed files are {code(story.checksum)}.{frozen}"


def _limited(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    if not rows:
        return ""
    left = len(rows) - _MOST_ROWS
    more = f"\n\n{left} more are in the evidence." if left > 0 else ""
    return table(head, rows[:_MOST_ROWS]) + more


def _number(value: float | None, error: float | None = None) -> str:
    if value is None:
        return _NONE
    return f"{value:.6g}" + (f" ± {error:.2g}" if error else "")


def _change(value: float | None) -> str:
    return _NONE if value is None else f"{value:+.4g}"
