"""The pipeline: a tree of specs becomes findings and a tree of manifests."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

from sluice.core import layout
from sluice.core.capacity.fit import check_memory
from sluice.core.capacity.kept import kept
from sluice.core.capacity.quota import Use, check_quota
from sluice.core.catalog.entries import Catalog
from sluice.core.checks import (
    allotment_checks,
    engines,
    environments,
    paths,
    placement_checks,
    references,
    storage,
)
from sluice.core.checks.claims import Claims, check_claims, claims_of
from sluice.core.checks.gate_rules import check_soaks
from sluice.core.checks.route_claims import check_routes, routes_of
from sluice.core.cluster.schemas import KubernetesSchemas
from sluice.core.finding import Finding, FindingsError, Place, failed, in_order
from sluice.core.layout import Key
from sluice.core.memory.architecture_config import architecture_from_config, read_config
from sluice.core.specs.load import Document, load_each
from sluice.core.specs.resolve import Environment, Release
from sluice.core.specs.schema import FILES, Schemas
from sluice.core.trace import SourceMap, located
from sluice.core.unforeseen import UnforeseenError, finding, isolated
from sluice.core.workload.render import Manifest, Renderer

Files = Mapping[str, bytes]


@dataclass(frozen=True)
class Toolkit:
    """What the pipeline works with: all data, no state of the world."""

    schemas: Schemas
    catalog: Catalog
    renderer: Renderer
    kubernetes: KubernetesSchemas

    @cached_property
    def source_map(self) -> SourceMap:
        """From rendered objects back to specs; worked out where something is refused."""
        return SourceMap(self.renderer, self.catalog)


@dataclass(frozen=True)
class Specs:
    """The specs of a tree, with what is wrong with those that could not be used.

    Nobody changes them once they are read. `origin` are those that they were made from, and `new`
    the releases that are not the same ones there, None for one that went.
    """

    environments: Mapping[str, Environment] = field(default_factory=dict)
    releases: Mapping[Key, Release] = field(default_factory=dict)
    findings: Sequence[Finding] = ()
    origin: "Specs | None" = None
    new: Mapping[Key, Release | None] = field(default_factory=dict)

    def of(self, environment: str) -> list[Release]:
        """The releases of one environment, in order."""
        return [r for key, r in sorted(self.releases.items()) if key.environment == environment]

    def changed(self, read: "Specs") -> "Specs":
        """These specs with some releases as they were read anew, and what is wrong with those."""
        releases = {**self.releases, **read.releases}
        return Specs(self.environments, releases, read.findings, self, read.releases)

    def without(self, keys: Collection[Key]) -> "Specs":
        """These specs less some releases; themselves when that is none."""
        if not keys:
            return self
        releases = {key: release for key, release in self.releases.items() if key not in keys}
        return Specs(self.environments, releases, self.findings, self, dict.fromkeys(keys))

    def apart(self, keys: Collection[Key]) -> "Specs":
        """These releases only, about which all is asked anew."""
        releases = {key: self.releases[key] for key in sorted(keys)}
        return Specs(self.environments, releases, self.findings)

    def settle(self) -> None:
        """Forget what they were made from, so that it can go: what is kept of it is counted."""
        object.__setattr__(self, "origin", None)

    def differing(self, before: "Specs") -> Collection[Key]:
        """The releases that are not the same ones as before."""
        if self.origin is before:
            return self.new.keys()
        keys = {**before.releases, **self.releases}
        return {key for key in keys if before.releases.get(key) is not self.releases.get(key)}

    def moves(self) -> Mapping[str, "Moves"]:
        """By environment the releases that came since the origin, or since there was nothing."""
        found: defaultdict[str, Moves] = defaultdict(Moves)
        for key, release in (self.new if self.origin else self.releases).items():
            if release:
                found[key.environment].come.append(release)
            if self.origin and key in self.origin.releases:
                found[key.environment].gone.append(self.origin.releases[key])
        return found


@dataclass(frozen=True, slots=True)
class Moves:
    """Releases of one environment that went, and that came; one that was changed did both."""

    gone: list[Release] = field(default_factory=list)
    come: list[Release] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Standing:
    """What the releases of an environment have taken of its names and of its quota."""

    claims: Claims = field(default_factory=Claims)
    use: Use = field(default_factory=Use)


@kept
def standings(specs: Specs, catalog: Catalog) -> Mapping[str, Standing]:
    """By environment; of specs that were made from others only what is new is counted."""
    found = dict(standings(specs.origin, catalog)) if specs.origin else {}
    for name, moved in specs.moves().items():
        before = found.get(name, Standing())
        claims = before.claims.changed(moved.gone, moved.come, claims_of)
        found[name] = Standing(claims, before.use.changed(moved.gone, moved.come, catalog))
    return found


@kept
def route_claims(specs: Specs, catalog: Catalog) -> Claims:
    """Where releases are reached; gateways may be shared by environments. Counted as standings."""
    before = route_claims(specs.origin, catalog) if specs.origin else Claims()
    moves = specs.moves().values()
    gone = [release for moved in moves for release in moved.gone]
    come = [release for moved in moves for release in moved.come]
    return before.changed(gone, come, routes_of)


def read(files: Files, schemas: Schemas) -> Specs:
    """Read every spec among the files; a broken one becomes findings and is left out."""
    findings = [references.stray(path) for path in files if not layout.belongs(path)]
    documents = _documents(files, schemas, findings)
    around = _environments(documents)
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


def check(specs: Specs, tools: Toolkit, only: Iterable[Key] | None = None) -> list[Finding]:
    """Every finding about the specs: of their text, their shape, and what they refer to.

    Args:
        specs: what was read.
        tools: schemas, catalog, templates.
        only: the releases to look at, and what is between them and others; all when absent.
    """
    try:
        with isolated("the checks of all releases"):
            return _checked(specs, tools, only)
    except UnforeseenError:
        bad = culprits(specs, lambda one: _checked(one, tools))
        if not bad:
            raise
        told = [finding(specs.releases[key].document.place(), bad[key]) for key in bad]
        if only is not None:
            only = [key for key in only if key not in bad]
        return in_order([*told, *_checked(specs.apart(specs.releases.keys() - bad), tools, only)])


def culprits(specs: Specs, ask: Callable[[Specs], object]) -> dict[Key, UnforeseenError]:
    """The releases about which something cannot even be asked alone, and why.

    Args:
        specs: what could not be asked about as a whole.
        ask: asks about specs, and fails.
    """
    found = {}
    for key in sorted(specs.releases):
        try:
            with isolated("a release"):
                ask(specs.apart([key]))
        except FindingsError:
            pass
        except UnforeseenError as error:
            found[key] = error
    return found


def _checked(specs: Specs, tools: Toolkit, only: Iterable[Key] | None = None) -> list[Finding]:
    findings = list(specs.findings)
    for environment in specs.environments.values():
        try:
            with isolated("the checks of an environment"):
                findings += list(environments.check_environment(environment, tools.catalog))
        except UnforeseenError as error:
            findings.append(finding(environment.document.place(), error))
    findings += environments.check_environments(list(specs.environments.values()))
    wanted = specs.releases if only is None else only
    chosen = [key for key in wanted if key in specs.releases]
    for key in chosen:
        findings += check_one(specs.releases[key], tools)
    findings += check_soaks(specs.environments, specs.releases, chosen)
    concerned = {key.environment for key in chosen}
    findings += check_routes(route_claims(specs, tools.catalog), concerned)
    taken = standings(specs, tools.catalog)
    for name in sorted(concerned):
        findings += check_claims(taken[name].claims)
        if not failed(findings):
            environment, use = specs.environments[name], taken[name].use
            findings += check_quota(environment, use, partial(specs.of, name), tools.catalog)
    return in_order(findings)


def check_one(release: Release, tools: Toolkit) -> Sequence[Finding]:
    """What is wrong with one release."""
    return _wrong_with(release, tools.catalog)


@kept
def _wrong_with(release: Release, catalog: Catalog) -> Sequence[Finding]:
    found: list[Finding] = []
    for version in filter(None, (release, release.stable)):
        found += references.check_release(version, catalog)
        found += allotment_checks.check_allotment(version, catalog)
        found += placement_checks.check_placement(version, catalog)
        found += engines.check_engine(version, catalog)
        found += storage.check_storage(version, catalog)
    found += paths.check_path(release, catalog)
    if not failed(found):
        found += check_memory(release, catalog)
    return tuple(found)


def render(
    specs: Specs, tools: Toolkit, only: Iterable[Key] | None = None
) -> tuple[dict[str, Manifest], list[Finding]]:
    """The manifests of specs that passed their checks, and what a cluster would refuse of them."""
    manifests: dict[str, Manifest] = {}
    findings: list[Finding] = []
    for environment in specs.environments.values() if only is None else ():
        try:
            with isolated("the manifests of an environment"):
                rendered = tools.renderer.environment(environment)
                findings += list(_refused(rendered, environment, tools))
        except UnforeseenError as error:
            findings.append(finding(environment.document.place(), error))
            continue
        manifests |= {manifest.path: manifest for manifest in rendered}
    for key in sorted(specs.releases.keys() & (specs.releases if only is None else only)):
        release = specs.releases[key]
        try:
            with isolated("the manifests of a release"):
                rendered = tools.renderer.release(release) + tools.renderer.application(release)
                findings += list(_refused(rendered, release.environment, tools))
        except UnforeseenError as error:
            findings.append(finding(release.document.place(), error))
            continue
        manifests |= {manifest.path: manifest for manifest in rendered}
    return manifests, in_order(located(findings, specs, manifests, tools.source_map))


def affected(paths: Iterable[str], present: Iterable[Key]) -> list[Key] | None:
    """The releases whose rendering may change when these files do; None means all of them.

    Args:
        paths: files that are different.
        present: the releases that there are.
    """
    keys: set[Key] = set()
    whole: set[str] = set()
    for path in paths:
        environment, key = layout.environment_of(path), layout.release_of(path)
        described = layout.config_of(path)
        key = described[0] if described else key
        if path.startswith(f"{layout.CATALOG}/"):
            return None
        if environment:
            whole.add(environment)
        elif key:
            keys.add(key)
    keys.update(key for key in present if key.environment in whole)
    return sorted(keys)


def _environments(documents: Mapping[str, Document]) -> dict[str, Environment]:
    found = ((layout.environment_of(path), document) for path, document in documents.items())
    return {name: Environment(name, document) for name, document in found if name}


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


def _refused(
    rendered: list[Manifest], environment: Environment, tools: Toolkit
) -> Iterator[Finding]:
    """What the target cluster would refuse of rendered objects."""
    for manifest in rendered:
        yield from tools.kubernetes.findings(manifest, environment.kubernetes_version)
