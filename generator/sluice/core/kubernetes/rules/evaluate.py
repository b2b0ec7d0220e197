"""Every semantic rule over a set of objects."""

from collections.abc import Iterator, Sequence
from typing import Any

from sluice.core.finding import Severity
from sluice.core.kubernetes.rules.kinds import shape_of
from sluice.core.kubernetes.rules.problem import (
    NOTE,
    WARNING,
    Context,
    Fault,
    Problem,
    text,
    version_of,
)
from sluice.core.kubernetes.rules.references import Dangling
from sluice.core.kubernetes.rules.rule_texts import Rules
from sluice.core.kubernetes.rules.shape import visit
from sluice.core.kubernetes.rules.uses import WHOLE
from sluice.core.kubernetes.rules.world import Identity, identity, world_of

Objects = Sequence[tuple[str, object]]
"""Plain objects, each with the path of the file that holds it."""

_OF_CLAIMS = "SEM168"


def semantic_problems(
    objects: Objects,
    version: str,
    rules: Rules,
    *,
    closed: bool = False,
    old: Objects = (),
    zones: frozenset[str] = frozenset(),
) -> Iterator[Problem]:
    """What a cluster would refuse or run in vain; never raises, whatever JSON it is given.

    Args:
        objects: the set; what is not a mapping is passed over.
        version: of Kubernetes, such as "1.34".
        rules: what to do about each problem, and how grave it is.
        closed: whether the set holds all that there is; else what it lacks is only a note.
        old: the objects as they were, for fields that may not change.
        zones: the time zones that there are; when empty, only their form is looked at.
    """
    target = version_of(version)
    before: dict[Identity, dict[str, Any]] = {
        identity(data): data for _, data in old if isinstance(data, dict)
    }
    mappings: list[tuple[int, dict[str, Any]]] = []
    for position, (_, data) in enumerate(objects):
        if isinstance(data, dict):
            mappings.append((position, data))
    for position, data in mappings:
        context = Context(target, data, before.get(identity(data)) if before else None, zones)
        for fault in _check_object(data, context):
            yield _name_problem(objects[position][0], position, fault, rules)
    world = world_of(mappings)
    claims = bool(world.items.get("PersistentVolumeClaim"))
    for between in WHOLE:
        for dangling in between(world):
            severity = _choose_severity(dangling, closed=closed, claims=claims)
            fault = Fault(dangling.rule, dangling.pointer, dangling.message)
            path = objects[dangling.position][0]
            yield _name_problem(path, dangling.position, fault, rules, severity)


def _check_object(data: dict[str, Any], context: Context) -> list[Fault]:
    fields, rules = shape_of(text(data, "apiVersion"), text(data, "kind"))
    faults: list[Fault] = []
    missing: dict[str, Any] = {key: {} for key in ("metadata", "spec") if data.get(key) is None}
    visit(fields, rules, {**data, **missing} if missing else data, (), context, faults)
    return faults


def _choose_severity(dangling: Dangling, *, closed: bool, claims: bool) -> Severity | None:
    """Storage is often claimed elsewhere: a set without any claim says little about it."""
    if dangling.outside and not closed:
        return NOTE
    return WARNING if dangling.rule == _OF_CLAIMS and not claims else None


def _name_problem(
    path: str, position: int, fault: Fault, rules: Rules, severity: Severity | None = None
) -> Problem:
    rule = rules[fault.rule]
    return Problem(
        path=path,
        position=position,
        rule=fault.rule,
        pointer=fault.pointer,
        message=fault.message,
        help=rule.help,
        severity=severity or rule.severity,
    )
