"""One walk over an object: which checks apply where, as data.

A step looks at one value below a key. Steps are made from checks of single values (`leaf`), from
the shape of a mapping (`node`) and from what holds for each item of a list or a mapping. A rule
about several fields belongs to the node that holds them all.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sluice.core.kubernetes.rules.problem import Context, Fault, Faults, Pointer, mapping, show

Check = Callable[[Any], str | None]
"""A value to what is wrong with it."""

NodeRule = Callable[[dict[str, Any], Context], Iterable[Fault]]
Step = Callable[[Any, Pointer, str | int, Context, list[Fault]], None]
Fields = Mapping[str, Step]
_ABSENT: tuple[object, ...] = (None, "", [])
Root = tuple[Fields, tuple[NodeRule, ...]]
"""The shape of a whole object."""


def leaf(rule: str, check: Check) -> Step:
    """A check of one value."""

    def step(value: Any, above: Pointer, key: str | int, _: Context, faults: list[Fault]) -> None:  # noqa: ANN401  # any JSON value
        message = check(value)
        if message:
            faults.append(Fault(rule, (*above, key), message))

    return step


def node(fields: Fields, *rules: NodeRule) -> Step:
    """A mapping: steps by key, and rules about the whole of it."""

    def step(
        value: Any,  # noqa: ANN401  # any JSON value
        above: Pointer,
        key: str | int,
        context: Context,
        faults: list[Fault],
    ) -> None:
        if isinstance(value, dict):
            visit(fields, rules, value, (*above, key), context, faults)

    return step


def each(step: Step) -> Step:
    """Every item of a list; the server takes null for an item without fields."""

    def steps(
        value: Any,  # noqa: ANN401  # any JSON value
        above: Pointer,
        key: str | int,
        context: Context,
        faults: list[Fault],
    ) -> None:
        if isinstance(value, list):
            here = (*above, key)
            for index, item in enumerate(value):
                step({} if item is None else item, here, index, context, faults)

    return steps


def values(step: Step) -> Step:
    """Every value of a mapping."""

    def steps(
        value: Any,  # noqa: ANN401  # any JSON value
        above: Pointer,
        key: str | int,
        context: Context,
        faults: list[Fault],
    ) -> None:
        if isinstance(value, dict):
            here = (*above, key)
            for name, item in value.items():
                if item is not None:
                    step(item, here, name, context, faults)

    return steps


def visit(
    fields: Fields,
    rules: Iterable[NodeRule],
    value: dict[str, Any],
    pointer: Pointer,
    context: Context,
    faults: list[Fault],
) -> None:
    """Apply the shape of a mapping to one; null counts as absent, as it does for the server."""
    for key, item in value.items():
        step = fields.get(key)
        if step is not None and item is not None:
            step(item, pointer, key, context, faults)
    for rule in rules:
        for problem in rule(value, context):
            place = (*pointer, *problem.pointer)
            faults.append(Fault(problem.rule, place, problem.message))


def required(rule: str, *keys: str) -> NodeRule:
    """Fields without which the mapping means nothing."""

    def missing(value: dict[str, Any], _: Context) -> Iterable[Fault]:
        lacking = [key for key in keys if value.get(key) in _ABSENT]
        return [Fault(rule, (), f"{key} is missing") for key in lacking] if lacking else ()

    return missing


def exactly_one(rule: str, *keys: str, least: int = 1) -> NodeRule:
    """Fields of which one is set; `least=0` lets all be absent."""
    listed = ", ".join(keys)

    def count(value: dict[str, Any], _: Context) -> Iterable[Fault]:
        given = [key for key in keys if value.get(key) is not None]
        if len(given) > 1:
            message = f"{' and '.join(given)} are set; only one may be"
            return [Fault(rule, (given[1],), message)]
        return () if len(given) >= least else [Fault(rule, (), f"none of {listed} is set")]

    return count


def unique(rule: str, key: str, *fields: str, default: str = "") -> NodeRule:
    """Items of a list that differ in some fields; an item without the first one does not count."""

    def repeated(value: dict[str, Any], _: Context) -> Iterable[Fault]:
        items = value.get(key)
        if not isinstance(items, list) or _differ(items, fields[0]):
            return ()
        return list(_find_repetitions(items))

    def _find_repetitions(items: list[Any]) -> Faults:
        first_places: dict[tuple[str, ...], int] = {}
        for index, item in enumerate(items):
            given = mapping(item)
            if given.get(fields[0]) in _ABSENT:
                continue
            shown = tuple(show(given.get(field) or default) for field in fields)
            first = first_places.setdefault(shown, index)
            if first != index:
                message = f"{' '.join(shown)} stands in {key}[{first}] as well"
                yield Fault(rule, (key, index, fields[0]), message)

    return repeated


def _differ(items: list[Any], field: str) -> bool:
    """The common case, quickly: every item has a text of its own."""
    texts = {item.get(field) for item in items if isinstance(item, dict) and _is_text(item, field)}
    return len(texts) == len(items)


def _is_text(item: dict[str, Any], field: str) -> bool:
    return isinstance(item.get(field), str)
