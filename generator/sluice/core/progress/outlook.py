"""What a rollout will take: steps, requests that meet the new version, device-hours and cost."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sluice.core.capacity.allotment import devices
from sluice.core.capacity.quota import least_replicas, left_over, most_replicas, quota_of
from sluice.core.catalog.entries import Catalog
from sluice.core.plan.cost import hourly_price
from sluice.core.rollout.file import plan_of
from sluice.core.rollout.model import FULL
from sluice.core.specs.resolve import Release
from sluice.core.tree import Specs, standings

HOUR = 3600


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of a rollout.

    `least` and `longest` are seconds; `requests` is what the new version gets in the least time.
    `devices` come on top of those of one version; `hours` are device-hours in the least time, and
    `cost` is theirs, None where the price is not known.
    """

    name: str
    weight: int
    least: int
    longest: int
    requests: float
    devices: int
    hours: float
    cost: float | None
    manual: bool = False


@dataclass(frozen=True, slots=True)
class Outlook:
    """All stages; the environment's quota, and what is left of it while both versions run."""

    stages: tuple[Stage, ...]
    accelerator: str
    quota: Mapping[str, int]
    left: Mapping[str, int]

    @property
    def fits(self) -> bool:
        """Whether the quota holds, each release at its greatest size."""
        return all(count >= 0 for count in self.left.values())


def outlook(release: Release, specs: Specs, catalog: Catalog, rate: float) -> Outlook:
    """What a rollout of this release takes.

    Args:
        release: the release, as it is to be.
        specs: all specs, for the quota.
        catalog: prices.
        rate: requests a second, over both versions.
    """
    use = standings(specs, catalog)[release.key.environment].use
    if release.rollout is None:  # a second version comes beside the one that is counted
        use = use.changed((), (release,), catalog)
    return Outlook(
        tuple(_stages(release, catalog, rate)),
        release.value("accelerator.name"),
        quota_of(release.environment),
        left_over(release.environment, use),
    )


def _stages(release: Release, catalog: Catalog, rate: float) -> Iterator[Stage]:
    plan = plan_of(release.spec)
    price = hourly_price(release.environment, release.spec, catalog)

    def stage(
        name: str, weight: int, times: tuple[int, int], held: int, *, manual: bool = False
    ) -> Stage:
        least, longest = times
        hours = held * least / HOUR
        requests = rate * least * weight / FULL
        cost = None if price is None else hours * price
        return Stage(name, weight, least, longest, requests, held, hours, cost, manual=manual)

    yield stage("warming", 0, (0, plan.warming), _candidate(release, 0))
    for index, step in enumerate(plan.steps):
        held = _candidate(release, step.weight)
        times = step.soak, step.longest
        yield stage(f"step {index + 1}", step.weight, times, held, manual=step.manual)
    window = plan.rollback_window
    yield stage("promoting", FULL, (window, window), _candidate(release, 0))


def _candidate(release: Release, weight: int) -> int:
    """Devices of a second version: its fixed replicas, or as many as its share asks for."""
    least, most = least_replicas(release.spec), most_replicas(release.spec)
    replicas: int = max(least, math.ceil(weight * most / FULL))
    return replicas * devices(release.spec)
