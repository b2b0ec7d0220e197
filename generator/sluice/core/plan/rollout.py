"""What a rollout will take: steps, requests that meet the new version, device-hours and cost."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from sluice.core.capacity.allotment import devices
from sluice.core.capacity.quota import (
    has_room,
    left_over,
    quota_of,
)
from sluice.core.catalog.entries import Catalog
from sluice.core.pipeline import Specs, standings
from sluice.core.plan.cost import hourly_price
from sluice.core.specs.resolve import Release
from sluice.core.specs.rollout_plan import FULL, plan_of

HOUR = 3600


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of a rollout.

    `least` and `longest` are seconds; `requests` is what the new version gets in the least time.
    `devices` come on top of those of one version; `hours` are device-hours in the least time, and
    `cost` is theirs, None where the price is not known. `copies` are requests that the new version
    gets too, and whose answers nobody sees.
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
    copies: float = 0.0


@dataclass(frozen=True, slots=True)
class Outlook:
    """All stages; the environment's quota, and what is left of it while both versions run.

    `notes` say what numbers do not.
    """

    stages: tuple[Stage, ...]
    accelerator: str
    quota: Mapping[str, int]
    left: Mapping[str, int]
    notes: tuple[str, ...] = ()

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
    side_by_side = release.takeover.strategy.has_candidate
    if release.rollout is None and side_by_side:  # a second version comes beside the one counted
        use = use.changed((), (release,), catalog)
    return Outlook(
        tuple(_stages(release, catalog, rate) if side_by_side else _replacing(release, catalog)),
        release.spec.accelerator.name,
        quota_of(release.environment),
        left_over(release.environment, use),
        tuple(_notes(release)),
    )


def _replacing(release: Release, catalog: Catalog) -> Iterator[Stage]:
    """Kubernetes replaces pods: all requests meet the new version as soon as it is ready."""
    spec, price = release.spec, hourly_price(release.environment, release.spec, catalog)
    stops_first = release.takeover.strategy.stops_first
    more = not stops_first and has_room(release.environment, spec, catalog)
    held = devices(spec) if more else 0
    yield Stage("replacing", FULL, 0, 0, 0.0, held, 0.0, None if price is None else 0.0)


def _notes(release: Release) -> Iterator[str]:
    strategy, mover = release.takeover.strategy, release.takeover.controller
    if strategy.stops_first:
        yield "it is down until new replicas are ready: the old ones stop first"
    if not strategy.has_candidate:
        yield "nothing is judged: every request meets the new version once it is ready"
    if mover is not None:
        yield from (f"{mover.name}: {note}" for note in mover.notes)


def _stages(release: Release, catalog: Catalog, rate: float) -> Iterator[Stage]:
    plan, mover = plan_of(release.spec), release.takeover.controller
    price = hourly_price(release.environment, release.spec, catalog)
    mirrored = _mirrored(release)

    def stage(name: str, weight: int, times: tuple[int, int], held: int) -> Stage:
        least, longest = times
        hours = held * least / HOUR
        requests = rate * least * weight / FULL
        cost = None if price is None else hours * price
        return Stage(name, weight, least, longest, requests, held, hours, cost)

    shares = [*(step.weight for step in plan.steps), FULL]
    first = 0 if mover is not None else shares[0]
    yield stage("warming", 0, (0, plan.warming), _candidate(release, first))
    for index, step in enumerate(plan.steps):
        share = step.weight if mover is not None else shares[index + 1]
        held = _candidate(release, max(share, mirrored))
        longest = step.longest if mover is None or step.manual else step.soak
        found = stage(f"step {index + 1}", step.weight, (step.soak, longest), held)
        copies = rate * step.soak * mirrored / FULL
        yield replace(found, manual=step.manual, copies=copies)
    if mover is not None and mover.copies_stable:
        yield stage("copying", FULL, (0, plan.warming), _candidate(release, 0))
    else:
        window = plan.rollback_window
        kept = 0 if mover is not None else FULL
        yield stage("promoting", FULL, (window, window), _candidate(release, kept))


def _mirrored(release: Release) -> int:
    """Percent of the requests of which the new version gets copies."""
    copies = release.takeover.strategy.copies
    return release.spec.rollout.mirror if copies else 0


def _candidate(release: Release, share: int) -> int:
    """Devices of a second version: its fixed replicas, or at most as many as a share asks for.

    Replicas come before the weight, so a step has those of the next one, and the version that is
    kept warm has what everything takes.

    A controller that replaces the workload by one of its own starts no more than the share asks.
    """
    spec, mover = release.spec, release.takeover.controller
    follows = mover is not None and not mover.copies_stable
    by_share = follows and release.takeover.strategy.is_weighted
    least = 1 if by_share else spec.scaling.least
    replicas: int = max(least, math.ceil(share * spec.scaling.most / FULL))
    return replicas * devices(spec)
