"""Kubernetes' own functions on lists (all versions; `includes` from 1.37 on)."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from sluice.core.cel.libraries.declaration import Overload

_COMPARABLE = ("int", "uint", "double", "bool", "string", "bytes")
_SUMMABLE = ("int", "uint", "double")
_INT64 = 1 << 63


def _is_sorted(items: Sequence[Any]) -> bool:
    _comparable(items)
    return all(one <= other for one, other in pairwise(items))


def _sum(items: Sequence[Any]) -> Any:  # noqa: ANN401  # a number of the list's own type
    if any(isinstance(item, bool) or not isinstance(item, int | float) for item in items):
        raise ValueError("no such overload")
    total = sum(items)
    if isinstance(total, int) and not -_INT64 <= total < _INT64:
        raise ValueError("integer overflow")
    return total


def _max(items: Sequence[Any]) -> Any:  # noqa: ANN401  # an element
    return max(_some("max", items))


def _min(items: Sequence[Any]) -> Any:  # noqa: ANN401  # an element
    return min(_some("min", items))


def _index_of(items: Sequence[Any], wanted: object) -> int:
    return next((i for i, item in enumerate(items) if _equal(item, wanted)), -1)


def _last_index_of(items: Sequence[Any], wanted: object) -> int:
    backwards = range(len(items) - 1, -1, -1)
    return next((i for i in backwards if _equal(items[i], wanted)), -1)


def _includes(target: object, wanted: object) -> bool:
    return _index_of(target, wanted) >= 0 if isinstance(target, list) else _equal(target, wanted)


def _equal(one: object, other: object) -> bool:
    """As in CEL: numbers compare by value, and true is no number."""
    if isinstance(one, bool) is not isinstance(other, bool):
        return False
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    return one == other


def _some(name: str, items: Sequence[Any]) -> Sequence[Any]:
    if not items:
        raise ValueError(f"{name} called on empty list")
    _comparable(items)
    return items


def _comparable(items: Sequence[Any]) -> None:
    kinds = {_kind(item) for item in items}
    if len(kinds) > 1 or not kinds <= {"bool", "number", "str", "bytes", "bytearray"}:
        raise ValueError("no such overload")


def _kind(item: object) -> str:
    if isinstance(item, bool):
        return "bool"
    return "number" if isinstance(item, int | float) else type(item).__name__


OVERLOADS = (
    *(Overload("isSorted", f"list<{kind}> -> bool", _is_sorted) for kind in _COMPARABLE),
    *(Overload("sum", f"list<{kind}> -> {kind}", _sum) for kind in _SUMMABLE),
    *(Overload("max", f"list<{kind}> -> {kind}", _max) for kind in _COMPARABLE),
    *(Overload("min", f"list<{kind}> -> {kind}", _min) for kind in _COMPARABLE),
    Overload("indexOf", "list<dyn>, dyn -> int", _index_of),
    Overload("lastIndexOf", "list<dyn>, dyn -> int", _last_index_of),
)

INCLUDES = (Overload("includes", "dyn, dyn -> bool", _includes),)

RANGE_LIMIT = 1_000_000
"""Elements that `lists.range` may make in one evaluation."""
