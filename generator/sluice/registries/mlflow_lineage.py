"""Where a model version comes from, as far as MLflow has it: code, data, sources, base model."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from sluice.bounded import yaml_of
from sluice.core.model import Lineage, ModelVersion
from sluice.registries.mlflow_errors import is_forbidden, is_invalid, is_missing, is_unsupported
from sluice.registries.mlflow_workspaces import workspace

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, Run

# What people and libraries call the model that a fine-tuned one was made from, and its commit.
_BASES = ("base_model", "base_model_name_or_path", "base_model_name", "source_model_name", "base")
_REVISIONS = ("base_model_revision", "source_model_revision", "base_revision", "revision")
_ADAPTERS = ("peft_type", "adapter", "peft_adaptor")
_PROXIED = "mlflow-artifacts:"
_LARGEST_CARD = 1 << 20
_SAFE_URI = re.compile(r"[\w.:/+@=-]+", re.ASCII)


def lineage(
    client: "MlflowClient",
    version: ModelVersion,
    run: "Run | None",
    logged: "LoggedModel | None",
    hops: Sequence[str],
) -> Lineage:
    """Collect what is known; what cannot be read is left empty."""
    storage = _storage(client, version, logged, hops)
    card = _card(client, storage)
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


def _card(client: "MlflowClient", storage: str) -> Mapping[str, object]:
    """The model's own description, where the tracking server itself can hand it out."""
    # Elsewhere it would need credentials of a bucket, which the reconciler has no use for.
    if not storage.startswith(_PROXIED) or not _SAFE_URI.fullmatch(storage):
        return {}
    text = _read_card(client.tracking_uri, storage)
    try:
        found = yaml_of(text) if text and len(text) <= _LARGEST_CARD else None
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _read_card(tracking_uri: str, storage: str) -> str:
    import tempfile  # noqa: PLC0415  # only where there is something to fetch
    from pathlib import Path  # noqa: PLC0415  # as above

    from mlflow import artifacts  # noqa: PLC0415  # slow: only when used
    from mlflow.exceptions import MlflowException  # noqa: PLC0415  # as above

    with tempfile.TemporaryDirectory() as folder:
        uri = f"{storage.rstrip('/')}/MLmodel"
        try:
            path = artifacts.download_artifacts(uri, dst_path=folder, tracking_uri=tracking_uri)
            return Path(path).read_text(encoding="utf-8", errors="replace")
        except (MlflowException, OSError):
            # Not every model has one, some have a folder there, and nothing is decided by it.
            return ""


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
