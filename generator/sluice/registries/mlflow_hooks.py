"""What an MLflow server has been told to deliver, for `doctor`; polling works without any of it."""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING

from sluice.registries.hooks import Hooks
from sluice.registries.mlflow_errors import is_forbidden, status_of
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


def hooks(
    listed: Callable[[], "Iterable[Webhook]"], tried: Callable[[str], "WebhookTestResult"]
) -> Hooks:
    """Judge the webhooks of a server, and let it deliver a test to those that lead to us.

    `listed` asks it for them, and its failures stay failures; `tried` sends a test, by id.
    """
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - slow: only when used

    try:
        found = [hook for hook in listed() if hook.url.rstrip("/").endswith(PATH)]
    except MlflowException as error:
        return _not_listed(error)
    if not found:
        return Hooks(ok=True, said=f"none leads to {PATH}: changes are seen by polling")
    active = [hook for hook in found if str(hook.status).upper() == "ACTIVE"]
    told = {str(event) for hook in active for event in hook.events}
    missing = sorted(_ALIASES - told)
    if missing:
        return Hooks(
            ok=False,
            said=f"those that lead to {PATH} do not tell {', '.join(missing)}",
            remedy="add these events to an active webhook; stages are seen by polling only",
        )
    for hook in active:
        if wrong := _undelivered(hook.webhook_id, tried):
            remedy = next((r for words, r in _REMEDIES.items() if words in wrong), _UNREACHED)
            return Hooks(ok=False, said=f"a test delivery does not arrive: {wrong}", remedy=remedy)
    said = "a test delivery arrived; aliases wake the reconciler, stages are seen by polling"
    return Hooks(ok=True, said=said)


def _undelivered(name: str, tried: Callable[[str], "WebhookTestResult"]) -> str:
    """Why the server could not deliver, or nothing."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - slow: only when used

    try:
        result = tried(name)
    except MlflowException as error:
        status = status_of(error)
        return f"the server refuses ({status})" if status else "the server gives up on it"
    if result.success:
        return ""
    if result.response_status:
        return f"it is answered with {result.response_status}"
    return " ".join((result.error_message or "no reason is given").split())[:_LONGEST]


def _not_listed(error: Exception) -> Hooks:
    status = status_of(error)
    if is_forbidden(error):
        said = "not looked at: only an administrator of the server may list them"
        return Hooks(ok=True, said=said)
    if is_about_workspaces(error) or status not in (HTTPStatus.NOT_FOUND, _BROKEN):
        raise error
    if status == HTTPStatus.NOT_FOUND:
        said = "this server has none (they came with 3.3): changes are seen by polling"
        return Hooks(ok=True, said=said)
    return Hooks(
        ok=False,
        said=f"the server cannot list them ({status}), and delivers none then",
        remedy="set MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY on the server, the same for all workers "
        "and restarts; if it was changed, delete and create the webhooks again",
    )
