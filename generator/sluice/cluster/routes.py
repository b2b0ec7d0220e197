"""The routes of a cluster as they are there now, of one kind each time."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sluice.cluster.connection import AbsentError, connect, list_objects
from sluice.core.bounded import json_of
from sluice.core.cluster import Routes
from sluice.core.finding import UsageError
from sluice.core.model import RouteKind

Objects = Mapping[str, Mapping[str, Any]]


class KubernetesRoutes:
    """The routes in the cluster that the kubeconfig, or the pod's account, leads to.

    Args:
        context: of the kubeconfig; the current one when empty.
    """

    def __init__(self, context: str = "") -> None:
        self._context = context or None

    def routes(self, kind: RouteKind, namespace: str) -> Objects:
        """Every route of a kind in a namespace, by name.

        Raises:
            AbsentError: the cluster does not know the kind.
            UsageError: it does not answer.
        """
        try:
            with connect(self._context, f"cannot list {kind.plural} in {namespace}") as api:
                return _index_by_name(list_objects(api, kind[:3], namespace))
        except AbsentError:
            raise AbsentError(f"the cluster has no {kind.plural}.{kind.group}") from None


class FileRoutes:
    """Routes in a file, as `kubectl get KINDS -A -o json` writes them."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def routes(self, kind: RouteKind, namespace: str) -> Objects:
        """Every route of a kind in a namespace, by name.

        Raises:
            UsageError: the file cannot be read.
        """
        try:
            items = json_of(self._path.read_bytes())["items"]
            routes = []
            for item in items:
                is_here = item["metadata"].get("namespace", namespace) == namespace
                if is_here and item["kind"] == kind.kind:
                    routes.append(item)
            return _index_by_name(routes)
        except OSError as error:
            raise UsageError(f"cannot read {self._path}: {error.strerror}") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UsageError(f"{self._path} is no list of routes in JSON") from None


def open_routes(addresses: str) -> Mapping[str, Routes]:
    """Open the routes of each environment, by its name; under "" those of all others.

    Args:
        addresses: words of `[ENVIRONMENT=]ADDRESS`, an address as SLUICE_ARGOCD has it.

    Raises:
        UsageError: when a word is not that.
    """
    routes: dict[str, Routes] = {}
    for word in addresses.split():
        environment, equals, address = word.partition("=")
        if not equals:
            environment, address = "", word
        kind, _, rest = address.partition(":")
        if kind == "file" and rest:
            routes[environment] = FileRoutes(rest)
        elif kind == "kubernetes":
            routes[environment] = KubernetesRoutes(rest)
        else:
            form = "[ENVIRONMENT=]kubernetes, kubernetes:CONTEXT or file:PATH"
            raise UsageError(f"SLUICE_ROUTES must be words of {form}")
    return routes


def _index_by_name(items: Iterable[Mapping[str, Any]]) -> Objects:
    return {str(item["metadata"]["name"]): item for item in items}
