"""What Argo CD is told to apply: one application for workloads, one for their routes, and so on.

Argo CD waits for health between the waves of a sync, and before it prunes last. Whatever shares a
sync with a route can so keep a weight in Git from traffic: a candidate that is unwell, an
autoscaler without its metrics. So routes have an application of their own with nothing else in it,
neither they nor workloads are in waves, and what is pruned is pruned after its traffic has left by
the order of commits (see `core.workload.routing.named`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sluice.core import layout
from sluice.core.layout import Key
from sluice.core.specs.environment_records import ArgoCD
from sluice.core.specs.resolve import Environment, Release
from sluice.core.units import version_key
from sluice.core.workload import delivery, values
from sluice.core.workload.routing import has_routes

IN_CLUSTER = "https://kubernetes.default.svc"
"""The cluster that Argo CD itself runs in, where its own objects go."""
REFRESHES_RETRIES = (3, 2)
"""The version of Argo CD from which on a retry may take a newer revision (argo-cd#23038).

Before it, an application that says which paths it is made from may apply an older revision after a
retry that failed (argo-cd#27875); routes then do not say it, which costs a rendering each time.
"""


@dataclass(frozen=True, slots=True)
class Application:
    """One application of Argo CD.

    Args:
        manifest: where its own manifest is rendered.
        name: its name.
        path: the directory that it applies.
        wave: its place among the applications of an environment.
        recurse: whether it reads the directories below, too.
        exclude: files that it leaves out.
        bootstraps: whether it applies applications, in Argo CD's own cluster.
        routes: whether it applies the routes of a release.
        scaled: kinds of workloads whose replicas the cluster sets.
        moved: routes whose weights a controller in the cluster sets.
    """

    manifest: str
    name: str
    path: str
    wave: str = "0"
    recurse: bool = False
    exclude: str = ""
    bootstraps: bool = False
    routes: bool = False
    scaled: tuple[Mapping[str, str], ...] = ()
    moved: tuple[Mapping[str, Any], ...] = ()


def workload_application(key: Key) -> str:
    """The name of the application of a release's workloads; no environment's own has a dot."""
    return f"{key.environment}.{key.name}"


def routes_application(key: Key) -> str:
    """The name of the application of a release's routes."""
    return f"{workload_application(key)}.{layout.ROUTES}"


def applications_of_release(release: Release) -> Iterator[Application]:
    """The applications of a release, when its environment has Argo CD."""
    if release.environment.spec.argocd is None:
        return
    key = release.key
    yield Application(
        layout.application_path(key),
        workload_application(key),
        layout.release_directory(key),
        scaled=tuple(_scaled_kinds(release)),
    )
    if has_routes(release):
        yield Application(
            layout.routes_application_path(key),
            routes_application(key),
            layout.routes_directory(key),
            routes=True,
            moved=tuple(_moved_routes(release)),
        )


def applications_of_environment(environment: Environment) -> Iterator[Application]:
    """The applications of an environment itself."""
    directory = layout.argocd_directory(environment.name)
    yield Application(
        f"{directory}/application-environment.yaml",
        f"{environment.name}-environment",
        layout.cluster_directory(environment.name),
        wave="-1",
    )
    if environment.spec.argocd and environment.spec.argocd.policies:
        yield Application(
            f"{directory}/application-policies.yaml",
            f"{environment.name}-policies",
            layout.POLICIES,
            wave="-2",
            exclude=layout.WAIVERS,
        )
    yield Application(
        f"{layout.BOOTSTRAP}/{environment.name}.yaml",
        environment.name,
        directory,
        recurse=True,
        bootstraps=True,
    )


def template_values(application: Application, shared: Mapping[str, Any]) -> dict[str, Any]:
    """What the template of an application uses.

    Args:
        application: the application.
        shared: the values of its environment.
    """
    where = {"project": shared["project"], "server": shared["server"]}
    if application.bootstraps:
        where = {"project": "default", "server": IN_CLUSTER}
    inside = "argocd_namespace" if application.bootstraps else "namespace"
    return {
        **shared,
        **where,
        "destination_namespace": shared[inside],
        "name": application.name,
        "wave": application.wave,
        "path": application.path,
        "recurse": application.recurse,
        "exclude": application.exclude,
        "scaled": application.scaled,
        "moved": application.moved,
        "generate_paths": shared["retry_refresh"] or not application.routes,
    }


def sync_values(argocd: ArgoCD) -> dict[str, Any]:
    """How an environment's applications are synced, for their template.

    Argo CD tries a failed sync again and again on the revision that it began with, and does not
    look at a newer one meanwhile. Where it can take the newest for each retry, it tries for ever;
    elsewhere it gives up after some tries, so that a commit that mends the fault is taken.
    """
    refreshes = version_key(argocd.version) >= REFRESHES_RETRIES
    return {
        "automated": _automated(argocd),
        "retries": -1 if refreshes else 5,
        "retry_refresh": refreshes,
    }


def _automated(argocd: ArgoCD) -> dict[str, bool] | None:
    """What Argo CD does by itself; None when it does nothing.

    Until 3.3 it drops what is false when it writes an Application back, and would then find its own
    object changed for ever.
    """
    if argocd.automated is None:
        return None
    return {name: True for name, wanted in argocd.automated.items() if wanted}


def _scaled_kinds(release: Release) -> Iterator[dict[str, str]]:
    """The kinds of workloads whose replicas a scaler or a controller sets, and not Git."""
    kinds = set()
    for variant in release.variants:
        if values.counted_elsewhere(variant):
            group = values.group(variant)
            kinds.add((group["workload_api"].partition("/")[0], group["workload_kind"]))
    for api_group, kind in sorted(kinds):
        yield {"group": api_group, "kind": kind}


def _moved_routes(release: Release) -> Iterator[dict[str, Any]]:
    """The routes whose weights a controller in the cluster sets, and to which it adds rules."""
    takeover, provider = release.takeover, release.takeover.provider
    if provider is None or provider.has_second_route or not takeover.is_elsewhere:
        return
    if takeover.strategy.is_switched:
        return
    paths = [provider.weights]
    managed = delivery.managed_route(release.variants[-1], release.key.name)
    if managed:
        added = f'.name == "{managed}"'
        paths.append(f"{provider.rules} | select({added})")
    yield {"group": provider.route.group, "kind": provider.route.kind, "paths": paths}
