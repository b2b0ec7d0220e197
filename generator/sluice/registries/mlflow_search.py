"""Models and versions of an MLflow server: searched for in batches, one by one where hidden.

A search does not find everything: a tag can hide a model or a version from it, some names do not
fit into a filter, and an older server lacks the filter. What it does not find is asked for.
"""

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from sluice.registries.mlflow_clients import Clients, Row_co, Search
from sluice.registries.mlflow_errors import (
    NonsenseError,
    check_page,
    is_forbidden,
    is_invalid,
    is_missing,
)
from sluice.registries.mlflow_filters import match_any, match_one, split_batches

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion as Version
    from mlflow.entities.model_registry import RegisteredModel

MODELS_A_PAGE = 1000
_VERSIONS_A_PAGE = 10_000
PLAIN_NAME = re.compile(r"\w[\w .-]*")


def fetch_models(clients: Clients, names: Sequence[str]) -> dict[str, "RegisteredModel"]:
    """Return each of these models that exists."""
    search = functools.partial(clients.public.search_registered_models, max_results=MODELS_A_PAGE)
    models: dict[str, RegisteredModel] = {}
    for batch in split_batches(filter(PLAIN_NAME.fullmatch, names)):
        for model in search_all(search, match_any(batch)) or ():
            models[model.name] = model
    # Not found is not absent: a tag can hide a model, and not every name fits into a filter.
    for name in names:
        if name in models:
            continue
        hidden = _fetch_model(clients, name)
        if hidden is not None:
            models[name] = hidden
    return {name: models[name] for name in names if name in models}


def _fetch_model(clients: Clients, name: str) -> "RegisteredModel | None":
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - slow: only when used

    try:
        return check_model(clients.direct.get_registered_model(name), name)
    except UnicodeEncodeError:
        return None
    except MlflowException as error:
        # Refused as a name: no model can have it. Forbidden: hidden from this account, and one
        # such model must not hold up the others.
        if is_missing(error) or is_invalid(error) or is_forbidden(error):
            return None
        raise


def fetch_versions(
    clients: Clients, models: Mapping[str, "RegisteredModel"]
) -> dict[str, dict[str, "Version"]]:
    """Return version number → version of each of these models."""
    search = functools.partial(clients.public.search_model_versions, max_results=_VERSIONS_A_PAGE)
    versions: dict[str, dict[str, Version]] = {name: {} for name in models}
    one_by_one = [name for name in models if not PLAIN_NAME.fullmatch(name)]
    for batch in split_batches(filter(PLAIN_NAME.fullmatch, models)):
        rows = search_all(search, match_any(batch))
        if rows is None:
            one_by_one += batch
        _collect(rows or (), versions)
    for name in one_by_one:
        _collect(search_all(search, match_one(name)) or (), versions)
    for name, model in models.items():
        _add_hidden(clients, model, versions[name])
    return versions


def _collect(rows: Iterable["Version"], versions: dict[str, dict[str, "Version"]]) -> None:
    for version in rows:
        if version.name in versions:
            number = str(version.version)
            versions[version.name][number] = _check_version(version, version.name, number)


def _add_hidden(clients: Clients, model: "RegisteredModel", versions: dict[str, "Version"]) -> None:
    """Fetch one by one the versions of a model that a tag hides from searches."""
    # What the model itself names, its latest versions and its aliases, no tag hides.
    numbers = {str(version.version) for version in model.latest_versions or ()}
    numbers |= {str(number) for number in model.aliases.values()}
    if numbers <= versions.keys():
        return
    # There are no numbers to ask for but those up to the highest one that the model names.
    highest = max(int(number) for number in numbers)
    for number in map(str, range(1, highest + 1)):
        if number in versions:
            continue
        version = fetch_version(clients, model.name, number)
        if version is not None:
            versions[number] = version


def fetch_version(clients: Clients, name: str, number: str) -> "Version | None":
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - slow: only when used

    try:
        return _check_version(clients.direct.get_model_version(name, number), name, number)
    except MlflowException as error:
        if is_missing(error):
            return None
        raise


def check_model(model: "RegisteredModel", name: str) -> "RegisteredModel":
    """Return the model if the answer is about it: one of another form says nothing of it.

    Raises:
        NonsenseError: it is about another one.
    """
    if model.name != name:
        raise NonsenseError(f"the model {name!r}")
    return model


def _check_version(version: "Version", name: str, number: str) -> "Version":
    """Return the version if the answer is about it."""
    is_asked = (version.name, str(version.version)) == (name, number)
    if not (is_asked and number.isdecimal() and version.creation_timestamp):
        raise NonsenseError(f"version {number} of {name!r}")
    return version


def search_all(search: Search[Row_co], condition: str) -> list[Row_co] | None:
    """Return all rows, or None when this server's filters do not have such a condition.

    Raises:
        MlflowException: the server fails otherwise.
    """
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - slow: only when used

    try:
        page = search(condition)
        rows = list(page)
        tokens: set[str] = set()
        while page.token:
            page = search(condition, page_token=check_page(page.token, tokens))
            rows += page
    except MlflowException as error:
        if is_invalid(error):
            return None
        raise
    return rows
