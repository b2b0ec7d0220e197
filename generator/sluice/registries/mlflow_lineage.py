"""Where a model version comes from, as far as MLflow has it: code, data, sources, base model."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from sluice.core.bounded import yaml_of
from sluice.core.model import Lineage, ModelVersion
from sluice.registries.mlflow_artifacts import Folder, relative
from sluice.registries.mlflow_errors import is_forbidden, is_invalid, is_missing, is_unsupported
from sluice.registries.mlflow_workspaces import workspace

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, Run

# What people and libraries call the model that a fine-tuned one was made from, and its commit.
_BASES = ("base_model", "base_model_name_or_path", "base_model_name", "source_model_name", "base")
_REVISIONS = ("base_model_revision", "source_model_revision", "base_revision", "revision")
_ADAPTERS = ("peft_type", "adapter", "peft_adaptor")


def lineage(
    version: ModelVersion,
    run: "Run | None",
    logged: "LoggedModel | None",
    hops: Sequence[str],
    folder: Folder,
) -> Lineage:
    """Collect what is known; what cannot be read is left empty.

    Args:
        version: the version.
        run: the run that made it, None when there is none.
        logged: its logged model, None when there is none.
        hops: the sources that its own source leads to.
        folder: where its files are.
    """
    storage, card = folder.storage, _card(folder)
    known = {**_told(run), **_card_facts(card), **(dict(logged.params or {}) if logged else {})}
    known |= {key: value for key, value in version.tags.items() if value}
    tags = dict(run.data.tags) if run else {}
    return Lineage(
        workspace=workspace(),
        run_name=tags.get("mlflow.runName", ""),
        code=tags.get("mlflow.source.git.commit", ""),
        repository=_without_login(tags.get("mlflow.source.git.repoURL", "")),
        datasets=tuple(sorted(set(_datasets(run)))),
        logged_model=logged.model_id if logged else "",
        hops=tuple(hops),
        storage="" if storage == version.source else storage,
        base=_first(known, _BASES),
        base_revision=_first(known, _REVISIONS),
        adapter=_first(known, _ADAPTERS),
    )


def folder_of(
    client: "MlflowClient",
    version: ModelVersion,
    logged: "LoggedModel | None",
    hops: Sequence[str],
) -> Folder:
    """Where the files are."""
    storage = relative(_storage(client, version, logged, hops), client.tracking_uri)
    return Folder(client.tracking_uri, storage)


def _storage(
    client: "MlflowClient",
    version: ModelVersion,
    logged: "LoggedModel | None",
    hops: Sequence[str],
) -> str:
    """Where the files are; a source that names a place itself needs nobody to be asked."""
    if logged:
        return logged.artifact_location or ""
    last = hops[-1] if hops else version.source
    if not last.startswith("runs:"):
        return "" if last.startswith("models:") else last
    return _quietly(client.get_model_version_download_uri, version.name, version.version) or ""


def _told(run: "Run | None") -> dict[str, str]:
    return dict(run.data.params) if run else {}


def _datasets(run: "Run | None") -> Iterator[str]:
    inputs = run.inputs.dataset_inputs if run and run.inputs else []
    for each in inputs:
        yield "@".join(filter(None, (each.dataset.name, each.dataset.digest)))


def _first(known: Mapping[str, str], names: Iterable[str]) -> str:
    return next((str(known[name]) for name in names if known.get(name)), "")


def _card(folder: Folder) -> Mapping[str, object]:
    """The model's own description, where the tracking server itself can hand it out."""
    try:
        found = yaml_of(folder.text("MLmodel"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _card_facts(card: Mapping[str, object]) -> dict[str, str]:
    """What the flavours say, the flattest form of it."""
    flavors = card.get("flavors")
    facts: dict[str, str] = {}
    for flavor in flavors.values() if isinstance(flavors, dict) else ():
        if isinstance(flavor, dict):
            facts |= {str(k): v for k, v in flavor.items() if isinstance(v, str)}
    return facts


def _quietly(ask: Callable[..., str], *what: str) -> str | None:
    """The answer, or None where the server has or gives none; other failures are failures."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415  # slow: only when used

    try:
        return ask(*what)
    except MlflowException as error:
        known = (is_missing, is_unsupported, is_invalid, is_forbidden)
        if any(kind(error) for kind in known):
            return None
        raise


def _without_login(url: str) -> str:
    return re.sub(r"//[^/@\s]*@", "//", url)
