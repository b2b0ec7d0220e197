"""JSON of counts, and what of it or of a scenario does not fit its schema."""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema_rs

from sluice.core.documents.load import Document
from sluice.core.finding import Finding, FindingsError, Place
from sluice.core.names import nearest

SIZE_LIMIT = 16 << 20
"""Bytes; a day of batches of a minute, with pods and some gates, is a tenth of it."""


def parsed(path: str, raw: bytes) -> Any:  # noqa: ANN401  # any JSON
    """The data of a file of counts.

    Raises:
        FindingsError: when it is no JSON, or holds what is no count.
    """
    if len(raw) > SIZE_LIMIT:
        message = f"the file has more than {SIZE_LIMIT:,} bytes"
        raise FindingsError([Finding(Place(path), "JDG001", message, "is this evidence?")])
    try:
        data = json.loads(
            raw, parse_constant=_refused, parse_float=_finite, object_pairs_hook=_unique
        )
        json.dumps(data, ensure_ascii=False).encode()  # halves of characters are no text
    except json.JSONDecodeError as error:
        place = Place(path, error.lineno, error.colno)
        message = f"not JSON: {error.msg}"
    except (ValueError, RecursionError) as error:
        place, message = Place(path), f"not JSON that can be judged: {_line(error)}"
    else:
        return data
    raise FindingsError([Finding(place, "JDG001", message, "correct the JSON")])


def _line(error: Exception) -> str:
    return (str(error).splitlines() or ["unreadable"])[0]


def _refused(constant: str) -> float:
    raise ValueError(f"{constant} is no count")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refused(text)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        raise ValueError("a key is there twice")
    return data


def misfits(document: Document, schema: Mapping[str, Any], rule: str) -> list[Finding]:
    """What of a document does not fit a schema."""
    validator = jsonschema_rs.Draft202012Validator(dict(schema))
    return [
        finding
        for error in validator.iter_errors(document.data)
        for finding in _misfit(document, schema, rule, error)
    ]


def _misfit(
    document: Document, schema: Mapping[str, Any], rule: str, error: jsonschema_rs.ValidationError
) -> Iterator[Finding]:
    at = tuple(error.instance_path)
    if not isinstance(error.kind, jsonschema_rs.ValidationErrorKind.AdditionalProperties):
        yield Finding(document.place(at), rule, error.message, "correct it")
        return
    for key in error.kind.unexpected:
        close = nearest(key, tuple(sorted(_known(schema))))
        remedy = f"did you mean {close!r}?" if close else "remove it"
        place = document.place((*at, key), key=True)
        yield Finding(place, rule, f"unknown key {key!r}", remedy)


def _known(schema: object) -> set[str]:
    """Every key that a schema knows anywhere."""
    if isinstance(schema, Mapping):
        own = schema.get("properties")
        keys = set(own) if isinstance(own, Mapping) else set()
        return keys.union(*map(_known, schema.values()))
    return set().union(*map(_known, schema)) if isinstance(schema, list) else set()
