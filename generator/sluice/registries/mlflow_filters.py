"""Names of models in the filters of an MLflow search."""

import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote

_BATCH = 200
# Proxies commonly end at 8 kB for the whole request line.
_BATCH_CHARACTERS = 4000
_NOT_LITERAL = re.compile(r"[^A-Za-z0-9 .-]")


def split_batches(names: Iterable[str]) -> Iterator[list[str]]:
    """Cut names into parts that fit into one request."""
    batch: list[str] = []
    length = 0
    for name in names:
        cost = len(quote(f"'{name}', "))
        if batch and (len(batch) == _BATCH or length + cost > _BATCH_CHARACTERS):
            yield batch
            batch, length = [], 0
        batch.append(name)
        length += cost
    if batch:
        yield batch


def match_any(plain_names: Iterable[str]) -> str:
    """Return a filter that is true for these names, which have nothing to escape."""
    return "name IN ({})".format(", ".join(f"'{name}'" for name in plain_names))


def match_one(name: str) -> str:
    """Return a filter that is true for this name, whatever is in it, and for few others."""
    return f"name LIKE '{_NOT_LITERAL.sub('_', name)}'"
