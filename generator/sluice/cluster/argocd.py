"""What Argo CD says of its applications: which revision is applied, and whether it is healthy."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sluice.cluster.applications import REFRESH, read_application
from sluice.cluster.connection import SHORT_TIMEOUT, connect, list_objects
from sluice.core.bounded import json_of
from sluice.core.cluster import Application
from sluice.core.finding import UsageError

KIND = ("argoproj.io", "v1alpha1", "applications")


class KubernetesCluster:
    """The Application objects of the cluster that the kubeconfig, or the pod's account, leads to.

    Args:
        context: of the kubeconfig; the current one when empty.
    """

    def __init__(self, context: str = "") -> None:
        self.context = context or None

    def applications(self, namespace: str) -> Mapping[str, Application]:
        """Every application in the namespace of an Argo CD, by name."""
        with connect(self.context, "cannot list Argo CD's applications") as api:
            return dict(read_application(item) for item in list_objects(api, KIND, namespace))

    def refresh(self, namespace: str, name: str) -> None:
        """Ask Argo CD to compare an application with Git now."""
        from kubernetes import client  # noqa: PLC0415  # slow, and seldom wanted

        body = {"metadata": {"annotations": {REFRESH: "normal"}}}
        with connect(self.context, f"cannot ask for a refresh of {name}") as api:
            client.CustomObjectsApi(api).patch_namespaced_custom_object(
                KIND[0],
                KIND[1],
                namespace,
                KIND[2],
                name,
                body,
                _content_type="application/merge-patch+json",
                _request_timeout=(SHORT_TIMEOUT, SHORT_TIMEOUT),
            )

    def end(self, namespace: str, name: str, revision: str) -> None:
        """End the sync of an application, if it is still under way at that revision.

        Args:
            namespace: of Argo CD.
            name: of the application.
            revision: at which its sync is under way.

        Raises:
            UsageError: it is another sync by now, or the cluster does not let us.
        """
        from kubernetes import client  # noqa: PLC0415  # slow, and seldom wanted

        with connect(self.context, f"cannot end the sync of {name}") as api:
            objects = client.CustomObjectsApi(api)
            where = (KIND[0], KIND[1], namespace, KIND[2], name)
            timeout = (SHORT_TIMEOUT, SHORT_TIMEOUT)
            application: Any = objects.get_namespaced_custom_object(
                *where, _request_timeout=timeout
            )
            operation = read_application(application)[1].operation
            if operation is None or (operation.phase, operation.revision) != ("Running", revision):
                raise UsageError(f"the sync of {name} is another one by now")
            # With its version, so that nothing is ended that began since.
            body = {
                "metadata": {"resourceVersion": application["metadata"]["resourceVersion"]},
                "status": {"operationState": {"phase": "Terminating"}},
            }
            objects.patch_namespaced_custom_object(
                *where,
                body,
                _content_type="application/merge-patch+json",
                _request_timeout=timeout,
            )


class FileCluster:
    """Application objects in a file, as `kubectl get applications -o json` writes them."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def applications(self, namespace: str) -> Mapping[str, Application]:
        """Every application in the namespace of an Argo CD, by name.

        Raises:
            UsageError: the file cannot be read.
        """
        try:
            items = json_of(self._path.read_bytes())["items"]
            applications = {}
            for item in items:
                if item["metadata"].get("namespace", namespace) == namespace:
                    name, application = read_application(item)
                    applications[name] = application
        except OSError as error:
            raise UsageError(f"cannot read {self._path}: {error.strerror}") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UsageError(f"{self._path} is no list of applications in JSON") from None
        return applications

    def refresh(self, namespace: str, name: str) -> None:
        """Refuse: who wrote the file is not there to be asked.

        Raises:
            UsageError: always.
        """
        raise UsageError(f"{name} in {namespace} is read from a file")

    def end(self, namespace: str, name: str, revision: str) -> None:
        """Refuse: who wrote the file is not there to be asked."""
        raise UsageError(f"{name} in {namespace} at {revision} is read from a file")


def open_cluster(address: str) -> KubernetesCluster | FileCluster | None:
    """Open the place where Argo CD is asked.

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
