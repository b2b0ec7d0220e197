"""`sluice check`: every layer, over everything or over what a revision changes."""

import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from sluice import files
from sluice.core import layout, pipeline
from sluice.core.checks.secrets import leaked_specs
from sluice.core.documents.manifest import Manifest
from sluice.core.finding import Finding, FindingsError, failed, in_order
from sluice.core.kubernetes.deprecations import deprecations
from sluice.core.kubernetes.verdict import check_objects
from sluice.core.pipeline.neighbours import neighbours
from sluice.core.pipeline.source_map import located
from sluice.core.policy.layer import Begin, check_policies, check_types, read_sound_policies
from sluice.core.policy.model import Policy
from sluice.core.reports.report import report
from sluice.core.specs.resolve import Environment
from sluice.core.unforeseen import UnforeseenError, finding, isolated
from sluice.core.units import number_of
from sluice.system import resources
from sluice.workspace.committed import check_committed
from sluice.workspace.policies_apart import judge_apart
from sluice.workspace.rendered import (
    RENDERED_LIMIT,
    STALE,
    compare_rendered,
    compare_tree,
    raise_if_stale,
)
from sluice.workspace.revisions import Revision, list_changed_lines, open_revision
from sluice.workspace.rule_changes import check_by_base, warn_of_rules
from sluice.workspace.rule_pages import select_pages
from sluice.workspace.semantic_texts import read_semantic_rules
from sluice.workspace.waivers import apply_waivers
from sluice.workspace.workspace import Workspace, find_root, open_workspace


def run(
    *,
    base: str | None,
    root: str | None,
    form: str,
    registry: str | None,
    manifests: str | None,
    version: str,
    mend: bool = False,
) -> int:
    """Print every finding, after mending what can be if asked to; 1 when any is an error."""
    if manifests is not None:
        from sluice.workspace import plain_manifests  # noqa: PLC0415  # another reader of YAML

        return plain_manifests.run(directory=manifests, version=version, form=form)
    top = find_root(root)
    whole = open_workspace(top)
    if mend:
        from sluice.workspace.fixes import fix  # noqa: PLC0415  # the editor of YAML loads slowly

        whole = open_workspace(top) if fix(top, whole, whole.check()) else whole
    scope = _compare(top, base, whole) if base else Scope(whole)
    found, rendered = _collect_findings(top, scope)
    # Of what is not as rendered nobody need be told as well that Git has it otherwise.
    stale = {one.place.file for one in found if one.rule == STALE}
    as_rendered = {path: one.content() for path, one in rendered.items() if path not in stale}
    found += check_committed(top, {**whole.files, **as_rendered})
    found += leaked_specs(scope.now.files)
    findings = _apply_waivers(whole, found, rendered, complete=scope.only is None)
    findings = in_order([*findings, *_check_by_base(top, scope, rendered, findings)])
    keys = whole.keys if scope.only is None else scope.only
    if registry and not failed(findings):
        from sluice.workspace import registered_versions  # noqa: PLC0415  # the registry's clients

        releases = scope.now.specs.releases
        findings += registered_versions.find_unregistered(
            [releases[key] for key in keys if key in releases], registry
        )
    if findings or form != "text":
        lines = list_changed_lines(scope.before, whole, scope.changed) if form == "github" else None
        said = report(findings, form, whole.files, changed=lines, pages=select_pages(form))
        sys.stdout.write(said)
    else:
        click.echo(f"{number_of('release', len(keys))}, all layers: no findings", err=True)
    return int(failed(findings))


@dataclass(frozen=True)
class Scope:
    """What is looked at: specs, those of the base revision, and which releases and files differ."""

    now: Workspace
    revision: Revision | None = None
    before: Workspace | None = None
    only: list[layout.Key] | None = None
    changed: Collection[str] = ()


def _compare(top: Path, base: str, whole: Workspace) -> Scope:
    """The releases that may differ from a revision, with those that they may collide with."""
    revision = open_revision(top, base)
    changed = revision.changed(whole.files)
    only = pipeline.affected(changed, whole.keys)
    # A person may have edited what only `sluice render` should write.
    owners = [layout.rendered_for(path) for path in revision.rerendered()]
    if only is None or None in owners or any(map(_concerns_all, changed)):
        return Scope(whole, revision, revision.workspace(), changed=changed)
    only = sorted({*only, *filter(None, owners)})
    before = revision.workspace(_select(only, revision.files))
    now = whole.narrowed(only, changed)
    specs = now.specs
    near = neighbours(specs.releases, before.specs.releases, whole.keys, specs.environments)
    if near:
        now = whole.narrowed([*only, *near], changed)
    return Scope(now, revision, before, only, changed)


def _concerns_all(path: str) -> bool:
    """Whether more depends on a file than releases: an environment has objects of its own."""
    return path.startswith(f"{layout.POLICIES}/") or bool(layout.environment_of(path))


def _select(only: list[layout.Key], present: Iterable[str]) -> Iterator[str]:
    """The files of a revision that these releases are rendered from."""
    yield from (layout.CATALOG, layout.POLICIES)
    yield from (path for path in present if layout.environment_of(path))
    yield from (path for key in only for path in layout.spec_paths(key))


def _collect_findings(top: Path, scope: Scope) -> tuple[list[Finding], dict[str, Manifest]]:
    """What is wrong, and the manifests, so far as there are any."""
    now, only = scope.now, scope.only
    findings = now.check(only)
    if only is None:
        findings = in_order([*findings, *now.check_catalog()])
    manifests: dict[str, Manifest] = {}
    if failed(findings):
        return findings, manifests
    try:
        manifests = now.render_checked(findings, only)
        findings += _check_cluster(scope, manifests, _check_rendered(scope.before, only))
        wanted = {path: manifest.content() for path, manifest in manifests.items()}
        raise_if_stale(
            compare_rendered(top, wanted) if only is None else _find_stale(top, wanted, only)
        )
    except FindingsError as error:
        findings += error.findings
    return findings, manifests


def _apply_waivers(
    now: Workspace, findings: list[Finding], manifests: dict[str, Manifest], *, complete: bool
) -> list[Finding]:
    """The findings after the repository's waivers; without manifests not all of them are known."""
    objects = {
        path: f"{m.data['kind']}/{m.data['metadata']['name']}" for path, m in manifests.items()
    }
    return apply_waivers(now, findings, objects, complete=complete and bool(manifests))


def _check_rendered(before: Workspace | None, only: list[layout.Key] | None) -> dict[str, Manifest]:
    """What the base renders; a base that is broken has nothing to compare with."""
    try:
        return before.render(_present(before, only)) if before else {}
    except FindingsError:
        return {}


def _present(before: Workspace, only: list[layout.Key] | None) -> list[layout.Key] | None:
    return None if only is None else [key for key in only if key in before.specs.releases]


def _check_by_base(
    top: Path, scope: Scope, rendered: dict[str, Manifest], findings: list[Finding]
) -> Iterator[Finding]:
    """What the rules of the base say of a change, and which of them it loosens."""
    now, before, only = scope.now, scope.before, scope.only
    if scope.revision is None or before is None:
        return
    yield from warn_of_rules(scope.revision, before, top, now)
    if rendered:
        names = before.specs.environments if only is None else {key.environment for key in only}
        was = _check_rendered(before, only) | _of_environments(before, names)
        kept = {} if only is None else _of_environments(now, names)
        yield from check_by_base(now, before, rendered | kept, was, findings)


def _check_cluster(
    scope: Scope, manifests: dict[str, Manifest], before: dict[str, Manifest]
) -> Iterator[Finding]:
    """What the clusters would refuse: by the API's own rules, and by the repository's policies."""
    now, only = scope.now, scope.only
    policies, unreadable = read_sound_policies(now.files)
    table = deprecations(resources.read_catalog_file("deprecations"))
    concerned = None if only is None else {key.environment for key in only}
    # Bindings select by the labels of namespaces, also where only releases were rendered.
    kept = {} if concerned is None else _of_environments(now, concerned)
    whole, was = manifests | kept, (before | kept if scope.before else before)
    yield from unreadable
    found: list[Finding] = []
    environments = [
        environment
        for name, environment in {
            **_select_environments(scope.before),
            **now.specs.environments,
        }.items()
        if concerned is None or name in concerned
    ]
    for environment in environments:
        try:
            with isolated("the rules of a cluster"):
                found += check_objects(environment, manifests, before, read_semantic_rules(), table)
        except UnforeseenError as error:
            found.append(finding(environment.document.place(), error))
    if policies.policies:
        typed = _check_versions(now) if only is None else set()
        schemas = now.tools.kubernetes.data

        def judge(some: Sequence[Policy], begin: Begin) -> list[Finding]:
            chosen = replace(policies, policies=tuple(some))
            said: list[Finding] = []
            for version in typed:
                said += check_types(chosen, version, schemas, begin)
            for environment in environments:
                said += check_policies(chosen, environment, whole, was, begin)
            return said

        said, refused = judge_apart(policies.policies, judge)
        found += said
        yield from refused
    yield from located(found, now.specs, whole, now.tools.source_map)


def _check_versions(now: Workspace) -> set[str]:
    """The versions of Kubernetes that its environments have."""
    environments = now.specs.environments.values()
    return {environment.spec.cluster.kubernetes_version for environment in environments}


def _select_environments(workspace: Workspace | None) -> Mapping[str, Environment]:
    return workspace.specs.environments if workspace else {}


def _of_environments(now: Workspace, names: Collection[str]) -> dict[str, Manifest]:
    """What the environments themselves need."""
    return {
        manifest.path: manifest
        for name in now.specs.environments.keys() & names
        for manifest in now.tools.renderer.environment(now.specs.environments[name])
    }


def _find_stale(
    top: Path, wanted: dict[str, bytes], only: Iterable[layout.Key]
) -> dict[str, bytes | None]:
    """As `differences`, looking only at what the chosen releases own."""
    present = files.Tree()
    for key in only:
        there = files.read(top, layout.rendered_paths(key), RENDERED_LIMIT)
        present.files |= there.files
        present.links += there.links
    return compare_tree(present, wanted)
