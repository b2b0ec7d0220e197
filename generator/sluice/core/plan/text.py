"""A plan for people (text, Markdown) and for machines (JSON data)."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from sluice.core.markdown import code, table
from sluice.core.outgoing import lines_of
from sluice.core.plan.cost import Totals, between, money
from sluice.core.plan.difference import Action, Change, Plan
from sluice.core.plan.rule_change import RuleChange

_SIGNS: dict[Action, str] = {"create": "+", "update": "~", "delete": "-"}
_SHOWN_FIELDS = 12
_HEADS = ("devices", "cost", "devices in a rollout", "cost in a rollout")


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
        lines += [
            f"{scope}: {head} {old} -> {new}"
            for head, (old, new) in zip(_HEADS, _columns(before, after), strict=True)
            if old != new
        ]
    lines += _unpriced(plan)
    lines += [f"! {notice}" for notice in plan.notices]
    lines += [f"rule {_told(change)}" for change in plan.rules]
    lines.append(counts(plan))
    return lines_of(lines)


def as_markdown(plan: Plan) -> str:
    """For a pull request."""
    if plan.is_empty:
        return "No change to what is deployed.\n"
    rows = [
        (change.action, change.kind, code(change.name), "<br>".join(map(code, _fields(change))))
        for change in plan.changes
    ]
    parts = [counts(plan)]
    if rows:
        parts.append(table(("", "kind", "name", "fields"), rows))
    if plan.notices:
        parts.append("\n".join(f"- **{code(notice)}**" for notice in plan.notices))
    totals = [
        (code(scope), *(_moved(*pair) for pair in _columns(before, after)))
        for scope, (before, after) in plan.totals.items()
        if before != after
    ]
    if plan.rules:
        parts.append("\n".join(["Rules change:", "", *map(_rule, plan.rules)]))
    if totals:
        parts.append(table(("", *_HEADS), totals))
    parts += [f"- {code(line)}" for line in _unpriced(plan)]
    return "\n\n".join(parts) + "\n"


def as_data(plan: Plan) -> dict[str, Any]:
    """For JSON."""
    return {
        "version": 1,
        "changes": [asdict(change) for change in plan.changes],
        "releases": [asdict(move) for move in plan.moves],
        "notices": list(plan.notices),
        "rules": [asdict(change) for change in plan.rules],
        "totals": {
            name: {"before": asdict(before), "after": asdict(after)}
            for name, (before, after) in plan.totals.items()
        },
    }


def moved(change: RuleChange) -> str:
    """What a rule says before and after a change."""
    before, after = change.before, change.after
    if (before, after) == (None, None):
        return change.rule
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        same = [key for key in before if key in after and before[key] == after[key]]
        before, after = ({k: v for k, v in one.items() if k not in same} for one in (before, after))
    return f"{change.rule}: {_value(before)} -> {_value(after)}"


def _told(change: RuleChange) -> str:
    """A rule that changes: where, what, whether more may pass, and whose it is."""
    mark = " (LOOSER)" if change.loosens else ""
    return f"{change.path}: {moved(change)}{mark}{_for(change)}"


def _rule(change: RuleChange) -> str:
    shown = code(f"{change.path}: {moved(change)}", longest=400)
    if not change.loosens:
        return f"- {shown}"
    return f"- **looser:** {shown}{_for(change)}"


def _for(change: RuleChange) -> str:
    """Who owns what is loosened."""
    if not change.loosens:
        return ""
    return f", for {', '.join(change.owners)}" if change.owners else ", of which nobody is owner"


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
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:57] + "..."  # noqa: PLR2004  # fits a line


def _columns(before: Totals, after: Totals) -> list[tuple[str, str]]:
    """Before and after of each of `_HEADS`."""
    return list(zip(_figures(before), _figures(after), strict=True))


def _figures(totals: Totals) -> tuple[str, str, str, str]:
    least, most = totals.least_devices, totals.most_devices
    cost = money(totals.least_cost), money(totals.most_cost)
    return (
        str(least) if least == most else f"{least}-{most}",
        between(*cost),
        str(totals.rollout_devices),
        money(totals.rollout_cost),
    )


def _moved(before: str, after: str) -> str:
    return after if before == after else f"{before} → **{after}**"


def _unpriced(plan: Plan) -> list[str]:
    names = sorted({name for _, after in plan.totals.values() for name in after.unpriced})
    return [f"no price is known of {', '.join(names)}: add it to accelerators.prices"][: len(names)]
