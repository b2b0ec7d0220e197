"""Routes of the Gateway API and of Istio."""

import re
from typing import Any

from sluice.core.kubernetes.rules.checks import between, duration, host, one_of, port, words
from sluice.core.kubernetes.rules.problem import (
    Context,
    Fault,
    Faults,
    mapping,
    mappings,
    show,
    text,
    texts,
    whole,
)
from sluice.core.kubernetes.rules.shape import Fields, each, leaf, node, required, unique

_MOST = 1_000_000
_WHOLE = 100
_GATEWAY_TIME = re.compile(r"([0-9]{1,5}(h|m|s|ms)){1,4}")
_UNITS = {"h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_FILTERS = {
    "RequestHeaderModifier": "requestHeaderModifier",
    "ResponseHeaderModifier": "responseHeaderModifier",
    "RequestMirror": "requestMirror",
    "RequestRedirect": "requestRedirect",
    "URLRewrite": "urlRewrite",
    "ExtensionRef": "extensionRef",
    "CORS": "cors",
    "ExternalAuth": "externalAuth",
}
_REPEATABLE = ("RequestMirror", "ExtensionRef")
_ESCAPED = ("//", "/./", "/../", "%2f", "%2F")
_PATH = re.compile(r"(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})+")


def _check_gateway_path(match: dict[str, Any], _: Context) -> Faults:
    path = mapping(match, "path")
    kind, value = text(path, "type") or "PathPrefix", text(path, "value") or "/"
    if kind not in ("Exact", "PathPrefix"):
        return
    if not value.startswith("/"):
        yield Fault("SEM140", ("path", "value"), f"{show(value)} does not begin with a slash")
    elif _odd(value):
        yield Fault("SEM140", ("path", "value"), f"{show(value)} is not a plain path")


def _odd(path: str) -> bool:
    parts = any(part in path for part in _ESCAPED) or path.endswith(("/..", "/."))
    return parts or not _PATH.fullmatch(path)


def _check_filters(rule: dict[str, Any], _: Context) -> Faults:
    kinds: list[str] = []
    for index, item in mappings(rule, "filters"):
        kind = text(item, "type")
        field = _FILTERS.get(kind)
        if field is None or item.get(field) is None:
            message = f"{field} is missing" if field else f"{show(kind)} is no type of filter"
            yield Fault("SEM141", ("filters", index), message)
        for other in _FILTERS.values():
            if field is not None and other != field and item.get(other) is not None:
                yield Fault("SEM141", ("filters", index, other), f"type is {kind}")
        if kind in kinds and kind not in _REPEATABLE:
            yield Fault("SEM141", ("filters", index), f"a second {kind}")
        kinds.append(kind)
    if "RequestRedirect" in kinds:
        if "URLRewrite" in kinds:
            yield Fault("SEM141", ("filters",), "a redirect and a rewrite in one rule")
        if rule.get("backendRefs"):
            yield Fault("SEM141", ("backendRefs",), "a redirect has no backends")


def _check_replaced_prefix(rule: dict[str, Any], _: Context) -> Faults:
    matches = [mapping(match, "path") for _, match in mappings(rule, "matches")]
    kinds = [text(path, "type") or "PathPrefix" for path in matches]
    for index, item in mappings(rule, "filters"):
        for field in ("urlRewrite", "requestRedirect"):
            path = mapping(item, field, "path")
            if path.get("replacePrefixMatch") is not None and kinds not in ([], ["PathPrefix"]):
                message = "replacePrefixMatch needs exactly one match, of type PathPrefix"
                yield Fault("SEM141", ("filters", index, field, "path"), message)


def _check_shares(rule: dict[str, Any], _: Context) -> Faults:
    backends = mappings(rule, "backendRefs")
    given = [whole(backend, "weight") for _, backend in backends]
    if backends and all(weight == 0 for weight in given):
        yield Fault("SEM143", ("backendRefs",), "every weight is 0: requests get status 500")
    has_weight = ["weight" in backend for _, backend in backends]
    if any(has_weight) and not all(has_weight):
        place = ("backendRefs", backends[has_weight.index(False)][0])
        yield Fault("SEM181", place, "weight is missing, and 1 is taken")


def _check_backend(backend: dict[str, Any], _: Context) -> Faults:
    service = text(backend, "kind") in ("", "Service") and not backend.get("group")
    if service and backend.get("port") is None:
        yield Fault("SEM144", (), "port is missing")


def _milliseconds(value: str) -> int | None:
    if not _GATEWAY_TIME.fullmatch(value):
        return None
    parts = re.findall(r"([0-9]{1,5})(h|ms|m|s)", value)
    return sum(int(number) * _UNITS[unit] for number, unit in parts)


def _check_timeouts(timeouts: dict[str, Any], _: Context) -> Faults:
    given = {key: text(timeouts, key) for key in ("request", "backendRequest")}
    read = {key: _milliseconds(value) for key, value in given.items() if value}
    for key, length in read.items():
        if length is None:
            yield Fault("SEM148", (key,), f"{show(given[key])} is no length of time")
    whole_time, part = read.get("request"), read.get("backendRequest")
    if whole_time and part and part > whole_time:
        yield Fault("SEM148", ("backendRequest",), "it is longer than request")


_PATH_TYPES = ("Exact", "PathPrefix", "RegularExpression")
HTTP_ROUTE = node(
    {
        "hostnames": each(leaf("SEM140", words(host))),
        "rules": each(
            node(
                {
                    "matches": each(
                        node(
                            {"path": node({"type": leaf("SEM140", one_of(*_PATH_TYPES))})},
                            _check_gateway_path,
                        )
                    ),
                    "timeouts": node({}, _check_timeouts),
                    "backendRefs": each(
                        node(
                            {
                                "weight": leaf("SEM142", between(0, _MOST)),
                                "port": leaf("SEM144", port),
                            },
                            required("SEM144", "name"),
                            _check_backend,
                        )
                    ),
                },
                _check_filters,
                _check_replaced_prefix,
                _check_shares,
            )
        ),
    },
    unique("SEM141", "rules", "name"),
)


def _check_one_way(route: dict[str, Any], _: Context) -> Faults:
    ways = ("route", "redirect", "delegate", "directResponse")
    given = [key for key in ways if route.get(key)]
    if not given:
        yield Fault("SEM145", (), f"none of {', '.join(ways)} is set")
    elif len(given) > 1:
        yield Fault("SEM145", (given[1],), f"{given[0]} is set too; only one may be")
    if "redirect" in given and route.get("rewrite"):
        yield Fault("SEM145", ("rewrite",), "a redirect rewrites nothing")


def _check_sum(route: dict[str, Any], _: Context) -> Faults:
    items = mappings(route, "route")
    total = sum(whole(item, "weight") or 0 for _, item in items)
    if len(items) > 1 and total == 0:
        yield Fault("SEM146", ("route",), "the weights add up to 0")
    elif len(items) > 1 and total != _WHOLE:
        yield Fault("SEM147", ("route",), f"the weights add up to {show(total)}")


_DESTINATION = node({"port": node({"number": leaf("SEM144", port)})}, required("SEM145", "host"))
_ROUTE = each(
    node(
        {"weight": leaf("SEM142", between(0)), "destination": _DESTINATION},
        required("SEM145", "destination"),
    )
)
_TIME = leaf("SEM148", words(duration))
_HTTP: Fields = {
    "route": _ROUTE,
    "timeout": _TIME,
    "retries": node({"attempts": leaf("SEM148", between(0)), "perTryTimeout": _TIME}),
    "mirrorPercentage": node({"value": leaf("SEM142", between(0, _WHOLE))}),
}


def _check_hosts(spec: dict[str, Any], _: Context) -> Faults:
    hosts = [name for _, name in texts(spec, "hosts")]
    http = [route for _, route in mappings(spec, "http")]
    if not hosts and not all(route.get("route") for route in http):
        yield Fault("SEM145", (), "hosts is missing")
    if not any(spec.get(key) for key in ("http", "tcp", "tls")):
        yield Fault("SEM145", (), "none of http, tcp and tls is set")


def _check_order(spec: dict[str, Any], _: Context) -> Faults:
    """Rules behind one that takes all of their requests: the first that matches wins."""
    earlier: list[tuple[int, list[dict[str, Any]]]] = []
    for index, route in mappings(spec, "http"):
        matches = [match for _, match in mappings(route, "match")] or [{}]
        for before, takes in earlier:
            if all(any(_covers(wide, match) for wide in takes) for match in matches):
                yield Fault("SEM180", ("http", index), f"http[{before}] takes all its requests")
                break
        earlier.append((index, matches))


def _covers(wide: dict[str, Any], narrow: dict[str, Any]) -> bool:
    """Whether a match takes at least what another one takes, as far as their words show."""
    conditions = {key: value for key, value in wide.items() if key not in ("name", "headers")}
    headers, others = mapping(wide, "headers"), mapping(narrow, "headers")
    return conditions.items() <= narrow.items() and headers.items() <= others.items()


VIRTUAL_SERVICE = node(
    {"http": each(node(_HTTP, _check_one_way, _check_sum))}, _check_hosts, _check_order
)
DESTINATION_RULE = node({}, required("SEM145", "host"), unique("SEM145", "subsets", "name"))
