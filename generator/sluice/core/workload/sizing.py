"""What a pod asks for, and how long it may take to start, by the size of its weights."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sluice.core.capacity.allotment import Allotment, allotment
from sluice.core.capacity.fit import architecture_of
from sluice.core.catalog.devices import Accelerator
from sluice.core.catalog.entries import Catalog, Engine
from sluice.core.memory.preflight import GIB
from sluice.core.memory.weights import weight_bytes
from sluice.core.specs.resolve import Variant, lookup
from sluice.core.units import amount, canonical, seconds
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
_RESOURCES = {"cpu": "cpu", "memory": "memory", "ephemeralStorage": "ephemeral-storage"}


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
    asked = variant.spec["engine"]
    engine = catalog.engine(asked["name"], asked["version"])
    accelerator = catalog.accelerator(variant.spec["accelerator"]["name"])
    given = allotment(variant.spec, catalog)
    if engine is None or accelerator is None or given is None:
        raise LookupError("an entry of the catalog is missing")
    return Parts(variant, engine, accelerator, given, fetching.model_source(variant.spec, engine))


def requests(parts: Parts, shared: str | None, catalog: Catalog) -> dict[str, Any]:
    """What a container asks for where the release says nothing: without, any node seems to fit.

    A part of the weights is read at a time, so memory grows with the devices that are filled and
    not with the model; what lies in /dev/shm counts as memory. Weights that are fetched lie on the
    node's disk unless a volume keeps them.
    """
    spec = parts.variant.spec
    count = int(lookup(spec, "accelerator.count", 1))
    kept = parts.source.streamed or parts.source.volume or lookup(spec, "weights.cache")
    size = 0 if kept else weights(spec, catalog) or 0
    memory = count * MEMORY_PER_DEVICE + int(amount(shared or "0") / GIB)
    return {
        "cpu": {"request": str(count * CPU_PER_DEVICE)},
        "memory": {"request": f"{memory}Gi"},
        "ephemeralStorage": {"request": f"{SCRATCH + math.ceil(size / GIB)}Gi"},
    }


def resources(
    spec: Mapping[str, Any], given: Allotment | None, defaults: Mapping[str, Any]
) -> dict[str, dict[str, str]]:
    """What a container asks for; one that only fetches has no use for devices."""
    asked = {**defaults, **spec.get("resources", {})}
    found: dict[str, dict[str, str]] = {}
    for bound, key in (("requests", "request"), ("limits", "limit")):
        found[bound] = {
            name: canonical(asked[field][key])
            for field, name in _RESOURCES.items()
            if key in asked.get(field, {})
        }
        if given is not None:
            found[bound] |= given.resources
    return found


def probes(parts: Parts, catalog: Catalog, wait: int) -> dict[str, Any]:
    spec = parts.variant.spec
    budget = startup_budget(spec, parts.engine, catalog)
    fetching_time = _reading_time(spec, catalog) if parts.source.fetched else 0
    return {
        "startup_failures": math.ceil(budget / STARTUP_PERIOD),
        "startup_period": STARTUP_PERIOD,
        "liveness_timeout": seconds(lookup(spec, "probes.livenessTimeout", "10s")),
        "progress_deadline": wait + budget + PULL_ALLOWANCE + fetching_time,
    }


def startup_budget(spec: Mapping[str, Any], engine: Engine, catalog: Catalog) -> int:
    """Seconds that a replica may take to answer for the first time.

    Twice the time to read the weights, and twice the engine's own start, rounded up to whole
    probe periods; a written budget wins.
    """
    written = lookup(spec, "probes.startupBudget")
    if written:
        return seconds(written)
    size = weights(spec, catalog)
    if size is None:
        return UNKNOWN_SIZE_BUDGET
    budget = 2 * (size / READ_BYTES_PER_SECOND + engine.startup_seconds)
    return math.ceil(budget / STARTUP_PERIOD) * STARTUP_PERIOD


def _reading_time(spec: Mapping[str, Any], catalog: Catalog) -> int:
    """Seconds that an init container may take, before the probes begin."""
    size = weights(spec, catalog)
    return UNKNOWN_SIZE_BUDGET if size is None else math.ceil(2 * size / READ_BYTES_PER_SECOND)


def weights(spec: Mapping[str, Any], catalog: Catalog) -> int | None:
    """Bytes of the weights, when the architecture and the size of a weight are known."""
    architecture, serving = architecture_of(spec, catalog), spec.get("serving", {})
    if architecture is None:
        return None
    try:
        quantization, dtype = serving.get("quantization", ""), serving.get("dtype", "auto")
        return weight_bytes(architecture, quantization, dtype)
    except ValueError:  # a quantization whose size is not known
        return None
