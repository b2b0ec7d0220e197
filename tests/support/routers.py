"""Small models of the routers that read our routes: what they match, and what they pass on.

Each follows its source: ingress-nginx 1.15.1, internal/ingress/controller (location.go,
controller.go, template/template.go); the Gateway API 1.6.3, apis/v1/httproute_types.go; Istio 1.32,
pilot/pkg/networking/core/route/route.go; Flagger 1.44.0, pkg/router. Copies have the path that is
put in place: Envoy, source/common/router/router.cc, copies the headers after they are final.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

Objects = Sequence[Mapping[str, Any]]
NGINX = "nginx.ingress.kubernetes.io/"
HUNDRED = 100


class Request(NamedTuple):
    """What a client sends."""

    path: str
    headers: Mapping[str, str] = {}


class Passed(NamedTuple):
    """What one backend gets: its share of such requests, and the path that it sees."""

    backend: str
    share: int
    path: str
    is_copy: bool = False


def of_kind(objects: Objects, kind: str) -> list[Mapping[str, Any]]:
    return [one for one in objects if one["kind"] == kind]


class _Location(NamedTuple):
    path: str
    kind: str
    target: str
    is_expression: bool
    backend: str
    others: tuple[Mapping[str, Any], ...]


def nginx(objects: Objects, request: Request) -> list[Passed]:
    """What ingress-nginx does with a request for the one host of some Ingresses."""
    locations = list(_locations(of_kind(objects, "Ingress")))
    as_expressions = any(one.is_expression or one.target for one in locations)
    locations = list(_expressions(locations) if as_expressions else _plain(locations))
    locations.sort(key=lambda one: one.path, reverse=True)
    locations.sort(key=lambda one: len(one.path), reverse=True)
    path = re.sub("/+", "/", request.path)  # merge_slashes, on by default
    for location in locations:
        if as_expressions:
            is_match = re.match(_python(location.path), path, re.IGNORECASE) is not None
        elif location.kind == "Exact":
            is_match = path == location.path
        else:
            is_match = path.startswith(location.path)
        if is_match:
            # What is not rewritten passes as it came, with all its slashes: so does nginx 1.22.1.
            seen = _rewritten(location, path) if location.target else request.path
            return list(_canaries(location, request, seen))
    return []


def _locations(ingresses: Iterable[Mapping[str, Any]]) -> Iterator[_Location]:
    told = [(one, one["metadata"].get("annotations", {})) for one in ingresses]
    canaries = [(one, notes) for one, notes in told if notes.get(f"{NGINX}canary") == "true"]
    for ingress, notes in told:
        if f"{NGINX}canary" in notes:
            continue
        item = _path_of(ingress)
        # A canary is found by its path and the path's type, both as they are written.
        others = [
            {"backend": _backend_of(other), **own}
            for other, own in canaries
            if _path_of(other)["path"] == item["path"]
            and _path_of(other)["pathType"] == item["pathType"]
        ]
        yield _Location(
            item["path"],
            "Prefix" if item["pathType"] == "ImplementationSpecific" else item["pathType"],
            notes.get(f"{NGINX}rewrite-target", ""),
            notes.get(f"{NGINX}use-regex") == "true",
            _backend_of(ingress),
            tuple(others),
        )


def _path_of(ingress: Mapping[str, Any]) -> Mapping[str, Any]:
    (rule,) = ingress["spec"]["rules"]
    (item,) = rule["http"]["paths"]
    if item["pathType"] != "ImplementationSpecific":  # strict-validate-path-type, on by default
        assert re.fullmatch(r"/[A-Za-z0-9._/-]*", item["path"])
    found: Mapping[str, Any] = item
    return found


def _backend_of(ingress: Mapping[str, Any]) -> str:
    return str(_path_of(ingress)["backend"]["service"]["name"])


def _plain(locations: Iterable[_Location]) -> Iterator[_Location]:
    for one in locations:
        if one.path == "/":
            yield one
        else:
            yield one._replace(path=one.path.rstrip("/") + "/")
            yield one._replace(kind="Exact")


def _expressions(locations: Iterable[_Location]) -> Iterator[_Location]:
    for one in locations:
        yield from [one] if one.is_expression or one.target else _plain([one])


def _python(expression: str) -> str:
    """The expression as Python spells it, which has no switch in the middle of one."""
    head, switch, rest = expression.partition("(?-i)")
    return f"{head}(?-i:{rest})" if switch else expression


def _rewritten(location: _Location, path: str) -> str:
    match = re.search(_python(location.path), path, re.IGNORECASE)
    assert match
    return re.sub(r"\$(\d)", lambda number: match[int(number[1])], location.target)


def _canaries(location: _Location, request: Request, path: str) -> Iterator[Passed]:
    if not location.others:
        yield Passed(location.backend, HUNDRED, path)
        return
    (canary,) = location.others
    header, cookie = canary.get(f"{NGINX}canary-by-header"), canary.get(f"{NGINX}canary-by-cookie")
    wanted = canary.get(f"{NGINX}canary-by-header-value")
    is_chosen = header is not None and request.headers.get(header) == wanted
    is_chosen |= cookie is not None and request.headers.get("cookie") == f"{cookie}=always"
    weight = HUNDRED if is_chosen else int(canary[f"{NGINX}canary-weight"])
    yield Passed(location.backend, HUNDRED - weight, path)
    yield Passed(canary["backend"], weight, path)


def gateway(objects: Objects, request: Request) -> list[Passed]:
    """What an implementation of the Gateway API does with a request for the one host of routes."""
    fitting = []
    for route in of_kind(objects, "HTTPRoute"):
        for rule in route["spec"]["rules"]:
            for match in rule["matches"]:
                assert match["path"]["type"] == "PathPrefix"
                prefix, headers = match["path"]["value"], match.get("headers", [])
                _must_be_a_prefix(prefix)
                is_match = _is_below(request.path, prefix)
                is_match &= all(request.headers.get(h["name"]) == h["value"] for h in headers)
                if is_match:
                    fitting.append((len(prefix), len(headers), prefix, rule))
    if not fitting:
        return []
    *_, prefix, rule = max(fitting, key=lambda one: one[:2])
    path, copies = request.path, []
    for item in rule.get("filters", ()):
        if item["type"] == "URLRewrite":
            assert len(rule["matches"]) == 1  # the API's own rule for ReplacePrefixMatch
            new = item["urlRewrite"]["path"]
            assert new["type"] == "ReplacePrefixMatch"
            rest = request.path.removeprefix(prefix)
            path = new["replacePrefixMatch"].rstrip("/") + rest or "/"
        else:
            mirror = item["requestMirror"]
            copies.append((mirror["backendRef"]["name"], mirror.get("percent", HUNDRED)))
    passed = [Passed(one["name"], one["weight"], path) for one in rule["backendRefs"]]
    return passed + [Passed(name, share, path, is_copy=True) for name, share in copies]


def _must_be_a_prefix(prefix: str) -> None:
    assert prefix.startswith("/")
    assert not any(part in prefix for part in ("//", "/./", "/../"))


def _is_below(path: str, prefix: str) -> bool:
    prefix = prefix.rstrip("/")
    return path == prefix or path.startswith(f"{prefix}/")


def istio(objects: Objects, request: Request) -> list[Passed]:
    """What a gateway of Istio does; the objects stand in the order in which they were made."""
    rules = [rule for one in of_kind(objects, "VirtualService") for rule in one["spec"]["http"]]
    entries = [(match, rule) for rule in rules for match in rule["match"]]
    entries.sort(key=lambda entry: _is_for_all(entry[0]))
    for match, rule in entries:
        ((kind, value),) = match["uri"].items()
        is_match = request.path == value if kind == "exact" else request.path.startswith(value)
        if is_match and _has_headers(match, request):
            path = request.path
            if "rewrite" in rule:
                rest = "" if kind == "exact" else path.removeprefix(value)
                path = rule["rewrite"]["uri"] + rest
            passed = [
                Passed(one["destination"]["host"], one.get("weight", HUNDRED), path)
                for one in rule["route"]
            ]
            if "mirror" in rule:
                share = int(rule["mirrorPercentage"]["value"])
                passed.append(Passed(rule["mirror"]["host"], share, path, is_copy=True))
            return passed
    return []


def _is_for_all(match: Mapping[str, Any]) -> bool:
    return match["uri"] == {"prefix": "/"} and not match.get("headers")


def _has_headers(match: Mapping[str, Any], request: Request) -> bool:
    for name, condition in match.get("headers", {}).items():
        value = request.headers.get(name, "")
        if "exact" in condition and value != condition["exact"]:
            return False
        if "regex" in condition and not re.fullmatch(condition["regex"], value):
            return False
    return True


ROUTERS = {"nginx": nginx, "gateway": gateway, "istio": istio}
"""The model of each provider of traffic."""


def made_by_flagger(canary: Mapping[str, Any], weight: int) -> Mapping[str, Any]:
    """The route that Flagger makes of its Canary at a weight of the new version."""
    spec, service = canary["spec"], canary["spec"]["service"]
    name, chosen = service["name"], spec["analysis"].get("match", [])
    shares = {f"{name}-primary": HUNDRED - weight, f"{name}-canary": weight}
    if spec["provider"] == "istio":
        weighed = {
            "match": service["match"],
            "route": [{"destination": {"host": n}, "weight": w} for n, w in shares.items()],
        }
        rest = {**weighed, "route": [{"destination": {"host": f"{name}-primary"}}]}
        uris = service["match"]
        first = {**weighed, "match": [{**uri, **one} for one in chosen for uri in uris]}
        rules = [first, rest] if chosen else [weighed]
        more = {"rewrite": service["rewrite"]} if "rewrite" in service else {}
        http = [{**rule, **more} for rule in rules]
        return {"kind": "VirtualService", "spec": {"http": http}}
    filters = []
    if "rewrite" in service:  # the whole path, unless the type says otherwise
        assert service["rewrite"]["type"] == "ReplacePrefixMatch"
        path = {"type": "ReplacePrefixMatch", "replacePrefixMatch": service["rewrite"]["uri"]}
        filters = [{"type": "URLRewrite", "urlRewrite": {"path": path}}]
    matches = [
        {"path": {"type": "PathPrefix", "value": one["uri"]["prefix"]}} for one in service["match"]
    ]
    weighed = {
        "matches": matches,
        "filters": filters,
        "backendRefs": [{"name": n, "weight": w} for n, w in shares.items()],
    }
    if not chosen:
        return {"kind": "HTTPRoute", "spec": {"rules": [weighed]}}
    headers = [
        {"name": n, "value": c["exact"]} for one in chosen for n, c in one["headers"].items()
    ]
    first = {**weighed, "matches": [{**one, "headers": headers} for one in matches]}
    rest = {**weighed, "backendRefs": [{"name": f"{name}-primary", "weight": HUNDRED}]}
    return {"kind": "HTTPRoute", "spec": {"rules": [first, rest]}}
