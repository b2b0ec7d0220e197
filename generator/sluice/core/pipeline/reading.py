"""A tree of files becomes specs; what is broken becomes findings."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from sluice.core import layout
from sluice.core.checks import references
from sluice.core.documents.load import Document, load_each
from sluice.core.finding import Finding, Place
from sluice.core.layout import Key
from sluice.core.memory.architecture_config import architecture_from_config, read_config
from sluice.core.pipeline.specs import Specs
from sluice.core.specs.resolve import Environment, Release
from sluice.core.specs.schema import FILES, Schemas
from sluice.core.takeover.records import Records
from sluice.core.unforeseen import UnforeseenError, finding, isolated

Files = Mapping[str, bytes]


def read(files: Files, schemas: Schemas, records: Records) -> Specs:
    """Read every spec among the files; a broken one becomes findings and is left out.

    Args:
        files: all files below environments/, by path.
        schemas: the schemas of specs.
        records: what the names of strategies, providers, controllers and scalers stand for.
    """
    findings = [references.stray(path) for path in files if not layout.belongs(path)]
    documents = _documents(files, schemas, findings)
    around = _environments(documents, records)
    releases = dict(_releases(documents, files, around, findings))
    return Specs(around, releases, findings)


def reread(specs: Specs, paths: Collection[str], files: Files, schemas: Schemas) -> Specs | None:
    """The specs after some files have changed: only the releases that these belong to are read.

    Args:
        specs: as they were read before.
        paths: the files that were added, changed or deleted.
        files: all files as they are now.
        schemas: as for `read`.

    Returns:
        The same as `read` would, or None when a file is not that of one release.
    """
    owners = {path: layout.owner_of(path) for path in paths}
    keys = {key for key in owners.values() if key}
    if not all(owners.values()):
        return None
    folders = tuple(f"{layout.ENVIRONMENTS}/{key}/" for key in keys)
    own = {path: raw for path, raw in files.items() if path.startswith(folders)}
    around = {layout.environment_path(key.environment) for key in keys} & files.keys()
    findings: list[Finding] = []
    documents = _documents(own, schemas, findings)
    near = own | {path: files[path] for path in around}
    found = dict(_releases(documents, near, specs.environments, findings))
    releases = {key: release for key, release in specs.releases.items() if key not in keys} | found
    others = [f for f in specs.findings if not f.place.file.startswith(folders)]
    new = {key: found.get(key) for key in keys if key in found or key in specs.releases}
    return Specs(specs.environments, releases, [*others, *findings], specs, new)


def _documents(files: Files, schemas: Schemas, findings: list[Finding]) -> dict[str, Document]:
    """The files that are specs and fit their schema; what is wrong with others is a finding."""
    wanted = {path: raw for path, raw in files.items() if path.rpartition("/")[2] in FILES}
    documents: dict[str, Document] = {}
    for document in load_each(wanted, findings):
        try:
            with isolated("the schema of a file"):
                found = list(schemas.findings(document, FILES[document.path.rpartition("/")[2]]))
        except UnforeseenError as error:
            found = [finding(document.place(), error)]
        findings += found
        if not found:
            documents[document.path] = document
    return documents


def _environments(documents: Mapping[str, Document], records: Records) -> dict[str, Environment]:
    found = ((layout.environment_of(path), document) for path, document in documents.items())
    return {name: Environment(name, document, records) for name, document in found if name}


def _releases(
    documents: Mapping[str, Document],
    files: Files,
    environments: Mapping[str, Environment],
    findings: list[Finding],
) -> Iterator[tuple[Key, Release]]:
    found: defaultdict[Key, dict[str, Document]] = defaultdict(dict)
    for path, document in documents.items():
        key = layout.release_of(path)
        if key:
            found[key][document.data["kind"]] = document
    configs = _configs(files)
    for key, parts in found.items():
        spec, rollout = parts.get("ModelRelease"), parts.get("Rollout")
        environment = environments.get(key.environment)
        if environment is None and layout.environment_path(key.environment) not in files:
            findings.append(_no_environment(key, spec or rollout))
        if rollout is not None and layout.release_path(key) not in files:
            findings.append(_no_release(rollout))
        broken = rollout is None and layout.rollout_path(key) in files
        if spec is not None and environment is not None and not broken:
            try:
                with isolated("the description of a model"):
                    described = _architectures(key, configs.get(key, {}), findings)
            except UnforeseenError as error:
                findings.append(finding(spec.place(), error))
                continue
            yield key, Release(key, spec, environment, rollout, described)


def _configs(files: Files) -> dict[Key, dict[str, bytes]]:
    """The descriptions of models that lie beside releases, by their names."""
    found: defaultdict[Key, dict[str, bytes]] = defaultdict(dict)
    for path, raw in files.items():
        if described := layout.config_of(path):
            found[described[0]][described[1]] = raw
    return found


def _architectures(
    key: Key, configs: Mapping[str, bytes], findings: list[Finding]
) -> dict[str, Mapping[str, Any]]:
    """The numbers in descriptions of models; one that cannot be read becomes a finding."""
    found: dict[str, Mapping[str, Any]] = {}
    for name, raw in configs.items():
        try:
            found[name] = architecture_from_config(read_config(raw))
        except ValueError as error:
            place = Place(layout.release_path(key).rpartition("/")[0] + f"/{name}")
            remedy = "put the config.json of the model here, as its repository has it"
            findings.append(Finding(place, "REF057", str(error), remedy))
    return found


def _no_environment(key: Key, document: Document | None) -> Finding:
    place = document.place() if document else Place(layout.release_path(key))
    message = f"there is no environment {key.environment!r}"
    return Finding(place, "REF017", message, f"add {layout.environment_path(key.environment)}")


def _no_release(rollout: Document) -> Finding:
    return Finding(rollout.place(), "REF018", "a rollout without a release", "delete this file")
