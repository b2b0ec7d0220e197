"""Specs against our JSON Schemas: a fast verdict, and findings that help when it is no."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jsonschema_rs

from sluice.core.confidential import HIDDEN, is_secret, redacted
from sluice.core.documents.source import Pointer, Source
from sluice.core.finding import Finding, Fix
from sluice.core.names import meant, nearest
from sluice.core.specs.remedies import value_fix

API_VERSION = "sluice.dev/v1alpha1"
KINDS = {
    "ModelRelease": "model-release.schema.json",
    "Environment": "environment.schema.json",
    "Rollout": "rollout.schema.json",
    "Accelerator": "accelerator.schema.json",
    "Sharing": "sharing.schema.json",
    "Queueing": "queueing.schema.json",
    "Gateway": "gateway.schema.json",
    "Engine": "engine.schema.json",
    "Source": "source.schema.json",
    "Architecture": "architecture.schema.json",
    "PolicyTest": "policy-test.schema.json",
    "Waivers": "waivers.schema.json",
}
FILES = {
    "release.yaml": "ModelRelease",
    "environment.yaml": "Environment",
    "rollout.yaml": "Rollout",
}

_TYPES = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "nothing",
}


class Schemas:
    """The compiled schemas of our kinds; each is compiled when it is first asked for.

    Args:
        read: gives the parsed JSON of a schema file by its name.
    """

    def __init__(self, read: Callable[[str], Mapping[str, Any]]) -> None:
        self._read = read
        self._validators: dict[str, jsonschema_rs.Validator] = {}

    def bundled(self, kind: str) -> dict[str, Any]:
        """The schema of a kind with the definitions of other files copied in."""
        schema = dict(self._read(KINDS[kind]))
        others = set(re.findall(r'"\$ref": "([\w.-]+)#', json.dumps(schema)))
        definitions = dict(schema.get("$defs", {}))
        for other in sorted(others):
            definitions |= self._read(other)["$defs"]
        local: dict[str, Any] = _relocated(schema)
        return {**local, "$defs": _relocated(definitions)}

    def findings(self, document: Source, kind: str) -> Iterator[Finding]:
        """What is wrong with the shape of a document of this kind."""
        if kind not in self._validators:
            self._validators[kind] = jsonschema_rs.Draft202012Validator(self.bundled(kind))
        validator = self._validators[kind]
        if not validator.is_valid(document.data):
            explained = list(_explain(document, self.bundled(kind)))
            yield from explained or _told(document, validator)


def _relocated(schema: Any) -> Any:  # noqa: ANN401  # any JSON
    if isinstance(schema, dict):
        return {
            key: "#" + value.partition("#")[2] if key == "$ref" else _relocated(value)
            for key, value in schema.items()
        }
    return [_relocated(item) for item in schema] if isinstance(schema, list) else schema


def _explain(document: Source, schema: Mapping[str, Any]) -> Iterator[Finding]:
    from jsonschema import Draft202012Validator  # noqa: PLC0415  # slow, and only wanted on failure
    from jsonschema.validators import extend  # noqa: PLC0415  # as above

    validator = extend(Draft202012Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]  # the stubs leave it out
    for error in validator(schema).iter_errors(document.data):
        yield from _finding(document, error)


def _told(document: Source, validator: jsonschema_rs.Validator) -> Iterator[Finding]:
    """In the fast validator's own words, so that its verdict is never without a finding."""
    for error in validator.iter_errors(document.data):
        place = document.place(tuple(error.instance_path))
        yield Finding(place, "SCH009", error.message, "correct it")


def _pattern(_: object, pattern: str, value: object, __: object) -> Iterator[Any]:
    """As JSON Schema means it; Python's `$` lets a line break pass, and its classes any letter."""
    from jsonschema import ValidationError  # noqa: PLC0415  # as above

    strict = re.compile(re.sub(r"(?<!\\)\$(?=$|[|)])", r"\\Z", pattern), re.ASCII)
    if isinstance(value, str) and not strict.search(value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


def _finding(document: Source, error: Any) -> Iterator[Finding]:  # noqa: ANN401  # jsonschema's
    pointer: Pointer = tuple(error.absolute_path)
    value, expected, rule = error.instance, error.validator_value, str(error.validator)
    if rule == "additionalProperties" and expected is False:
        yield from _unknown_keys(document, pointer, value, error.schema.get("properties", {}))
    elif rule == "required":
        missing = next(key for key in expected if f"'{key}' is a required" in error.message)
        yield Finding(
            document.place(pointer, key=True),
            "SCH002",
            f"{_where(pointer)} lacks {missing!r}",
            _example(error.schema.get("properties", {}).get(missing, {}), missing),
        )
    elif rule == "dependentRequired":
        lacking = next(
            (key, needed)
            for key, others in expected.items()
            for needed in others
            if error.message == f"{needed!r} is a dependency of {key!r}"
        )
        yield Finding(
            document.place((*pointer, lacking[0]), key=True),
            "SCH002",
            f"{_where(pointer)} lacks {lacking[1]!r}, which {lacking[0]!r} needs",
            f"add {lacking[1]!r}",
        )
    elif "propertyNames" in error.absolute_schema_path:
        place = document.place((*pointer, value), key=True)
        yield Finding(place, "SCH006", f"{value!r} is not a name that is allowed here", "rename it")
    else:
        secret = isinstance(value, str) and any(is_secret(str(part)) for part in pointer)
        shown = HIDDEN if secret else _shown(value)
        rule_id, message, remedy = _described(rule, value, shown, expected, error.schema)
        place = document.place(pointer)
        fix = value_fix(rule, value, expected)
        yield Finding(place, rule_id, f"{_where(pointer)}: {message}", remedy, fix=fix)


def _unknown_keys(
    document: Source, pointer: Pointer, value: Mapping[str, Any], known: Mapping[str, Any]
) -> Iterator[Finding]:
    for key in value:
        if key not in known:
            close = nearest(key, tuple(known))
            remedy = f"did you mean {close!r}?" if close else f"known here: {', '.join(known)}"
            place = document.place((*pointer, key), key=True)
            message = f"unknown key {key!r} in {_where(pointer)}"
            own = meant(key, tuple(known))
            fix = Fix(own) if own and own not in value else None
            yield Finding(place, "SCH001", message, remedy, fix=fix)


def _described(
    rule: str,
    value: object,
    shown: str,
    expected: Any,  # noqa: ANN401  # any JSON
    schema: Mapping[str, Any],
) -> tuple[str, str, str]:
    """The rule id, message and remedy of an error that concerns one value."""
    if rule == "type":
        types = [expected] if isinstance(expected, str) else expected
        wanted = " or ".join(_TYPES[name] for name in types)
        quoted = f'write "{value}"' if expected == "string" and _scalar(value) else _example(schema)
        hint = str(schema.get("typeErrorMessage") or quoted or f"write {wanted}")
        return "SCH003", f"expected {wanted}, found {shown}", hint
    if rule in ("enum", "const"):
        choices = [str(c) for c in (expected if rule == "enum" else [expected])]
        close = nearest(str(value), choices)
        hint = f"did you mean {close!r}?" if close else f"one of {', '.join(choices)}"
        if str(value) in choices:
            hint = f'write "{value}", in quotes'
        return "SCH004", f"{shown} is not known here", hint
    if rule == "pattern":
        hint = str(schema.get("patternErrorMessage") or _example(schema) or f"match {expected}")
        return "SCH005", f"{shown} is not accepted", hint
    if rule in ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"):
        bound = {"minimum": "at least", "exclusiveMinimum": "more than", "maximum": "at most"}
        return "SCH007", f"{value} is out of range", f"{bound.get(rule, 'less than')} {expected}"
    if rule == "anyOf":
        keys = sorted({key for choice in expected for key in choice.get("required", ())})
        return "SCH008", "something is missing", f"give at least one of {', '.join(keys)}"
    return "SCH009", f"{shown} breaks {rule}: {expected}", _example(schema) or "correct it"


def _where(pointer: Pointer) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in pointer)
    return text.lstrip(".") or "the document"


def _shown(value: object) -> str:
    if isinstance(value, dict | list):
        return _TYPES["object" if isinstance(value, dict) else "array"]
    if value is None:
        return _TYPES["null"]
    text = repr(value) if isinstance(value, str) else str(value).lower()
    text = redacted(text)
    return text if len(text) <= 60 else text[:57] + "..."  # noqa: PLR2004  # fits a terminal


def _scalar(value: object) -> bool:
    return isinstance(value, int | float | bool)


def _example(schema: Mapping[str, Any], key: str = "") -> str:
    examples = schema.get("examples")
    if not examples:
        return f"add {key!r}" if key else ""
    return f"for instance {key + ': ' if key else ''}{json.dumps(examples[0], ensure_ascii=False)}"
