"""Applications of the model as the API server of a real Argo CD 3.5.7 gives them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from support.argocd.applications import Operation, State
from support.argocd.controller import ArgoCD
from support.argocd.health import health
from support.argocd.objects import IN_CLUSTER, Key
from support.argocd.operating import NAMESPACE

HISTORY = 10
"""How many syncs are kept (spec.revisionHistoryLimit)."""


def application(
    argo: ArgoCD, name: str, start: int = 0, turned: int | None = None
) -> dict[str, Any]:
    """An Application with its status.

    Args:
        argo: the model.
        name: of the Application.
        start: when the clock of the model began, in seconds since the epoch.
        turned: when its health became what it is, in seconds since the epoch, where that is known.
    """
    key = Key(IN_CLUSTER, "argoproj.io", "Application", NAMESPACE, name)
    state, data = argo.states[name], argo.cluster.objects[key].data
    history = [{"revision": r, "deployedAt": _time(start + at)} for r, at in state.history]
    item = {**data, "status": _status(argo, name, state, start)}
    item["status"]["history"] = history[-HISTORY:]
    if turned is not None:
        item["status"]["health"]["lastTransitionTime"] = _time(turned)
    if state.operation is not None:
        item["operation"] = {"sync": {"revision": state.operation.revision}}
    return item


def _status(argo: ArgoCD, name: str, state: State, start: int) -> dict[str, Any]:
    status: dict[str, Any] = {
        "sync": {"status": state.sync, "revision": state.revision},
        "health": {"status": argo.health(name)},
        "resources": [_resource(argo, r.key, synced=r.synced) for r in state.resources],
        "conditions": [{"type": t, "message": said} for t, said in state.conditions.items()],
    }
    if state.reconciled is not None:
        status["reconciledAt"] = _time(start + state.reconciled)
    operation = state.operation or state.last
    if operation is not None:
        status["operationState"] = _operation_state(operation, start)
    return status


def _resource(argo: ArgoCD, key: Key, *, synced: bool) -> dict[str, Any]:
    """What is said of one object; one that is not there is Missing."""
    live = argo.cluster.objects.get(key)
    verdict = "Missing" if live is None else health(key, live, argo.doctor)
    return {
        "group": key.group,
        "kind": key.kind,
        "namespace": key.namespace,
        "name": key.name,
        "status": "Synced" if synced else "OutOfSync",
        **({"health": {"status": verdict}} if verdict else {}),
    }


def _operation_state(operation: Operation, start: int) -> Mapping[str, Any]:
    state: dict[str, Any] = {
        "phase": operation.phase,
        "message": operation.message,
        "startedAt": _time(start + operation.started),
        "operation": {
            "sync": {"revision": operation.revision},
            "initiatedBy": {"automated": operation.automated},
        },
        "syncResult": {"revision": operation.revision, "resources": _results(operation)},
    }
    if operation.finished is not None:
        state["finishedAt"] = _time(start + operation.finished)
    if operation.retries:
        state["retryCount"] = operation.retries
    return state


def _results(operation: Operation) -> list[dict[str, str]]:
    return [
        {
            "group": key.group,
            "kind": key.kind,
            "namespace": key.namespace,
            "name": key.name,
            "status": result.status,
            "hookPhase": result.phase,
            "message": result.message,
        }
        for key, result in operation.results.items()
    ]


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
