"""Where a model version comes from, as far as MLflow has it: code, data, sources, base model."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from sluice.core.bounded import yaml_of
from sluice.core.model import Lineage, ModelVersion
from sluice.registries.mlflow_artifacts import Folder, make_relative
from sluice.registries.mlflow_errors import is_forbidden, is_invalid, is_missing, is_unsupported
from sluice.registries.mlflow_workspaces import read_workspace

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, Run

# What people and libraries call the model that a fine-tuned one was made from, and its commit.
_BASES = ("base_model", "base_model_name_or_path", "base_model_name", "source_model_name", "base")
_REVISIONS = ("base_model_revision", "source_model_revision", "base_revision", "revision")
_ADAPTERS = ("peft_type", "adapter", "peft_adaptor")


def collect_lineage(
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
    storage = folder.storage
    # Of two that say the same thing the later one here counts: the version's own tags above all.
    facts = _read_parameters(run) | _collect_facts(_read_card(folder))
    if logged:
        facts |= dict(logged.params or {})
    facts |= {key: value for key, value in version.tags.items() if value}
    tags = dict(run.data.tags) if run else {}
    return Lineage(
        workspace=read_workspace(),
        run_name=tags.get("mlflow.runName", ""),
        code=tags.get("mlflow.source.git.commit", ""),
        repository=_strip_login(tags.get("mlflow.source.git.repoURL", "")),
        datasets=tuple(sorted(set(_list_datasets(run)))),
        logged_model=logged.model_id if logged else "",
        hops=tuple(hops),
        storage="" if storage == version.source else storage,
        base=_choose_first(facts, _BASES),
        base_revision=_choose_first(facts, _REVISIONS),
        adapter=_choose_first(facts, _ADAPTERS),
    )


def find_folder(
    client: "MlflowClient",
    version: ModelVersion,
    logged: "LoggedModel | None",
    hops: Sequence[str],
) -> Folder:
    """Find where the files are.

    Args:
        client: of the server.
        version: the version.
        logged: its logged model, None when there is none.
        hops: the sources that its own source leads to.
    """
    storage = make_relative(_find_storage(client, version, logged, hops), client.tracking_uri)
    return Folder(client.tracking_uri, storage)


def _find_storage(
    client: "MlflowClient",
    version: ModelVersion,
    logged: "LoggedModel | None",
    hops: Sequence[str],
) -> str:
    """Find where the files are; a source that names a place itself needs nobody to be asked."""
    if logged:
        return logged.artifact_location or ""
    last = hops[-1] if hops else version.source
    if last.startswith("models:"):  # a copy of what cannot be followed
        return ""
    if not last.startswith("runs:"):
        return last
    return _ask_or_none(client.get_model_version_download_uri, version.name, version.version) or ""


def _read_parameters(run: "Run | None") -> dict[str, str]:
    return dict(run.data.params) if run else {}


def _list_datasets(run: "Run | None") -> Iterator[str]:
    inputs = run.inputs.dataset_inputs if run and run.inputs else []
    for dataset in inputs:
        yield "@".join(filter(None, (dataset.dataset.name, dataset.dataset.digest)))


def _choose_first(facts: Mapping[str, str], names: Iterable[str]) -> str:
    for name in names:
        if facts.get(name):
            return str(facts[name])
    return ""


def _read_card(folder: Folder) -> Mapping[str, object]:
    """Read the model's own description, where the tracking server itself can hand it out."""
    try:
        card = yaml_of(folder.read_text("MLmodel"))
    except ValueError:
        return {}
    return card if isinstance(card, dict) else {}


def _collect_facts(card: Mapping[str, object]) -> dict[str, str]:
    """Collect what the flavours say, in the flattest form."""
    flavors = card.get("flavors")
    if not isinstance(flavors, dict):
        return {}
    facts: dict[str, str] = {}
    for flavor in flavors.values():
        if isinstance(flavor, dict):
            facts |= {str(key): value for key, value in flavor.items() if isinstance(value, str)}
    return facts


def _ask_or_none(ask: Callable[..., str], *arguments: str) -> str | None:
    """Return the answer, None where the server has or gives none; other failures are failures."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415  # slow: only when used

    try:
        return ask(*arguments)
    except MlflowException as error:
        kinds = (is_missing, is_unsupported, is_invalid, is_forbidden)
        if any(kind(error) for kind in kinds):
            return None
        raise


def _strip_login(url: str) -> str:
    return re.sub(r"//[^/@\s]*@", "//", url)
