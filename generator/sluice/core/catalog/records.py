"""Entries of the catalog as records: each field of a dataclass is a key of the entry.

A field's key is its name in camelCase unless `read_from` says otherwise. The defaults of the
dataclass are what an absent key means. The schemas see to the shape of entries; here an entry is
only kept from having a key that no field reads.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from typing import Any, NamedTuple, TypeVar, get_args, get_origin

Record = TypeVar("Record")
Read = Callable[[Any], Any]

_KEYS, _READ = "keys", "read"
_CAPITAL = re.compile(r"_([a-z])")


def read_from(*keys: str, read: Read | None = None) -> dict[str, Any]:
    """The metadata of a field that stands elsewhere in an entry than under its own name.

    Args:
        keys: where it stands, of which an entry has one at most; a dot leads into a mapping.
        read: makes the field's value of what stands there; follows from the type when absent.
    """
    return {_KEYS: keys, _READ: read}


class _Slot(NamedTuple):
    """A field of a record: the paths of its keys, and what makes its value of what is there."""

    name: str
    paths: tuple[tuple[str, ...], ...]
    read: Read

    def values(self, entry: Mapping[str, Any]) -> Iterator[Any]:
        """The value that the entry has for it, if any."""
        for path in self.paths:
            value = _value_at(entry, path)
            if value is not MISSING:
                yield self.read(value)


def read_record(kind: type[Record], entry: Mapping[str, Any], /, **values: object) -> Record:
    """Read a record.

    Args:
        kind: the dataclass.
        entry: the entry, or a part of it.
        values: values of fields that do not stand in the entry.

    Raises:
        ValueError: for a key that no field reads.
        TypeError: for a key that is missing.
    """
    slots, known = _layout_of(kind)  # type: ignore[arg-type]  # a class can be hashed
    unknown = sorted(entry.keys() - known)
    if unknown:
        noun = kind.__name__.lower()
        article = "an" if noun[0] in "aeiou" else "a"
        raise ValueError(f"{unknown[0]} is not a key of {article} {noun}")
    for slot in slots:
        for value in slot.values(entry):
            values[slot.name] = value
    return kind(**values)


@cache
def _layout_of(kind: Any) -> tuple[tuple[_Slot, ...], frozenset[str]]:  # noqa: ANN401  # any dataclass
    """The fields of a record, and the first keys of their paths."""
    slots = tuple(_slot_of(each) for each in fields(kind))
    return slots, frozenset(path[0] for slot in slots for path in slot.paths)


def _slot_of(of: Field[Any]) -> _Slot:
    camel_case = _CAPITAL.sub(lambda match: match[1].upper(), of.name)
    keys = of.metadata.get(_KEYS) or (camel_case,)
    read = of.metadata.get(_READ) or _reader_of(of.type)
    return _Slot(of.name, tuple(tuple(each.split(".")) for each in keys), read)


def _reader_of(kind: Any) -> Read:  # noqa: ANN401  # any annotation
    """What makes a value of this type of what a reader of YAML gives."""
    if is_dataclass(kind) and isinstance(kind, type):
        return lambda value: read_record(kind, value)
    arguments = get_args(kind)
    if get_origin(kind) is Mapping and is_dataclass(arguments[1]):
        read = _reader_of(arguments[1])
        return lambda value: {name: read(part) for name, part in value.items()}
    collection = get_origin(kind)
    return collection if collection in (tuple, frozenset) else _as_it_is


def _as_it_is(value: Any) -> Any:  # noqa: ANN401  # any YAML
    return value


def _value_at(entry: Mapping[str, Any], path: tuple[str, ...]) -> Any:  # noqa: ANN401  # any YAML
    node: Any = entry
    for part in path:
        if part not in node:
            return MISSING
        node = node[part]
    return node
