"""How one field of a spec reaches an engine: as arguments, environment or configuration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal
from typing import Any

from sluice.core.catalog.records import read_from, read_record
from sluice.core.units import amount, version_key

Values = Mapping[str, Any]
"""Values of fields, by their paths below spec."""

_UNITS = {"GiB": Decimal(2**30), "GB": Decimal(10**9)}
DEVICES = "accelerator.count"
PER_NODE = "devices.perNode"


@dataclass(frozen=True, slots=True)
class Setting:
    """One way in which an engine takes the value of a field.

    Where it goes: `flag` with the value; `key` of the JSON object that the flag takes; an
    environment variable, from a Secret with `secret`; a dotted path of the engine's configuration
    file; a bare argument with `positional`. `extra`, `variables` and `pod_fields` go along: more
    arguments, more variables, and variables that hold fields of the pod. A setting without any of
    these says that the engine honours the field by itself.

    What goes there: `choices` gives the whole arguments for each value, `values` translates each
    value; what is not listed is refused. `item` spells each entry of a list. `omit` is the value
    that needs nothing. Numbers are multiplied by the field `times`, counted in `unit`, divided over
    the devices with `per_device`, and `add` is added.

    When: `only` names the values that other fields must have; `since` and `until` bound the
    engine's version.
    """

    flag: str = ""
    key: str = ""
    environment: str = field(default="", metadata=read_from("env", "secretEnv"))
    secret: bool = field(default=False, metadata=read_from("secretEnv", read=bool))
    config: str = ""
    positional: bool = False
    extra: tuple[str, ...] = field(default=(), metadata=read_from("with"))
    variables: Mapping[str, str] = field(default_factory=dict, metadata=read_from("withEnv"))
    pod_fields: Mapping[str, str] = field(default_factory=dict, metadata=read_from("withPodFields"))
    choices: Mapping[str, Sequence[str]] | None = None
    values: Values | None = None
    item: str = ""
    omit: object = None
    times: str = ""
    unit: str = ""
    per_device: bool = False
    add: int = 0
    only: Mapping[str, Sequence[str]] = field(default_factory=dict)
    since: str = ""
    until: str = ""

    def known_in(self, version: str) -> bool:
        """Whether this engine version has it."""
        return in_range(version, self.since, self.until)

    def applies(self, values: Values) -> bool:
        """Whether the other fields have the values that it asks for."""
        return all(word(values.get(path)) in wanted for path, wanted in self.only.items())

    def accepted(self) -> tuple[str, ...] | None:
        """The values that it takes, or None when it takes any."""
        known = self.values if self.choices is None else self.choices
        return None if known is None else tuple(known)

    def converted(self, value: Any, values: Values) -> Any:  # noqa: ANN401  # any YAML
        """The value as the engine wants it."""
        value = whole(value)
        if self.values is not None:
            return self.values[word(value)]
        if self.unit:
            devices = values.get(PER_NODE, 1) if self.per_device else 1
            size = amount(value) / _UNITS[self.unit] / devices
            return int(size.to_integral_value(ROUND_CEILING))
        if self.times:
            value *= values.get(self.times, 1)
        return value + self.add if self.add else value


def settings_from(entry: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> tuple[Setting, ...]:
    """Read the setting of a field, or its list of settings.

    Raises:
        ValueError: for a key that no setting has.
    """
    entries = [entry] if isinstance(entry, Mapping) else entry
    return tuple(read_record(Setting, each) for each in entries)


def in_range(version: str, since: str, until: str) -> bool:
    """Whether a version is at or after the one and before the other; empty bounds are open."""
    key = version_key(version)
    return (not since or key >= version_key(since)) and (not until or key < version_key(until))


def word(value: object) -> str:
    """A value as text: an argument, or the key of a table."""
    return str(value).lower() if isinstance(value, bool) else str(whole(value))


def whole(value: Any) -> Any:  # noqa: ANN401  # any YAML
    """The value, with whole numbers as such: JSON Schema takes 8192.0 for one."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
