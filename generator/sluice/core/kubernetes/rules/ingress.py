"""Ingresses, and the annotations that the nginx controller reads."""

import re
from typing import Any

from sluice.core.kubernetes.rules.checks import (
    host,
    one_of,
    port,
    port_name,
    service_name,
    subdomain,
    words,
)
from sluice.core.kubernetes.rules.problem import (
    Context,
    Fault,
    Faults,
    mapping,
    mappings,
    show,
    text,
)
from sluice.core.kubernetes.rules.shape import each, exactly_one, leaf, node, required

PREFIX = "nginx.ingress.kubernetes.io/"
INGRESS_CLASS = "kubernetes.io/ingress.class"
_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_HUNDRED = 100
_TYPES = ("Exact", "Prefix", "ImplementationSpecific")
_BAD_PARTS = ("//", "/./", "/../", "%2f", "%2F")
_BAD_ENDS = ("/..", "/.")
_CANARY = ("by-header", "by-header-value", "by-header-pattern", "by-cookie", "weight")
_RECEIVES = ("by-header", "by-cookie", "weight")

_BOOLEAN = (re.compile(r"1|t|T|TRUE|true|True|0|f|F|FALSE|false|False"), "true or false")
_SWITCH = (re.compile(r"on|off"), "on or off")
_SECONDS = (re.compile(r"[0-9]{1,9}"), "a whole number of seconds, without a unit")
_COUNT = (re.compile(r"[0-9]{1,9}"), "a whole number")
_SIZE = (re.compile(r"(?i:[0-9]+[bkmg]?)"), "a size such as 8m")
_VALUES: dict[str, tuple[re.Pattern[str], str]] = {
    **dict.fromkeys(
        ("proxy-connect-timeout", "proxy-read-timeout", "proxy-send-timeout"), _SECONDS
    ),
    **dict.fromkeys(("proxy-buffering", "proxy-request-buffering"), _SWITCH),
    **dict.fromkeys(("proxy-body-size", "client-body-buffer-size", "proxy-buffer-size"), _SIZE),
    **dict.fromkeys(
        ("canary", "ssl-redirect", "force-ssl-redirect", "enable-cors", "use-regex"), _BOOLEAN
    ),
    **dict.fromkeys(
        (
            "limit-rps",
            "limit-rpm",
            "limit-connections",
            "limit-burst-multiplier",
            "proxy-next-upstream-tries",
            "proxy-buffers-number",
            "canary-weight-total",
        ),
        _COUNT,
    ),
    "proxy-http-version": (re.compile(r"1\.0|1\.1"), "1.0 or 1.1"),
    "affinity": (re.compile("cookie"), "cookie"),
    "affinity-mode": (re.compile("balanced|persistent"), "balanced or persistent"),
    "affinity-canary-behavior": (re.compile("sticky|legacy"), "sticky or legacy"),
    "backend-protocol": (
        re.compile("HTTP|HTTPS|AUTO_HTTP|GRPC|GRPCS|FCGI"),
        "HTTP, HTTPS, AUTO_HTTP, GRPC, GRPCS or FCGI",
    ),
}


def _check_path(item: dict[str, Any], _: Context) -> Faults:
    path, kind = text(item, "path"), item.get("pathType")
    if kind is None:
        yield Fault("SEM087", (), f"pathType is missing: one of {', '.join(_TYPES)}")
    elif kind in ("Exact", "Prefix"):
        if not path.startswith("/"):
            yield Fault("SEM087", ("path",) if path else (), "the path must begin with a slash")
        elif any(part in path for part in _BAD_PARTS) or path.endswith(_BAD_ENDS):
            yield Fault("SEM087", ("path",), f"{show(path)} holds //, . or .. or an escaped slash")
    elif path and not path.startswith("/"):
        yield Fault("SEM087", ("path",), "the path must begin with a slash")


def _check_routes(spec: dict[str, Any], _: Context) -> Faults:
    if not spec.get("rules") and not spec.get("defaultBackend"):
        yield Fault("SEM090", (), "neither rules nor defaultBackend is set")
    first_places: dict[tuple[str, str, str], str] = {}
    for number, rule in mappings(spec, "rules"):
        for index, item in mappings(mapping(rule, "http"), "paths"):
            route = (text(rule, "host"), text(item, "path"), text(item, "pathType"))
            here = f"rules[{number}].http.paths[{index}]"
            first = first_places.setdefault(route, here)
            if first != here:
                place = ("rules", number, "http", "paths", index, "path")
                yield Fault(
                    "SEM091", place, f"{show(route[0] + route[1])} stands in {first} as well"
                )


def canary(metadata: dict[str, Any]) -> bool:
    """Whether the nginx controller takes an Ingress for a canary."""
    return mapping(metadata, "annotations").get(f"{PREFIX}canary") in _TRUE


def pinned(metadata: dict[str, Any]) -> bool:
    """Whether a cookie keeps clients at a pod: neither weight nor header moves them to a canary."""
    given = mapping(metadata, "annotations")
    behaviour = given.get(f"{PREFIX}affinity-canary-behavior", "sticky")
    return given.get(f"{PREFIX}affinity") == "cookie" and behaviour != "legacy"


def check_annotations(metadata: dict[str, Any], _: Context) -> Faults:
    """Values that the controller would pass over in silence."""
    given = mapping(metadata, "annotations")
    for key, value in given.items():
        if isinstance(key, str) and key.startswith(PREFIX) and isinstance(value, str):
            pattern, wanted = _VALUES.get(key.removeprefix(PREFIX), (None, ""))
            if pattern and not pattern.fullmatch(value):
                message = f"{show(value)} is not {wanted}"
                yield Fault("SEM095", ("annotations", key), message)
    settings = [name for name in _CANARY if given.get(f"{PREFIX}canary-{name}")]
    if settings and not canary(metadata):
        place = ("annotations", f"{PREFIX}canary-{settings[0]}")
        yield Fault("SEM092", place, "the Ingress is not marked as a canary")
    elif canary(metadata) and not set(settings) & set(_RECEIVES):
        yield Fault("SEM094", ("annotations", f"{PREFIX}canary"), "no weight, header or cookie")


def check_weight(metadata: dict[str, Any], _: Context) -> Faults:
    """The share of a canary against its total."""
    given = mapping(metadata, "annotations")
    key = f"{PREFIX}canary-weight"
    weight, total = given.get(key), _number(given.get(f"{key}-total", "100"))
    if total is not None and 0 <= total < _HUNDRED:
        place = ("annotations", f"{key}-total")
        yield Fault("SEM093", place, f"a total of {total} is passed over: it is taken for 100")
        total = _HUNDRED
    if isinstance(weight, str) and total is not None:
        value = _number(weight)
        if value is None or not 0 <= value <= total:
            message = f"{show(weight)} is no whole number from 0 to {total}"
            yield Fault("SEM093", ("annotations", key), message)


def _number(value: object) -> int | None:
    fits = isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,9}", value)
    return int(value) if fits and isinstance(value, str) else None


def check_one_class(ingress: dict[str, Any], _: Context) -> Faults:
    """The class by annotation and by field."""
    given = mapping(ingress, "metadata", "annotations")
    annotated, named = given.get(INGRESS_CLASS), mapping(ingress, "spec").get("ingressClassName")
    if annotated is not None and named is not None and annotated != named:
        place = ("metadata", "annotations", INGRESS_CLASS)
        yield Fault("SEM098", place, f"spec.ingressClassName is {show(named)}")


_PORT = node(
    {"number": leaf("SEM088", port), "name": leaf("SEM088", words(port_name))},
    exactly_one("SEM088", "name", "number"),
)


def _check_service_name(service: dict[str, Any], context: Context) -> Faults:
    name = text(service, "name")
    wrong = service_name(context.version)(name) if name else None
    if wrong:
        yield Fault("SEM088", ("name",), wrong)


_SERVICE = node({"port": _PORT}, required("SEM088", "name", "port"), _check_service_name)
_BACKEND = node({"service": _SERVICE}, exactly_one("SEM088", "service", "resource"))
_PATHS = each(
    node(
        {
            "pathType": leaf("SEM087", one_of(*_TYPES, empty=False)),
            "backend": _BACKEND,
        },
        required("SEM088", "backend"),
        _check_path,
    )
)
INGRESS = node(
    {
        "defaultBackend": _BACKEND,
        "ingressClassName": leaf("SEM089", words(subdomain)),
        "tls": each(node({"hosts": each(leaf("SEM089", words(host)))})),
        "rules": each(
            node(
                {
                    "host": leaf("SEM089", words(host)),
                    "http": node({"paths": _PATHS}, required("SEM087", "paths")),
                }
            )
        ),
    },
    _check_routes,
)
