"""Releases that get in each other's way at a gateway, in whichever environments they are."""

from collections.abc import Collection, Iterator, Sequence

from sluice.core.checks.claims import Claim, Claims
from sluice.core.finding import Finding
from sluice.core.paths import DEFAULT_BASE, is_within
from sluice.core.specs.resolve import Release
from sluice.core.workload.addresses import address_of, passed_over, taken_first


def routes_of(release: Release) -> Iterator[Claim]:
    """What only one release behind a gateway can have.

    Its address is a claim (`route`), and so is each path where another release's rules would take
    its requests, or its own would take those of others (`reach`).
    """
    address = address_of(release)
    if address is None:
        return
    yield "route", *address.gateway, address.host, address.path
    reached = {*passed_over(address), taken_first(release, address)}
    for path in sorted(filter(None, reached)):
        yield "reach", *address.gateway, address.host, path


def check_routes(routes: Claims, environments: Collection[str]) -> Iterator[Finding]:
    """What is wrong between releases behind one gateway, where it concerns these environments."""
    for claim in routes.contested:
        holders = routes.holders(claim)
        if any(holder.key.environment in environments for holder in holders):
            check = {"route": _same_route, "reach": _nested_route}[claim[0]]
            yield from check(routes, claim, holders)


def _same_route(routes: Claims, claim: Claim, holders: Sequence[Release]) -> Iterator[Finding]:
    *_, host, path = claim
    for release in holders[1:]:
        message = f"{holders[0].key} is reached at {host}{path} too"
        yield _collision(routes, claim, release, message)


def _nested_route(routes: Claims, claim: Claim, holders: Sequence[Release]) -> Iterator[Finding]:
    """Releases within the path of another one, whose rules the gateway may take first."""
    *_, host, path = claim
    outer = [release for release in holders if _takes(release, path)]
    for release in holders:
        others = [other for other in outer if other is not release]
        if others and not _is_at(release, path):
            message = f"a rule of {others[0].key} for {host}{path} may take its requests"
            yield _collision(routes, claim, release, message)


def _takes(release: Release, path: str) -> bool:
    address = address_of(release)
    return address is not None and taken_first(release, address) == path


def _is_at(release: Release, path: str) -> bool:
    """Whether a release has this path itself; then the two have one address, as is said already."""
    address = address_of(release)
    return address is not None and address.path == path


def _collision(routes: Claims, claim: Claim, release: Release, message: str) -> Finding:
    """Two releases in one place, with a path for the second that is free."""
    place = release.place("traffic", key=True)
    remedy = "give one of them another host"
    free = _free_path(routes, claim, release)
    if free:
        remedy += (
            f" or path, {free} for instance: the gateway puts what the engine serves in its place"
        )
    return Finding(place, "REF014", message, remedy)


def _free_path(routes: Claims, claim: Claim, release: Release) -> str | None:
    """A path at the same host that no release has, and where no other's rules reach."""
    kind, *gateway, taken = claim
    key = release.key
    for names in ([key.name], [key.environment, key.name], key):
        path = "/" + "/".join(names) + DEFAULT_BASE
        is_reached = kind == "reach" and is_within(path, taken)
        if not is_reached and not routes.holders(("route", *gateway, path)):
            return path
    return None
