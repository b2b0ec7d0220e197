"""Where a version comes from, as rows for people, lines for Git and data for the record."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sluice.core.model import Evaluation, Lineage, ModelVersion
from sluice.core.workload.sources import SourceError, parse

_HUB = "hf://"


@dataclass(frozen=True, slots=True)
class Origin:
    """One fact about where two versions come from; empty is unknown."""

    name: str
    now: str
    before: str

    @property
    def changed(self) -> bool:
        return self.now != self.before


def origins(
    version: ModelVersion,
    evaluation: Evaluation,
    deployed: ModelVersion | None,
    baseline: Evaluation | None,
) -> list[Origin]:
    """What is known of a version beside what is known of the one that it replaces."""
    now = dict(_known(version, evaluation))
    before = dict(_known(deployed, baseline or Evaluation())) if deployed else {}
    return [Origin(name, value, before.get(name, "")) for name, value in now.items()]


def parameters(evaluation: Evaluation, baseline: Evaluation | None) -> list[Origin]:
    """The parameters of both runs, those that differ first."""
    before = baseline.parameters if baseline else {}
    names = sorted(evaluation.parameters.keys() | before.keys())
    rows = [Origin(n, evaluation.parameters.get(n, ""), before.get(n, "")) for n in names]
    return sorted(rows, key=lambda row: not row.changed)


def trailers(version: ModelVersion, evaluation: Evaluation) -> dict[str, str]:
    """What a commit says of it; empty values are left out by the caller."""
    lineage = evaluation.lineage
    known = dict(_known(version, evaluation))
    return {
        "Workspace": lineage.workspace,
        "Model-Source": version.source,
        "Model-Digest": version.tags.get("digest", ""),
        "Model-Storage": lineage.storage,
        "Logged-Model": lineage.logged_model,
        "Run-Id": version.run_id,
        "Code-Commit": lineage.code,
        "Dataset": ", ".join(lineage.datasets),
        "Base-Model": known["base model"],
        "Registered-At": str(version.created),
    }


def record(evaluation: Evaluation) -> dict[str, Any]:
    """What is written down of it beside the numbers: known values only."""
    names = {"run_name": "runName", "logged_model": "loggedModel", "base_revision": "baseRevision"}
    data = asdict(evaluation.lineage)
    return {names.get(key, key): value for key, value in data.items() if value}


def _known(version: ModelVersion, evaluation: Evaluation) -> Iterator[tuple[str, str]]:
    lineage = evaluation.lineage
    yield "workspace", lineage.workspace
    yield "source", version.source
    yield "leads to", " → ".join(lineage.hops)
    yield "storage", lineage.storage
    yield "digest", version.tags.get("digest", "")
    yield "revision", _revision(version.source)
    yield "run", version.run_id
    yield "run name", lineage.run_name
    yield "code", lineage.code
    yield "repository", lineage.repository
    yield "datasets", ", ".join(lineage.datasets)
    yield "logged model", lineage.logged_model
    yield "base model", _pinned(lineage)
    yield "adapter", lineage.adapter


def _pinned(lineage: Lineage) -> str:
    return "@".join(filter(None, (lineage.base, lineage.base_revision)))


def _revision(source: str) -> str:
    """The commit that a source on a model hub is pinned to."""
    try:
        return parse(source).revision if source.startswith(_HUB) else ""
    except SourceError:
        return ""


def source_of(version: ModelVersion, evaluation: Evaluation) -> str:
    """Where a version is served from: a copy of another one names that one only."""
    hops = evaluation.lineage.hops
    return hops[-1] if hops else version.source


def adapter_note(rows: list[Origin]) -> str:
    """What a reviewer of an adapter wants to know first, or nothing."""
    found: Mapping[str, Origin] = {row.name: row for row in rows}
    adapter, base = found["adapter"], found["base model"]
    if not adapter.now or not base.now:
        return ""
    if base.changed and base.before:
        return f"an adapter whose base model changes from {base.before} to {base.now}"
    return f"an adapter on {base.now}" + ("" if base.changed else ", as before")
