"""Checks of single values, as the API server makes them: a value to what is wrong with it."""

import ipaddress
import re
from collections.abc import Callable
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from sluice.core.kubernetes.rules.problem import show
from sluice.core.kubernetes.rules.shape import Check

_RELAXED_SERVICES = (1, 36)
PORTS = (1, 65535)

_LABEL = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_QUALIFIED = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?")
_DNS_LABEL = re.compile(_LABEL)
_DNS_1035 = re.compile(r"[a-z](?:[-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_PORT_NAME = re.compile(r"[a-z0-9](?:[a-z0-9]|-(?!-))*")
_PERCENT = re.compile(r"[0-9]+%")
_FILE_NAME = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_DURATION = re.compile(r"(?:[0-9]{1,10}(?:\.[0-9]{1,9})?(?:h|ms|m|s|us|ns))+")


def words(check: Callable[[str], str | None]) -> Check:
    """Only text is looked at: that a value is text is for the schema to say."""

    def outer(value: Any) -> str | None:  # noqa: ANN401  # any JSON value
        return check(value) if isinstance(value, str) else None

    return outer


def one_of(*allowed: str, empty: bool = True) -> Check:
    """One of some words; an empty one means the default where there is a default."""
    known = frozenset(allowed) | ({""} if empty else set())

    def check(value: str) -> str | None:
        if value in known:
            return None
        close = get_close_matches(value[:64], allowed, 1)
        hint = f"; did you mean {close[0]}?" if close else ""
        return f"{show(value)} is none of {', '.join(allowed)}{hint}"

    return words(check)


def between(low: int, high: int | None = None) -> Check:
    """A whole number within bounds."""

    def check(value: Any) -> str | None:  # noqa: ANN401  # any JSON value
        if not isinstance(value, int) or isinstance(value, bool):
            return None
        if value < low:
            return f"{show(value)} is below {low}"
        return f"{show(value)} is above {high}" if high is not None and value > high else None

    return check


def _pattern(pattern: re.Pattern[str], limit: int, what: str) -> Callable[[str], str | None]:
    @lru_cache(maxsize=1 << 14)
    def check(value: str) -> str | None:
        if len(value) > limit:
            return f"{show(value)} has {len(value)} characters; {limit} are allowed"
        return None if pattern.fullmatch(value) else f"{show(value)} is not {what}"

    return check


dns_label = _pattern(_DNS_LABEL, 63, "a DNS label: lower-case letters, digits and dashes inside")
dns_1035 = _pattern(_DNS_1035, 63, "a DNS-1035 label: a lower-case letter, then letters or digits")
subdomain = _pattern(_SUBDOMAIN, 253, "a DNS name: lower-case letters, digits, dashes and dots")
_name_part = _pattern(_QUALIFIED, 63, "letters, digits, dashes, underscores and dots")


def service_name(version: tuple[int, int]) -> Callable[[str], str | None]:
    """What Services may be called: any label from 1.36 on, before that one with a first letter."""
    return dns_label if version >= _RELAXED_SERVICES else dns_1035


def path_segment(value: str) -> str | None:
    """A name that is safe in a URL: what RBAC objects may be called."""
    if value in (".", "..") or "/" in value or "%" in value:
        return f"{show(value)} cannot stand in a path: no '/', no '%', not '.' or '..'"
    return None


@lru_cache(maxsize=1 << 14)
def qualified(value: str) -> str | None:
    """`name` or `prefix/name`: keys of labels and annotations, names of resources."""
    prefix, slash, name = value.rpartition("/")
    if slash and not prefix:
        return f"{show(value)} has nothing before the slash"
    return (subdomain(prefix) if slash else None) or _name_part(name)


@lru_cache(maxsize=1 << 14)
def label_value(value: str) -> str | None:
    """The value of a label, which may be empty."""
    return _name_part(value) if value else None


@lru_cache(maxsize=1 << 12)
def port_name(value: str) -> str | None:
    """The name of a port: 15 characters, lower-case, with a letter."""
    if len(value) > 15:  # noqa: PLR2004  # RFC 6335
        return f"{show(value)} has {len(value)} characters; a port's name may have 15"
    if not _PORT_NAME.fullmatch(value) or value.endswith("-") or not re.search("[a-z]", value):
        return f"{show(value)} is no port name: lower-case letters, digits, single dashes"
    return None


port = between(*PORTS)


def port_or_name(value: Any) -> str | None:  # noqa: ANN401  # any JSON value
    """A port by number or by name."""
    return port_name(value) if isinstance(value, str) else port(value)


def share(value: Any) -> str | None:  # noqa: ANN401  # any JSON value
    """A number that is not negative, or a percentage."""
    if isinstance(value, str) and not (_PERCENT.fullmatch(value) and value.isascii()):
        return f"{show(value)} is neither a number nor a percentage such as 25%"
    return between(0)(value)


def share_of_all(value: Any) -> str | None:  # noqa: ANN401  # any JSON value
    """As `share`, up to 100%."""
    percent = value[:-1] if isinstance(value, str) and value.endswith("%") else ""
    if percent.isdecimal() and (len(percent) > 6 or int(percent) > 100):  # noqa: PLR2004  # 100 %
        return f"{show(value)} is more than 100%"
    return share(value)


def address(value: str) -> str | None:
    """An IP address."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return f"{show(value)} is no IP address"
    return None


def cidr(value: str) -> str | None:
    """A block of addresses; bits behind the mask are allowed, as the server allows them."""
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        return f"{show(value)} is no block of addresses such as 10.0.0.0/8"
    return None if "/" in value else f"{show(value)} has no prefix length such as /32"


def host(value: str) -> str | None:
    """A DNS name that is no address, perhaps with a wildcard as its first label."""
    if address(value) is None:
        return f"{show(value)} is an address; a host is a DNS name"
    return subdomain(value.removeprefix("*.")) if value else None


def duration(value: str) -> str | None:
    """A length of time as Go reads it."""
    if value == "0" or _DURATION.fullmatch(value):
        return None
    return f"{show(value)} is no length of time such as 30s or 1h30m"


def file_name(value: str) -> str | None:
    """A key of a ConfigMap or a Secret, which becomes the name of a file."""
    if not _FILE_NAME.fullmatch(value) or value == "." or value.startswith(".."):
        return f"{show(value)} cannot name a file"
    return None


def relative_path(value: str) -> str | None:
    """A path that stays below where it is mounted."""
    if value.startswith("/"):
        return f"{show(value)} must not begin with a slash"
    return f"{show(value)} must not hold '..'" if ".." in value.split("/") else None
