"""What a pod needs so that its engine runs as the release says: image, call, volumes, notes."""

from dataclasses import replace
from typing import Any

from sluice.core import names
from sluice.core.capacity.parallel import parallel_of
from sluice.core.catalog.devices import Accelerator
from sluice.core.catalog.entries import Engine
from sluice.core.specs.reader import written
from sluice.core.specs.records import ReleaseSpec
from sluice.core.workload.arguments import canonical_json, group, invocation
from sluice.core.workload.fetching import all_sources, companions
from sluice.core.workload.sources import MOUNT, Source, mounts

_LONGEST_VOLUME = 50
_SHARED_MEMORY = "2Gi"


def image(engine: Engine, accelerator: Accelerator, spec: ReleaseSpec) -> str:
    """The pinned image: the release's own, or the catalog's for the accelerator."""
    asked = spec.engine
    named = asked.image or engine.image(asked.version, accelerator.image_variant)
    return f"{named}@{asked.digest}" if asked.digest else named


def container(
    engine: Engine, accelerator: Accelerator, spec: ReleaseSpec, source: Source, served_name: str
) -> dict[str, Any]:
    """The parts of the pod that follow from engine and accelerator, as the templates take them."""
    called = invocation(engine, spec, source, served_name)
    leader, worker = group(engine, spec, called)
    named = {**accelerator.environment, **called.environment}
    claims = mounts(source, all_sources(spec, source)[1:])
    volumes = {claim: _volume(claim, path) for claim, path in claims.items()}
    return {
        "command": leader,
        "worker_command": worker,
        "variables": replace(called, environment=named).variables(),
        "engine_config": called.config,
        "weight_mounts": [
            {"name": volumes[claim], "mountPath": path, "readOnly": True}
            for claim, path in claims.items()
        ],
        "weight_volumes": [{"name": name, **_held(volume)} for volume, name in volumes.items()],
        "host_paths": accelerator.host_paths,
        "capabilities": list(accelerator.capabilities),
        "host_ipc": accelerator.host_ipc,
    }


def shared_memory(engine: Engine, spec: ReleaseSpec) -> str | None:
    """The size of /dev/shm that the engine needs, as it is written, or nothing."""
    asked = spec.resources.shared_memory
    parallel = engine.shared_memory == "parallel" and parallel_of(spec).devices > 1
    needed = _SHARED_MEMORY if parallel or engine.shared_memory == "always" else None
    return asked or needed


def notes(spec: ReleaseSpec) -> dict[str, str]:
    """What else is to be read on the pod: models beside the main one, a verdict overridden."""
    said = {path: written(model) for path, model in companions(spec).items()}
    for index, adapter in enumerate(spec.serving.adapters):
        if adapter.rank is not None:
            said[f"serving.adapters.{index}.model"]["rank"] = adapter.rank
    override = spec.resources.memory_override
    return {
        **({"companions": canonical_json(said)} if said else {}),
        **({"memory-override": override.reason} if override else {}),
    }


def _held(volume: str) -> dict[str, Any]:
    """A volume by its claim, or by the image that holds the weights."""
    if "@" in volume:
        return {"image": {"reference": volume, "pullPolicy": "IfNotPresent"}}
    return {"persistentVolumeClaim": {"claimName": volume, "readOnly": True}}


def _volume(claim: str, path: str) -> str:
    return "models" if path == MOUNT else f"models-{names.slug(claim, _LONGEST_VOLUME)}"
