"""What does not fit together in an engine's entry: fields, flags, metrics, versions, images."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sluice.core.catalog.settings import PER_NODE
from sluice.core.checks.spec_fields import SpecFields
from sluice.core.checks.surroundings import RULE, Surroundings, check_known
from sluice.core.documents.load import Document
from sluice.core.documents.source import Pointer
from sluice.core.finding import Finding
from sluice.core.units import version_key

_ARGUMENT = "engine.args."
_FIELD = "field"
_FLAG = "flag"
_TRUTHS = ("true", "false")


def check_engine_entry(document: Document, around: Surroundings) -> Iterator[Finding]:
    """What an engine's entry names and is not there, and what contradicts itself."""
    entry = document.data
    for index, name in enumerate(entry.get("alternatives", ())):
        engines = around.names("engines")
        yield from check_known(document, ("alternatives", index), name, engines, "engine")
    if entry["status"] == "refused":
        return
    yield from _check_versions(document)
    for variant in entry["image"].get("variants", {}):
        pointer = ("image", "variants", variant)
        yield from check_known(document, pointer, variant, around.variants(), "image variant")
    yield from _check_fields(document, around.fields)
    yield from _check_paths(document, around.fields)
    yield from _check_flags(document)
    yield from _check_metrics(document, around.fields)


def _check_versions(document: Document) -> Iterator[Finding]:
    versions = document.data["versions"]
    if version_key(versions["minimum"]) > version_key(versions["known"]):
        message = "versions.minimum is newer than versions.known"
        place = document.place(("versions", "minimum"))
        yield Finding(place, RULE, message, "name the oldest version and the newest one")
    for pointer, part in _bounded_parts(document.data, ()):
        if version_key(part["since"]) >= version_key(part["until"]):
            message = f"no version is at or after {part['since']} and before {part['until']}"
            place = document.place((*pointer, "until"))
            yield Finding(place, RULE, message, "name a later version in until")


def _bounded_parts(node: object, pointer: Pointer) -> Iterator[tuple[Pointer, Mapping[str, Any]]]:
    """The parts of an entry that hold since one version and until another."""
    if isinstance(node, Mapping):
        if {"since", "until"} <= node.keys() and "config" not in pointer[:1]:
            yield pointer, node
        for key, value in node.items():
            yield from _bounded_parts(value, (*pointer, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _bounded_parts(value, (*pointer, index))


def _check_fields(document: Document, fields: SpecFields) -> Iterator[Finding]:
    for path, settings in document.data["fields"].items():
        pointer = ("fields", path)
        if path not in fields.paths:
            yield from check_known(document, pointer, path, fields.paths, _FIELD)
        elif isinstance(settings, Mapping):
            yield from _Written(document, pointer, path, settings, fields).findings()
        else:
            for index, setting in enumerate(settings):
                where = (*pointer, index)
                yield from _Written(document, where, path, setting, fields).findings()


@dataclass(frozen=True, slots=True)
class _Written:
    """A setting as it is written: one way in which the value of a field reaches the engine."""

    document: Document
    pointer: Pointer
    path: str
    setting: Mapping[str, Any]
    fields: SpecFields

    def findings(self) -> Iterator[Finding]:
        """What of it does not fit the field, other fields, or the rest of the entry."""
        for table in ("choices", "values"):
            for word in self.setting.get(table, {}):
                yield from self._check_word((table, word), self.path, word)
        for key, message in _misfits(self.path, self.setting, self.fields):
            yield self._problem(key, message, "use what fits the field")
        yield from self._check_others()
        if "config" in self.setting and "config" not in self.document.data:
            message = "the engine has no configuration file"
            yield self._problem("config", message, "add config.flag, which takes its path")
        flag = self.setting.get("flag", "").lstrip("-")
        if flag in self.document.data.get("removed", {}) and "until" not in self.setting:
            message = f"the entry says of --{flag} that it is gone"
            yield self._problem("flag", message, "use another flag, or remove it from removed")

    def _check_others(self) -> Iterator[Finding]:
        """Whether the fields are there on which it depends."""
        known = self.fields.paths
        for other, words in self.setting.get("only", {}).items():
            if other not in known:
                where = (*self.pointer, "only", other)
                yield from check_known(self.document, where, other, known, _FIELD)
                continue
            for index, word in enumerate(words):
                yield from self._check_word(("only", other, index), other, word)
        factor = self.setting.get("times", PER_NODE)
        if factor == PER_NODE:
            return
        yield from check_known(self.document, (*self.pointer, "times"), factor, known, _FIELD)
        if factor in known and not self.fields.is_number(factor):
            yield self._problem("times", f"{factor} is no number", "name a field that is one")

    def _check_word(self, below: Pointer, path: str, word: str) -> Iterator[Finding]:
        """Whether a field may have the value that this is the text of."""
        if not self.fields.accepts_word(path, word):
            words, where = self.fields.words(path), (*self.pointer, *below)
            yield from check_known(self.document, where, word, words, f"value of {path}")

    def _problem(self, key: str, message: str, remedy: str) -> Finding:
        return Finding(self.document.place((*self.pointer, key)), RULE, message, remedy)


def _misfits(
    path: str, setting: Mapping[str, Any], fields: SpecFields
) -> Iterator[tuple[str, str]]:
    """The keys of a setting that cannot be used with a field, each with the reason."""
    ways = sorted({"flag", "env", "config", "positional"} & setting.keys())
    if "omit" in setting and not fields.accepts(path, setting["omit"]):
        yield "omit", f"{path} is never {setting['omit']!r}"
    if "unit" in setting and not fields.is_amount(path):
        yield "unit", f"{path} is no amount of memory"
    if "secretEnv" in setting and not fields.is_secret(path):
        yield "secretEnv", f"{path} names no Secret"
    if fields.is_secret(path) and ways:
        yield ways[0], f"{path} names a Secret, for which secretEnv is the way"
    if "item" in setting and not fields.is_list(path):
        yield "item", f"{path} is no list"
    if fields.is_list(path) and ways and "item" not in setting:
        yield ways[0], f"{path} is a list, and no item says how its entries are spelled"
    yield from _misfits_of_numbers(path, setting, fields)


def _misfits_of_numbers(
    path: str, setting: Mapping[str, Any], fields: SpecFields
) -> Iterator[tuple[str, str]]:
    if {"unit", "values"} & setting.keys() or fields.is_number(path):
        return
    if "add" in setting or ("times" in setting and fields.words(path) != _TRUTHS):
        yield ("add" if "add" in setting else "times"), f"{path} is no number"


def _check_paths(document: Document, fields: SpecFields) -> Iterator[Finding]:
    """Fields that the rest of the entry speaks of, with the values that it gives them."""
    entry = document.data
    known = (*fields.paths, *fields.groups)
    for section in ("defaults", "limits"):
        for path, value in entry.get(section, {}).items():
            pointer = (section, path)
            yield from check_known(document, pointer, path, fields.paths, _FIELD)
            if path in fields.paths and not fields.accepts(path, value):
                message = f"{path} is never {value!r}"
                yield Finding(document.place(pointer), RULE, message, "use what the field takes")
    for path in entry.get("refused", {}):
        refusal = ("refused", path)
        if path.startswith("-"):
            continue
        yield from check_known(document, refusal, path, known, _FIELD)
        if any(f"{honoured}.".startswith(f"{path}.") for honoured in entry["fields"]):
            message = f"{path} is refused, and among the fields that it honours"
            place = document.place(refusal, key=True)
            yield Finding(place, RULE, message, "remove one of the two")
    for index, group in enumerate(entry.get("exclusive", ())):
        for position, path in enumerate(group):
            member = ("exclusive", index, position)
            yield from check_known(document, member, path, known, _FIELD)


def _check_flags(document: Document) -> Iterator[Finding]:
    """Flags that the entry names as its own, and what it says to use instead of others."""
    entry = document.data
    flags = _flags_of(entry)
    for section in ("plugins", "repositories"):
        for index, flag in enumerate(entry.get(section, ())):
            yield from check_known(document, (section, index), flag, flags, _FLAG)
    for section in ("deprecated", "removed"):
        for flag, advice in entry.get(section, {}).items():
            is_dated = isinstance(advice, Mapping)
            successors = advice.get("use", "") if is_dated else advice
            pointer = (section, flag, "use") if is_dated else (section, flag)
            for successor in filter(None, successors.split(" or ")):
                if not any(f"{path}.".startswith(f"{successor}.") for path in entry["fields"]):
                    known = {*flags, *entry["fields"]}
                    yield from check_known(document, pointer, successor, known, "flag or field")


def _check_metrics(document: Document, fields: SpecFields) -> Iterator[Finding]:
    """What is said of metrics that have no name, and fields that bound them."""
    metrics = document.data["metrics"]
    names = metrics.get("names", {})
    for section in ("ceilings", "buckets"):
        for meaning in metrics.get(section, {}):
            pointer = ("metrics", section, meaning)
            yield from check_known(document, pointer, meaning, names, "name for the metric")
    flags = {f"{_ARGUMENT}{flag}" for flag in _flags_of(document.data)}
    known = {*fields.paths, *flags}
    for meaning, path in metrics.get("ceilings", {}).items():
        pointer = ("metrics", "ceilings", meaning)
        yield from check_known(document, pointer, path, known, _FIELD)


def _flags_of(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the further flags, in whichever version."""
    return tuple(flag if isinstance(flag, str) else flag["name"] for flag in entry["flags"])
