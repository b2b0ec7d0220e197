"""A resolved release or environment to its manifests: which objects there are, and their bytes."""

from collections.abc import Iterable, Mapping
from typing import Any

from sluice.core import layout
from sluice.core.capacity.allotment import resources_of
from sluice.core.capacity.quota import ANY, quota_of
from sluice.core.catalog.devices import Accelerator
from sluice.core.catalog.entries import Catalog
from sluice.core.documents.manifest import Manifest
from sluice.core.specs.environment_records import ArgoCD
from sluice.core.specs.resolve import Environment, Release
from sluice.core.workload import applications
from sluice.core.workload.applications import Application
from sluice.core.workload.bind import Templates
from sluice.core.workload.objects import ROUTES, objects
from sluice.core.workload.values import LABEL, MANAGER

_NOT_OF_RELEASES = ("Namespace", "AppProject", "Application")
"""What stands in no namespace, and what goes to the cluster of Argo CD with another project."""


class Renderer:
    """Renders with one set of templates and one catalog."""

    def __init__(self, templates: Templates, catalog: Catalog) -> None:
        self._templates = templates
        self._catalog = catalog

    def release(self, release: Release) -> list[Manifest]:
        """Every manifest of a release, by path."""
        routes: list[Any] = []
        others: list[Any] = []
        for data in objects(self._templates.render, release, self._catalog):
            (routes if data["kind"] in ROUTES else others).append(data)
        source, name = layout.release_path(release.key), release.key.name
        return [
            *_manifests(others, layout.release_directory(release.key), source, name),
            *_manifests(routes, layout.routes_directory(release.key), source, name),
        ]

    def environment(self, environment: Environment) -> list[Manifest]:
        """What an environment itself needs: its namespace, its quota, its Argo CD objects."""
        shared = _environment_values(environment, self._catalog)
        source = environment.document.path
        names = ["environment/namespace.yaml.j2"]
        if shared["quota"]:
            names.append("environment/quota.yaml.j2")
        if shared["allowed_resources"]:
            names.append("environment/allowed-accelerators.yaml.j2")
        found = [self._templates.render(name, shared) for name in names]
        directory = layout.cluster_directory(environment.name)
        manifests = _manifests(found, directory, source, shared["namespace"])
        if environment.spec.argocd is not None:
            manifests += self._argocd(environment, shared, source)
        return manifests

    def application(self, release: Release) -> list[Manifest]:
        """The Argo CD applications of a release, when the environment has Argo CD."""
        shared = _environment_values(release.environment, self._catalog)
        source = layout.release_path(release.key)
        wanted = applications.applications_of_release(release)
        return [self._application(application, shared, source) for application in wanted]

    def _argocd(
        self, environment: Environment, shared: Mapping[str, Any], source: str
    ) -> list[Manifest]:
        directory = layout.argocd_directory(environment.name)
        # All kinds, and not only those of today: Argo CD does not see what it may not apply, and
        # would never prune what is left when another gateway or scaler is chosen.
        kinds: list[Mapping[str, str]] = [
            {"group": group, "kind": kind}
            for group, kind in self._templates.kinds
            if kind not in _NOT_OF_RELEASES
        ]
        argocd = environment.spec.argocd
        kinds += argocd.kinds if argocd else ()
        project = self._templates.render("environment/project.yaml.j2", {**shared, "kinds": kinds})
        wanted = applications.applications_of_environment(environment)
        return [
            Manifest(f"{directory}/appproject.yaml", project, source),
            *(self._application(application, shared, source) for application in wanted),
        ]

    def _application(
        self, application: Application, shared: Mapping[str, Any], source: str
    ) -> Manifest:
        filled = applications.template_values(application, shared)
        data = self._templates.render("environment/application.yaml.j2", filled)
        return Manifest(application.manifest, data, source)


def _manifests(found: list[Any], directory: str, source: str, owner: str) -> list[Manifest]:
    manifests = {}
    for data in found:
        file = layout.file_name(data["kind"], data["metadata"]["name"], owner)
        path = f"{directory}/{file}"
        if path in manifests:
            raise ValueError(f"two objects would be {path}")
        manifests[path] = Manifest(path, data, source)
    return list(manifests.values())


def _labels(entries: Iterable[Accelerator | None]) -> list[str]:
    """The labels of nodes with these accelerators, as `key=value`."""
    known = (entry.node_selector.items() for entry in entries if entry)
    return sorted({f"{key}={value}" for labels in known for key, value in labels})


def _environment_values(environment: Environment, catalog: Catalog) -> dict[str, Any]:
    spec = environment.spec
    argocd = spec.argocd or ArgoCD()
    allowed = spec.accelerators.allowed or ()
    entries = [catalog.accelerator(name) for name in allowed]
    resources = sorted({entry.resource for entry in entries if entry})
    quota = quota_of(environment)
    if ANY in quota:
        quota = dict.fromkeys(resources, quota[ANY])
    metadata = environment.document.data["metadata"]
    return {
        "environment": environment.name,
        "namespace": spec.namespace,
        "labels": {
            "app.kubernetes.io/managed-by": MANAGER,
            f"{LABEL}/environment": environment.name,
            **metadata.get("labels", {}),
        },
        "annotations": metadata.get("annotations", {}),
        "allowed_resources": "\n".join(sorted(resources_of(allowed, catalog))),
        "allowed_labels": "\n".join(_labels(entries)),
        "quota": {f"requests.{resource}": str(most) for resource, most in quota.items()},
        "project": environment.name,
        "server": spec.cluster.server,
        "repo_url": argocd.repo_url,
        "target_revision": argocd.target_revision,
        "argocd_namespace": argocd.namespace,
        **applications.sync_values(argocd),
        "policies": argocd.policies,
    }
