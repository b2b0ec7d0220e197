"""The pipeline's tools, made from what the package carries and what the repository adds."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from sluice.core.catalog.entries import Catalog, Family, entry_problems
from sluice.core.catalog.thresholds import Thresholds, thresholds_from
from sluice.core.finding import FindingsError
from sluice.core.kubernetes.closure import merge
from sluice.core.kubernetes.schemas import KubernetesSchemas
from sluice.core.pipeline import Toolkit
from sluice.core.specs.load import load
from sluice.core.specs.schema import Schemas
from sluice.core.takeover.records import Records, read_records
from sluice.core.workload.bind import Templates
from sluice.core.workload.render import Renderer
from sluice.system import resources

_KINDS: Mapping[Family, str] = {
    "accelerators": "Accelerator",
    "sharing": "Sharing",
    "queueing": "Queueing",
    "gateways": "Gateway",
}
"""Families whose entries have a schema; the others are read as they are."""


def toolkit(own: Mapping[str, bytes] | None = None) -> Toolkit:
    """Schemas, catalog and templates.

    Args:
        own: files of the repository's own catalog/, by path; they come before the package's.
    """
    files = own or {}
    schemas = _schemas()

    def read(family: Family, name: str) -> Mapping[str, Any] | None:
        path = f"catalog/{family}/{name}.yaml"
        own_entry = files.get(path)
        if own_entry is None:
            return resources.catalog_entry(family, name)
        document = load(path, own_entry)
        found = list(schemas.findings(document, _KINDS[family])) if family in _KINDS else []
        found += entry_problems(family, name, document)
        if found:
            raise FindingsError(found)
        return document.data

    def names(family: Family) -> tuple[str, ...]:
        prefix = f"catalog/{family}/"
        added = {p[len(prefix) : -5] for p in files if p.startswith(prefix)}
        return tuple(sorted(added | set(resources.catalog_names(family))))

    catalog = Catalog(read, names, _thresholds())
    renderer = Renderer(_templates(), catalog)
    return Toolkit(schemas, catalog, renderer, _kubernetes_schemas(), _records())


# What the package carries is the same for every tree, and takes long to be compiled.
@lru_cache(maxsize=1)
def _schemas() -> Schemas:
    return Schemas(resources.schema)


@lru_cache(maxsize=1)
def _templates() -> Templates:
    return Templates(resources.templates)


@lru_cache(maxsize=1)
def _thresholds() -> Thresholds:
    return thresholds_from(resources.catalog_file("alerts"))


@lru_cache(maxsize=1)
def _records() -> Records:
    return read_records(resources.catalog_entry, resources.catalog_names)


@lru_cache(maxsize=1)
def _kubernetes_schemas() -> KubernetesSchemas:
    return KubernetesSchemas(_kubernetes)


def _kubernetes() -> dict[str, Any]:
    folder = resources.directory("schemas") / "kubernetes"
    return merge(json.loads(path.read_bytes()) for path in sorted(folder.glob("*.json")))
