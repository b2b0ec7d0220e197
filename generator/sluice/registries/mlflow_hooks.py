"""What an MLflow server has been told to deliver, for `doctor`; polling works without any of it."""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING

from sluice.registries.hooks import Hooks
from sluice.registries.mlflow_errors import find_status, is_forbidden
from sluice.registries.mlflow_workspaces import is_about_workspaces

if TYPE_CHECKING:
    from mlflow.entities.webhook import Webhook, WebhookTestResult

PATH = "/webhooks/registry"
_LONGEST = 200
_UNREACHED = f"check that its address leads from the server to sluice reconcile --listen, {PATH}"
_BROKEN = HTTPStatus.INTERNAL_SERVER_ERROR
_ALIASES = {"model_version_alias.created", "model_version_alias.deleted"}


# What a test delivery comes back with → what to do.
_REMEDIES = {
    "401": "give the webhook the secret in SLUICE_REGISTRY_WEBHOOK_SECRET, and set the clocks",
    "404": "start sluice reconcile --listen with SLUICE_REGISTRY_WEBHOOK_SECRET",
    "non-public IP": "start the server with MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS=true",
    "llowed schemes": "start the server with MLFLOW_WEBHOOK_ALLOWED_SCHEMES=http,https",
}


def judge_hooks(
    list_hooks: Callable[[], "Iterable[Webhook]"], send_test: Callable[[str], "WebhookTestResult"]
) -> Hooks:
    """Judge the webhooks of a server, and let it deliver a test to those that lead to us.

    Args:
        list_hooks: asks the server for them.
        send_test: lets it deliver a test, by the id of a webhook.

    Raises:
        MlflowException: the server fails, for another reason than that it has no webhooks.
    """
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - slow: only when used

    try:
        ours = [hook for hook in list_hooks() if hook.url.rstrip("/").endswith(PATH)]
    except MlflowException as error:
        return _explain_unlisted(error)
    if not ours:
        return Hooks(ok=True, summary=f"none leads to {PATH}: changes are seen by polling")
    active = [hook for hook in ours if str(hook.status).upper() == "ACTIVE"]
    events: set[str] = set()
    for hook in active:
        events.update(map(str, hook.events))
    missing = sorted(_ALIASES - events)
    if missing:
        return Hooks(
            ok=False,
            summary=f"those that lead to {PATH} do not tell {', '.join(missing)}",
            remedy="add these events to an active webhook; stages are seen by polling only",
        )
    for hook in active:
        failure = _try_delivery(hook.webhook_id, send_test)
        if failure:
            summary = f"a test delivery does not arrive: {failure}"
            return Hooks(ok=False, summary=summary, remedy=_choose_remedy(failure))
    summary = "a test delivery arrived; aliases wake the reconciler, stages are seen by polling"
    return Hooks(ok=True, summary=summary)


def _choose_remedy(failure: str) -> str:
    for words, remedy in _REMEDIES.items():
        if words in failure:
            return remedy
    return _UNREACHED


def _try_delivery(name: str, send_test: Callable[[str], "WebhookTestResult"]) -> str:
    """Have a test delivered; return why the server could not deliver it, or nothing."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - slow: only when used

    try:
        result = send_test(name)
    except MlflowException as error:
        status = find_status(error)
        if not status:
            return "the server gives up on it"
        return f"the server refuses ({status})"
    if result.success:
        return ""
    if result.response_status:
        return f"it is answered with {result.response_status}"
    return " ".join((result.error_message or "no reason is given").split())[:_LONGEST]


def _explain_unlisted(error: Exception) -> Hooks:
    status = find_status(error)
    if is_forbidden(error):
        summary = "not looked at: only an administrator of the server may list them"
        return Hooks(ok=True, summary=summary)
    if is_about_workspaces(error) or status not in (HTTPStatus.NOT_FOUND, _BROKEN):
        raise error
    if status == HTTPStatus.NOT_FOUND:
        summary = "this server has none (they came with 3.3): changes are seen by polling"
        return Hooks(ok=True, summary=summary)
    return Hooks(
        ok=False,
        summary=f"the server cannot list them ({status}), and delivers none then",
        remedy="set MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY on the server, the same for all workers "
        "and restarts; if it was changed, delete and create the webhooks again",
    )
