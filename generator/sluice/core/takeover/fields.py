"""Reading an entry of the catalog into a record: each key once, and no key that means nothing."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any


def read_fields(
    entry: Mapping[str, Any], keys: Mapping[str, str], required: AbstractSet[str]
) -> dict[str, Any]:
    """The arguments of a record from the keys of an entry.

    Args:
        entry: what the catalog says.
        keys: the name of the argument for each key.
        required: keys that must be there.

    Raises:
        ValueError: for a key that is missing, or that means nothing.
    """
    missing = sorted(required - entry.keys())
    if missing:
        raise ValueError(f"{entry.get('name')} lacks {missing[0]}")
    unknown = sorted(entry.keys() - keys.keys())
    if unknown:
        raise ValueError(f"{entry.get('name')}: {unknown[0]} is not one of {', '.join(keys)}")
    return {keys[key]: value for key, value in entry.items()}
