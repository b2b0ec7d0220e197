"""Mappings from YAML become records: one small reader for all of them.

A schema has checked the mapping, so nothing is checked here. A key `maxModelLen` fills the field
`max_model_len`; a field that is not written has the default that its record gives.
"""

from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from functools import partial
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from sluice.core.units import seconds

R = TypeVar("R")

Seconds = Annotated[int, seconds]
"""A duration, written as `1h30m` and held in seconds."""
EMPTY: Mapping[str, Any] = {}
"""Nothing, of what nobody changes."""
Convert = Callable[[Any], Any]

_KNOWN: dict[type, Mapping[str, tuple[str, Convert | None]]] = {}
_SPELLED = {"repo_url": "repoURL", "from_": "from", "for_": "for"}
"""Fields whose key is not what the rule makes of them."""


def read_record(record: type[R], mapping: Mapping[str, Any], /, **more: object) -> R:
    """Fill a record from a mapping that fits its schema.

    Args:
        record: a named tuple or a dataclass, of values, of records, of lists or mappings of these.
        mapping: as it was parsed.
        more: fields that no key fills.
    """
    known = _fields_by_key(record)
    values = dict(more)
    for key, value in mapping.items():
        name, convert = known.get(key, ("", None))
        if name:
            values[name] = convert(value) if convert else value
    return record(**values)


def key_of(name: str) -> str:
    """The key in files that fills a field."""
    first, *others = name.split("_")
    return _SPELLED.get(name, first + "".join(map(str.title, others)))


def written(record: object) -> dict[str, Any]:
    """The fields of a record that are not None, by their keys in files."""
    names = {key: name for key, (name, _) in _fields_by_key(type(record)).items()}
    values = {key: getattr(record, name) for key, name in names.items()}
    return {key: value for key, value in values.items() if value is not None}


def _fields_by_key(record: type) -> Mapping[str, tuple[str, Convert | None]]:
    """The name of each field and what reads its value, by its key in files."""
    known = _KNOWN.get(record)
    if known is None:
        kinds = record.__annotations__
        known = {key_of(name): (name, _converter(kind)) for name, kind in kinds.items()}
        _KNOWN[record] = known
    return known


def is_record(kind: object) -> bool:
    """Whether a type is that of a record."""
    return isinstance(kind, type) and (hasattr(kind, "_fields") or is_dataclass(kind))


def _converter(kind: Any) -> Convert | None:  # noqa: ANN401  # any annotation of a record
    """What makes a field's value of a parsed one; None where it stays as it is."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        convert: Convert = inner[1]
        return convert
    if origin in (Union, UnionType):
        kinds = [each for each in inner if each is not NoneType]
        return _converter(kinds[0]) if len(kinds) == 1 else None
    if origin is tuple:
        return partial(_read_items, _converter(inner[0]))
    if origin is Mapping:
        convert_value = _converter(inner[1])
        return convert_value and partial(_read_values, convert_value)
    if is_record(kind):
        return partial(read_record, kind)
    return int if kind is int else None  # 8.0 is a whole number to a schema


def _read_items(convert: Convert | None, items: list[Any]) -> tuple[Any, ...]:
    return tuple(map(convert, items)) if convert else tuple(items)


def _read_values(convert: Convert, values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: convert(value) for key, value in values.items()}
