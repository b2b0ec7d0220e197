"""What of a value's remedy takes no judgement."""

import re
from collections.abc import Iterator, Mapping

from sluice.core.finding import Finding, Fix
from sluice.core.names import meant

_QUOTED = ("YAML006", "YAML010")
_UNITS = re.compile(
    r"(?P<number>\d+(?:\.\d+)?)\s*(?:(?P<size>[kMGTP]i?)B?|(?P<time>[hms])(?:rs?|our|ours|in|ins"
    r"|inute|inutes|ec|ecs|econd|econds)?)"
)


def fixable_by(finding: Finding) -> Fix | None:
    """The remedy of a finding that takes no judgement."""
    if finding.rule in _QUOTED:
        return Fix()
    return finding.fix


def value_fix(rule: str, value: object, expected: object) -> Fix | None:
    """What to write instead of a value that breaks a rule of a schema.

    Args:
        rule: the schema's keyword.
        value: what is there.
        expected: what the keyword says.
    """
    if rule == "type":
        return _typed(value, [expected] if isinstance(expected, str) else expected)
    if rule in ("enum", "const"):
        choices = expected if rule == "enum" else [expected]
        return _chosen(value, choices) if isinstance(choices, list) else None
    if rule == "pattern" and isinstance(value, str) and isinstance(expected, str):
        return _patterned(value, expected)
    return None


def _typed(value: object, wanted: object) -> Fix | None:
    kinds = wanted if isinstance(wanted, list) else []
    if kinds == ["string"] and isinstance(value, int | float):
        return Fix()
    if not isinstance(value, str):
        return None
    truths: Mapping[str, str] = {"true": "true", "yes": "true", "on": "true"} | {
        "false": "false",
        "no": "false",
        "off": "false",
    }
    if kinds == ["boolean"] and value.lower() in truths:
        return Fix(truths[value.lower()], literal=True)
    whole = kinds == ["integer"] and re.fullmatch(r"0|-?[1-9]\d{0,14}", value)
    decimal = kinds == ["number"] and re.fullmatch(r"-?(0|[1-9]\d{0,14})(\.\d{1,15})?", value)
    return Fix(value, literal=True) if whole or decimal else None


def _chosen(value: object, choices: list[object]) -> Fix | None:
    texts = [choice for choice in choices if isinstance(choice, str)]
    if isinstance(value, int | float) and str(value) in texts:
        return Fix()
    own = meant(value, texts) if isinstance(value, str) else None
    return Fix(own) if own else None


def _patterned(value: str, pattern: str) -> Fix | None:
    """The same quantity or duration as the pattern has it: 80 GB is 80G, 10 min is 10m."""
    strict = re.compile(re.sub(r"\$$", r"\\Z", pattern), re.ASCII)
    fits = [one for one in _spellings(value) if strict.search(one)]
    return Fix(fits[0]) if fits else None


def _spellings(value: str) -> Iterator[str]:
    match = _UNITS.fullmatch(value.strip())
    if match:
        yield match["number"] + (match["size"] or match["time"])
