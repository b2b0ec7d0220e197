"""Answers about a release, kept as long as the release lives: thousands are asked for again."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from sluice.core.catalog import Catalog
from sluice.core.resolve import Release

T = TypeVar("T")


def kept(function: Callable[[Release, Catalog], T]) -> Callable[[Release, Catalog], T]:
    """Ask a pure function once for each release and catalog; nobody may change its answer."""

    @wraps(function)
    def asked(release: Release, catalog: Catalog) -> T:
        known: dict[str, tuple[Catalog, Any]] = release.__dict__.setdefault("_kept", {})
        name = f"{function.__module__}.{function.__qualname__}"
        if name not in known or known[name][0] is not catalog:
            known[name] = (catalog, function(release, catalog))
        answer: T = known[name][1]
        return answer

    return asked
