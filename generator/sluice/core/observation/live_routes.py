"""What the routes that are in the cluster give a candidate, whatever Git says of them."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sluice.core.specs.rollout_plan import FULL
from sluice.core.takeover.provider import Provider

_REQUIRED = ("Accepted", "ResolvedRefs")
Object = Mapping[str, Any]
Backends = Sequence[tuple[Any, Any]]
"""Names of Services and their weights, as they are written."""


@dataclass(frozen=True, slots=True)
class LiveRoutes:
    """The weights that the candidate has in them, in percent, and what is wrong with them.

    A route has several weights when its rules do not agree, and none where it is not there.
    `astray` are the Services that get requests and are of neither version.
    """

    weights: tuple[int, ...]
    problem: str = ""
    astray: tuple[str, ...] = ()

    def farthest(self, committed: int) -> int | None:
        """The weight that differs most from the committed one; None where none is known."""
        return max(self.weights, key=lambda weight: abs(weight - committed), default=None)


def live_routes(
    provider: Provider,
    objects: Mapping[str, Object],
    release: str,
    candidate: str,
    stable: Collection[str],
) -> LiveRoutes:
    """What the cluster's routes say of a rollout.

    Args:
        provider: the environment's traffic provider.
        objects: the routes in the release's namespace, by name.
        release: its name, which its route has too.
        candidate: the Service of the candidate.
        stable: the names of Services that lead to the stable version.
    """
    if release not in objects:
        return LiveRoutes((), f"the cluster has no route {release}")
    own = {candidate, *stable}
    if provider.has_second_route:
        main, canary = objects[release], objects.get(f"{release}-canary")
        taken = 0.0 if canary is None else _taken(canary, provider.share_annotation)
        share = _of_ingresses(main, canary, candidate, taken)
        taking = _backends(canary) if canary is not None and taken else set()
        return LiveRoutes(
            _percent([share]), astray=tuple(sorted((_backends(main) | taking) - own - {""}))
        )
    rules = list(RULES_OF[provider.route.kind](objects[release]))
    problem = _refusal(objects[release]) if rules else f"the route {release} leads nowhere"
    shares = [_share(backends, candidate) for backends in rules]
    return LiveRoutes(_percent(shares), problem, _astray(rules, own))


def _astray(rules: Iterable[Backends], own: Collection[str]) -> tuple[str, ...]:
    """Who gets requests and is none of ours."""
    getting = {str(name) for backends in rules for name, weight in backends if weight != 0}
    return tuple(sorted(getting.difference(own, ("", "None"))))


def _percent(shares: Sequence[float | None]) -> tuple[int, ...]:
    return tuple(sorted({round(FULL * share) for share in shares if share is not None}))


def _of_http_route(route: Object) -> Iterator[Backends]:
    """The backends of each rule that no header chooses, with their weights."""
    for rule in _listed(route.get("spec"), "rules"):
        matches = _listed(rule, "matches")
        if matches and all(match.get("headers") for match in matches):
            continue
        backends = [(b.get("name"), b.get("weight", 1)) for b in _listed(rule, "backendRefs")]
        if backends:
            yield backends


def _of_virtual_service(route: Object) -> Iterator[Backends]:
    """The same of a VirtualService; a sole destination gets everything."""
    for rule in _listed(route.get("spec"), "http"):
        matches = _listed(rule, "match")
        if matches and all(match.get("headers") for match in matches):
            continue
        destinations = _listed(rule, "route")
        alone = len(destinations) == 1
        backends = [
            (_service(each), FULL if alone else each.get("weight", 0)) for each in destinations
        ]
        if backends:
            yield backends


RULES_OF: Mapping[str, Callable[[Object], Iterator[Backends]]] = {
    "HTTPRoute": _of_http_route,
    "VirtualService": _of_virtual_service,
}
"""How the rules of each kind of route are read that has the weights of both versions."""


def _service(destination: Object) -> str:
    """The Service of a destination, which may be named by its full domain."""
    host = _mapping(destination, "destination").get("host", "")
    return str(host).partition(".")[0]


def _of_ingresses(
    main: Object, canary: Object | None, candidate: str, taken: float | None
) -> float | None:
    """The share by the main Ingress, and by the second one that takes some of it.

    Args:
        main: the first one.
        canary: the second one, if it is there.
        candidate: the Service of the candidate.
        taken: what the second one takes, 0 to 1; None where that is not known.
    """
    base = 1.0 if candidate in _backends(main) else 0.0
    if canary is None or taken is None:
        return base if canary is None else None
    gains = 1.0 if candidate in _backends(canary) else 0.0
    return base * (1 - taken) + gains * taken


def _taken(canary: Object, annotation: str) -> float | None:
    """What the second Ingress takes, 0 to 1; None where its weight is no number."""
    notes = _mapping(_mapping(canary, "metadata"), "annotations")
    if notes.get(annotation) != "true":
        return 0.0
    try:
        taken = int(notes.get(f"{annotation}-weight", "0")) / int(
            notes.get(f"{annotation}-weight-total", str(FULL))
        )
    except (OverflowError, TypeError, ValueError, ZeroDivisionError):
        return None
    return min(1.0, max(0.0, taken))


def _backends(ingress: Object) -> set[str]:
    found = set()
    for rule in _listed(ingress.get("spec"), "rules"):
        for path in _listed(rule.get("http"), "paths"):
            service = _mapping(_mapping(path, "backend"), "service")
            found.add(str(service.get("name", "")))
    return found


def _share(backends: Backends, candidate: str) -> float | None:
    """The candidate's part; None where nobody gets anything, or a weight is no number."""
    try:
        total = sum(int(weight) for _, weight in backends)
        own = sum(int(weight) for name, weight in backends if name == candidate)
    except (OverflowError, TypeError, ValueError):
        return None
    return own / total if total > 0 else None


def _refusal(route: Object) -> str:
    """Why a gateway does not do what the route says, in its own words."""
    for parent in _listed(route.get("status"), "parents"):
        for condition in _listed(parent, "conditions"):
            if condition.get("type") in _REQUIRED and condition.get("status") == "False":
                said = condition.get("message") or condition.get("reason") or "no reason is given"
                return f"the gateway does not take the route: {said}"
    return ""


def _mapping(holder: Any, name: str) -> Mapping[str, Any]:  # noqa: ANN401  # from a cluster
    """The object in a field that may not be there."""
    found = holder.get(name) if isinstance(holder, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _listed(holder: Any, name: str) -> list[Mapping[str, Any]]:  # noqa: ANN401  # from a cluster
    """The objects in a list that may not be there."""
    found = holder.get(name) if isinstance(holder, Mapping) else None
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []
