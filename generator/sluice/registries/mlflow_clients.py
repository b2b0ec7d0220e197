"""The client half of MLflow, set up for a program that must not wait for long."""

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from sluice.network.transport import ask_for_plain_answers, bound_answers
from sluice.registries.mlflow_errors import explain_failures

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion as Version
    from mlflow.entities.model_registry import RegisteredModel

_DEFAULT_SETTINGS = {
    # The client's own defaults wait four minutes for a dead server.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    # Credentials are meant for the address that was given, and for no other one.
    "MLFLOW_ALLOW_HTTP_REDIRECTS": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
}
_FIXED_SETTINGS = {
    # How long a server wants us to stay away may be hours, and nothing can end the client's sleep.
    "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER": "false",
}
# Each retry is a warning there, and so is each error code of which the client does not know, as the
# server wrote it; the failure itself is told once, by us.
_LOUD = ("urllib3.connectionpool", "mlflow.exceptions")

Row_co = TypeVar("Row_co", covariant=True)


class Page(Protocol[Row_co]):
    """A part of what a search found; `token` leads to the next part."""

    @property
    def token(self) -> str | None: ...

    def __iter__(self) -> Iterator[Row_co]: ...


class Search(Protocol[Row_co]):
    """A search of the public client."""

    def __call__(self, condition: str, *, page_token: str | None = None) -> Page[Row_co]: ...


class Direct(Protocol):
    """What we ask of the client below the public one."""

    def get_registered_model(self, name: str) -> "RegisteredModel": ...

    def get_model_version(self, name: str, version: str) -> "Version": ...

    def set_model_version_tag(self, name: str, version: str, key: str, value: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Clients:
    """MLflow's public client, and the one below it, which does not hide prompts from `get`."""

    public: "MlflowClient"
    direct: Direct


def connect(uri: str) -> Clients:
    """Return clients for the server at an address; nothing is asked of it yet."""
    _prepare()
    with explain_failures(uri):
        from mlflow import MlflowClient  # noqa: PLC0415 - slow: only when used
        from mlflow.tracking._model_registry.client import (  # noqa: PLC0415 - as above
            ModelRegistryClient,
        )

        return Clients(
            public=MlflowClient(tracking_uri=uri, registry_uri=uri),
            direct=ModelRegistryClient(uri, uri),  # type: ignore[no-untyped-call]
        )


def _prepare() -> None:
    """Set what must stand before the client is imported; most of it where the user set nothing."""
    for key, value in _DEFAULT_SETTINGS.items():
        os.environ.setdefault(key, value)
    os.environ.update(_FIXED_SETTINGS)
    # Its transport is the only one that does not know this setting.
    if os.environ.get("SSL_CERT_FILE") and not os.environ.get("CURL_CA_BUNDLE"):
        os.environ.setdefault("REQUESTS_CA_BUNDLE", os.environ["SSL_CERT_FILE"])
    ask_for_plain_answers()
    bound_answers()
    for name in _LOUD:
        logger = logging.getLogger(name)
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.ERROR)
