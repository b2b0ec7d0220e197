"""Reading what others wrote: JSON and YAML within bounds of size, depth and digits.

A parser that recurses ends the process's stack, and a number of a thousand digits is no number that
anybody can calculate with. What is beyond the bounds is refused like text that is no JSON at all.
"""

import json
from typing import Any

LARGEST = 64 << 20
"""Bytes or characters of a document."""
DEEPEST = 100
"""Levels of mappings and lists within each other."""
_DEEP = f"nested more than {DEEPEST} levels deep"
LONGEST_NUMBER = 40
"""Digits of a whole number; the largest that a float holds exactly has sixteen."""


def json_of(text: str | bytes) -> Any:  # noqa: ANN401  # JSON is anything
    """Return what a document of JSON says.

    Raises:
        ValueError: it is no JSON, or is too large, too deep, or holds too long a number.
    """
    if len(text) > LARGEST:
        raise ValueError(f"more than {LARGEST >> 20} MiB of JSON")
    try:
        data = json.loads(text, parse_int=_whole)
    except RecursionError:
        raise _beyond(_DEEP) from None
    if _is_deeper(data, DEEPEST):
        raise _beyond(_DEEP)
    return data


def yaml_of(text: str) -> Any:  # noqa: ANN401  # YAML is anything
    """Return what a document of YAML says.

    Raises:
        ValueError: it is no YAML, or beyond the bounds that JSON has; aliases are beyond them too.
    """
    import yaml  # noqa: PLC0415  # slow: only when used

    if len(text) > LARGEST:
        raise ValueError(f"more than {LARGEST >> 20} MiB of YAML")
    depth = 0
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            if isinstance(event, yaml.AliasEvent):
                raise _beyond("an alias, which may stand for very much")
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                raise _beyond(_DEEP)
        return yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError:
        raise ValueError("no YAML") from None


def _whole(digits: str) -> int:
    if len(digits) > LONGEST_NUMBER:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


def _beyond(what: str) -> ValueError:
    return ValueError(what)


def _is_deeper(data: object, limit: int) -> bool:
    """Whether mappings and lists lie within each other more than so many levels deep."""
    level: list[Any] = [data] if isinstance(data, dict | list) else []
    for _ in range(limit):
        below: list[Any] = []
        for each in level:
            inside = each.values() if isinstance(each, dict) else each
            below += [value for value in inside if isinstance(value, dict | list)]
        level = below
    return bool(level)
