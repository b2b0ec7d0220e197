"""An Application object as it is read: what it does not say, nobody knows.

The fields are those of Argo CD 2.14 to 3.5; an older one has fewer, which are then not known. Since
3.0 it keeps the health of single objects to itself unless told otherwise.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from sluice.core.cluster import Application, Operation, Source

REFRESH = "argocd.argoproj.io/refresh"
"""Annotation by which Argo CD asks Git at once, past what it remembers; it then takes it away."""
SKIP = "argocd.argoproj.io/skip-reconcile"
_SYNCED = "Synced"
_FAILED = ("Failed", "Error")
_COMMIT = re.compile(r"[0-9a-f]{6,64}")
_FILE = re.compile(r'error when \w+ing "[^"]*": ')
"""Where Argo CD kept an object when it applied it: a file of its own, which is gone."""


def read_application(item: Mapping[str, Any]) -> tuple[str, Application]:
    """Return the name and the facts of an Application object."""
    metadata = item["metadata"]
    annotations = metadata.get("annotations") or {}
    spec = item.get("spec") or {}
    status = item.get("status") or {}
    sync = status.get("sync") or {}
    health = status.get("health") or {}
    healths, differing = _read_resources(status)
    application = Application(
        revision=_read_commit(sync.get("revision")),
        synced=sync.get("status") == _SYNCED,
        health=str(health.get("status", "")),
        health_since=_read_time(health.get("lastTransitionTime")),
        deployed=tuple(_read_history(status)),
        resources=healths,
        operation=_read_operation(status.get("operationState")),
        conditions=tuple(_read_conditions(status)),
        differing=tuple(differing),
        source=_read_source(spec),
        project=str(spec.get("project", "")),
        looked=_read_time(status.get("reconciledAt")),
        refreshing=REFRESH in annotations,
        deleting=bool(metadata.get("deletionTimestamp")),
        tells_health=status.get("resourceHealthSource") != "appTree",
        **_read_policy(spec, annotations),
    )
    return metadata["name"], application


def _read_resources(status: Mapping[str, Any]) -> tuple[dict[str, str], list[str]]:
    """Return the health of each object that has one, and the objects that differ from Git."""
    healths: dict[str, str] = {}
    differing = []
    for resource in status.get("resources") or ():
        name = f"{resource.get('kind')}/{resource.get('name')}"
        health = resource.get("health")
        if health:
            healths[name] = str(health.get("status", ""))
        if resource.get("status") != _SYNCED:
            differing.append(name)
    return healths, differing


def _read_conditions(status: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for condition in status.get("conditions") or ():
        yield str(condition.get("type", "")), str(condition.get("message", ""))


def _read_history(status: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    for entry in status.get("history") or ():
        time = _read_time(entry.get("deployedAt"))
        if time is not None:
            yield _read_commit(entry.get("revision")), time


def _read_operation(state: Mapping[str, Any] | None) -> Operation | None:
    """Return the last operation; its revision is the one that it came to, or was asked for."""
    if not state:
        return None
    request = state.get("operation") or {}
    result = state.get("syncResult") or {}
    requested = (request.get("sync") or {}).get("revision")
    revision = result.get("revision") or requested
    return Operation(
        phase=str(state.get("phase", "")),
        message=_strip_paths(state.get("message")),
        revision=_read_commit(revision),
        started=_read_time(state.get("startedAt")),
        finished=_read_time(state.get("finishedAt")),
        automated=bool((request.get("initiatedBy") or {}).get("automated")),
        failures=tuple(_read_failures(result)),
    )


def _read_failures(result: Mapping[str, Any]) -> Iterator[str]:
    """Yield why the cluster did not take an object, and why a hook failed.

    A hook that runs and fails was applied all the same: its phase tells.
    """
    for entry in result.get("resources") or ():
        if entry.get("status") == "SyncFailed" or entry.get("hookPhase") in _FAILED:
            yield f"{entry.get('kind')}/{entry.get('name')}: {_strip_paths(entry.get('message'))}"


def _read_source(spec: Mapping[str, Any]) -> Source:
    """Return where it reads from; nothing where that is not one folder of one repository."""
    source = spec.get("source")
    if not isinstance(source, Mapping) or spec.get("sources"):
        return Source("", "", "")
    return Source(
        repository=str(source.get("repoURL", "")),
        revision=str(source.get("targetRevision", "")),
        path=str(source.get("path", "")),
    )


def _read_policy(spec: Mapping[str, Any], annotations: Mapping[str, Any]) -> dict[str, bool]:
    """Return whether it applies by itself what it sees, and brings back what people changed."""
    automated = (spec.get("syncPolicy") or {}).get("automated")
    is_skipped = str(annotations.get(SKIP, "")).lower() in ("true", "t", "1")
    # An empty mapping turns it on; only an explicit `enabled: false` turns it off again.
    if is_skipped or not isinstance(automated, Mapping) or automated.get("enabled") is False:
        return {"automated": False, "heals": False}
    return {"automated": True, "heals": automated.get("selfHeal") is True}


def _read_commit(text: object) -> str:
    """Return a revision if it is a commit; of one that is not there Argo CD names the branch."""
    revision = str(text or "")
    if not _COMMIT.fullmatch(revision):
        return ""
    return revision


def _strip_paths(text: object) -> str:
    """Return a message without the names of files that only Argo CD knows."""
    return _FILE.sub("", str(text or ""))


def _read_time(text: object) -> int | None:
    if not text:
        return None
    try:
        return int(datetime.fromisoformat(str(text)).timestamp())
    except ValueError:
        return None
