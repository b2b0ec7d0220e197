"""A resolved release or environment to its manifests: which objects there are, and their bytes."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sluice.core import layout
from sluice.core.capacity.allotment import resources_of
from sluice.core.capacity.quota import ANY, quota_of
from sluice.core.catalog.devices import Accelerator
from sluice.core.catalog.entries import Catalog
from sluice.core.emit import emit
from sluice.core.specs.resolve import Environment, Release
from sluice.core.workload import delivery, values
from sluice.core.workload.bind import Templates
from sluice.core.workload.objects import objects
from sluice.core.workload.values import LABEL, MANAGER

_WEIGHTS = {
    "gateway": {
        "group": "gateway.networking.k8s.io",
        "kind": "HTTPRoute",
        "weights": ".spec.rules[].backendRefs[].weight",
        "rule": ".spec.rules[]",
    },
    "istio": {
        "group": "networking.istio.io",
        "kind": "VirtualService",
        "weights": ".spec.http[].route[].weight",
        "rule": ".spec.http[]",
    },
}
IN_CLUSTER = "https://kubernetes.default.svc"
"""The cluster that Argo CD itself runs in, where its own objects go."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """One rendered object; `source` is the file that its author edits."""

    path: str
    data: Mapping[str, Any]
    source: str

    def content(self) -> bytes:
        """The canonical bytes of the file."""
        return emit(self.data, f"Rendered by sluice from {self.source}; edit that file instead.")


class Renderer:
    """Renders with one set of templates and one catalog."""

    def __init__(self, templates: Templates, catalog: Catalog) -> None:
        self._templates = templates
        self._catalog = catalog

    def release(self, release: Release) -> list[Manifest]:
        """Every manifest of a release, by path."""
        found = list(objects(self._templates.render, release, self._catalog))
        directory = layout.release_directory(release.key)
        source = layout.release_path(release.key)
        return _manifests(found, directory, source, release.key.name)

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
        if "argocd" in environment.spec:
            manifests += self._argocd(environment, shared, source)
        return manifests

    def application(self, release: Release) -> list[Manifest]:
        """The Argo CD application of a release, when the environment has Argo CD."""
        if "argocd" not in release.environment.spec:
            return []
        key = release.key
        more = {
            "name": f"{key.environment}.{key.name}",  # no environment's own has a dot
            "wave": "0",
            "path": layout.release_directory(key),
            "destination_namespace": release.environment.spec["namespace"],
            "scaled": _scaled(release),
            "routed": _routed(release),
        }
        shared = _environment_values(release.environment, self._catalog)
        directory = f"{layout.argocd_directory(key.environment)}/{key.team}"
        path = f"{directory}/application-{key.name}.yaml"
        return [Manifest(path, self._application(shared, more), layout.release_path(key))]

    def _argocd(
        self, environment: Environment, shared: Mapping[str, Any], source: str
    ) -> list[Manifest]:
        directory = layout.argocd_directory(environment.name)
        project = self._templates.render("environment/project.yaml.j2", shared)
        return [
            Manifest(f"{directory}/appproject.yaml", project, source),
            *(
                Manifest(path, self._application(shared, more), source)
                for path, more in _applications(environment, shared)
            ),
        ]

    def _application(self, shared: Mapping[str, Any], more: Mapping[str, Any]) -> Any:  # noqa: ANN401
        defaults = {"recurse": False, "exclude": None, "scaled": (), "routed": ()}
        return self._templates.render(
            "environment/application.yaml.j2", {**shared, **defaults, **more}
        )


def _scaled(release: Release) -> list[dict[str, str]]:
    """The kinds of workloads whose replicas a scaler or a controller sets, and not Git."""
    found = [values.group(v.spec) for v in release.variants if values.counted_elsewhere(v.spec)]
    kinds = {(g["workload_api"].partition("/")[0], g["workload_kind"]) for g in found}
    return [{"group": group, "kind": kind} for group, kind in sorted(kinds)]


def _routed(release: Release) -> list[dict[str, Any]]:
    """The routes whose weights a controller in the cluster sets, and to which it adds rules."""
    provider = release.environment.spec.get("traffic", {}).get("provider", "")
    route, mover = _WEIGHTS.get(provider), delivery.controller(release.spec)
    switched = release.value("rollout.strategy") == "blue-green"
    if route is None or mover is None or switched or provider in mover.makes_routes:
        return []
    paths, name = [route["weights"]], release.key.name
    managed = delivery.managed_route(release.spec, name, provider)
    if managed:  # a rule of copies has no name where rules need none
        unnamed = provider == "gateway" and release.value("rollout.strategy") == "shadow"
        added = ".filters != null" if unnamed else f'.name == "{managed}"'
        paths.append(f"{route['rule']} | select({added})")
    return [{"group": route["group"], "kind": route["kind"], "paths": paths}]


def _applications(
    environment: Environment, shared: Mapping[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The applications of an environment itself, by the path of their manifest."""
    directory = layout.argocd_directory(environment.name)
    yield (
        f"{directory}/application-environment.yaml",
        {
            "name": f"{environment.name}-environment",
            "wave": "-1",
            "path": layout.cluster_directory(environment.name),
            "destination_namespace": shared["namespace"],
        },
    )
    if environment.spec["argocd"].get("policies"):
        yield (
            f"{directory}/application-policies.yaml",
            {
                "name": f"{environment.name}-policies",
                "wave": "-2",
                "path": layout.POLICIES,
                "exclude": layout.WAIVERS,
                "destination_namespace": shared["namespace"],
            },
        )
    yield (
        f"{layout.BOOTSTRAP}/{environment.name}.yaml",
        {
            "name": environment.name,
            "wave": "0",
            "path": directory,
            "recurse": True,
            "project": "default",
            "server": IN_CLUSTER,
            "destination_namespace": shared["argocd_namespace"],
        },
    )


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
    argocd = spec.get("argocd", {})
    accelerators = spec.get("accelerators", {})
    allowed = accelerators.get("allowed", [])
    entries = [catalog.accelerator(name) for name in allowed]
    resources = sorted({entry.resource for entry in entries if entry})
    quota = quota_of(environment)
    if ANY in quota:
        quota = dict.fromkeys(resources, quota[ANY])
    metadata = environment.document.data["metadata"]
    return {
        "environment": environment.name,
        "namespace": spec["namespace"],
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
        "server": spec["cluster"]["server"],
        "repo_url": argocd.get("repoURL"),
        "target_revision": argocd.get("targetRevision", "refs/heads/main"),
        "argocd_namespace": argocd.get("namespace", "argocd"),
        "automated": _automated(argocd),
        "policies": argocd.get("policies", False),
    }


def _automated(argocd: Mapping[str, Any]) -> dict[str, bool] | None:
    """What Argo CD does by itself; None when it does nothing.

    Until 3.3 it drops what is false when it writes an Application back, and would then find its own
    object changed for ever.
    """
    if "automated" not in argocd:
        return None
    return {name: True for name, wanted in argocd["automated"].items() if wanted}
