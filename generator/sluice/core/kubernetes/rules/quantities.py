"""Amounts of resources: what they are worth, and what containers may ask for."""

import re
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from typing import Any

from sluice.core.kubernetes.rules.checks import qualified
from sluice.core.kubernetes.rules.problem import Context, Fault, Faults, mapping, show
from sluice.core.kubernetes.rules.shape import Step, node

_HUGE = "hugepages-"
_LONGEST = 64
_QUANTITY = re.compile(
    r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?[0-9]{1,3}))?"
)
_NEARLY = re.compile(r"([0-9.]+) ?([kmgt])i?b?", re.IGNORECASE)
_FACTORS = {
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    "k": Fraction(1000),
    **{letter: Fraction(1000) ** power for power, letter in enumerate("MGTPE", 2)},
    **{f"{letter}i": Fraction(1024) ** power for power, letter in enumerate("KMGTPE", 1)},
}
_BYTES = ("memory", "ephemeral-storage", "storage")
_OF_CONTAINERS = ("cpu", "memory", "ephemeral-storage")


@lru_cache(maxsize=1 << 12)
def parsed(text: str) -> Fraction | None:
    """The worth of a quantity in its base unit, or None when it is not one."""
    match = _QUANTITY.fullmatch(text) if len(text) <= _LONGEST else None
    if not match:
        return None
    factor = _FACTORS[match[2]] if match[2] else Fraction(10) ** int(match[3] or 0)
    return Fraction(match[1]) * factor


def written(value: object) -> str | None:
    """A quantity as text; numbers are allowed in its place. None for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return repr(value) if isinstance(value, float) or abs(value) < 10**19 else ""


def amount(value: object) -> Fraction | None:
    """The worth of a value that should be a quantity."""
    text = written(value)
    return None if text is None else parsed(text)


def unreadable(text: str) -> str:
    """What is wrong with a text that is no quantity, with a guess at what was meant."""
    near = _NEARLY.fullmatch(text[:_LONGEST])
    unit = near[2].upper() if near else ""
    hint = f"; did you mean {near[1]}{unit}i?" if near else ""
    return f"{show(text)} is no quantity{hint}"


def quantity(value: Any) -> str | None:  # noqa: ANN401  # any JSON value
    """A check: a quantity that is not negative."""
    text = written(value)
    if text is None:
        return None
    worth = parsed(text)
    if worth is None:
        return unreadable(text)
    return f"{show(text)} is negative" if worth < 0 else None


def shareable(resource: str) -> bool:
    """Whether a node may promise more of a resource than it has."""
    native = "/" not in resource or resource.partition("/")[0].endswith("kubernetes.io")
    return native and not resource.startswith(_HUGE)


@lru_cache(maxsize=1 << 12)
def _faults(resource: str, text: str) -> tuple[tuple[str, str], ...]:
    worth = parsed(text)
    if worth is None:
        return (("SEM030", unreadable(text)),)
    return tuple(_valued_faults(resource, text, worth))


def _valued_faults(resource: str, text: str, worth: Fraction) -> Iterator[tuple[str, str]]:
    if worth < 0:
        yield "SEM031", f"{show(text)} is negative"
    elif "/" in resource and worth.denominator != 1:
        yield "SEM033", f"{show(text)} of {resource}: it comes in whole pieces"
    elif resource in _BYTES and worth.denominator != 1:
        yield "SEM036", f"{show(text)} is not a whole number of bytes"


@lru_cache(maxsize=1 << 10)
def _name_fault(resource: str) -> str | None:
    if resource in _OF_CONTAINERS or resource.startswith(_HUGE):
        return None
    if "/" not in resource:
        return f"{show(resource)} is no resource of containers"
    return qualified(resource)


def _check_amounts(resources: dict[str, Any], _: Context) -> Faults:
    for side in ("limits", "requests"):
        for resource, value in mapping(resources, side).items():
            if not isinstance(resource, str) or value is None:
                continue
            if wrong := _name_fault(resource):
                yield Fault("SEM032", (side, resource), wrong)
            text = written(value)
            for rule, message in () if text is None else _faults(resource, text):
                yield Fault(rule, (side, resource), message)


def _check_requests_within_limits(resources: dict[str, Any], _: Context) -> Faults:
    requests, limits = mapping(resources, "requests"), mapping(resources, "limits")
    for resource, value in requests.items():
        if not isinstance(resource, str):
            continue
        request, limit = amount(value), amount(limits.get(resource))
        here = ("requests", resource)
        if request is None:
            continue
        if not shareable(resource):
            if request != limit:
                shown = show(limits.get(resource)) if resource in limits else "missing"
                message = f"{resource}: the request is {show(value)}, the limit {shown}"
                yield Fault("SEM035", here, message)
        elif limit is not None and request > limit:
            message = f"{resource}: the request {show(value)} is above the limit"
            yield Fault("SEM034", here, f"{message} {show(limits[resource])}")


def _check_huge_pages(resources: dict[str, Any], _: Context) -> Faults:
    resources_named = mapping(resources, "limits").keys() | mapping(resources, "requests").keys()
    huge = [name for name in resources_named if isinstance(name, str) and name.startswith(_HUGE)]
    if huge and not resources_named & {"cpu", "memory"}:
        yield Fault("SEM058", (), "huge pages are asked for, and neither cpu nor memory")


RESOURCES: Step = node({}, _check_amounts, _check_requests_within_limits, _check_huge_pages)
