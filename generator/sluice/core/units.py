"""Durations, quantities and engine versions, as people write them and as programs compare them."""

import re
from decimal import Decimal

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)(m|u|k|[MGTPE]i?|Ki)?")
_FACTORS = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    "u": Decimal("0.000001"),
    "k": Decimal(1000),
    **{letter: Decimal(1000) ** power for power, letter in enumerate("MGTPE", 2)},
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", 1)},
}
_BINARY = ("Ei", "Pi", "Ti", "Gi", "Mi", "Ki")
_DECIMAL = ("E", "P", "T", "G", "M", "k")


def seconds(duration: str) -> int:
    """The length of a duration such as `1h30m` in seconds."""
    match = _DURATION.fullmatch(duration)
    if not duration or not match:
        raise ValueError(f"{duration!r} is not a duration")
    hours, minutes, rest = (int(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + rest


def duration(length: int) -> str:
    """A number of seconds as people write it: `90` is `1m30s`."""
    hours, rest = divmod(length, 3600)
    minutes, rest = divmod(rest, 60)
    parts = ((hours, "h"), (minutes, "m"), (rest, "s"))
    return "".join(f"{count}{unit}" for count, unit in parts if count) or "0s"


def amount(quantity: str) -> Decimal:
    """The value of a Kubernetes quantity in its base unit (cores, bytes)."""
    match = _QUANTITY.fullmatch(quantity)
    if not match:
        raise ValueError(f"{quantity!r} is not a quantity")
    return Decimal(match[1]) * _FACTORS[match[2] or ""]


def canonical(quantity: str) -> str:
    """The quantity as the API server would store it: `1024Mi` is `1Gi`, `0.5` is `500m`.

    The server keeps the family of the suffix (binary or decimal) and takes the largest unit of
    which the value is a whole number.
    """
    value = amount(quantity)
    units = _BINARY if quantity.endswith("i") else _DECIMAL
    for unit in units if value else ():
        if value % _FACTORS[unit] == 0:
            return f"{int(value / _FACTORS[unit])}{unit}"
    small = next(unit for unit in ("", "m", "u") if value % _FACTORS[unit] == 0)
    return f"{int(value / _FACTORS[small])}{small}"


def version_key(version: str) -> tuple[int, ...]:
    """What orders versions of engines and of Kubernetes: the leading numbers."""
    release = re.split(r"[-+]", version, maxsplit=1)[0]
    return tuple(int(part) for part in re.findall(r"\d+", release))


def bytes_text(count: float) -> str:
    """A number of bytes for people: `5.2 GiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:  # noqa: PLR2004  # the step between binary units
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def number_of(noun: str, number: int) -> str:
    """`1 file`, `2 files`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
