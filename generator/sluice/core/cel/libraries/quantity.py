"""Quantities (from 1.28 on)."""

import re
from collections.abc import Mapping
from decimal import ROUND_UP, Context, Decimal, localcontext
from typing import Any

from sluice.core.cel.libraries.declaration import Overload, tagged, untagged

_QUANTITY = re.compile(
    r"([+-]?)(?=\.?\d)(\d*(?:\.\d*)?)(?:([numkMGTPE])|([KMGTPE])i|[eE]([+-]?\d{1,4}))?", re.ASCII
)
_DECIMAL = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {letter: Decimal(1024) ** power for power, letter in enumerate("KMGTPE", 1)}
_NANO = Decimal("1e-9")
_MAX = Decimal((1 << 63) - 1)
_CONTEXT = Context(prec=4000, Emax=10**6, Emin=-(10**6))

Value = Mapping[str, Any]


def parse_quantity(text: str) -> Decimal:
    """The value of a quantity, rounded up to nanos and capped as the API server does.

    Raises:
        ValueError: when the text is no quantity.
    """
    match = _QUANTITY.fullmatch(text)
    if not match:
        raise ValueError(f"{text[:40]!r} is not a quantity")
    sign, number, decimal, binary, exponent = match.groups()
    with localcontext(_CONTEXT):
        value = Decimal(number) * _BINARY.get(binary or "", Decimal(1))
        value = value.scaleb(_DECIMAL.get(decimal or "", 0) + int(exponent or 0))
        value = min(value, _MAX)
        if value % _NANO:
            value = value.quantize(_NANO, rounding=ROUND_UP)
        return -value if sign == "-" else value


def _is_quantity(text: str) -> bool:
    try:
        parse_quantity(text)
    except ValueError:
        return False
    return True


def _tagged(value: Decimal) -> dict[str, str]:
    text = f"{value:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return tagged("quantity", "0" if text in ("-0", "") else text)


def _decimal(value: Value | int) -> Decimal:
    return Decimal(value if isinstance(value, int) else untagged("quantity", value))


def _integer(value: Value) -> int | None:
    number = _decimal(value)
    whole = number == number.to_integral_value()
    return int(number) if whole and abs(number) < _MAX else None


def _as_integer(value: Value) -> int:
    number = _integer(value)
    if number is None:
        raise ValueError("cannot convert value to integer")
    return number


def compare(one: Value, other: Value) -> int:
    """-1, 0 or 1."""
    left, right = _decimal(one), _decimal(other)
    return (left > right) - (left < right)


def _add(one: Value, other: Value | int) -> dict[str, str]:
    with localcontext(_CONTEXT):
        return _tagged(_decimal(one) + _decimal(other))


def _subtract(one: Value, other: Value | int) -> dict[str, str]:
    with localcontext(_CONTEXT):
        return _tagged(_decimal(one) - _decimal(other))


OVERLOADS = (
    Overload("quantity", "string -> quantity", lambda t: _tagged(parse_quantity(t)), member=False),
    Overload("isQuantity", "string -> bool", _is_quantity, member=False),
    Overload("sign", "quantity -> int", lambda v: int(_decimal(v).compare(0)), member=False),
    Overload("isGreaterThan", "quantity, quantity -> bool", lambda a, b: compare(a, b) > 0),
    Overload("isLessThan", "quantity, quantity -> bool", lambda a, b: compare(a, b) < 0),
    Overload("compareTo", "quantity, quantity -> int", compare),
    Overload("asApproximateFloat", "quantity -> double", lambda v: float(_decimal(v))),
    Overload("asInteger", "quantity -> int", _as_integer),
    Overload("isInteger", "quantity -> bool", lambda v: _integer(v) is not None),
    Overload("add", "quantity, quantity -> quantity", _add),
    Overload("add", "quantity, int -> quantity", _add),
    Overload("sub", "quantity, quantity -> quantity", _subtract),
    Overload("sub", "quantity, int -> quantity", _subtract),
)
