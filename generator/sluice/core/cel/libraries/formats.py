"""Named formats (from 1.31 on): DNS names, label values, URIs, UUIDs, dates.

The engine takes no optional values from Python: what is optional is empty instead, and the plan
wraps the calls in `optional.ofNonZeroValue`.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from sluice.core.cel.libraries.declaration import Overload, tagged, untagged
from sluice.core.cel.libraries.urls import parse_url

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_UUID = re.compile(r"(?i)[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}")
_BASE64 = re.compile(
    r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})"
)
_DATETIME = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(?:\.\d+)?([zZ]|[+-]\d{2}:\d{2})", re.ASCII
)

Check = Callable[[str], list[str]]


def _pattern(pattern: re.Pattern[str], longest: int, what: str, prefix: str = "") -> Check:
    """A prefix is what may come before generated characters, so it may end with a dash."""

    def check(text: str) -> list[str]:
        found = [] if len(text) <= longest else [f"must be no more than {longest} characters"]
        whole = text[:-1] + prefix if prefix and text.endswith("-") else text
        return found if pattern.fullmatch(whole) else [*found, f"must be {what}"]

    return check


def _qualified_name(text: str) -> list[str]:
    prefix, slash, name = text.rpartition("/")
    found: list[str] = []
    if "/" in prefix:
        return ["must be a name with at most one prefix that ends with '/'"]
    if slash:
        found += [f"prefix part {m}" for m in CHECKS["dns1123Subdomain"](prefix)]
    return found + [f"name part {message}" for message in _NAME_PART(name)]


_NAME_PART = _pattern(_QUALIFIED, 63, "alphanumeric, '-', '_' or '.', alphanumeric at both ends")


def _uri(text: str) -> list[str]:
    try:
        parse_url(text)
    except ValueError as error:
        return [str(error)]
    return []


def _date(text: str) -> list[str]:
    try:
        valid = re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII) and date.fromisoformat(text)
    except ValueError:
        valid = None
    return [] if valid else ["invalid date"]


def _datetime(text: str) -> list[str]:
    match = _DATETIME.fullmatch(text)
    clock = match and int(match[2]) < 24 and int(match[3]) < 60 and int(match[4]) < 60  # noqa: PLR2004  # a clock
    return [] if match and clock and not _date(match[1]) else ["invalid datetime"]


def _matches(pattern: re.Pattern[str], message: str) -> Check:
    return lambda text: [] if pattern.fullmatch(text) else [message]


_LABEL_TEXT = "lower case alphanumeric or '-', alphanumeric at both ends"
_SUBDOMAIN_TEXT = "lower case alphanumeric, '-' or '.', alphanumeric at both ends"
_LABEL_1035_TEXT = "lower case alphanumeric or '-', beginning with a letter"

CHECKS: Mapping[str, Check] = {
    "dns1123Label": _pattern(_LABEL, 63, _LABEL_TEXT),
    "dns1123Subdomain": _pattern(_SUBDOMAIN, 253, _SUBDOMAIN_TEXT),
    "dns1035Label": _pattern(_LABEL_1035, 63, _LABEL_1035_TEXT),
    "qualifiedName": _qualified_name,
    "dns1123LabelPrefix": _pattern(_LABEL, 63, _LABEL_TEXT, "a"),
    "dns1123SubdomainPrefix": _pattern(_SUBDOMAIN, 253, _SUBDOMAIN_TEXT, "a"),
    "dns1035LabelPrefix": _pattern(_LABEL_1035, 63, _LABEL_1035_TEXT, "a"),
    "labelValue": lambda text: _NAME_PART(text) if text else [],
    "uri": _uri,
    "uuid": _matches(_UUID, "does not match the UUID format"),
    "byte": _matches(_BASE64, "invalid base64"),
    "date": _date,
    "datetime": _datetime,
}


def _validate(value: Mapping[str, Any], text: str) -> list[str]:
    return CHECKS[untagged("format", value)](text)


def _named(name: str) -> dict[str, Any]:
    return tagged("format", name) if name in CHECKS else {}


OVERLOADS = (
    *(
        Overload(
            f"format.{name}", "-> format", lambda name=name: tagged("format", name), member=False
        )
        for name in CHECKS
    ),
    Overload("format.named", "string -> optional<format>", _named, member=False),
    Overload("validate", "format, string -> optional<list<string>>", _validate),
)
