"""Specs become findings and manifests."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

from sluice.core import layout
from sluice.core.capacity.fit import check_memory
from sluice.core.capacity.kept import kept
from sluice.core.capacity.quota import check_quota
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
from sluice.core.checks.claims import check_claims
from sluice.core.checks.gate_rules import check_soaks
from sluice.core.checks.route_claims import check_routes
from sluice.core.documents.manifest import Manifest
from sluice.core.finding import Finding, FindingsError, failed, in_order
from sluice.core.kubernetes.images import check_images
from sluice.core.kubernetes.schemas import KubernetesSchemas
from sluice.core.layout import Key
from sluice.core.pipeline.source_map import SourceMap, located
from sluice.core.pipeline.specs import Specs
from sluice.core.pipeline.standing import route_claims, standings
from sluice.core.specs.resolve import Environment, Release
from sluice.core.specs.schema import Schemas
from sluice.core.takeover.records import Records
from sluice.core.unforeseen import UnforeseenError, finding, isolated
from sluice.core.workload.render import Renderer


@dataclass(frozen=True)
class Toolkit:
    """What the pipeline works with: all data, no state of the world."""

    schemas: Schemas
    catalog: Catalog
    renderer: Renderer
    kubernetes: KubernetesSchemas
    records: Records

    @cached_property
    def source_map(self) -> SourceMap:
        """From rendered objects back to specs; worked out where something is refused."""
        return SourceMap(self.renderer, self.catalog)


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


def _refused(
    rendered: list[Manifest], environment: Environment, tools: Toolkit
) -> Iterator[Finding]:
    """What the target cluster would refuse of rendered objects."""
    for manifest in rendered:
        yield from tools.kubernetes.findings(manifest, environment.spec.cluster.kubernetes_version)
    yield from check_images(environment, rendered)
