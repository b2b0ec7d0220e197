"""`sluice check --manifests DIR`: the cluster's rules on plain manifests of any origin."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

import click

from sluice.core.finding import Finding, failed
from sluice.core.kubernetes.deprecations import deprecation_problems, deprecations
from sluice.core.kubernetes.rules import semantic_problems
from sluice.core.kubernetes.schemas import KubernetesSchemas
from sluice.core.kubernetes.verdict import finding
from sluice.core.reports.report import report
from sluice.system import resources
from sluice.workspace.manifests import Loaded, Manifests, read_manifests
from sluice.workspace.rule_pages import select_pages
from sluice.workspace.semantic_texts import read_semantic_rules
from sluice.workspace.toolkit import make_toolkit


def run(*, directory: str, version: str, form: str) -> int:
    """Print what a cluster of this version would refuse; 1 when it is an error."""
    manifests = read_manifests(Path(directory))
    findings = [*manifests.findings, *_find_problems(manifests, version)]
    if findings or form != "text":
        sys.stdout.write(report(findings, form, {}, pages=select_pages(form)))
    else:
        count = len(manifests.objects)
        click.echo(f"{count} objects, Kubernetes {version}: no findings", err=True)
    return int(failed(findings))


def _find_problems(manifests: Manifests, version: str) -> Iterator[Finding]:
    schemas = make_toolkit().kubernetes
    for loaded in manifests.objects:
        yield from _shape(loaded, schemas, version)
    pairs = manifests.pairs()
    table = deprecations(resources.read_catalog_file("deprecations"))
    zones = frozenset(available_timezones())
    for problem in (
        *semantic_problems(pairs, version, read_semantic_rules(), zones=zones),
        *deprecation_problems(pairs, version, table),
    ):
        loaded = manifests.objects[problem.position]
        yield finding(problem, loaded.place(problem.pointer))


def _shape(loaded: Loaded, schemas: KubernetesSchemas, version: str) -> Iterator[Finding]:
    data: Mapping[str, Any] = loaded.data
    for pointer, message in schemas.problems(data, version):
        yield Finding(loaded.place(pointer), "K8S001", message, "see the API reference of the kind")
