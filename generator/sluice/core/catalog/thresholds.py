"""From which numbers on somebody is told, as a record."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Limits of alerts.

    Args:
        queue: requests that wait for each replica.
        first_token: seconds to the first token, of the slowest twentieth.
        cache: share of the key-value cache in use, 0 to 1.
        late: seconds after which a weight in Git is to be in the route.
    """

    queue: float
    first_token: float
    cache: float
    late: int


_KEYS = {
    "queuedRequests": "queue",
    "timeToFirstToken": "first_token",
    "kvCacheUsage": "cache",
    "weightDiffers": "late",
}


def thresholds_from(table: Mapping[str, Any]) -> Thresholds:
    """Read the table of limits.

    Raises:
        ValueError: when it has other keys than those of the record.
    """
    if table.keys() != _KEYS.keys():
        different = ", ".join(sorted(table.keys() ^ _KEYS.keys()))
        raise ValueError(f"limits of alerts: {different}")
    return Thresholds(**{_KEYS[key]: value for key, value in table.items()})
