"""The schedules that CronJobs and cron triggers understand."""

import re
from functools import lru_cache

from sluice.core.kubernetes.rules.problem import show

_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()  # noqa: SIM905  # reads better
_DAYS = "sun mon tue wed thu fri sat".split()  # noqa: SIM905  # reads better
_FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of the month", 1, 31, {}),
    ("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    ("day of the week", 0, 6, {name: number for number, name in enumerate(_DAYS)}),
)
_NAMED = ("yearly", "annually", "monthly", "weekly", "daily", "midnight", "hourly")
_EVERY = re.compile(r"@every (?:[0-9.]+(?:h|m|s|ms|us|ns))+")
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}")
_LONGEST = 1000


@lru_cache(maxsize=1 << 10)
def schedule(value: str) -> str | None:
    """What is wrong with a schedule of five fields, or a name such as @hourly."""
    if value.startswith(("TZ=", "CRON_TZ=")):
        return "a time zone inside a schedule; use timeZone"
    if value.startswith("@"):
        is_named = value[1:] in _NAMED or _EVERY.fullmatch(value)
        return None if is_named else f"{show(value)} is no schedule that has a name"
    parts = value[:_LONGEST].split()
    if len(parts) != len(_FIELDS) or len(value) > _LONGEST:
        return f"{show(value)} has {len(parts)} fields; five are needed"
    for part, (name, low, high, names) in zip(parts, _FIELDS, strict=True):
        for term in part.split(","):
            if wrong := _term(term, low, high, names):
                return f"{name} {show(term)}: {wrong}"
    return None


def _term(term: str, low: int, high: int, names: dict[str, int]) -> str | None:
    span, slash, step = term.partition("/")
    if slash and not (_digits(step) and int(step) > 0):
        return "the step is no positive number"
    if span in ("*", "?"):
        return None
    bounds = [_number(part, names) for part in span.split("-")]
    if len(bounds) > 2 or None in bounds:  # noqa: PLR2004  # from and to
        return "it is no number, no range and no *"
    numbers = [number for number in bounds if number is not None]
    if any(not low <= number <= high for number in numbers):
        return f"it is outside {low} to {high}"
    return "the range ends before it begins" if numbers != sorted(numbers) else None


def _digits(value: str) -> bool:
    return value.isdecimal() and value.isascii() and len(value) <= 9  # noqa: PLR2004  # fits 32 bits


def _number(value: str, names: dict[str, int]) -> int | None:
    return int(value) if _digits(value) else names.get(value.lower())


def zone(value: str, zones: frozenset[str]) -> str | None:
    """What is wrong with a time zone.

    Args:
        value: the zone.
        zones: those that there are; when empty only the form is looked at.
    """
    if not value or value.lower() == "local":
        return f"{show(value)} would depend on the machine"
    is_zone = value in zones if zones else _ZONE.fullmatch(value)
    return None if is_zone else f"{show(value)} is no time zone such as Europe/Berlin"
