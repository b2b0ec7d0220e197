"""Back to an earlier version when no rollout is under way."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from sluice.core import layout
from sluice.core.documents.edit import append_text
from sluice.core.documents.load import load
from sluice.core.finding import FindingsError, UsageError
from sluice.core.promotion.rollout_change import Changes, restored, text
from sluice.core.rollout.file import PROMOTING, rollout_of
from sluice.core.rollout.model import Rollout
from sluice.core.specs.records import read_release
from sluice.core.specs.resolve import Release, merge
from sluice.core.workload.values import is_versioned


def earlier(release: Release, contents: Iterable[bytes | None], to: str) -> Mapping[str, Any]:
    """The spec of an earlier version, from what release.yaml was, newest first.

    Args:
        release: the release now.
        contents: what its file was; None where it was not.
        to: the version wanted; the one before, if empty, that is not in quarantine.

    Raises:
        UsageError: when there was none.
    """
    current, quarantine = release.spec.model.version, release.spec.model.quarantine
    if to and to == current:
        raise UsageError(f"{release.key} serves version {to} already")
    if to in quarantine:
        raise UsageError(f"version {to} is in quarantine: take it out of spec.model.quarantine")
    for raw in contents:
        spec = _spec(raw)
        version = spec.get("model", {}).get("version")
        if version and version == (to or version) and version not in (current, *quarantine):
            return spec
    raise UsageError(f"{release.key} never served version {to}" if to else "there is none before")


def _spec(raw: bytes | None) -> Mapping[str, Any]:
    if raw is None:
        return {}
    try:
        spec = load("release.yaml", raw).data["spec"]
    except (FindingsError, KeyError, TypeError):
        return {}
    return spec if isinstance(spec, Mapping) else {}


def back_to(release: Release, spec: Mapping[str, Any], reason: str) -> tuple[Changes, Rollout]:
    """release.yaml with an earlier spec, and the version that it has now in quarantine.

    Where versions run side by side the earlier one must start first: it becomes the candidate of
    a rollout, and gets everything as soon as it is ready. Kubernetes sees to that elsewhere.
    """
    bad = release.spec.model.version
    raw = append_text(restored(release, spec), ("spec", "model", "quarantine"), bad)
    changes: Changes = {layout.release_path(release.key): raw}
    resolved = merge(release.environment.spec.defaults, _spec(raw))
    begun = rollout_of(read_release(resolved), None).to("WARMING", reason)
    begun = replace(begun.to("WARMING", reason, step=len(begun.plan.steps) - 1), returning=True)
    if is_versioned(release.variants[-1]):
        stable = {k: v for k, v in release.document.data["spec"].items() if k not in PROMOTING}
        changes[layout.rollout_path(release.key)] = text(release, begun, stable)
    return changes, begun
