"""Where the source of a model version leads: to a logged model, perhaps over copies of versions."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar, TypeVarTuple

from sluice.registries.mlflow_errors import (
    NonsenseError,
    is_forbidden,
    is_missing,
    is_unsupported,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel

Thing = TypeVar("Thing")
Arguments = TypeVarTuple("Arguments")
_LOGGED = re.compile(r"models:/(m-[0-9a-f]{32})(?:/.*)?", re.DOTALL)
_COPIED = re.compile(r"models:/(?P<name>[^/]+)/(?P<version>\d+)")
_MOST_COPIES = 5


def follow_source(
    client: "MlflowClient", source: str
) -> tuple["LoggedModel | None", tuple[str, ...], str]:
    """Return the logged model that a source leads to, the sources on the way, and what is missing.

    A version may be a copy of another one, which may be a copy itself.

    Raises:
        NonsenseError: the server answers about something else.
    """
    hops: list[str] = []
    for _ in range(_MOST_COPIES):
        model = _LOGGED.fullmatch(source)
        if model:
            logged = _fetch_logged_model(client, model[1])
            gap = "" if logged else f"the logged model {model[1]} is not there or cannot be read"
            return logged, tuple(hops), gap
        copied = _COPIED.fullmatch(source)
        if copied is None:
            return None, tuple(hops), ""
        original = fetch_or_none(client.get_model_version, copied["name"], copied["version"])
        if original is not None and original.name != copied["name"]:
            raise NonsenseError(f"version {copied['version']} of {copied['name']!r}")
        source = (original.source or "") if original else ""
        if not source:
            name = f"{copied['name']} {copied['version']}"
            return None, tuple(hops), f"it is a copy of {name}, which is gone"
        if source in hops:
            return None, tuple(hops), "it is a copy of itself"
        hops.append(source)
    return None, tuple(hops), "it is a copy of a copy, again and again"


def _fetch_logged_model(client: "MlflowClient", model_id: str) -> "LoggedModel | None":
    # Servers before 3.0 have no logged models, and say so in more than one way.
    logged = fetch_or_none(client.get_logged_model, model_id, even_if_unsupported=True)
    if logged is not None and logged.model_id != model_id:
        raise NonsenseError(f"the logged model {model_id}")
    return logged


def fetch_or_none(
    get: Callable[[*Arguments], Thing], *arguments: *Arguments, even_if_unsupported: bool = False
) -> Thing | None:
    """Call `get`; None when the server has no such thing, or perhaps no such kind of thing.

    Args:
        get: a method of the client.
        arguments: its arguments.
        even_if_unsupported: whether None is also for a server that knows no such kind of
            thing.

    Raises:
        MlflowException: the server fails otherwise.
    """
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - slow: only when used

    try:
        return get(*arguments)
    except MlflowException as error:
        refused = even_if_unsupported and (is_unsupported(error) or is_forbidden(error))
        if is_missing(error) or refused:
            return None
        raise


def find_logged_model(client: "MlflowClient", source: str) -> str | None:
    """Return the id of the logged model that a version's source leads to."""
    logged, _, _ = follow_source(client, source)
    if logged is None:
        return None
    return str(logged.model_id)
