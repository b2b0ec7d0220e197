"""What the policies of a cluster say to a workload, asked without storing anything."""

from collections.abc import Mapping
from typing import Any

from sluice.cluster.connection import TIMEOUT, AbsentError, connect

DENIED = "ValidatingAdmissionPolicy"
"""In the words of an API server where a policy refused something."""
_NO_RETURN = (403, 422)
"""What it answers then, by the policy's reason."""


def try_workload(context: str | None, plural: str, workload: Mapping[str, Any]) -> str:
    """Return why a policy refuses to create a workload; empty when none does.

    Args:
        context: of the kubeconfig; None is the current one, or the cluster that we are in.
        plural: the name of its kind in paths.
        workload: the object; it is created as a dry run.

    Raises:
        ForbiddenError: when whoever asks may not create workloads there.
        UsageError: when there is no answer, or another refusal than a policy's.
    """
    from kubernetes import client  # noqa: PLC0415  # slow, and seldom wanted

    group, _, version = str(workload["apiVersion"]).rpartition("/")
    with connect(context, "cannot try a workload") as api:
        try:
            client.CustomObjectsApi(api).create_namespaced_custom_object(
                group,
                version,
                workload["metadata"]["namespace"],
                plural,
                dict(workload),
                dry_run="All",
                _request_timeout=(TIMEOUT, TIMEOUT),
            )
        except client.ApiException as error:
            reason = str(error.body or "")
            if error.status not in _NO_RETURN or DENIED not in reason:
                raise
            return reason
    return ""


def read_parameters(context: str | None, namespace: str, name: str) -> Mapping[str, str] | None:
    """Return the data of a ConfigMap; None when it is not there.

    Args:
        context: of the kubeconfig; None is the current one, or the cluster that we are in.
        namespace: of the ConfigMap.
        name: of the ConfigMap.

    Raises:
        ForbiddenError: when whoever asks may not read it.
        UsageError: when the cluster does not answer.
    """
    from kubernetes import client  # noqa: PLC0415  # slow, and seldom wanted

    try:
        with connect(context, f"cannot read the ConfigMap {name} in {namespace}") as api:
            config_map = client.CoreV1Api(api).read_namespaced_config_map(
                name, namespace, _request_timeout=(TIMEOUT, TIMEOUT)
            )
    except AbsentError:
        return None
    return config_map.data or {}
