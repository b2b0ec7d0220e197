"""The numbers behind a decision, frozen as JSON beside the release."""

import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sluice.core import layout
from sluice.core.bounded import json_of
from sluice.core.confidential import redacted_data
from sluice.core.gates.judge import GateResult
from sluice.core.layout import Key
from sluice.core.model import Evaluation, Follow, Measurement, ModelVersion
from sluice.core.names import slug
from sluice.core.pipeline import Specs
from sluice.core.promotion import lineage

FORMAT = 1


def evidence(
    version: ModelVersion,
    deployed: str,
    follow: Follow,
    evaluation: Evaluation,
    gates: Sequence[GateResult],
    baseline: Evaluation | None = None,
) -> bytes:
    """What was known of a version when it was proposed, without secrets.

    A function of what was observed only.
    """
    before = baseline.measurements if baseline else {}
    data = {
        "format": FORMAT,
        "model": version.name,
        "version": version.version,
        "deployed": deployed,
        "follows": str(follow),
        "source": version.source,
        "runId": version.run_id,
        "created": version.created,
        "tags": dict(sorted(version.tags.items())),
        "parameters": dict(sorted(evaluation.parameters.items())),
        "lineage": lineage.record(evaluation),
        "measurements": {
            name: _measurement(m) for name, m in sorted(evaluation.measurements.items())
        },
        "baseline": {name: _measurement(m) for name, m in sorted(before.items())},
        "gates": [{k: _finite(v) for k, v in asdict(gate).items()} for gate in gates],
    }
    told = redacted_data(data)
    return (json.dumps(told, indent=2, ensure_ascii=False, sort_keys=False) + "\n").encode()


def path_of(key: Key, version: str, taken: Collection[str]) -> str:
    """Where the evidence of a proposal goes: beside what earlier ones of this version left."""
    name = f"v{slug(version)}"
    path, count = layout.evidence_path(key, name), 1
    while path in taken:
        count += 1
        path = layout.evidence_path(key, f"{name}.{count}")
    return path


def registered(specs: Specs, files: Mapping[str, bytes]) -> dict[Key, int]:
    """When the version that each release serves was registered, by its newest evidence."""
    found: dict[Key, int] = {}
    for key, release in specs.releases.items():
        paths = proposed(key, release.spec.model.version, files)
        created = _created(files[paths[-1]]) if paths else None
        if created is not None:
            found[key] = created
    return found


def proposed(key: Key, version: str, files: Collection[str]) -> list[str]:
    """The paths of the evidence that proposals of a version left, oldest first."""
    paths: list[str] = []
    while (path := path_of(key, version, paths)) in files:
        paths.append(path)
    return paths


def _created(raw: bytes) -> int | None:
    try:
        data: Any = json_of(raw)
        created = data["created"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return created if isinstance(created, int) else None


def _measurement(measurement: Measurement) -> dict[str, Any]:
    return {key: _finite(value) for key, value in asdict(measurement).items() if value != ""}


def _finite(value: object) -> object:
    """JSON knows no NaN; it is written as text."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
