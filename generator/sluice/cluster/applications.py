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


def read(item: Mapping[str, Any]) -> tuple[str, Application]:
    """One Application object, with its name."""
    metadata, status = item["metadata"], item.get("status") or {}
    spec, notes = item.get("spec") or {}, metadata.get("annotations") or {}
    sync, health = status.get("sync") or {}, status.get("health") or {}
    resources = status.get("resources") or ()
    return metadata["name"], Application(
        revision=_commit(sync.get("revision")),
        synced=sync.get("status") == _SYNCED,
        health=str(health.get("status", "")),
        health_since=_time(health.get("lastTransitionTime")),
        deployed=tuple(_history(status)),
        resources={
            f"{r.get('kind')}/{r.get('name')}": str(r["health"].get("status", ""))
            for r in resources
            if r.get("health")
        },
        operation=_operation(status.get("operationState")),
        conditions=tuple(
            (str(c.get("type", "")), str(c.get("message", "")))
            for c in status.get("conditions") or ()
        ),
        differing=tuple(
            f"{r.get('kind')}/{r.get('name')}" for r in resources if r.get("status") != _SYNCED
        ),
        source=_source(spec),
        project=str(spec.get("project", "")),
        looked=_time(status.get("reconciledAt")),
        refreshing=REFRESH in notes,
        deleting=bool(metadata.get("deletionTimestamp")),
        tells_health=status.get("resourceHealthSource") != "appTree",
        **_policy(spec, notes),
    )


def _history(status: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    for entry in status.get("history") or ():
        time = _time(entry.get("deployedAt"))
        if time is not None:
            yield _commit(entry.get("revision")), time


def _operation(state: Mapping[str, Any] | None) -> Operation | None:
    """The last operation; the revision is the one that it came to, or else was asked for."""
    if not state:
        return None
    asked, result = state.get("operation") or {}, state.get("syncResult") or {}
    revision = result.get("revision") or (asked.get("sync") or {}).get("revision")
    return Operation(
        phase=str(state.get("phase", "")),
        message=_plain(state.get("message")),
        revision=_commit(revision),
        started=_time(state.get("startedAt")),
        finished=_time(state.get("finishedAt")),
        automated=bool((asked.get("initiatedBy") or {}).get("automated")),
        failures=tuple(_failures(result)),
    )


def _failures(result: Mapping[str, Any]) -> Iterator[str]:
    """What was said of each object that the cluster did not take, and of each hook that failed.

    A hook that runs and fails was applied all the same: its phase tells.
    """
    for entry in result.get("resources") or ():
        if entry.get("status") == "SyncFailed" or entry.get("hookPhase") in _FAILED:
            yield f"{entry.get('kind')}/{entry.get('name')}: {_plain(entry.get('message'))}"


def _source(spec: Mapping[str, Any]) -> Source:
    """Where it reads from; nothing where that is not one folder of one repository."""
    source = spec.get("source")
    if not isinstance(source, Mapping) or spec.get("sources"):
        return Source("", "", "")
    return Source(
        repository=str(source.get("repoURL", "")),
        revision=str(source.get("targetRevision", "")),
        path=str(source.get("path", "")),
    )


def _policy(spec: Mapping[str, Any], notes: Mapping[str, Any]) -> dict[str, bool]:
    """Whether it applies by itself what it sees, and brings back what was changed by hand."""
    automated = (spec.get("syncPolicy") or {}).get("automated")
    skipped = str(notes.get(SKIP, "")).lower() in ("true", "t", "1")
    on = isinstance(automated, Mapping) and automated.get("enabled") is not False and not skipped
    return {
        "automated": on,
        "heals": on and isinstance(automated, Mapping) and automated.get("selfHeal") is True,
    }


def _commit(text: object) -> str:
    """A revision that is a commit; of one that could not be found Argo CD names the branch."""
    revision = str(text or "")
    return revision if _COMMIT.fullmatch(revision) else ""


def _plain(text: object) -> str:
    """A message without what only Argo CD knows."""
    return _FILE.sub("", str(text or ""))


def _time(text: object) -> int | None:
    try:
        return int(datetime.fromisoformat(str(text)).timestamp()) if text else None
    except ValueError:
        return None
