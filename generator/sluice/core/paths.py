"""The paths at which clients reach releases, and what routers make of them.

A route's path is that of the base URL which its clients are told. Where an engine answers at the
same path, or below it, requests pass as they are; any other path is replaced by the engine's own.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DEFAULT_BASE = "/v1"
"""Where engines answer whose entry says nothing: nearly all share it."""
_SPECIAL = re.compile(r"[^A-Za-z0-9_~/-]")
"""What a regular expression may read as more than itself."""


@dataclass(frozen=True, slots=True)
class Api:
    """Where an engine answers clients: below which path, and what they ask for there."""

    base: str = DEFAULT_BASE
    endpoints: tuple[str, ...] = ()


def read_api(entry: Mapping[str, Any]) -> Api:
    """The API of an engine's entry.

    Raises:
        ValueError: when its base is no path.
    """
    base = entry.get("base", DEFAULT_BASE)
    if not base.startswith("/"):
        raise ValueError(f"api.base {base!r} does not begin with '/'")
    return Api(canonical(base), tuple(entry.get("endpoints", ())))


def canonical(path: str) -> str:
    """The one spelling of a path: routers see no difference between /v1, /v1/ and //v1."""
    return "/" + "/".join(segment for segment in path.split("/") if segment)


def below(path: str) -> str:
    """What all paths within this one begin with, so that /v1x is not within /v1."""
    return path.rstrip("/") + "/"


def is_within(path: str, outer: str) -> bool:
    """Whether a path is another one or lies below it."""
    return below(path).startswith(below(outer))


def outer_paths(path: str) -> tuple[str, ...]:
    """The paths within which this one lies, from the root on."""
    segments = [segment for segment in path.split("/") if segment]
    return tuple("/" + "/".join(segments[:count]) for count in range(len(segments)))


def is_ambiguous(path: str, api: Api) -> bool:
    """Whether a path within the engine's own could be a name as well as part of what it serves.

    At /v1/chat a client may mean /v1/chat/completions, or /v1/chat/chat/completions.
    """
    if path == api.base or not _is_below_base(path, api):
        return False
    return path not in {below(api.base) + endpoint for endpoint in api.endpoints}


def replacement(path: str, api: Api) -> str | None:
    """The path that a router puts in the place of a route's; none where requests pass unchanged."""
    is_served = is_within(api.base, path) or _is_below_base(path, api)
    return None if is_served else api.base


def _is_below_base(path: str, api: Api) -> bool:
    """Whether a path begins as all that an engine serves; at the root nothing tells them apart."""
    return api.base != "/" and is_within(path, api.base)


def route_words(path: str, api: Api) -> dict[str, Any]:
    """What the templates of routes say of a path.

    `matches` are for routers whose prefixes end anywhere, `pattern` and `target` for those that
    replace by a regular expression.
    """
    base = replacement(path, api)
    prefix = {"prefix": below(path)}
    return {
        "path": path,
        "matches": [prefix] if path == "/" else [{"exact": path}, prefix],
        "rewrite": base,
        "rewrite_below": base and below(base),
        "pattern": base and _pattern(path),
        "target": base and f"{below(base)}$2",
    }


def _pattern(path: str) -> str:
    """An expression that matches this path, and all below it.

    The router ignores case where it reads expressions, for plain paths it does not: (?-i) makes
    both the same. It stands behind the slash with which the API wants a path to begin.
    """
    quoted = _SPECIAL.sub(r"\\\g<0>", path[1:])
    return f"/(?-i){quoted}(/|$)(.*)"
