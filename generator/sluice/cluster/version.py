"""The version of the cluster that the user's kubeconfig, or the pod's account, leads to."""

import os

from sluice.core.finding import UsageError

TIMEOUT = 5
"""Seconds to connect, and again to answer."""


def server_version(context: str | None = None) -> str:
    """The minor version of the API server, `1.34` for instance.

    Raises:
        UsageError: when there is no configuration or no answer.
    """
    from kubernetes import client, config  # noqa: PLC0415  # slow, and seldom wanted
    from urllib3.exceptions import HTTPError  # noqa: PLC0415  # as above

    try:
        settings = client.Configuration()
        if "KUBERNETES_SERVICE_HOST" in os.environ:
            config.load_incluster_config(client_configuration=settings)  # type: ignore[no-untyped-call]
        else:
            # The client reads the variable only once, when it is imported.
            file = os.environ.get("KUBECONFIG")
            config.load_kube_config(file, context, settings)  # type: ignore[no-untyped-call]
        settings.retries = 0
        with client.ApiClient(settings) as api:
            code = client.VersionApi(api).get_code(_request_timeout=(TIMEOUT, TIMEOUT))
    except config.ConfigException as error:
        raise UsageError(f"no cluster is configured: {first_line(error)}") from None
    except client.ApiException as error:
        raise UsageError(f"the cluster answers {error.status} {error.reason}") from None
    except HTTPError as error:
        raise UsageError(f"the cluster does not answer: {first_line(error)}") from None
    return f"{code.major}.{code.minor.rstrip('+')}"


def first_line(error: Exception) -> str:
    """What an error says first, or its kind when it says nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0]
