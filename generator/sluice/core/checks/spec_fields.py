"""The fields of a release that an engine's entry may speak of, and what values they have."""

from collections.abc import Mapping
from typing import Any

import jsonschema_rs

from sluice.core.capacity import parallel
from sluice.core.catalog.settings import DEVICES, PER_NODE
from sluice.core.workload.arguments import GROUPS
from sluice.core.workload.fetching import STREAM

_SERVING = "serving"
_DRAIN = "lifecycle.drain"
_DERIVED = ("model.revision", "model.codeRevision", "serving.speculative.model.revision", STREAM)
"""What follows from the sources of models, beside the fields that a release writes."""
_SECRET = {"name", "key"}


class SpecFields:
    """The fields by their paths below spec.

    Args:
        schema: that of a release, with all definitions in it.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._definitions: Mapping[str, Any] = schema["$defs"]
        self.groups = tuple(f"{_SERVING}.{group}" for group in GROUPS)
        serving = self._properties(_SERVING)
        fields = {f"{_SERVING}.{name}": each for name, each in serving.items()}
        for group in self.groups:
            inner = fields.pop(group)["properties"]
            fields |= {f"{group}.{name}": each for name, each in inner.items()}
        for path in (DEVICES, *parallel.PATHS, _DRAIN):
            section, _, name = path.partition(".")
            fields[path] = self._properties(section)[name]
        self._schemas: Mapping[str, Mapping[str, Any]] = fields | {path: {} for path in _DERIVED}

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(self._schemas)

    def accepts(self, path: str, value: object) -> bool:
        """Whether a release may have this value at a field."""
        schema = {**self._schemas[path], "$defs": self._definitions}
        return jsonschema_rs.is_valid(schema, value)

    def accepts_word(self, path: str, word: str) -> bool:
        """Whether a release may have a value that this is the text of."""
        values: list[object] = [word]
        if word in ("true", "false"):
            values.append(word == "true")
        if word.isdecimal():
            values.append(int(word))
        return any(self.accepts(path, value) for value in values)

    def words(self, path: str) -> tuple[str, ...]:
        """The texts of all values of a field, where the schema lists them."""
        schema = self._schemas[path]
        if schema.get("type") == "boolean":
            return ("true", "false")
        return tuple(map(str, schema.get("enum", ())))

    def is_number(self, path: str) -> bool:
        """Whether settings get a number: a time is one too, in seconds."""
        return path in (_DRAIN, PER_NODE) or self.accepts(path, 1)

    def is_amount(self, path: str) -> bool:
        """Whether settings get an amount of memory."""
        return self.accepts(path, "1Gi") and not self.accepts(path, "x")

    def is_list(self, path: str) -> bool:
        """Whether settings get a list."""
        return self._schemas[path].get("type") == "array"

    def is_secret(self, path: str) -> bool:
        """Whether the field names a Secret and a key in it."""
        properties: Mapping[str, Any] = self._schemas[path].get("properties", {})
        return properties.keys() == _SECRET

    def _properties(self, section: str) -> Mapping[str, Mapping[str, Any]]:
        properties: Mapping[str, Mapping[str, Any]] = self._definitions[section]["properties"]
        return properties
