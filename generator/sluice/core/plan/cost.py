"""Devices and money that releases, teams and environments use, at least, at most, in a rollout."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sluice.core.capacity.allotment import allotment, devices
from sluice.core.capacity.kept import kept
from sluice.core.capacity.quota import has_room, least_replicas, most_replicas
from sluice.core.catalog.entries import Catalog
from sluice.core.layout import Key
from sluice.core.specs.resolve import Environment, Release, Spec, lookup
from sluice.core.tree import Specs

HOURS_PER_MONTH = 730


@dataclass(frozen=True, slots=True)
class Totals:
    """Devices, and cost in the catalog's currency an hour; a share of a device is one device here.

    At the least and the greatest number of replicas, all versions together that run, and at most
    while a new version takes over. A cost is None when the price of an accelerator among them is
    not known; `unpriced` names those.
    """

    least_devices: int = 0
    most_devices: int = 0
    rollout_devices: int = 0
    least_cost: float | None = 0.0
    most_cost: float | None = 0.0
    rollout_cost: float | None = 0.0
    unpriced: tuple[str, ...] = ()

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(
            self.least_devices + other.least_devices,
            self.most_devices + other.most_devices,
            self.rollout_devices + other.rollout_devices,
            _sum(self.least_cost, other.least_cost),
            _sum(self.most_cost, other.most_cost),
            _sum(self.rollout_cost, other.rollout_cost),
            tuple(sorted({*self.unpriced, *other.unpriced})),
        )


def totals_by_scope(
    specs: Specs, catalog: Catalog, only: Collection[Key] | None = None
) -> dict[str, Totals]:
    """Totals of each environment, team and release: by `env`, `env/team`, `env/team/release`.

    With `only`, of the environments and of what these releases belong to.
    """
    parts: dict[str, list[Totals]] = {name: [] for name in specs.environments}
    teams = None if only is None else {(key.environment, key.team) for key in only}
    for key, release in sorted(specs.releases.items()):
        own = release_totals(release, catalog)
        parts.setdefault(key.environment, []).append(own)
        if teams is None or (key.environment, key.team) in teams:
            parts.setdefault(f"{key.environment}/{key.team}", []).append(own)
        if only is None or key in only:
            parts[str(key)] = [own]
    return {scope: _together(totals) for scope, totals in parts.items()}


def _together(totals: Sequence[Totals]) -> Totals:
    return Totals(
        sum(each.least_devices for each in totals),
        sum(each.most_devices for each in totals),
        sum(each.rollout_devices for each in totals),
        _sums(each.least_cost for each in totals),
        _sums(each.most_cost for each in totals),
        _sums(each.rollout_cost for each in totals),
        tuple(sorted({name for each in totals for name in each.unpriced})),
    )


def _sums(costs: Iterable[float | None]) -> float | None:
    """The sum in this order; unknown if one of them is."""
    total = 0.0
    for cost in costs:
        if cost is None:
            return None
        total += cost
    return total


@kept
def release_totals(release: Release, catalog: Catalog) -> Totals:
    """Devices and cost of one release, both versions counted while it is being rolled out."""
    now = Totals()
    for variant in release.variants:
        spec = variant.spec
        least, most = least_replicas(spec), most_replicas(spec)
        room = has_room(release.environment, spec, catalog)
        changing = most if release.rollout else most_in_rollout(spec, room=room)
        now += _totals(release.environment, spec, catalog, (least, most, changing))
    return now


def most_in_rollout(spec: Spec, *, room: bool) -> int:
    """Replicas at most while a new version takes over: of both, or one more than usual."""
    strategy, most = lookup(spec, "rollout.strategy", "rolling"), most_replicas(spec)
    if strategy == "recreate":
        return most
    return most + int(room) if strategy == "rolling" else 2 * most


def hourly_price(
    environment: Environment, spec: Mapping[str, Any], catalog: Catalog
) -> float | None:
    """Price of one device, or of one share, for an hour; None when it is not known.

    The environment's word goes before the catalog's.
    """
    name = lookup(spec, "accelerator.name", "")
    entry, given = catalog.accelerator(name), allotment(spec, catalog)
    own = lookup(environment.spec, "accelerators.prices", {})
    price = own.get(name, entry.price_per_hour if entry else None)
    return None if price is None else float(price) * float(given.part if given else 1)


def _totals(
    environment: Environment, spec: Spec, catalog: Catalog, replicas: tuple[int, int, int]
) -> Totals:
    price = hourly_price(environment, spec, catalog)
    least, most, changing = (number * devices(spec) for number in replicas)
    return Totals(
        least,
        most,
        changing,
        _times(least, price),
        _times(most, price),
        _times(changing, price),
        (lookup(spec, "accelerator.name", ""),) if price is None else (),
    )


def _times(count: int, price: float | None) -> float | None:
    return None if price is None else count * price


def _sum(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other


def money(amount: float | None) -> str:
    """A cost an hour and a month."""
    if amount is None:
        return "unknown"
    return f"{amount:.2f}/h ({amount * HOURS_PER_MONTH:,.0f}/month)"
