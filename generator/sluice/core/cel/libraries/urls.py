"""URLs (all versions), read as Go's net/url reads them."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, unquote, unquote_plus

from sluice.core.cel.libraries.declaration import Overload, tagged, untagged

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_USER = re.compile(r"[A-Za-z0-9\-._:~!$&'()*+,;=%@]*")
_HOST = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:\"<>\x80-\U0010ffff]|%[0-9A-Fa-f]{2})*")
_BRACKETED = re.compile(r"\[[^\]%]*(?:%25[^\]]+)?\]")
_PATH_PLAIN = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:@/\[\]%]*")


class Parts(NamedTuple):
    """What the functions give of a URL."""

    scheme: str
    host: str
    path: str
    query: str


def parse_url(text: str) -> Parts:
    """An absolute URI or an absolute path.

    Raises:
        ValueError: when the text is neither.
    """
    if not text or _CONTROL.search(text):
        raise ValueError("URL parse error: empty, or with a control character")
    match = _SCHEME.match(text)
    scheme = match[1].lower() if match else ""
    rest = text[match.end() :] if match else text
    if not match and ":" in text.partition("/")[0]:
        raise ValueError("URL parse error: missing protocol scheme")
    rest = rest.partition("#")[0]
    rest, _, query = rest.partition("?")
    if not rest.startswith("/"):
        if scheme:
            return Parts(scheme, "", "", query)
        raise ValueError("URL parse error: invalid URI for request")
    host = ""
    if scheme and rest.startswith("//"):
        authority, slash, path = rest[2:].partition("/")
        host, rest = _host(authority), slash + path
    if _BAD_ESCAPE.search(rest):
        raise ValueError("URL parse error: invalid URL escape")
    return Parts(scheme, host, rest, query)


def _host(authority: str) -> str:
    user, at, host = authority.rpartition("@")
    if at and (not _USER.fullmatch(user) or _BAD_ESCAPE.search(user)):
        raise ValueError("URL parse error: invalid userinfo")
    name, port = _split_port(host)
    valid = _BRACKETED.fullmatch(name) if name.startswith("[") else _HOST.fullmatch(name)
    if not valid or (port and not re.fullmatch(r":[0-9]*", port)):
        raise ValueError("URL parse error: invalid host or port")
    return unquote(host)


def _split_port(host: str) -> tuple[str, str]:
    if host.startswith("["):
        end = host.rfind("]")
        return host[: end + 1], host[end + 1 :]
    colon = host.rfind(":")
    if colon >= 0 and ":" in host[:colon]:
        raise ValueError("URL parse error: invalid port after host")
    return (host, "") if colon < 0 else (host[:colon], host[colon:])


def is_url(text: str) -> bool:
    """Whether the text is an absolute URI or an absolute path."""
    try:
        parse_url(text)
    except ValueError:
        return False
    return True


def _parts(value: Mapping[str, Any]) -> Parts:
    return parse_url(untagged("url", value))


def _url(text: str) -> dict[str, str]:
    parse_url(text)
    return tagged("url", text)


def _hostname(value: Mapping[str, Any]) -> str:
    name = _split_port(_parts(value).host)[0]
    return name[1:-1] if name.startswith("[") else name


def _escaped_path(value: Mapping[str, Any]) -> str:
    path = _parts(value).path
    if _PATH_PLAIN.fullmatch(path):
        return path
    return quote(unquote(path), safe="$&+,/:;=@~")


def _query(value: Mapping[str, Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for pair in _parts(value).query.split("&"):
        if not pair or ";" in pair or _BAD_ESCAPE.search(pair):
            continue
        key, _, content = pair.partition("=")
        found.setdefault(unquote_plus(key), []).append(unquote_plus(content))
    return found


OVERLOADS = (
    Overload("url", "string -> url", _url, member=False),
    Overload("isURL", "string -> bool", is_url, member=False),
    Overload("getScheme", "url -> string", lambda v: _parts(v).scheme),
    Overload("getHost", "url -> string", lambda v: _parts(v).host),
    Overload("getHostname", "url -> string", _hostname),
    Overload("getPort", "url -> string", lambda v: _split_port(_parts(v).host)[1][1:]),
    Overload("getEscapedPath", "url -> string", _escaped_path),
    Overload("getQuery", "url -> map<string, list<string>>", _query),
)
