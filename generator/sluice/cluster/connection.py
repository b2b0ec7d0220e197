"""The way to a cluster's API server, and what goes wrong on it, each in one line."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sluice.core.finding import UsageError
from sluice.network.deadlines import within
from sluice.network.transport import TooLargeError, bound_answers, limit_conversation

TIMEOUT = 20
"""Seconds to connect, and again to answer."""
SHORT_TIMEOUT = 5
"""The same for what nobody should wait for."""
WHOLE_SECONDS = 120
"""For all that is asked at once, however many pages it has."""
PAGE = 250
_MOST_PAGES = 1000
_FORBIDDEN, _ABSENT = 403, 404
_ODD = (ValueError, TypeError, AttributeError, KeyError, IndexError, OverflowError, RecursionError)
"""What the client, or who reads its answers, makes of an answer of another form."""


class ForbiddenError(UsageError):
    """Whoever asks may not do that."""


class AbsentError(UsageError):
    """The cluster has no such thing, or does not know the kind."""


@contextmanager
def connect(context: str | None, doing: str = "") -> Iterator[Any]:
    """Give a client of the API server that the kubeconfig, or the pod's account, leads to.

    Args:
        context: of the kubeconfig; None is the current one, or the cluster that we are in.
        doing: what is refused when the cluster refuses something, for the message.

    Raises:
        ForbiddenError: when the right is missing.
        AbsentError: when what is asked for is not there.
        UsageError: when there is no configuration or no answer, or another one than hoped for.
    """
    from kubernetes import client  # noqa: PLC0415  # slow, and seldom wanted
    from urllib3.exceptions import HTTPError  # noqa: PLC0415  # as above

    settings = _read_kubeconfig(context)
    bound_answers()
    try:
        with (
            within(WHOLE_SECONDS, _refuse_late),
            limit_conversation(),
            client.ApiClient(settings) as api,
        ):
            yield api
    except client.ApiException as error:
        message = f"the cluster answers {error.status} {error.reason}"
        if doing:
            message = f"{doing}: {message}"
        kinds = {_FORBIDDEN: ForbiddenError, _ABSENT: AbsentError}
        kind = kinds.get(error.status, UsageError)
        raise kind(message) from None
    except HTTPError as error:
        raise UsageError(f"the cluster does not answer: {take_first_line(error)}") from None
    except TooLargeError as error:
        raise UsageError(f"the cluster {error}") from None
    except _ODD:
        raise UsageError(_NONSENSE) from None


_NONSENSE = (
    "the cluster answers, but not as an API server does: check the server's address in the "
    "kubeconfig, and look for a login page or a proxy before it"
)


def _refuse_late() -> UsageError:
    return UsageError("the cluster does not answer in time")


def _read_kubeconfig(context: str | None) -> Any:  # noqa: ANN401  # the client is not typed
    """Read where the cluster is and who asks; the client takes it from a file without checking."""
    import yaml  # noqa: PLC0415  # comes with the client
    from kubernetes import client, config  # noqa: PLC0415  # slow, and seldom wanted

    try:
        settings = client.Configuration()
        if "KUBERNETES_SERVICE_HOST" in os.environ and context is None:
            config.load_incluster_config(client_configuration=settings)  # type: ignore[no-untyped-call]
        else:
            # The client reads the variable only once, when it is imported.
            file = os.environ.get("KUBECONFIG")
            config.load_kube_config(file, context, settings)  # type: ignore[no-untyped-call]
    except config.ConfigException as error:
        raise UsageError(f"no cluster is configured: {take_first_line(error)}") from None
    except (yaml.YAMLError, *_ODD, OSError) as error:
        raise UsageError(f"the kubeconfig is broken: {take_first_line(error)}") from None
    settings.retries = 0
    return settings


def list_objects(
    api: Any,  # noqa: ANN401  # the client is not typed
    kind: tuple[str, str, str],
    namespace: str,
) -> Iterator[Mapping[str, Any]]:
    """Yield every object of a kind in a namespace, page by page.

    Args:
        api: a client of the API server.
        kind: API group, version and plural of the kind.
        namespace: where to look.

    Raises:
        UsageError: the pages do not come to an end.
    """
    from kubernetes import client  # noqa: PLC0415  # slow, and seldom wanted

    group, version, plural = kind
    objects, token = client.CustomObjectsApi(api), ""
    for _ in range(_MOST_PAGES):
        page: Any = objects.list_namespaced_custom_object(
            group,
            version,
            namespace,
            plural,
            limit=PAGE,
            _continue=token,
            _request_timeout=(TIMEOUT, TIMEOUT),
        )
        yield from page.get("items", ())
        token = page.get("metadata", {}).get("continue") or ""
        if not token:
            return
    raise UsageError(f"the cluster does not come to an end within {_MOST_PAGES} pages")


def take_first_line(error: Exception) -> str:
    """Return what an error says first, or its kind when it says nothing."""
    lines = str(error).splitlines()
    if not lines:
        return type(error).__name__
    return lines[0]
