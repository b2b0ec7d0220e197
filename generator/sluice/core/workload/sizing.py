"""What a pod asks for, and how long it may take to start, by the size of its weights."""

import math
from dataclasses import dataclass
from typing import Any

from sluice.core.capacity.allotment import Allotment, allotment
from sluice.core.capacity.fit import architecture_of
from sluice.core.catalog.devices import Accelerator
from sluice.core.catalog.entries import Catalog, Engine
from sluice.core.memory.preflight import GIB
from sluice.core.memory.weights import weight_bytes
from sluice.core.specs.capacity_records import Bounds, Resources
from sluice.core.specs.records import ReleaseSpec
from sluice.core.specs.resolve import Variant
from sluice.core.units import amount, canonical
from sluice.core.workload import fetching
from sluice.core.workload.sources import Source

READ_BYTES_PER_SECOND = 200_000_000
"""A network volume that is busy with other replicas; a cold read of the weights sets the pace."""
UNKNOWN_SIZE_BUDGET = 1800
"""Seconds; half an hour loads 70 billion parameters from such a volume."""
PULL_ALLOWANCE = 600
"""Seconds for pulling an engine's image, some ten gigabytes, before the first probe."""
CPU_PER_DEVICE = 4
MEMORY_PER_DEVICE = 16
"""GiB; a process for each device with its libraries, and the shards that are being read."""
SCRATCH = 10
"""GiB of the node's disk for caches of compiled kernels and logs."""
STARTUP_PERIOD = 10


@dataclass(frozen=True)
class Parts:
    """A variant with its catalog entries."""

    variant: Variant
    engine: Engine
    accelerator: Accelerator
    given: Allotment
    source: Source


def parts_of(variant: Variant, catalog: Catalog) -> Parts:
    """Look up what a variant names; the checks have seen to it that all of it exists."""
    asked = variant.spec.engine
    engine = catalog.engine(asked.name, asked.version)
    accelerator = catalog.accelerator(variant.spec.accelerator.name)
    given = allotment(variant.spec, catalog)
    if engine is None or accelerator is None or given is None:
        raise LookupError("an entry of the catalog is missing")
    return Parts(variant, engine, accelerator, given, fetching.model_source(variant.spec, engine))


def requests(parts: Parts, shared: str | None, catalog: Catalog) -> Resources:
    """What a container asks for where the release says nothing: without, any node seems to fit.

    A part of the weights is read at a time, so memory grows with the devices that are filled and
    not with the model; what lies in /dev/shm counts as memory. Weights that are fetched lie on the
    node's disk unless a volume keeps them.
    """
    spec = parts.variant.spec
    count = spec.accelerator.count
    kept = parts.source.streamed or parts.source.volume or spec.weights.cache
    size = 0 if kept else weights(spec, catalog) or 0
    memory = count * MEMORY_PER_DEVICE + int(amount(shared or "0") / GIB)
    return Resources(
        cpu=Bounds(request=str(count * CPU_PER_DEVICE)),
        memory=Bounds(request=f"{memory}Gi"),
        ephemeral_storage=Bounds(request=f"{SCRATCH + math.ceil(size / GIB)}Gi"),
    )


def resources(
    spec: ReleaseSpec, given: Allotment | None, defaults: Resources
) -> dict[str, dict[str, str]]:
    """What a container asks for; one that only fetches has no use for devices."""
    own = spec.resources
    asked = {
        "cpu": own.cpu or defaults.cpu or Bounds(),
        "memory": own.memory or defaults.memory or Bounds(),
        "ephemeral-storage": own.ephemeral_storage or defaults.ephemeral_storage or Bounds(),
    }
    found = {
        "requests": {n: canonical(b.request) for n, b in asked.items() if b.request is not None},
        "limits": {n: canonical(b.limit) for n, b in asked.items() if b.limit is not None},
    }
    if given is not None:
        for amounts in found.values():
            amounts.update(given.resources)
    return found


def probes(parts: Parts, catalog: Catalog, wait: int) -> dict[str, Any]:
    spec = parts.variant.spec
    budget = startup_budget(spec, parts.engine, catalog)
    fetching_time = _reading_time(spec, catalog) if parts.source.fetched else 0
    return {
        "startup_failures": math.ceil(budget / STARTUP_PERIOD),
        "startup_period": STARTUP_PERIOD,
        "liveness_timeout": spec.probes.liveness_timeout,
        "progress_deadline": wait + budget + PULL_ALLOWANCE + fetching_time,
    }


def startup_budget(spec: ReleaseSpec, engine: Engine, catalog: Catalog) -> int:
    """Seconds that a replica may take to answer for the first time.

    Twice the time to read the weights, and twice the engine's own start, rounded up to whole
    probe periods; a written budget wins.
    """
    if spec.probes.startup_budget is not None:
        return spec.probes.startup_budget
    size = weights(spec, catalog)
    if size is None:
        return UNKNOWN_SIZE_BUDGET
    budget = 2 * (size / READ_BYTES_PER_SECOND + engine.startup_seconds)
    return math.ceil(budget / STARTUP_PERIOD) * STARTUP_PERIOD


def _reading_time(spec: ReleaseSpec, catalog: Catalog) -> int:
    """Seconds that an init container may take, before the probes begin."""
    size = weights(spec, catalog)
    return UNKNOWN_SIZE_BUDGET if size is None else math.ceil(2 * size / READ_BYTES_PER_SECOND)


def weights(spec: ReleaseSpec, catalog: Catalog) -> int | None:
    """Bytes of the weights, when the architecture and the size of a weight are known."""
    architecture = architecture_of(spec, catalog)
    if architecture is None:
        return None
    try:
        return weight_bytes(architecture, spec.serving.quantization, spec.serving.dtype)
    except ValueError:  # a quantization whose size is not known
        return None
