"""What a rollout will take: steps, requests that meet the new version, device-hours and cost."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from sluice.core.catalog import Catalog
from sluice.core.fit import devices, least_replicas, most_replicas
from sluice.core.plan import environment_totals, hourly_price
from sluice.core.resolve import Release
from sluice.core.rollout_file import plan_of
from sluice.core.rollout_model import FULL
from sluice.core.tree import Specs

HOUR = 3600


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of a rollout.

    `least` and `longest` are seconds; `requests` is what the new version gets in the least time.
    `devices` come on top of those of one version; `hours` are device-hours in the least time.
    """

    name: str
    weight: int
    least: int
    longest: int
    requests: float
    devices: int
    hours: float
    cost: float
    manual: bool = False


@dataclass(frozen=True, slots=True)
class Outlook:
    """All stages, and the devices of the environment at the greatest scale against its quota."""

    stages: tuple[Stage, ...]
    accelerator: str
    most_devices: int
    quota: int | None

    @property
    def fits(self) -> bool:
        """Whether the quota holds while both versions run."""
        return self.quota is None or self.most_devices <= self.quota


def outlook(release: Release, specs: Specs, catalog: Catalog, rate: float) -> Outlook:
    """What a rollout of this release takes.

    Args:
        release: the release, as it is to be.
        specs: all specs, for the quota.
        catalog: prices.
        rate: requests a second, over both versions.
    """
    most = environment_totals(specs, release.key.environment, catalog).most_devices
    if release.rollout is None:  # a second version comes beside the one that is counted
        most += most_replicas(release.spec) * devices(release.spec)
    quota = release.environment.spec.get("accelerators", {}).get("quota")
    return Outlook(
        tuple(_stages(release, catalog, rate)),
        release.value("accelerator.name"),
        most,
        None if quota is None else int(quota),
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
        return Stage(
            name, weight, least, longest, requests, held, hours, hours * price, manual=manual
        )

    yield stage("warming", 0, (0, plan.warming), _candidate(release, 0))
    for index, step in enumerate(plan.steps):
        held = _candidate(release, step.weight)
        times = step.soak, step.longest
        yield stage(f"step {index}", step.weight, times, held, manual=step.manual)
    window = plan.rollback_window
    yield stage("promoting", FULL, (window, window), _candidate(release, 0))


def _candidate(release: Release, weight: int) -> int:
    """Devices of a second version: its fixed replicas, or as many as its share asks for."""
    least, most = least_replicas(release.spec), most_replicas(release.spec)
    return max(least, math.ceil(weight * most / FULL)) * devices(release.spec)
