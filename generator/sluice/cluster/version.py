"""The version of the cluster that the user's kubeconfig, or the pod's account, leads to."""

from sluice.cluster.connection import connect

TIMEOUT = 5
"""Seconds to connect, and again to answer."""


def read_server_version(context: str | None = None) -> str:
    """Read the minor version of the API server, `1.34` for instance.

    Raises:
        UsageError: when there is no configuration or no answer.
    """
    from kubernetes import client  # noqa: PLC0415  # slow, and seldom wanted

    with connect(context) as api:
        code = client.VersionApi(api).get_code(_request_timeout=(TIMEOUT, TIMEOUT))
        return f"{code.major}.{code.minor.rstrip('+')}"
