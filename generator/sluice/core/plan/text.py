"""A plan for people (text, Markdown) and for machines (JSON data)."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from sluice.core.markdown import code, table
from sluice.core.plan.cost import Totals, money
from sluice.core.plan.difference import Action, Change, Plan

_SIGNS: dict[Action, str] = {"create": "+", "update": "~", "delete": "-"}
_SHOWN_FIELDS = 12


def as_text(plan: Plan) -> str:
    """For a terminal."""
    if plan.is_empty:
        return "No change to what is deployed.\n"
    lines = [
        f"{move.release}: version {move.before or 'none'} -> {move.after or 'none'}"
        for move in plan.moves
    ]
    for change in plan.changes:
        lines.append(f"{_SIGNS[change.action]} {_title(change)}")
        lines += [f"    {line}" for line in _fields(change)]
    for scope, (before, after) in plan.totals.items():
        lines += [f"{scope}: {line}" for line in _totals(before, after)]
    lines += [f"! {notice}" for notice in plan.notices]
    lines.append(counts(plan))
    return "\n".join(lines) + "\n"


def as_markdown(plan: Plan) -> str:
    """For a pull request."""
    if plan.is_empty:
        return "No change to what is deployed.\n"
    rows = [
        (change.action, change.kind, code(change.name), "<br>".join(map(code, _fields(change))))
        for change in plan.changes
    ]
    parts = [counts(plan), table(("", "kind", "name", "fields"), rows)]
    parts += [f"- **{code(notice)}**" for notice in plan.notices]
    for scope, (before, after) in plan.totals.items():
        parts += [f"- {code(scope)}: {line}" for line in _totals(before, after)]
    return "\n\n".join(parts[:2]) + "\n\n" + "\n".join(parts[2:]) + "\n"


def as_data(plan: Plan) -> dict[str, Any]:
    """For JSON."""
    return {
        "version": 1,
        "changes": [asdict(change) for change in plan.changes],
        "releases": [asdict(move) for move in plan.moves],
        "notices": list(plan.notices),
        "totals": {
            name: {"before": asdict(before), "after": asdict(after)}
            for name, (before, after) in plan.totals.items()
        },
    }


def counts(plan: Plan) -> str:
    """`2 to create, 1 to update, 0 to delete`."""
    found = [change.action for change in plan.changes]
    return ", ".join(f"{found.count(action)} to {action}" for action in _SIGNS)


def _title(change: Change) -> str:
    where = f"{change.namespace}/" if change.namespace else ""
    return f"{change.kind} {where}{change.name}"


def _fields(change: Change) -> Iterator[str]:
    for field in change.fields[:_SHOWN_FIELDS]:
        yield f"{field.pointer}: {_value(field.before)} -> {_value(field.after)}"
    if len(change.fields) > _SHOWN_FIELDS:
        yield f"and {len(change.fields) - _SHOWN_FIELDS} more"


def _value(value: object) -> str:
    if value is None:
        return "absent"
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."  # noqa: PLR2004  # fits a line


def _totals(before: Totals, after: Totals) -> Iterator[str]:
    if before == after:
        return
    yield f"devices {_devices(before)} -> {_devices(after)}"
    yield f"cost {_cost(before)} -> {_cost(after)}"
    rollouts = money(before.rollout_cost), money(after.rollout_cost)
    yield (
        f"in a rollout at most {before.rollout_devices} -> {after.rollout_devices} devices, "
        f"{rollouts[0]} -> {rollouts[1]}"
    )
    if after.unpriced:
        yield f"no price is known of {', '.join(after.unpriced)}: add it to accelerators.prices"


def _devices(totals: Totals) -> str:
    return f"{totals.least_devices}-{totals.most_devices}"


def _cost(totals: Totals) -> str:
    least, most = money(totals.least_cost), money(totals.most_cost)
    return least if least == most else f"{least} to {most}"
