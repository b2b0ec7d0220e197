"""The pipeline's tools, made from what the package carries and what the repository adds."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from sluice.core import layout
from sluice.core.catalog.entries import FAMILIES, Catalog, Family
from sluice.core.catalog.thresholds import Thresholds, thresholds_from
from sluice.core.documents.load import Document, load
from sluice.core.finding import Finding, FindingsError, Place, in_order
from sluice.core.kubernetes.closure import merge
from sluice.core.kubernetes.schemas import KubernetesSchemas
from sluice.core.names import nearest
from sluice.core.pipeline import Toolkit
from sluice.core.specs.schema import Schemas
from sluice.core.takeover.records import Records, read_records
from sluice.core.unforeseen import UnforeseenError, finding, isolated
from sluice.core.workload.bind import Templates
from sluice.core.workload.render import Renderer
from sluice.system import resources

if TYPE_CHECKING:
    from sluice.core.checks.spec_fields import SpecFields
    from sluice.core.checks.surroundings import Surroundings

_KINDS: Mapping[Family, str] = {
    "engines": "Engine",
    "accelerators": "Accelerator",
    "architectures": "Architecture",
    "sources": "Source",
    "sharing": "Sharing",
    "queueing": "Queueing",
    "gateways": "Gateway",
}
"""The schema of each family's entries."""

Read = Callable[[Family, str], Mapping[str, Any] | None]
Names = Callable[[Family], tuple[str, ...]]


def make_toolkit(own: Mapping[str, bytes] | None = None) -> Toolkit:
    """Schemas, catalog and templates.

    Args:
        own: files of the repository's own catalog/, by path; they come before the package's.
    """
    files = own or {}
    schemas = _read_schemas()

    def read(family: Family, name: str) -> Mapping[str, Any] | None:
        path = f"{layout.CATALOG}/{family}/{name}.yaml"
        raw = files.get(path)
        if raw is None:
            return resources.read_catalog_entry(family, name)
        document = load(path, raw)
        _raise_problems(family, name, document, partial(_surroundings, read, names))
        return document.data

    def names(family: Family) -> tuple[str, ...]:
        entries = (layout.entry_of(path) for path in files)
        added = {entry[1] for entry in entries if entry and entry[0] == family}
        return tuple(sorted(added | set(resources.list_catalog(family))))

    catalog = Catalog(read, names, _thresholds())
    renderer = Renderer(_read_templates(), catalog)
    return Toolkit(schemas, catalog, renderer, _kubernetes_schemas(), _records())


def check_entries(catalog: Catalog, paths: Iterable[str]) -> list[Finding]:
    """What is wrong with files of a repository's own catalog, whether or not anything uses them.

    Args:
        catalog: the one that holds the files' entries.
        paths: those of the files.
    """
    findings: list[Finding] = []
    for path in paths:
        family, name = layout.entry_of(path) or ("", "")
        try:
            with isolated("an entry of the catalog"):
                if family in FAMILIES:
                    catalog.entry(family, name)
                elif not layout.is_beside(path):
                    findings.append(_stray(path, family))
        except FindingsError as error:
            findings += error.findings
        except UnforeseenError as error:
            findings.append(finding(Place(path), error))
    return in_order(findings)


def _stray(path: str, family: str) -> Finding:
    close = nearest(family, FAMILIES) if family else None
    families = ", ".join(FAMILIES)
    remedy = f"did you mean {layout.CATALOG}/{close}/?" if close else f"use NAME.yaml in {families}"
    return Finding(Place(path), "CAT002", "nothing reads this file", remedy)


def _raise_problems(
    family: Family, name: str, document: Document, around: Callable[[], "Surroundings"]
) -> None:
    """Refuse an entry in which anything is wrong.

    Args:
        family: the folder that it is in.
        name: that of its file.
        document: the entry.
        around: gives what it may refer to.

    Raises:
        FindingsError: with everything that is wrong.
    """
    findings = list(_read_schemas().findings(document, _KINDS[family]))
    if not findings:
        # Few repositories have entries of their own.
        from sluice.core.checks.catalog_entries import check_entry  # noqa: PLC0415

        findings += check_entry(family, name, document, around())
    if findings:
        raise FindingsError(findings)


def _surroundings(read: Read, names: Names) -> "Surroundings":
    """What an entry may refer to.

    Args:
        read: gives the entries, the repository's own among them.
        names: gives their names.
    """
    from sluice.core.checks.surroundings import Surroundings  # noqa: PLC0415  # as above

    brought = resources.read_catalog_entry
    return Surroundings(_spec_fields(), names, brought, lambda: set(_variants(read, names)))


def _variants(read: Read, names: Names) -> Iterator[str]:
    """The names that accelerators, and the engines that Sluice brings, have for images."""
    for name in resources.list_catalog("engines"):
        entry = resources.read_catalog_entry("engines", name) or {}
        yield from entry.get("image", {}).get("variants", {})
    for name in names("accelerators"):
        try:
            entry = read("accelerators", name) or {}
        except FindingsError:  # its own check says so
            continue
        yield entry.get("imageVariant", "")


# What the package carries is the same for every tree, and takes long to be compiled.
@lru_cache(maxsize=1)
def _read_schemas() -> Schemas:
    return Schemas(resources.read_schema)


@lru_cache(maxsize=1)
def _spec_fields() -> "SpecFields":
    from sluice.core.checks.spec_fields import SpecFields  # noqa: PLC0415  # as above

    return SpecFields(_read_schemas().bundled("ModelRelease"))


@lru_cache(maxsize=1)
def _read_templates() -> Templates:
    return Templates(resources.read_templates)


@lru_cache(maxsize=1)
def _thresholds() -> Thresholds:
    return thresholds_from(resources.read_catalog_file("alerts"))


@lru_cache(maxsize=1)
def _records() -> Records:
    return read_records(resources.read_catalog_entry, resources.list_catalog)


@lru_cache(maxsize=1)
def _kubernetes_schemas() -> KubernetesSchemas:
    return KubernetesSchemas(_kubernetes)


def _kubernetes() -> dict[str, Any]:
    folder = resources.find_directory("schemas") / "kubernetes"
    return merge(json.loads(path.read_bytes()) for path in sorted(folder.glob("*.json")))
