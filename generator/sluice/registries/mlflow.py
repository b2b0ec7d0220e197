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
from sluice.registries.mlflow_artifacts import make_relative
from sluice.registries.mlflow_changes import list_changes
from sluice.registries.mlflow_clients import Clients, connect
from sluice.registries.mlflow_errors import (
    NOT_MLFLOW,
    WHOLE_SECONDS,
    explain_failures,
    is_missing,
    redact,
)
from sluice.registries.mlflow_evaluation import evaluate
from sluice.registries.mlflow_filters import match_any, split_batches
from sluice.registries.mlflow_hooks import judge_hooks
from sluice.registries.mlflow_search import (
    MODELS_A_PAGE,
    PLAIN_NAME,
    check_model,
    fetch_models,
    fetch_version,
    fetch_versions,
    search_all,
)
from sluice.registries.mlflow_workspaces import read_workspace

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion as Version

_SINCE = {"aliases": (2, 3), "logged models": (3, 0), "webhooks": (3, 3)}


class MlflowRegistry:
    """The registry behind an MLflow tracking address; see `Registry` for the methods."""

    def __init__(self, uri: str) -> None:
        self._uri = uri.rstrip("/")

    @functools.cached_property
    def _clients(self) -> Clients:
        return connect(self._uri)

    def versions(
        self,
        names: Collection[str],
        aliased: Collection[str] | None = None,  # noqa: ARG002  # all are read
    ) -> Mapping[str, Sequence[ModelVersion]]:
        """Return every version of each named model, newest first; an absent name is absent."""
        clients = self._clients
        with explain_failures(self._uri, seconds=WHOLE_SECONDS + len(names)):
            models = fetch_models(clients, sorted(set(names)))
            versions = fetch_versions(clients, models)
        sorted_versions = {}
        for name, model in models.items():
            sorted_versions[name] = _sort_versions(versions[name], model.aliases, self._uri)
        return sorted_versions

    def is_gone(self, name: str) -> bool:
        """Whether the server says that there is no such model, while it lists another one."""
        from mlflow.exceptions import MlflowException  # noqa: PLC0415 - slow: only when used

        clients = self._clients
        with explain_failures(self._uri):
            try:
                check_model(clients.direct.get_registered_model(name), name)
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
        with explain_failures(self._uri):
            return list_changes(client, since)

    def aliases(self, names: Collection[str]) -> Mapping[str, Mapping[str, str]]:
        """Return name → alias → version of those models that a search finds."""
        client = self._clients.public
        search = functools.partial(client.search_registered_models, max_results=MODELS_A_PAGE)
        aliases: dict[str, Mapping[str, str]] = {}
        with explain_failures(self._uri):
            for batch in split_batches(filter(PLAIN_NAME.fullmatch, sorted(names))):
                for model in search_all(search, match_any(batch)) or ():
                    aliases[model.name] = {a: str(v) for a, v in model.aliases.items()}
        return aliases

    def fresh(self, version: ModelVersion) -> ModelVersion:
        """Return this version read anew.

        Raises:
            UsageError: it is gone, or the server does not answer.
        """
        clients = self._clients
        with explain_failures(self._uri):
            entity = fetch_version(clients, version.name, version.version)
        # A name that is deleted and registered anew begins at version 1 again: only the time of
        # its creation tells the two apart.
        if entity is None or entity.creation_timestamp != version.created:
            number = f"version {version.version} of {version.name!r}"
            raise UsageError(f"{number} is gone from the registry since it was listed")
        return _convert_version(entity, version.aliases, self._uri)

    def evaluation(self, version: ModelVersion) -> Evaluation:
        """Return the metrics of the version's logged model and runs, and its parameters."""
        client = self._clients.public
        with explain_failures(self._uri):
            return evaluate(client, version)

    def mark(self, version: ModelVersion, marks: Mapping[str, str]) -> None:
        """Set these tags of a version; nothing where it is gone.

        Raises:
            UsageError: the server refuses, or does not answer.
        """
        from mlflow.exceptions import MlflowException  # noqa: PLC0415 - slow: only when used

        clients = self._clients
        with explain_failures(self._uri, "EDIT on the model to write tags"):
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
        name = quote(version.name, safe="")
        number = quote(version.version, safe="")
        page = f"{redact(self._uri)}/#/models/{name}/versions/{number}"
        workspace = read_workspace()
        if workspace:
            page += f"?workspace={quote(workspace, safe='')}"
        return page

    def describe(self) -> str:
        """Return the server's version and address."""
        _ = self._clients
        if not self._is_web():
            from mlflow import __version__  # noqa: PLC0415 - slow: only when used

            return f"MLflow client {__version__} at {redact(self._uri)}"
        version = self._read_server_version()
        text = f"MLflow {version} at {redact(self._uri)}"
        workspace = read_workspace()
        if workspace:
            text += f", workspace {workspace}"
        for feature in _list_lacking(version):
            text += f", without {feature}"
        return text

    def hooks(self) -> Hooks:
        """Look at the server's webhooks, and have a test delivered by those that lead to us."""
        client = self._clients.public
        with explain_failures(self._uri):
            return judge_hooks(client.list_webhooks, client.test_webhook)

    def _read_server_version(self) -> str:
        from mlflow.utils import credentials, rest_utils  # noqa: PLC0415 - slow: only when used

        with explain_failures(self._uri):
            access = credentials.get_default_host_creds(self._uri)  # type: ignore[no-untyped-call]
            answer = rest_utils.http_request_safe(access, "/version", "GET")  # type: ignore[no-untyped-call]
        version = str(answer.text.strip())
        if not re.fullmatch(r"\d+(\.\w+)+", version):
            raise UsageError(f"MLflow at {redact(self._uri)} {NOT_MLFLOW}")
        return version

    def _is_web(self) -> bool:
        return self._uri.startswith(("http://", "https://"))


def _list_lacking(version: str) -> list[str]:
    """List what a server of this version does not have yet."""
    number = tuple(map(int, re.findall(r"\d+", version)[:2]))
    lacking = []
    for feature, (major, minor) in _SINCE.items():
        if number < (major, minor):
            lacking.append(f"{feature} ({major}.{minor})")
    return lacking


def _sort_versions(
    versions: Mapping[str, "Version"], aliases: Mapping[str, str], uri: str
) -> tuple[ModelVersion, ...]:
    names: dict[str, list[str]] = {}
    for alias, number in sorted(aliases.items()):
        names.setdefault(str(number), []).append(alias)
    newest_first = sorted(versions.items(), key=lambda item: int(item[0]), reverse=True)
    return tuple(
        _convert_version(entity, names.get(number, ()), uri) for number, entity in newest_first
    )


def _convert_version(entity: "Version", aliases: Iterable[str], uri: str) -> ModelVersion:
    stage = entity.current_stage or ""
    if stage == "None":  # what the server calls a version without a stage
        stage = ""
    tags = dict(entity.tags)
    return ModelVersion(
        name=entity.name,
        version=str(entity.version),
        source=make_relative(entity.source or "", uri),
        created=entity.creation_timestamp,
        updated=entity.last_updated_timestamp or entity.creation_timestamp,
        run_id=entity.run_id or "",
        stage=stage,
        aliases=tuple(aliases),
        tags={key: value for key, value in tags.items() if not key.startswith(MARK)},
        ready=entity.status == "READY",
        marks={key: value for key, value in tags.items() if key.startswith(MARK)},
    )
