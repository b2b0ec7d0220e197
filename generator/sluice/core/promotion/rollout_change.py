"""What one write of a rollout changes in Git: its state, its routes, and where it ends the spec."""

from collections.abc import Mapping
from typing import Any

from sluice.core import layout, pipeline
from sluice.core.documents.edit import append_text, remove, set_text
from sluice.core.documents.emit import emit
from sluice.core.documents.load import load
from sluice.core.finding import Finding
from sluice.core.pipeline import Specs, Toolkit
from sluice.core.rollout.file import PROMOTING, document
from sluice.core.rollout.model import Rollout, Write
from sluice.core.specs.resolve import Release

HEADER = "Written by sluice reconcile."
_QUARANTINE = ("spec", "model", "quarantine")
Changes = dict[str, bytes | None]


def spec_changes(release: Release, write: Write, stable: Mapping[str, Any] | None) -> Changes:
    """rollout.yaml and release.yaml after a write.

    Args:
        release: the release at the head of the base branch.
        write: what is wanted.
        stable: the spec of the stable version, as rollout.yaml has it or had it.
    """
    changes: Changes = {layout.rollout_path(release.key): None}
    if write.rollout is not None:
        changes[layout.rollout_path(release.key)] = text(release, write.rollout, stable or {})
    raw = release.document.raw
    if write.kind == "restore" and stable is not None:
        raw = _lifted(restored(release, stable), str(stable.get("model", {}).get("version")))
    if write.quarantine and write.quarantine not in _quarantine(raw):
        raw = append_text(raw, _QUARANTINE, write.quarantine)
    if raw != release.document.raw:
        changes[layout.release_path(release.key)] = raw
    return changes


def text(release: Release, rollout: Rollout, stable: Mapping[str, Any]) -> bytes:
    """rollout.yaml."""
    return emit(document(release.key.name, rollout, stable), HEADER)


def restored(release: Release, stable: Mapping[str, Any]) -> bytes:
    """release.yaml with the spec of the stable version, its gates and quarantine kept.

    Where only the version differs, every other byte stays; else the file is written anew.
    """
    model, raw = stable.get("model", {}), release.document.raw
    for field in ("version", "source", "digest"):
        at = ("spec", "model", field)
        raw = set_text(raw, at, model[field]) if field in model else remove(raw, at)
    if _comparable(load("release.yaml", raw).data["spec"]) == _comparable(stable):
        return raw
    data = dict(release.document.data)
    kept = {name: data["spec"][name] for name in PROMOTING if name in data["spec"]}
    quarantine = data["spec"].get("model", {}).get("quarantine")
    whole = {**stable, "model": {**model, **({"quarantine": quarantine} if quarantine else {})}}
    return _comments(release.document.raw) + emit({**data, "spec": {**whole, **kept}})


def _comparable(spec: Mapping[str, Any]) -> dict[str, Any]:
    model = {k: v for k, v in spec.get("model", {}).items() if k != "quarantine"}
    return {**{k: v for k, v in spec.items() if k not in PROMOTING}, "model": model}


def _comments(raw: bytes) -> bytes:
    """The comments at the head of a file: what editors read stays."""
    lines = raw.splitlines(keepends=True)
    head = next((i for i, line in enumerate(lines) if not line.startswith(b"#")), len(lines))
    return b"".join(lines[:head])


def _lifted(raw: bytes, version: str) -> bytes:
    """Without a version in quarantine: what serves must not be in it, or nothing can be checked."""
    listed = _quarantine(raw)
    if version not in listed:
        return raw
    raw = remove(raw, _QUARANTINE)
    for kept in listed:
        raw = raw if kept == version else append_text(raw, _QUARANTINE, kept)
    return raw


def _quarantine(raw: bytes) -> list[str]:
    found: list[str] = load("release.yaml", raw).data["spec"].get("model", {}).get("quarantine", [])
    return found


def after(
    release: Release, changes: Changes, specs: Specs, files: Mapping[str, bytes], tools: Toolkit
) -> tuple[Specs, list[Finding]]:
    """The specs as they will be, and what cannot be read of them."""
    key = release.key
    paths = (
        layout.environment_path(key.environment),
        layout.release_path(key),
        layout.rollout_path(key),
    )
    near = {path: files[path] for path in paths if path in files}
    for path in paths:
        if path in changes:
            near.pop(path, None)
    written = {p: c for p, c in changes.items() if c is not None and p in paths}
    read = pipeline.read({**near, **written}, tools.schemas, tools.records)
    return specs.changed(read), list(read.findings)


def rendered(
    release: Release, after_: Specs, committed: Mapping[str, bytes], tools: Toolkit
) -> tuple[Changes, list[Finding]]:
    """The manifests that a write changes, adds and deletes.

    Args:
        release: the release before.
        after_: the specs after.
        committed: the manifests of this release at the head of the base branch.
        tools: schemas, catalog, templates.
    """
    new, findings = pipeline.render(after_, tools, [release.key])
    changes: Changes = {}
    for path, manifest in new.items():
        content = manifest.content()
        if committed.get(path) != content:
            changes[path] = content
    changes |= dict.fromkeys(committed.keys() - new.keys())
    return changes, findings
