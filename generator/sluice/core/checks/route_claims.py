"""Releases that get in each other's way at a gateway, in whichever environments they are."""

from collections.abc import Collection, Iterator, Sequence

from sluice.core.checks.claims import Claim, Claims
from sluice.core.finding import Finding
from sluice.core.paths import DEFAULT_BASE, outer_paths
from sluice.core.specs.resolve import Release
from sluice.core.workload.addresses import address_of, passed_over, taken_first


def routes_of(release: Release) -> Iterator[Claim]:
    """What only one release behind a gateway can have, in whichever environment it is.

    `route` is its address; `first` the path whose requests its rules take before more exact ones;
    `reach` that path, and each from which its own requests may be taken so.
    """
    address = address_of(release)
    if address is None:
        return
    where = (*address.gateway, address.host)
    yield "route", *where, address.path
    taken = taken_first(release, address)
    if taken is not None:
        yield "first", *where, taken
    for path in sorted({*passed_over(address), *([taken] if taken else [])}):
        yield "reach", *where, path


def check_routes(routes: Claims, environments: Collection[str]) -> Iterator[Finding]:
    """What is wrong between releases behind one gateway, where it concerns these environments."""
    for claim in routes.contested:
        check = {"route": _same_route, "reach": _nested_route}.get(claim[0])
        if check is not None:
            yield from check(routes, claim, environments)


def _same_route(routes: Claims, claim: Claim, environments: Collection[str]) -> Iterator[Finding]:
    *_, host, path = claim
    first, *others = routes.holders(claim)
    if not _concern([first, *others], environments):
        return
    for release in others:
        message = f"{first.key} is reached at {host}{path} too"
        yield _collision(routes, claim, release, message)


def _nested_route(routes: Claims, claim: Claim, environments: Collection[str]) -> Iterator[Finding]:
    """Releases within the path of another one, whose rules the gateway may take first."""
    _, *where, host, path = claim
    outer = routes.holders(("first", *where, host, path))
    if not outer or not _concern(routes.holders(claim), environments):
        return
    for release in routes.holders(claim):
        others = [other for other in outer if other is not release]
        address = address_of(release)
        # Of two with one address another finding speaks.
        if others and address is not None and address.path != path:
            message = f"a rule of {others[0].key} for {host}{path} may take its requests"
            yield _collision(routes, claim, release, message)


def _concern(holders: Sequence[Release], environments: Collection[str]) -> bool:
    return any(holder.key.environment in environments for holder in holders)


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
    """A path at the same host that no release has, and where no other's rules come first."""
    _, *where, _ = claim
    key = release.key
    for names in ([key.name], [key.environment, key.name], key):
        path = "/" + "/".join(names) + DEFAULT_BASE
        is_passed_over = any(routes.holders(("first", *where, one)) for one in outer_paths(path))
        if not is_passed_over and not routes.holders(("route", *where, path)):
            return path
    return None
