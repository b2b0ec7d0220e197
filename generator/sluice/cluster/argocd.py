"""What Argo CD says of its applications: which revision is applied, and whether it is healthy."""

import json
import os
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from sluice.cluster.version import first_line
from sluice.core.finding import UsageError
from sluice.core.model import Application, Operation

GROUP, VERSION, PLURAL = "argoproj.io", "v1alpha1", "applications"
PAGE = 250
TIMEOUT = 20
"""Seconds to connect, and again to answer."""


class KubernetesCluster:
    """The Application objects of the cluster that the kubeconfig, or the pod's account, leads to.

    Args:
        context: of the kubeconfig; the current one when empty.
    """

    def __init__(self, context: str = "") -> None:
        self._context = context or None

    def applications(self, namespace: str) -> Mapping[str, Application]:
        """Every application in the namespace of an Argo CD, by name."""
        return dict(read(item) for item in self._items(namespace))

    def _items(self, namespace: str) -> Iterator[Mapping[str, Any]]:
        from kubernetes import client, config  # noqa: PLC0415  # slow, and seldom wanted
        from urllib3.exceptions import HTTPError  # noqa: PLC0415  # as above

        try:
            settings = client.Configuration()
            if "KUBERNETES_SERVICE_HOST" in os.environ and self._context is None:
                config.load_incluster_config(client_configuration=settings)  # type: ignore[no-untyped-call]
            else:
                file = os.environ.get("KUBECONFIG")
                config.load_kube_config(file, self._context, settings)  # type: ignore[no-untyped-call]
            settings.retries = 0
            with client.ApiClient(settings) as api:
                yield from _pages(client.CustomObjectsApi(api), namespace)
        except config.ConfigException as error:
            raise UsageError(f"no cluster is configured: {first_line(error)}") from None
        except client.ApiException as error:
            said = f"the cluster answers {error.status} {error.reason}"
            raise UsageError(f"cannot list Argo CD's applications: {said}") from None
        except HTTPError as error:
            raise UsageError(f"the cluster does not answer: {first_line(error)}") from None


class FileCluster:
    """Application objects in a file, as `kubectl get applications -o json` writes them."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def applications(self, namespace: str) -> Mapping[str, Application]:
        """Every application in the namespace of an Argo CD, by name."""
        try:
            items = json.loads(self._path.read_bytes())["items"]
            chosen = [i for i in items if i["metadata"].get("namespace", namespace) == namespace]
            return dict(read(item) for item in chosen)
        except OSError as error:
            raise UsageError(f"cannot read {self._path}: {error.strerror}") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UsageError(f"{self._path} is no list of applications in JSON") from None


def open_cluster(address: str) -> KubernetesCluster | FileCluster | None:
    """Where Argo CD is asked.

    Args:
        address: `file:PATH`, `kubernetes` or `kubernetes:CONTEXT`; nothing is asked when empty.

    Raises:
        UsageError: when it is none of these.
    """
    kind, _, rest = address.partition(":")
    if not address:
        return None
    if kind == "file" and rest:
        return FileCluster(rest)
    if kind == "kubernetes":
        return KubernetesCluster(rest)
    raise UsageError("SLUICE_ARGOCD must be kubernetes, kubernetes:CONTEXT or file:PATH")


def _pages(api: Any, namespace: str) -> Iterator[Mapping[str, Any]]:  # noqa: ANN401  # untyped
    token = ""
    while True:
        page = api.list_namespaced_custom_object(
            GROUP,
            VERSION,
            namespace,
            PLURAL,
            limit=PAGE,
            _continue=token,
            _request_timeout=(TIMEOUT, TIMEOUT),
        )
        yield from page.get("items", ())
        token = page.get("metadata", {}).get("continue") or ""
        if not token:
            return


def read(item: Mapping[str, Any]) -> tuple[str, Application]:
    """One Application object; what it does not say, nobody knows."""
    status = item.get("status") or {}
    sync, health = status.get("sync") or {}, status.get("health") or {}
    history = [
        (str(entry.get("revision", "")), time)
        for entry in status.get("history") or ()
        for time in [_time(entry.get("deployedAt"))]
        if time is not None
    ]
    resources = {
        f"{r.get('kind')}/{r.get('name')}": str(r["health"].get("status", ""))
        for r in status.get("resources") or ()
        if r.get("health")
    }
    return item["metadata"]["name"], Application(
        revision=str(sync.get("revision", "")),
        synced=sync.get("status") == "Synced",
        health=str(health.get("status", "")),
        health_since=_time(health.get("lastTransitionTime")),
        deployed=tuple(history),
        resources=resources,
        operation=_operation(status.get("operationState")),
    )


def _operation(state: Mapping[str, Any] | None) -> Operation | None:
    """The last operation; the revision is the one that it came to, or else was asked for."""
    if not state:
        return None
    asked, result = state.get("operation") or {}, state.get("syncResult") or {}
    revision = result.get("revision") or (asked.get("sync") or {}).get("revision")
    return Operation(
        phase=str(state.get("phase", "")),
        message=str(state.get("message", "")),
        revision=str(revision or ""),
        started=_time(state.get("startedAt")),
        finished=_time(state.get("finishedAt")),
        automated=bool((asked.get("initiatedBy") or {}).get("automated")),
    )


def _time(text: object) -> int | None:
    try:
        return int(datetime.fromisoformat(str(text)).timestamp()) if text else None
    except ValueError:
        return None
