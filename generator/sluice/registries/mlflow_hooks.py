"""What an MLflow server has been told to deliver, for `doctor`; polling works without any of it."""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING

from sluice.registries.hooks import Hooks
from sluice.registries.mlflow_errors import is_forbidden, status_of
from sluice.registries.mlflow_workspaces import is_about_workspaces

if TYPE_CHECKING:
    from mlflow.entities.webhook import Webhook

PATH = "/webhooks/registry"
_BROKEN = HTTPStatus.INTERNAL_SERVER_ERROR
_ALIASES = {"model_version_alias.created", "model_version_alias.deleted"}


def hooks(listed: Callable[[], "Iterable[Webhook]"]) -> Hooks:
    """Judge the webhooks of a server; `listed` asks it for them, and its failures stay failures."""
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
    return Hooks(ok=True, said="aliases wake the reconciler; stages are seen by polling")


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
