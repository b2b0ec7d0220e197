"""What an entry of the catalog may refer to, and what is said where that is not there."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sluice.core.catalog.entries import Family
from sluice.core.checks.spec_fields import SpecFields
from sluice.core.documents.load import Document
from sluice.core.documents.source import Pointer
from sluice.core.finding import Finding
from sluice.core.names import nearest, some

RULE = "CAT001"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the entries of a catalog may refer to outside of themselves.

    Args:
        fields: the fields of a release.
        names: gives the names of a family, the repository's own among them.
        brought: gives the entry that Sluice brings, None where it brings none.
        variants: gives the names that accelerators and the engines of Sluice have for images.
    """

    fields: SpecFields
    names: Callable[[Family], Collection[str]]
    brought: Callable[[Family, str], Mapping[str, Any] | None]
    variants: Callable[[], Collection[str]]


def check_known(
    document: Document, pointer: Pointer, value: str, known: Collection[str], noun: str
) -> Iterator[Finding]:
    """Whether what an entry names is there.

    Args:
        document: the entry.
        pointer: where the name stands; at a key, where the last part is the name itself.
        value: the name.
        known: those that there are.
        noun: what they are called.
    """
    if value in known:
        return
    close = nearest(value, tuple(known))
    listed = f"known: {some(sorted(known))}" if known else "remove it"
    remedy = f"did you mean {close!r}?" if close else listed
    at_key = bool(pointer) and pointer[-1] == value
    place = document.place(pointer, key=at_key)
    yield Finding(place, RULE, f"there is no {noun} {value!r}", remedy)
