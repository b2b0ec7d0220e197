"""Answers about a release, kept as long as the release lives: thousands are asked for again."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from sluice.core.catalog.entries import Catalog
from sluice.core.specs.resolve import Release

T = TypeVar("T")


def kept(function: Callable[[Release, Catalog], T]) -> Callable[[Release, Catalog], T]:
    """Ask a pure function once for each release and catalog; nobody may change its answer."""
    name = f"{function.__module__}.{function.__qualname__}"

    @wraps(function)
    def asked(release: Release, catalog: Catalog) -> T:
        known: tuple[Catalog, Any] | None = release.__dict__.get(name)
        if known is None or known[0] is not catalog:
            known = release.__dict__[name] = (catalog, function(release, catalog))
        answer: T = known[1]
        return answer

    return asked
