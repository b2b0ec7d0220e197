"""rollout.yaml and the plan in release.yaml, as records and back."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sluice.core.names import slug
from sluice.core.rollout.model import Rollout
from sluice.core.specs.records import ReleaseSpec
from sluice.core.specs.rollout_plan import plan_of
from sluice.core.specs.schema import API_VERSION

PROMOTING = ("gates", "follows")
"""What of a spec says which versions come, not what runs: the same for all versions."""
_TIME = "%Y-%m-%dT%H:%M:%SZ"


def spec_hash(spec: ReleaseSpec) -> str:
    """What changes when a person edits what a rollout is about; lists of gates are not that."""
    written = spec.document
    model = {k: v for k, v in written.get("model", {}).items() if k != "quarantine"}
    kept = {k: v for k, v in written.items() if k not in PROMOTING} | {"model": model}
    canonical = json.dumps(kept, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def rollout_of(spec: ReleaseSpec, written: Mapping[str, Any] | None) -> Rollout:
    """Where Git says that a rollout stands.

    Args:
        spec: the release's own spec, with the defaults of its environment.
        written: `spec` of its rollout.yaml, checked against the schema; None without one.
    """
    current = spec_hash(spec)
    plan = plan_of(spec)
    if written is None:
        version = spec.model.version
        return Rollout("STABLE", plan, version, version, spec_hash=current, current_hash=current)
    return Rollout(
        state=written["state"],
        plan=plan,
        candidate=written["candidate"],
        stable=written["stable"]["spec"]["model"]["version"],
        step=int(written.get("step", 0)),
        weight=int(written["weight"]),
        spec_hash=written.get("specHash", current),
        current_hash=current,
        since=from_text(written["since"]) if "since" in written else 0,
        reason=written.get("reason", ""),
        returning=written.get("returning", False),
        replicas=int(written.get("replicas", 0)),
        setbacks=int(written.get("setbacks", 0)),
    )


def document(name: str, rollout: Rollout, stable: Mapping[str, Any]) -> dict[str, Any]:
    """rollout.yaml; `stable` is the spec that the stable version was rendered from."""
    return {
        "apiVersion": API_VERSION,
        "kind": "Rollout",
        "metadata": {"name": name},
        "spec": {**fields(rollout), "stable": {"spec": stable}},
    }


def fields(rollout: Rollout) -> dict[str, Any]:
    """What rollout.yaml says of a rollout, beside the stable version's spec."""
    return {
        "state": rollout.state,
        "candidate": rollout.candidate,
        "step": rollout.step,
        "weight": rollout.weight,
        "specHash": rollout.spec_hash,
        **({"since": to_text(rollout.since)} if rollout.since else {}),
        **({"reason": rollout.reason} if rollout.reason else {}),
        **({"returning": True} if rollout.returning else {}),
        **({"replicas": rollout.replicas} if rollout.replicas else {}),
        **({"setbacks": rollout.setbacks} if rollout.setbacks else {}),
    }


def evidence_name(rollout: Rollout) -> str:
    """The name of a step's evidence: one file for each version and step."""
    return f"v{slug(rollout.candidate)}-step-{rollout.step}"


def to_text(time: int) -> str:
    """Seconds since the epoch as people read them."""
    return datetime.fromtimestamp(time, UTC).strftime(_TIME)


def from_text(text: str) -> int:
    """The inverse; ValueError when it is no such time."""
    return int(datetime.strptime(text, _TIME).replace(tzinfo=UTC).timestamp())
