"""What the templates of a release are filled with: every derived name, number and list."""

from collections.abc import Iterator, Mapping
from typing import Any

from sluice.core import names
from sluice.core.capacity.parallel import parallel_of
from sluice.core.capacity.quota import has_room
from sluice.core.catalog.entries import Catalog
from sluice.core.paths import canonical as canonical_path
from sluice.core.rollout.file import rollout_of
from sluice.core.rollout.replicas import floor
from sluice.core.specs.capacity_records import ScalingStep
from sluice.core.specs.reader import written
from sluice.core.specs.records import ReleaseSpec
from sluice.core.specs.resolve import Environment, Release, Variant
from sluice.core.units import canonical, duration
from sluice.core.workload import calling, delivery, fetching, sizing
from sluice.core.workload.arguments import probe_paths
from sluice.core.workload.placement import placement, queueing
from sluice.core.workload.sizing import Parts

PRE_STOP = 15
"""Seconds in which routers learn that the pod is leaving."""
MANAGER = "sluice"
LABEL = "sluice.dev"
GROUPS = "leaderworkerset.x-k8s.io/v1"
ROLE = f"{LABEL}/role"
"""Label of a group's pods: only its leader answers."""
BESIDE = {"argocd.argoproj.io/ignore-healthcheck": "true"}
"""Annotations of what stands beside a workload: a scaler without its metrics says nothing about
the health of a version, which Argo CD's word on the release is taken for."""
CONFIG_NOTE = f"{LABEL}/engine-config"
"""Annotation of a pod that its engine reads as its configuration file."""


def common(release: Release) -> dict[str, Any]:
    """What every template of a release may use."""
    return {
        "release": release.key.name,
        "namespace": release.environment.spec.namespace,
        "labels": {
            "app.kubernetes.io/name": release.key.name,
            "app.kubernetes.io/component": "inference",
            "app.kubernetes.io/part-of": release.key.team,
            "app.kubernetes.io/managed-by": MANAGER,
            **release.metadata.get("labels", {}),
        },
        "annotations": release.metadata.get("annotations", {}),
        "beside": BESIDE if release.environment.spec.argocd else {},
        "selector": {f"{LABEL}/release": release.key.name},
    }


def is_versioned(variant: Variant) -> bool:
    """Whether each version has a workload of its own, so that taking over only moves routes."""
    return variant.takeover.is_ours


def workload_name(release: Release, variant: Variant) -> str:
    if is_versioned(variant):
        return names.workload(release.key.name, variant.version)
    return release.key.name


def selector_of(release: Release, variant: Variant) -> dict[str, str]:
    """The labels of the pods that answer for one version.

    A selector cannot be changed later, so it has no version where one workload serves one after the
    other. Of workloads that are named by version it has: two of them run at once, each behind a
    Service of its own, and only the route moves.
    """
    mover = variant.takeover.controller
    if mover is not None and mover.app:
        return {mover.app: release.key.name}
    selector = {f"{LABEL}/release": release.key.name}
    if is_versioned(variant):
        selector[f"{LABEL}/version"] = names.slug(variant.version)
    if parallel_of(variant.spec).nodes > 1:
        selector[ROLE] = "leader"
    return selector


def of_variant(release: Release, parts: Parts, catalog: Catalog) -> dict[str, Any]:
    """What the templates of one version use."""
    spec, engine = parts.variant.spec, parts.engine
    name, facts = served_name(release, spec), _facts(spec)
    called = calling.container(engine, parts.accelerator, spec, parts.source, name)
    found = _weights(release, parts, catalog)
    workload = workload_name(release, parts.variant)
    queue = queueing(spec, catalog, parts.given, workload)
    shared = calling.shared_memory(engine, spec)
    config = called["engine_config"]
    return {
        "workload": workload,
        "service": service_name(release, parts.variant),
        **_labels(release, parts.variant, queue["queue_labels"]),
        "facts": facts,
        "engine": engine,
        "image": calling.image(engine, parts.accelerator, spec),
        "resources": sizing.resources(spec, parts.given, sizing.requests(parts, shared, catalog)),
        "shared_memory": canonical(shared) if shared else None,
        "probes": {
            **sizing.probes(parts, catalog, queue["queue_wait"]),
            "paths": probe_paths(engine, name),
        },
        **called,
        "variables": [*called["variables"], *found["fetch_variables"]],
        **found,
        "pod_annotations": facts
        | queue["queue_annotations"]
        | ({CONFIG_NOTE: config} if config else {}),
        **group(parts.variant),
        **_scaling(parts.variant, sizing.startup_budget(spec, engine, catalog) // 2),
        "least_replicas": _least_replicas(release, parts.variant),
        "room": has_room(release.environment, spec, catalog),
        **queue,
        **placement(release.environment, spec, parts.accelerator, parts.given),
        **_leaving(parts.variant),
    }


def _labels(release: Release, variant: Variant, more: Mapping[str, str]) -> dict[str, Any]:
    """The labels of a version's pods, and by which of them its objects find them."""
    version, selector = names.slug(variant.version), selector_of(release, variant)
    labels = {f"{LABEL}/release": release.key.name, f"{LABEL}/version": version, **more}
    named = f"{LABEL}/release" in selector
    labels |= {} if named else selector
    return {
        "selector": selector,
        "together": selector if named else common(release)["selector"],
        "pods": {name: value for name, value in selector.items() if name != ROLE},
        "pod_labels": labels | ({ROLE: "leader"} if ROLE in selector else {}),
        "worker_labels": labels | {ROLE: "worker"},
    }


def _weights(release: Release, parts: Parts, catalog: Catalog) -> dict[str, Any]:
    """What the pod has because of where its weights are; its account is the release's own."""
    found = fetching.parts(release.environment, parts.variant.spec, parts.source, catalog)
    named = found["service_account"]
    resources = sizing.resources(parts.variant.spec, None, sizing.requests(parts, None, catalog))
    return {
        **found,
        "service_account": named or release.key.name,
        "fetcher_resources": resources,
    }


def served_name(release: Release, spec: ReleaseSpec) -> str:
    """The name that clients ask for."""
    return spec.serving.served_name or release.key.name


def service_name(release: Release, variant: Variant) -> str:
    """The Service that leads to one version, and that routes name.

    Where each version has a workload of its own it has a Service of its own, too, also after its
    rollout: the commit that ends a rollout then removes only what no route names any more.
    """
    if variant.role == "stable" and not is_versioned(variant):
        return release.key.name
    return names.workload(release.key.name, variant.version)


def object_names(release: Release) -> set[str]:
    """The names of the objects that a release has in its namespace."""
    named = [v for v in release.variants if v.version]
    found = {release.key.name, *(workload_name(release, v) for v in named)}
    found |= delivery.names(release.takeover.controller, release.key.name)
    if release.rollout is None:
        return found
    return found | {service_name(release, v) for v in named} | {f"{release.key.name}-canary"}


def _facts(spec: ReleaseSpec) -> dict[str, str]:
    """Which model this is.

    The run that trained it and the commit that promoted it are in Git's log, not here: what is
    rendered follows from the specs alone.
    """
    model = spec.model
    facts = {
        f"{LABEL}/model": model.name,
        f"{LABEL}/model-version": model.version,
        f"{LABEL}/model-source": model.source,
    }
    if model.digest is not None:
        facts[f"{LABEL}/model-digest"] = model.digest
    return facts | {f"{LABEL}/{key}": said for key, said in calling.notes(spec).items()}


def group(variant: Variant) -> dict[str, Any]:
    """The kind of the workload: one that a node cannot hold is a set of groups of pods.

    Only a group's leader answers, so only it is selected.
    """
    nodes = parallel_of(variant.spec).nodes
    return {
        "nodes": nodes,
        "workload_api": GROUPS if nodes > 1 else delivery.workload(variant)[0],
        "answers": True,
        "workload_kind": "LeaderWorkerSet" if nodes > 1 else delivery.workload(variant)[1],
    }


def _scaling(variant: Variant, load_time: int) -> dict[str, Any]:
    """Replicas, and how fast they change: a replica is not given up sooner than one can start."""
    scaling = variant.spec.scaling
    patience = scaling.scale_down.stabilization
    return {
        "replicas": None if counted_elsewhere(variant) else scaling.replicas,
        "least_replicas": scaling.least,
        "most_replicas": scaling.most,
        "scaled": scaling.is_automatic,
        "targets": scaling.target,
        "scale_up": scaling.scale_up.stabilization,
        "scale_down": min(max(300, load_time), 3600) if patience is None else patience,
        "up_policies": list(_policies(scaling.scale_up.step)),
        "down_policies": list(_policies(scaling.scale_down.step)),
    }


def _least_replicas(release: Release, variant: Variant) -> int:
    """The least that a scaler may keep; in a rollout enough for the share that is to come."""
    least = variant.spec.scaling.least
    if release.rollout is None or not is_versioned(variant):
        return least
    standing = rollout_of(release.spec, release.rollout.data["spec"])
    bounds = (least, variant.spec.scaling.most)
    return floor(standing, bounds, stable=variant.role == "stable")


def counted_elsewhere(variant: Variant) -> bool:
    """Whether the cluster sets the replicas: a scaler, or a controller that takes them all away."""
    mover = variant.takeover.controller
    return variant.spec.scaling.is_automatic or (mover is not None and mover.copies_stable)


def _policies(step: ScalingStep | None) -> Iterator[dict[str, Any]]:
    """By how many replicas a scaler may change at once."""
    if step is not None:
        yield {"type": "Pods", "value": step.replicas, "periodSeconds": step.period}


def _leaving(variant: Variant) -> dict[str, Any]:
    drain, spot = variant.spec.lifecycle.pod_drain, variant.spec.placement.spot
    notice = spot.grace_period if spot else 0
    return {
        "pre_stop": str(PRE_STOP),
        "grace_period": max(PRE_STOP + drain + PRE_STOP, notice),
        "recreate": variant.takeover.strategy.stops_first,
    }


def route(environment_: Environment, spec: ReleaseSpec) -> tuple[str, str] | None:
    """Host and path at which clients reach a release, or nothing when nobody outside does."""
    base, own = environment_.spec.traffic, spec.traffic
    host = own.host or (base.host if base else None)
    if base is None or not host:
        return None
    return host, canonical_path(own.path or base.path)


def traffic(environment_: Environment, spec: ReleaseSpec) -> dict[str, Any] | None:
    """Host, path and limits of the route, or nothing when nobody outside reaches the release."""
    base, own = environment_.spec.traffic, spec.traffic
    if base is None:
        return None
    timeout = base.timeout if own.timeout is None else own.timeout
    gateway = {"namespace": environment_.spec.namespace, "section": None}
    return {
        "provider": base.provider,
        "class_name": base.class_name,
        "gateway": {**gateway, **(written(base.gateway) if base.gateway else {})},
        "host": own.host or base.host,
        "path": canonical_path(own.path or base.path),
        "timeout": str(timeout),
        "timeout_text": duration(timeout),
        "tls_secret": own.tls_secret or base.tls_secret,
        "pool": own.pool or base.pool,
    }
