"""What all releases together have taken: names, quota, and where they are reached."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sluice.core.capacity.kept import kept
from sluice.core.capacity.quota import Use
from sluice.core.catalog.entries import Catalog
from sluice.core.checks.claims import Claims, claims_of
from sluice.core.checks.route_claims import routes_of
from sluice.core.pipeline.specs import Specs


@dataclass(frozen=True, slots=True)
class Standing:
    """What the releases of an environment have taken of its names and of its quota."""

    claims: Claims = field(default_factory=Claims)
    use: Use = field(default_factory=Use)


@kept
def standings(specs: Specs, catalog: Catalog) -> Mapping[str, Standing]:
    """By environment; of specs that were made from others only what is new is counted."""
    found = dict(standings(specs.origin, catalog)) if specs.origin else {}
    for name, moved in specs.moves().items():
        before = found.get(name, Standing())
        claims = before.claims.changed(moved.gone, moved.come, claims_of)
        found[name] = Standing(claims, before.use.changed(moved.gone, moved.come, catalog))
    return found


@kept
def route_claims(specs: Specs, catalog: Catalog) -> Claims:
    """Where releases are reached; gateways may be shared by environments. Counted as standings."""
    before = route_claims(specs.origin, catalog) if specs.origin else Claims()
    moves = specs.moves().values()
    gone = [release for moved in moves for release in moved.gone]
    come = [release for moved in moves for release in moved.come]
    return before.changed(gone, come, routes_of)
