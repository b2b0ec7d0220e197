"""Devices and money that releases, teams and environments use, at least, at most, in a rollout."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from sluice.core.capacity.allotment import allotment, devices
from sluice.core.capacity.kept import kept
from sluice.core.capacity.quota import has_room
from sluice.core.catalog.entries import Catalog
from sluice.core.layout import Key
from sluice.core.pipeline import Specs
from sluice.core.specs.records import ReleaseSpec
from sluice.core.specs.resolve import Environment, Release, Variant

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

    @property
    def devices(self) -> tuple[int, int, int]:
        """At the least, at the most, in a rollout."""
        return self.least_devices, self.most_devices, self.rollout_devices

    @property
    def costs(self) -> tuple[float | None, float | None, float | None]:
        """Likewise."""
        return self.least_cost, self.most_cost, self.rollout_cost

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


@dataclass(frozen=True, slots=True)
class Tally:
    """Totals of many releases, exact, so that one of them can be taken out again.

    `devices` and `costs` are at the least, at the most and in a rollout; `unpriced` how many
    releases have each accelerator whose price is not known.
    """

    devices: tuple[int, int, int] = (0, 0, 0)
    costs: tuple[Fraction, Fraction, Fraction] = (Fraction(0), Fraction(0), Fraction(0))
    unpriced: Mapping[str, int] = field(default_factory=dict)

    def plus(self, totals: Totals, times: int = 1) -> "Tally":
        """With a release as well, or with -1 times without it."""
        names = Counter(self.unpriced)
        names.update(dict.fromkeys(totals.unpriced, times))
        devices = zip(self.devices, totals.devices, strict=True)
        costs = zip(self.costs, totals.costs, strict=True)
        least, most, changing = (a + times * b for a, b in devices)
        cheapest, dearest, both = (a + times * Fraction(b or 0) for a, b in costs)
        return Tally((least, most, changing), (cheapest, dearest, both), +names)

    def totals(self) -> Totals:
        """Rounded once."""
        if self.unpriced:
            return Totals(*self.devices, None, None, None, tuple(sorted(self.unpriced)))
        least, most, changing = map(float, self.costs)
        return Totals(*self.devices, least, most, changing)


@kept
def tallies(specs: Specs, catalog: Catalog) -> Mapping[str, Tally]:
    """Of each environment and team, by `env` and `env/team`; see `standings`."""
    found = dict(tallies(specs.origin, catalog)) if specs.origin else {}
    for name, moved in specs.moves().items():
        for times, releases in ((-1, moved.gone), (1, moved.come)):
            for release in releases:
                totals = release_totals(release, catalog)
                for scope in (name, f"{name}/{release.key.team}"):
                    found[scope] = found.get(scope, Tally()).plus(totals, times)
    return found


def totals_by_scope(
    specs: Specs, catalog: Catalog, keys: Collection[Key] | None = None
) -> dict[str, Totals]:
    """Totals of each environment, team and release: by `env`, `env/team`, `env/team/release`.

    With `keys`, of the environments and of what these releases belong to.
    """
    known, wanted = tallies(specs, catalog), specs.releases if keys is None else keys
    names = {*specs.environments, *(f"{key.environment}/{key.team}" for key in wanted)}
    found = {name: known.get(name, Tally()).totals() for name in names}
    present = {key: specs.releases[key] for key in wanted if key in specs.releases}
    return found | {str(key): release_totals(r, catalog) for key, r in present.items()}


@kept
def release_totals(release: Release, catalog: Catalog) -> Totals:
    """Devices and cost of one release, both versions counted while it is being rolled out."""
    now = Totals()
    for variant in release.variants:
        spec = variant.spec
        least, most = spec.scaling.least, spec.scaling.most
        room = has_room(release.environment, spec, catalog)
        changing = most if release.rollout else most_in_rollout(variant, room=room)
        now += _totals(release.environment, spec, catalog, (least, most, changing))
    return now


def most_in_rollout(variant: Variant, *, room: bool) -> int:
    """Replicas at most while a new version takes over: of both, or one more than usual."""
    strategy, most = variant.takeover.strategy, variant.spec.scaling.most
    if strategy.has_candidate:
        return 2 * most
    return most if strategy.stops_first else most + int(room)


def hourly_price(environment: Environment, spec: ReleaseSpec, catalog: Catalog) -> float | None:
    """Price of one device, or of one share, for an hour; None when it is not known.

    The environment's word goes before the catalog's.
    """
    name = spec.accelerator.name
    entry, given = catalog.accelerator(name), allotment(spec, catalog)
    price = environment.spec.accelerators.prices.get(name, entry.price_per_hour if entry else None)
    return None if price is None else float(price) * float(given.part if given else 1)


def _totals(
    environment: Environment, spec: ReleaseSpec, catalog: Catalog, replicas: tuple[int, int, int]
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
        (spec.accelerator.name,) if price is None else (),
    )


def _times(count: int, price: float | None) -> float | None:
    return None if price is None else count * price


def _sum(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other


def between(least: object, most: object) -> str:
    """`1 to 4`, or the one when both are the same."""
    return str(least) if least == most else f"{least} to {most}"


def money(amount: float | None) -> str:
    """A cost an hour and a month."""
    if amount is None:
        return "unknown"
    return f"{amount:.2f}/h ({amount * HOURS_PER_MONTH:,.0f}/month)"
