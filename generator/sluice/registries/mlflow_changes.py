"""What changed last in an MLflow server, read from its newest end: the cheapest look there is."""

from typing import TYPE_CHECKING

from sluice.registries.mlflow_errors import check_page

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import RegisteredModel

_A_PAGE = 100
_NEWEST_FIRST = "last_updated_timestamp DESC"


def list_changes(client: "MlflowClient", since: int) -> dict[str, tuple[int, object]]:
    """Return name → time and state of the models that changed at or after `since`.

    The one that changed last is there in any case. Times are milliseconds of the server's clock.
    """
    changed: dict[str, tuple[int, object]] = {}
    token: str | None = None
    tokens: set[str] = set()
    while True:
        page = client.search_registered_models(
            max_results=_A_PAGE, order_by=[_NEWEST_FIRST], page_token=token
        )
        for model in page:
            when = int(model.last_updated_timestamp or 0)
            if changed and when < since:
                return changed
            changed[model.name] = (when, _read_state(model))
        token = page.token
        if not token:
            return changed
        token = check_page(token, tokens)


def _read_state(model: "RegisteredModel") -> object:
    """Return what differs whenever a stage, a version or an alias of the model does."""
    latest = model.latest_versions or ()
    stages = sorted((v.current_stage, v.version, v.last_updated_timestamp) for v in latest)
    return stages, sorted(model.aliases.items())
