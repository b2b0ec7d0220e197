"""Model versions and their evaluations in an MLflow tracking server; `mark` alone writes.

Works with the client half of the package (mlflow-skinny). Credentials, TLS and proxies are
MLflow's own settings: MLFLOW_TRACKING_USERNAME, _PASSWORD, _TOKEN, _SERVER_CERT_PATH and so on.
"""

import functools
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote

from sluice.core.finding import UsageError
from sluice.core.model import MARK, Evaluation, ModelVersion
from sluice.registries.hooks import Hooks
from sluice.registries.mlflow_artifacts import relative
from sluice.registries.mlflow_changes import changes
from sluice.registries.mlflow_clients import Clients, Row_co, Search, connected
from sluice.registries.mlflow_errors import (
    NOT_MLFLOW,
    WHOLE_SECONDS,
    NonsenseError,
    is_forbidden,
    is_invalid,
    is_missing,
    next_page,
    one_line,
    redacted,
)
from sluice.registries.mlflow_evaluation import evaluate
from sluice.registries.mlflow_filters import among, batches, like
from sluice.registries.mlflow_hooks import hooks
from sluice.registries.mlflow_workspaces import workspace

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion as Version
    from mlflow.entities.model_registry import RegisteredModel

_MODELS_A_PAGE = 1000
_VERSIONS_A_PAGE = 10_000
_SINCE = {"aliases": (2, 3), "logged models": (3, 0), "webhooks": (3, 3)}
_PLAIN_NAME = re.compile(r"\w[\w .-]*")


class MlflowRegistry:
    """The registry behind an MLflow tracking address; see `Registry` for the methods."""

    def __init__(self, uri: str) -> None:
        self._uri = uri.rstrip("/")

    @functools.cached_property
    def _clients(self) -> Clients:
        return connected(self._uri)

    def versions(
        self,
        names: Collection[str],
        aliased: Collection[str] | None = None,  # noqa: ARG002  # all are read
    ) -> Mapping[str, Sequence[ModelVersion]]:
        """Return every version of each named model, newest first; an absent name is absent."""
        clients = self._clients
        with one_line(self._uri, seconds=WHOLE_SECONDS + len(names)):
            models = _models(clients, sorted(set(names)))
            found = _versions(clients, models)
        return {name: _ordered(found[name], models[name].aliases, self._uri) for name in models}

    def is_gone(self, name: str) -> bool:
        """Whether the server says that there is no such model, while it lists another one."""
        from mlflow.exceptions import MlflowException  # noqa: PLC0415 - slow: only when used

        clients = self._clients
        with one_line(self._uri):
            try:
                _named(clients.direct.get_registered_model(name), name)
            except UnicodeEncodeError:
                return True
            except MlflowException as error:
                if not is_missing(error):
                    return False
            else:
                return False
            others = clients.public.search_registered_models(max_results=1)
            return any(model.name for model in others)

    def changes(self, since: int) -> Mapping[str, tuple[int, object]]:
        """Return the models that changed at or after `since`, and the last one; see watch.py."""
        client = self._clients.public
        with one_line(self._uri):
            return changes(client, since)

    def aliases(self, names: Collection[str]) -> Mapping[str, Mapping[str, str]]:
        """Return name → alias → version of those models that a search finds."""
        client = self._clients.public
        search = functools.partial(client.search_registered_models, max_results=_MODELS_A_PAGE)
        found: dict[str, Mapping[str, str]] = {}
        with one_line(self._uri):
            for batch in batches(filter(_PLAIN_NAME.fullmatch, sorted(names))):
                for model in _search(search, among(batch)) or ():
                    found[model.name] = {a: str(v) for a, v in model.aliases.items()}
        return found

    def fresh(self, version: ModelVersion) -> ModelVersion:
        """Return this version read anew."""
        clients = self._clients
        with one_line(self._uri):
            found = _version_of(clients, version.name, version.version)
        if found is None or found.creation_timestamp != version.created:
            named = f"version {version.version} of {version.name!r}"
            raise UsageError(f"{named} is gone from the registry since it was listed")
        return _version(found, version.aliases, self._uri)

    def evaluation(self, version: ModelVersion) -> Evaluation:
        """Return the metrics of the version's logged model and runs, and its parameters."""
        client = self._clients.public
        with one_line(self._uri):
            return evaluate(client, version)

    def mark(self, version: ModelVersion, marks: Mapping[str, str]) -> None:
        """Set these tags of a version; nothing where it is gone."""
        from mlflow.exceptions import MlflowException  # noqa: PLC0415 - slow: only when used

        clients = self._clients
        with one_line(self._uri, "EDIT on the model to write tags"):
            for key, value in marks.items():
                try:
                    clients.direct.set_model_version_tag(version.name, version.version, key, value)
                except MlflowException as error:
                    if not is_missing(error):
                        raise

    def url(self, version: ModelVersion) -> str:
        """Return the page of the version; nothing when the address is not a web server's."""
        if not self._is_web():
            return ""
        name, number = quote(version.name, safe=""), quote(version.version, safe="")
        within = f"?workspace={quote(place, safe='')}" if (place := workspace()) else ""
        return f"{redacted(self._uri)}/#/models/{name}/versions/{number}{within}"

    def describe(self) -> str:
        """Return the server's version and address."""
        _ = self._clients
        if not self._is_web():
            from mlflow import __version__  # noqa: PLC0415 - slow: only when used

            return f"MLflow client {__version__} at {redacted(self._uri)}"
        version, within = self._server_version(), workspace()
        place = f"MLflow {version} at {redacted(self._uri)}" + (within and f", workspace {within}")
        return place + "".join(f", without {what}" for what in _lacking(version))

    def hooks(self) -> Hooks:
        """Look at the server's webhooks, and have a test delivered by those that lead to us."""
        client = self._clients.public
        with one_line(self._uri):
            return hooks(client.list_webhooks, client.test_webhook)

    def _server_version(self) -> str:
        from mlflow.utils import credentials, rest_utils  # noqa: PLC0415 - slow: only when used

        with one_line(self._uri):
            access = credentials.get_default_host_creds(self._uri)  # type: ignore[no-untyped-call]
            answer = rest_utils.http_request_safe(access, "/version", "GET")  # type: ignore[no-untyped-call]
        version = str(answer.text.strip())
        if not re.fullmatch(r"\d+(\.\w+)+", version):
            raise UsageError(f"MLflow at {redacted(self._uri)} {NOT_MLFLOW}")
        return version

    def _is_web(self) -> bool:
        return self._uri.startswith(("http://", "https://"))


def _lacking(version: str) -> list[str]:
    """What a server of this version does not have yet."""
    number = tuple(map(int, re.findall(r"\d+", version)[:2]))
    return [f"{what} ({since[0]}.{since[1]})" for what, since in _SINCE.items() if number < since]


def _models(clients: Clients, names: Sequence[str]) -> dict[str, "RegisteredModel"]:
    """Return each of these models that exists."""
    search = functools.partial(clients.public.search_registered_models, max_results=_MODELS_A_PAGE)
    found: dict[str, RegisteredModel] = {}
    for batch in batches(filter(_PLAIN_NAME.fullmatch, names)):
        found |= {model.name: model for model in _search(search, among(batch)) or ()}
    # Not found is not absent: a tag can hide a model, and not every name fits into a filter.
    for name in names:
        if name not in found and (model := _model(clients, name)) is not None:
            found[name] = model
    return {name: found[name] for name in names if name in found}


def _model(clients: Clients, name: str) -> "RegisteredModel | None":
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - slow: only when used

    try:
        return _named(clients.direct.get_registered_model(name), name)
    except UnicodeEncodeError:
        return None
    except MlflowException as error:
        # Refused as a name: no model can have it. Forbidden: hidden from this account, and one
        # such model must not hold up the others.
        if is_missing(error) or is_invalid(error) or is_forbidden(error):
            return None
        raise


def _versions(
    clients: Clients, models: Mapping[str, "RegisteredModel"]
) -> dict[str, dict[str, "Version"]]:
    """Return version number → version of each of these models."""
    search = functools.partial(clients.public.search_model_versions, max_results=_VERSIONS_A_PAGE)
    found: dict[str, dict[str, Version]] = {name: {} for name in models}
    one_by_one = [name for name in models if not _PLAIN_NAME.fullmatch(name)]
    for batch in batches(filter(_PLAIN_NAME.fullmatch, models)):
        rows = _search(search, among(batch))
        if rows is None:
            one_by_one += batch
        _collect(rows or (), found)
    for name in one_by_one:
        _collect(_search(search, like(name)) or (), found)
    for name, model in models.items():
        _add_hidden(clients, model, found[name])
    return found


def _collect(rows: Iterable["Version"], found: dict[str, dict[str, "Version"]]) -> None:
    for version in rows:
        if version.name in found:
            number = str(version.version)
            found[version.name][number] = _numbered(version, version.name, number)


def _add_hidden(clients: Clients, model: "RegisteredModel", found: dict[str, "Version"]) -> None:
    """Fetch one by one the versions of a model that a tag hides from searches."""
    known = {str(version.version) for version in model.latest_versions or ()}
    known |= {str(number) for number in model.aliases.values()}
    if known <= found.keys():
        return
    for number in map(str, range(1, max(map(int, known)) + 1)):
        if number not in found and (version := _version_of(clients, model.name, number)):
            found[number] = version


def _version_of(clients: Clients, name: str, number: str) -> "Version | None":
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - slow: only when used

    try:
        return _numbered(clients.direct.get_model_version(name, number), name, number)
    except MlflowException as error:
        if is_missing(error):
            return None
        raise


def _named(model: "RegisteredModel", name: str) -> "RegisteredModel":
    """The model, if the answer is about it: an answer of another form says nothing of it."""
    if model.name != name:
        raise NonsenseError(f"the model {name!r}")
    return model


def _numbered(version: "Version", name: str, number: str) -> "Version":
    """The version, if the answer is about it."""
    is_asked = (version.name, str(version.version)) == (name, number)
    if not (is_asked and number.isdecimal() and version.creation_timestamp):
        raise NonsenseError(f"version {number} of {name!r}")
    return version


def _search(search: Search[Row_co], condition: str) -> list[Row_co] | None:
    """Return all rows, or None when this server's filters do not have such a condition."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - slow: only when used

    try:
        page = search(condition)
        rows = list(page)
        tokens: set[str] = set()
        while page.token:
            page = search(condition, page_token=next_page(page.token, tokens))
            rows += page
    except MlflowException as error:
        if is_invalid(error):
            return None
        raise
    return rows


def _ordered(
    versions: Mapping[str, "Version"], aliases: Mapping[str, str], uri: str
) -> tuple[ModelVersion, ...]:
    names: dict[str, list[str]] = {}
    for alias, number in sorted(aliases.items()):
        names.setdefault(str(number), []).append(alias)
    newest_first = sorted(versions.items(), key=lambda item: int(item[0]), reverse=True)
    return tuple(_version(entity, names.get(number, ()), uri) for number, entity in newest_first)


def _version(entity: "Version", aliases: Iterable[str], uri: str) -> ModelVersion:
    stage, tags = entity.current_stage or "", dict(entity.tags)
    return ModelVersion(
        name=entity.name,
        version=str(entity.version),
        source=relative(entity.source or "", uri),
        created=entity.creation_timestamp,
        updated=entity.last_updated_timestamp or entity.creation_timestamp,
        run_id=entity.run_id or "",
        stage="" if stage == "None" else stage,
        aliases=tuple(aliases),
        tags={key: value for key, value in tags.items() if not key.startswith(MARK)},
        ready=entity.status == "READY",
        marks={key: value for key, value in tags.items() if key.startswith(MARK)},
    )
