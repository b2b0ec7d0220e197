"""What scales the releases of an environment, as records of what it does."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sluice.core.takeover.fields import read_fields

DEFAULT = "hpa"
"""The scaler of an environment that names none."""


@dataclass(frozen=True, slots=True)
class Scaler:
    """What scales.

    Args:
        name: as environments have it; its templates are in the folder of this name.
        title: what people call it, as it stands in a sentence.
        api: version of the API of its objects.
        kind: of its objects.
        wakes: whether it can start the first replica, so that there may be none.
        queries: whether it asks Prometheus itself, with queries; others ask the API of metrics,
            which an adapter must fill.
        without: fields of `scaling` that it has nothing for.
    """

    name: str
    title: str
    api: str
    kind: str
    wakes: bool = False
    queries: bool = False
    without: tuple[str, ...] = ()


_KEYS = {
    "name": "name",
    "title": "title",
    "apiVersion": "api",
    "kind": "kind",
    "wakes": "wakes",
    "queries": "queries",
    "without": "without",
}
_REQUIRED = frozenset({"name", "title", "apiVersion", "kind"})


def scaler_from(entry: Mapping[str, Any]) -> Scaler:
    """Read the entry of a scaler.

    Raises:
        ValueError: for a key that is missing, or that means nothing.
    """
    read = read_fields(entry, _KEYS, _REQUIRED)
    read["without"] = tuple(read.get("without", ()))
    return Scaler(**read)
