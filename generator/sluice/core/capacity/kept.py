"""Answers kept as long as what they are about lives: about thousands of releases they recur."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from sluice.core.catalog.entries import Catalog

S = TypeVar("S")
T = TypeVar("T")


def kept(function: Callable[[S, Catalog], T]) -> Callable[[S, Catalog], T]:
    """Ask a pure function once for each subject and catalog; nobody may change its answer.

    The subject is a record that nobody changes either: a release, or specs.
    """
    name = f"{function.__module__}.{function.__qualname__}"

    @wraps(function)
    def asked(subject: S, catalog: Catalog) -> T:
        known: tuple[Catalog, Any] | None = subject.__dict__.get(name)
        if known is None or known[0] is not catalog:
            known = subject.__dict__[name] = (catalog, function(subject, catalog))
        answer: T = known[1]
        return answer

    return asked
