"""The smallest values in which two objects differ."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Field:
    """One value of an object that changes; None where it is absent."""

    pointer: str
    before: object
    after: object


def compare(before: object, after: object, pointer: str = "") -> Iterator[Field]:
    """The smallest values that differ.

    Lists whose items have names are compared by name, lists of texts of another length by what
    only one of them holds, others item by item.
    """
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in [*before, *(k for k in after if k not in before)]:
            inner = f"{pointer}.{key}" if pointer else str(key)
            yield from compare(before.get(key), after.get(key), inner)
    elif isinstance(before, list) and isinstance(after, list) and before != after:
        yield from _lists(before, after, pointer)
    elif before != after:
        yield Field(pointer, before, after)


def _lists(before: list[object], after: list[object], pointer: str) -> Iterator[Field]:
    old, new = _by_name(before), _by_name(after)
    if old is not None and new is not None:
        for name in [*old, *(n for n in new if n not in old)]:
            yield from compare(old.get(name), new.get(name), f"{pointer}[{name}]")
        if [n for n in old if n in new] != [n for n in new if n in old]:
            yield Field(pointer, list(old), list(new))
    elif len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from compare(one, other, f"{pointer}[{index}]")
    elif gone_and_come := _texts(before, after):
        gone, come = gone_and_come
        yield from (Field(f"{pointer}[]", text, None) for text in gone)
        yield from (Field(f"{pointer}[]", None, text) for text in come)
    else:
        yield Field(pointer, before, after)


def _by_name(items: list[object]) -> dict[str, object] | None:
    """Items by their `name`; None when one has none, or two have the same."""
    found: dict[str, object] = {
        item["name"]: item
        for item in items
        if isinstance(item, Mapping) and isinstance(item.get("name"), str)
    }
    return found if len(found) == len(items) else None


def _texts(before: list[object], after: list[object]) -> tuple[list[str], list[str]] | None:
    """What only the one and only the other list holds; None where that is not the difference."""
    old, new = ([item for item in side if isinstance(item, str)] for side in (before, after))
    if len(old) != len(before) or len(new) != len(after):
        return None
    gone, come = [t for t in old if t not in new], [t for t in new if t not in old]
    return (gone, come) if gone or come else None
