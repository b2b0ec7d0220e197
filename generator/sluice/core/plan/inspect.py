"""Computed facts of a release: how it is called, what memory it needs, what it costs."""

import shlex
from collections.abc import Callable, Mapping
from typing import Any

from sluice.core.capacity.allotment import devices
from sluice.core.capacity.fit import architecture_of, enough, fitting
from sluice.core.capacity.parallel import parallel_of
from sluice.core.catalog.entries import Catalog, Engine
from sluice.core.memory.architecture import Architecture
from sluice.core.memory.preflight import kv_bytes_per_token
from sluice.core.memory.weights import parameter_count, weight_bytes
from sluice.core.outgoing import lines_of
from sluice.core.plan.cost import HOURS_PER_MONTH, Totals, between, money, release_totals
from sluice.core.specs.records import ReleaseSpec
from sluice.core.specs.resolve import Release, Variant
from sluice.core.units import bytes_text
from sluice.core.workload import sizing, values
from sluice.core.workload.arguments import group, invocation
from sluice.core.workload.calling import image

_CENTS = 2
_QUANTIZATION = "serving.quantization"
_SIZES = (
    "parameters",
    "weightBytes",
    "kvBytesPerToken",
    "fits",
    "maxConcurrency",
    "maxLength",
    "deviceBytes",
    "deviceWeightBytes",
    "overheadBytes",
    "freeBytes",
    "sequenceBytes",
    "largestLength",
    "smallestCount",
)
"""Of `memory`; all are always there."""


def facts(
    release: Release,
    catalog: Catalog,
    *,
    scopes: Mapping[str, Totals] | None = None,
) -> dict[str, Any]:
    """All of it, as JSON has it; bytes are whole numbers, None is what is not known.

    `memory.weightBytes` is of all devices together, the other sizes are of one device. Cost is that
    of both versions during a rollout, an hour and a month, at the least and the greatest scale.
    The release has passed its checks, those of memory excepted.

    Args:
        release: whose facts these are.
        catalog: engines and accelerators.
        scopes: totals of what is around it, its team for instance, by name.
    """
    newest = release.variants[-1]
    found = {"version": 1, "release": str(release.key), **_of_variant(release, newest, catalog)}
    if release.stable is not None:
        found["stable"] = _of_variant(release, release.variants[0], catalog)
    totals = release_totals(release, catalog)
    around = {name: cost(each) for name, each in (scopes or {}).items()}
    return found | {"cost": {**cost(totals), **around}}


def _of_variant(release: Release, variant: Variant, catalog: Catalog) -> dict[str, Any]:
    parts = sizing.parts_of(variant, catalog)
    spec, engine = variant.spec, parts.engine
    called = invocation(engine, spec, parts.source, values.served_name(release, spec))
    leader, worker = group(engine, spec, called)
    return {
        "model": {"name": spec.model.name, "version": variant.version},
        "engine": {
            "name": engine.name,
            "version": spec.engine.version,
            "memoryFractionOf": engine.fraction_of,
        },
        "image": image(engine, parts.accelerator, spec),
        "command": leader,
        **({"workerCommand": worker} if worker else {}),
        "environment": dict(called.environment),
        "secrets": {name: dict(key) for name, key in called.secrets.items()},
        "config": called.config,
        "accelerator": {
            "name": parts.accelerator.name,
            "count": devices(spec),
            "share": spec.written("accelerator.share"),
            "resources": dict(parts.given.resources),
        },
        "parallel": _spread(spec),
        "memory": memory(spec, catalog),
    }


def _spread(spec: ReleaseSpec) -> dict[str, Any]:
    spread = parallel_of(spec)
    return {
        "nodes": spread.nodes,
        "tensor": spread.tensor,
        "pipeline": spread.pipeline,
        "data": spread.data,
        "expert": spread.expert,
    }


def memory(spec: ReleaseSpec, catalog: Catalog) -> dict[str, Any]:
    """What the model takes and what is left; None is not known, and `unknown` says why."""
    found: dict[str, Any] = {**dict.fromkeys(_SIZES), "problems": [], "unknown": ""}
    architecture = architecture_of(spec, catalog)
    if architecture is None:
        return {**found, "unknown": "name the model's architecture in model.architecture"}
    engine = catalog.engine(spec.engine.name, spec.engine.version)
    judged = fitting(spec, architecture, catalog)
    found |= {
        "parameters": parameter_count(architecture),
        "weightBytes": _weight_bytes(spec, architecture, engine),
        "kvBytesPerToken": _known(kv_bytes_per_token, architecture, *_cache_layout(spec, catalog)),
        "maxLength": spec.serving.max_model_len or architecture.max_length,
    }
    if judged is None:
        return {**found, "unknown": _reason(found, engine)}
    return {
        **found,
        "fits": judged.fits,
        "maxConcurrency": judged.sequences * parallel_of(spec).data,
        "deviceBytes": judged.budget.total,
        "deviceWeightBytes": judged.budget.weights,
        "overheadBytes": judged.budget.overhead,
        "freeBytes": judged.budget.cache,
        "sequenceBytes": judged.sequence_bytes,
        "largestLength": judged.largest_length,
        "smallestCount": enough(judged, parallel_of(spec)),
        "problems": list(judged.problems),
    }


def _weight_bytes(
    spec: ReleaseSpec, architecture: Architecture, engine: Engine | None
) -> int | None:
    """Unknown for an engine that cannot be told the format, which its file of weights has."""
    if engine is not None and _QUANTIZATION not in engine.fields and not engine.fraction_of:
        return None
    return _known(weight_bytes, architecture, spec.serving.quantization, spec.serving.dtype)


def _reason(found: Mapping[str, Any], engine: Engine | None) -> str:
    if found["kvBytesPerToken"] is None:
        return "the size of this kvCacheDtype is not known"
    if engine is not None and not engine.fraction_of:
        return f"{engine.title} takes the format from the file of weights, and memory as it needs"
    return "the size of this quantization is not known"


def _known(size: Callable[..., int], *arguments: object) -> int | None:
    """A size, or None for a quantization or a number format whose size is not known."""
    try:
        return size(*arguments)
    except ValueError:
        return None


def _cache_layout(spec: ReleaseSpec, catalog: Catalog) -> tuple[str, int, int]:
    """Number format of the cache, and over how many devices tensors and layers are split."""
    serving, spread = spec.serving, parallel_of(spec)
    element = serving.dtype if serving.kv_cache_dtype == "auto" else serving.kv_cache_dtype
    engine = catalog.engine(spec.engine.name, spec.engine.version)
    by_layers = engine is not None and engine.split == "layers"
    if by_layers:
        return element, 1, spread.devices
    return element, max(1, spread.tensor), spread.pipeline


def cost(totals: Totals) -> dict[str, Any]:
    """An hour and a month, at the least, the most, and at most in a rollout; None is not known."""
    hourly = {
        "per": totals.least_cost,
        "mostPer": totals.most_cost,
        "rolloutPer": totals.rollout_cost,
    }
    found: dict[str, Any] = {}
    for name, amount in hourly.items():
        found[f"{name}Hour"] = _cents(amount)
        found[f"{name}Month"] = None if amount is None else _cents(amount * HOURS_PER_MONTH)
    return {**found, "unpriced": list(totals.unpriced)}


def _cents(amount: float | None) -> float | None:
    return None if amount is None else round(amount, _CENTS)


def text(found: Mapping[str, Any]) -> str:
    """The same for people."""
    blocks = [found, found["stable"]] if "stable" in found else [found]
    lines = [found["release"]]
    for block in blocks:
        lines += _block(block)
    lines += [f"cost      {line}" for line in _cost_lines(found["cost"])]
    return lines_of(lines)


def _range(cost: Mapping[str, Any]) -> str:
    return between(money(cost["perHour"]), money(cost["mostPerHour"]))


def _cost_lines(found: Mapping[str, Any]) -> list[str]:
    lines = [f"{_range(found)}, in a rollout up to {money(found['rolloutPerHour'])}"]
    around = [name for name in ("team", "environment") if name in found]
    lines += [f"{name}: {_range(found[name])}" for name in around]
    if found["unpriced"]:
        names = ", ".join(found["unpriced"])
        lines.append(f"no price is known of {names}: add it to accelerators.prices")
    return lines


def _block(block: Mapping[str, Any]) -> list[str]:
    model, accelerator = block["model"], block["accelerator"]
    lines = [
        f"model     {model['name']} {model['version']}",
        f"image     {block['image']}",
        f"devices   {accelerator['count']} x {accelerator['name']}{_share(accelerator['share'])}",
        f"command   {shlex.join(block['command'])}",
    ]
    return lines + [f"memory    {line}" for line in _memory_lines(block["memory"])]


def _share(share: Mapping[str, Any] | None) -> str:
    said = ", ".join(f"{key} {value}" for key, value in (share or {}).items())
    return f" ({said})" if said else ""


def _memory_lines(found: Mapping[str, Any]) -> list[str]:
    size = found["weightBytes"]
    lines = [f"weights {'of unknown size' if size is None else bytes_text(size)}"]
    if found["fits"] is None:
        return [*lines, f"no verdict: {found['unknown']}"]
    verdict = "fits" if found["fits"] else "does not fit"
    return [
        *lines,
        f"{verdict}: {bytes_text(max(0, found['freeBytes']))} for the cache on each device",
        f"{found['kvBytesPerToken']:,} bytes a token on each device",
        f"{found['maxConcurrency']:,} sequences of {found['maxLength']:,} tokens at once",
    ]
