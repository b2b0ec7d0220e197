"""The routes of a cluster as they are there now, of one kind each time."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sluice.cluster.connection import AbsentError, connected, every
from sluice.core.bounded import json_of
from sluice.core.finding import UsageError
from sluice.core.model import RouteKind, Routes

Objects = Mapping[str, Mapping[str, Any]]


class KubernetesRoutes:
    """The routes in the cluster that the kubeconfig, or the pod's account, leads to.

    Args:
        context: of the kubeconfig; the current one when empty.
    """

    def __init__(self, context: str = "") -> None:
        self._context = context or None

    def routes(self, kind: RouteKind, namespace: str) -> Objects:
        """Every route of a kind in a namespace, by name."""
        try:
            with connected(self._context, f"cannot list {kind.plural} in {namespace}") as api:
                return _by_name(every(api, kind[:3], namespace))
        except AbsentError:
            raise AbsentError(f"the cluster has no {kind.plural}.{kind.group}") from None


class FileRoutes:
    """Routes in a file, as `kubectl get KINDS -A -o json` writes them."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def routes(self, kind: RouteKind, namespace: str) -> Objects:
        """Every route of a kind in a namespace, by name."""
        try:
            items = json_of(self._path.read_bytes())["items"]
            return _by_name(
                item
                for item in items
                if item["kind"] == kind.kind
                and item["metadata"].get("namespace", namespace) == namespace
            )
        except OSError as error:
            raise UsageError(f"cannot read {self._path}: {error.strerror}") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UsageError(f"{self._path} is no list of routes in JSON") from None


def open_routes(addresses: str) -> Mapping[str, Routes]:
    """Where the routes of each environment are read; under "" those of all others.

    Args:
        addresses: words of `[ENVIRONMENT=]ADDRESS`, an address as SLUICE_ARGOCD has it.

    Raises:
        UsageError: when a word is not that.
    """
    found: dict[str, Routes] = {}
    for word in addresses.split():
        before, equals, after = word.partition("=")
        environment, address = (before, after) if equals else ("", word)
        kind, _, rest = address.partition(":")
        if kind == "file" and rest:
            found[environment] = FileRoutes(rest)
        elif kind == "kubernetes":
            found[environment] = KubernetesRoutes(rest)
        else:
            wanted = "[ENVIRONMENT=]kubernetes, kubernetes:CONTEXT or file:PATH"
            raise UsageError(f"SLUICE_ROUTES must be words of {wanted}")
    return found


def _by_name(items: Iterable[Mapping[str, Any]]) -> Objects:
    return {str(item["metadata"]["name"]): item for item in items}
