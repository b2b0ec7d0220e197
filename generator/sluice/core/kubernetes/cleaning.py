"""Plain data as the API server keeps it: without nulls, and within bounds."""

from collections.abc import Mapping
from typing import Any

from sluice.core.finding import UsageError

Object = Mapping[str, Any]

NODE_LIMIT = 1_000_000


_DEPTH_LIMIT = 200


def clean(obj: Object) -> Object:
    """A copy of plain data without nulls, which the API server drops and the engine cannot take.

    Raises:
        UsageError: for data that is nested or repeated beyond what a cluster would take.
    """
    result: Object = _cleaned(obj, 0, [NODE_LIMIT])
    return result


def _cleaned(value: Any, depth: int, left: list[int]) -> Any:  # noqa: ANN401  # plain data
    """Counts parts, since a few YAML aliases can stand for more than any memory holds."""
    kind = type(value)
    if kind is str or kind is int or kind is bool or kind is float:
        return value
    is_map = kind is dict or isinstance(value, Mapping)
    if not is_map and not isinstance(value, list | tuple):
        return str(value)
    left[0] -= len(value)
    if depth > _DEPTH_LIMIT or left[0] < 0:
        raise UsageError("an object is nested too deeply or has more parts than a cluster takes")
    depth += 1
    if is_map:
        return {str(k): _cleaned(v, depth, left) for k, v in value.items() if v is not None}
    return [_cleaned(item, depth, left) for item in value if item is not None]
