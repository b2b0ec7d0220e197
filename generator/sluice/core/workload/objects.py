"""Which objects a release consists of: workloads, scalers, routes, and what guards them."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sluice.core.capacity.parallel import parallel_of
from sluice.core.catalog.entries import Catalog
from sluice.core.catalog.thresholds import Thresholds
from sluice.core.documents.emit import emit
from sluice.core.paths import route_words
from sluice.core.specs.records import ReleaseSpec
from sluice.core.specs.resolve import Release
from sluice.core.workload import delivery, fetching, measurements, scaling, sizing, values
from sluice.core.workload.alerts import alerts, following
from sluice.core.workload.routing import (
    asked_for,
    chosen,
    gateway_of,
    has_routes,
    leading,
    named,
)
from sluice.core.workload.sizing import Parts
from sluice.core.workload.values import LABEL

Render = Callable[[str, Mapping[str, Any]], Any]
"""Renders a template, by its name, with these values to data."""

FULL = 100
ROUTES = frozenset({"HTTPRoute", "VirtualService", "Ingress"})
"""Kinds that say where requests go; they have an Argo CD application of their own."""
_WORKLOADS = {
    "Deployment": "release/deployment.yaml.j2",
    "LeaderWorkerSet": "release/leader-worker-set.yaml.j2",
}
"""The templates of workloads that no controller has one of its own for."""


def objects(render: Render, release: Release, catalog: Catalog) -> Iterator[Any]:
    """Every object of a release, in the order in which a reader wants them."""
    shared = values.common(release)
    parts = [sizing.parts_of(variant, catalog) for variant in release.variants]
    yield render("release/service-account.yaml.j2", {**shared, "service_account": release.key.name})
    for part in parts:
        own = {
            **shared,
            **values.of_variant(release, part, catalog),
            **_delivery(release, part, catalog),
        }
        own["workload_metadata_labels"] = {**shared["labels"], **own["workload_labels"]}
        own["routing"] = _routing(render, part, own)
        yield render(_workload_template(part, own["workload_kind"]), own)
        yield from _controlled(render, release, part, own)
        yield from _scaler(render, release, part, own)
        if own["least_replicas"] > 1:
            yield render("release/disruption-budget.yaml.j2", own)
    yield from _services(render, release, shared)
    yield from _adapter(render, release, parts, shared)
    yield from _monitor(render, release, parts[0], shared, catalog.thresholds)
    yield from _network(render, release, parts, shared)
    yield from _routes(render, release, parts, shared)


def _delivery(release: Release, part: Parts, catalog: Catalog) -> dict[str, Any]:
    """What a controller in the cluster needs to roll a release out; nothing when we do."""
    takeover, found = part.variant.takeover, part.variant.takeover.controller
    if found is None:
        return {"delivery": None, "serves": True}
    traffic = values.traffic(release.environment, part.variant.spec)
    gateway = gateway_of(release, catalog)
    measured = list(measurements.measurements(release, part.engine, gateway))
    name, provider, pairing = release.key.name, takeover.provider, takeover.pairing
    managed = delivery.managed_route(part.variant, name)
    return {
        "delivery": {
            **delivery.plan(part.variant),
            **measurements.timing(part.variant),
            "managed": managed,
            "judged_from": 2 if managed else 1,
            "provider": pairing.called,
            "second_route": provider is not None and provider.has_second_route,
            "names_cookies": provider is not None and provider.cookie_value != "",
            "copies_some": pairing.copies == "some",
        },
        "serves": not found.makes_services,
        "measurements": measured,
        "observed": [each["name"] for each in measured if each["observe"]],
        "canary": f"{name}-canary",
        "route": traffic and {**traffic, **route_words(traffic["path"], part.engine.api)},
        **asked_for(release),
    }


def _routing(render: Render, part: Parts, own: Mapping[str, Any]) -> Any:  # noqa: ANN401  # any YAML
    """What a controller is told about the route, if it is told anything."""
    mover, pairing = part.variant.takeover.controller, part.variant.takeover.pairing
    if mover is None or not pairing.template:
        return None
    return render(f"controllers/{mover.name}/{pairing.template}", own)


def _workload_template(part: Parts, kind: str) -> str:
    """The template of a workload: of its controller, if that has a kind of its own."""
    mover = part.variant.takeover.controller
    if mover is not None and mover.template and kind == mover.workload[1]:
        return f"controllers/{mover.name}/{mover.template}"
    return _WORKLOADS[kind]


def _services(render: Render, release: Release, shared: Mapping[str, Any]) -> Iterator[Any]:
    """A Service for each version, and one by the release's name for clients in the cluster."""
    mover = release.takeover.controller
    if mover is not None and mover.makes_services:
        return
    leads_to = {values.service_name(release, variant): variant for variant in release.variants} | {
        release.key.name: leading(release)
    }
    for service, variant in leads_to.items():
        more = {"service": service, "selector": values.selector_of(release, variant)}
        yield render("release/service.yaml.j2", {**shared, **more})


def _controlled(
    render: Render, release: Release, part: Parts, own: Mapping[str, Any]
) -> Iterator[Any]:
    """What tells a controller in the cluster how to roll out, and by what to judge."""
    mover = part.variant.takeover.controller
    if mover is not None:
        primary = {label: f"{value}-primary" for label, value in own["pods"].items()}
        more = {
            "scaler": release.environment.scaler if own["scaled"] else None,
            "primary_targets": list(_targets(part, {**own, "pods": primary})),
        }
        yield from render(f"controllers/{mover.name}/objects.yaml.j2", {**own, **more})


def _scaler(render: Render, release: Release, part: Parts, own: Mapping[str, Any]) -> Iterator[Any]:
    if own["scaled"]:
        environment, spec = release.environment, part.variant.spec
        names = {release.key.name, values.service_name(release, part.variant)}
        more = {
            "metric_targets": list(_targets(part, own)),
            **scaling.of_environment(environment, spec, names),
            "named": not own["serves"],  # what makes Services tells triggers apart by their names
        }
        yield render(f"scaling/{environment.scaler.name}/scaler.yaml.j2", {**own, **more})


def _targets(part: Parts, own: Mapping[str, Any]) -> Iterator[Any]:
    pods = {"namespace": own["namespace"], **own["pods"]}
    return scaling.targets(part.engine, own["targets"], pods)


def _adapter(
    render: Render, release: Release, parts: list[Parts], shared: Mapping[str, Any]
) -> Iterator[Any]:
    """The metrics adapter's rule for this release, without which its scaler sees nothing."""
    scaler = release.environment.scaler
    if scaler.queries:
        return
    scaled = [part for part in parts if part.variant.spec.scaling.is_automatic]
    found: dict[str, dict[str, str]] = {}
    for part in scaled:
        own = {**shared, "targets": part.variant.spec.scaling.target, "pods": {}}
        found |= {target["metric"]: target for target in _targets(part, own)}
    if found:
        rules = render(
            f"scaling/{scaler.name}/rules.yaml.j2", {"metric_targets": list(found.values())}
        )
        more = {"name": f"{release.key.name}-adapter-rules", "rules_text": emit(rules).decode()}
        yield render(f"scaling/{scaler.name}/adapter.yaml.j2", {**shared, **more})


def _monitor(
    render: Render, release: Release, part: Parts, shared: Mapping[str, Any], limits: Thresholds
) -> Iterator[Any]:
    monitoring = release.environment.spec.monitoring
    if monitoring.pod_monitor and "path" in part.engine.metrics:
        mover = part.variant.takeover.controller
        more = {
            "engine": part.engine,
            "pod_label": mover.pod_label if mover else None,
            "labels": {**shared["labels"], **monitoring.labels},
            "release_selector": {f"{LABEL}/release": release.key.name},
        }
        yield render("release/pod-monitor.yaml.j2", {**shared, **more})
        yield from _alerts(render, release, part, {**shared, "labels": more["labels"]}, limits)


def _alerts(
    render: Render, release: Release, part: Parts, shared: Mapping[str, Any], limits: Thresholds
) -> Iterator[Any]:
    """Rules over the metrics that the PodMonitor collects, by the labels that it puts on them."""
    if release.environment.spec.monitoring.alerts:
        pods = {
            "namespace": release.environment.spec.namespace,
            scaling.label_of(f"{LABEL}/release"): release.key.name,
        }
        sleeps = any(v.spec.scaling.may_sleep for v in release.variants)
        rules = alerts(part.engine, pods, limits, sleeps=sleeps)
        if values.is_versioned(part.variant):
            rules += following(str(release.key), limits.late)
        if rules:
            yield render("release/alerts.yaml.j2", {**shared, "rules": rules})


def _network(
    render: Render, release: Release, parts: list[Parts], shared: Mapping[str, Any]
) -> Iterator[Any]:
    """Who may connect, and where an engine may: to names, to where its weights are, to its group.

    An engine's own key guards some of its paths only, so a policy is what closes the others.
    Without `network` in the environment there is none: nobody has said who may connect, and closing
    everything would take down what runs.
    """
    network = release.environment.spec.network
    if network is not None:
        more = {
            "allow_from": list(network.allow_from),
            "allow_to": list(network.allow_to),
            "grouped": any(_talk(part.variant.spec) for part in parts),
            "release_selector": {f"{LABEL}/release": release.key.name},
            **fetching.ways(release.environment, [(p.variant.spec, p.source) for p in parts]),
        }
        yield render("release/network-policy.yaml.j2", {**shared, **more})


def _talk(spec: ReleaseSpec) -> bool:
    """Whether the pods of a release reach each other, beside what clients ask."""
    return parallel_of(spec).nodes > 1 or spec.serving.kv_transfer is not None


def _routes(
    render: Render, release: Release, parts: list[Parts], shared: Mapping[str, Any]
) -> Iterator[Any]:
    traffic, provider = values.traffic(release.environment, release.spec), release.takeover.provider
    if traffic is None or provider is None or not has_routes(release):
        return
    services = {values.service_name(release, part.variant): part for part in parts}
    pools = {name: _pool(release, part, traffic, name) for name, part in services.items()}
    for service, pool in pools.items():
        beside = {**shared, "service": service, "pool": pool}
        yield from render(f"traffic/{provider.name}/beside.yaml.j2", beside)
    more = {
        "backends": [*_backends(release, pooled=traffic["pool"] is not None)],
        "canary": f"{release.key.name}-canary",
        **chosen(release),
    }
    path = route_words(traffic["path"], parts[-1].engine.api)
    template = f"traffic/{provider.name}/routes.yaml.j2"
    yield from render(template, {**shared, **traffic, **path, **more})


def _backends(release: Release, *, pooled: bool) -> Iterator[dict[str, Any]]:
    """The Services that a route names, each with its share; the shares sum to a hundred."""
    variants = named(release)
    for variant in variants:
        weight = release.weight if variant.role == "candidate" else FULL - release.weight
        service = values.service_name(release, variant)
        yield _backend(service, weight if len(variants) > 1 else FULL, pooled=pooled)
    takeover = release.takeover
    split = takeover.provider is not None and not takeover.provider.has_second_route
    if split and takeover.is_elsewhere and not takeover.strategy.is_switched:
        # The controller writes the weights.
        yield _backend(f"{release.key.name}-canary", 0, pooled=False)


def _backend(service: str, weight: int, *, pooled: bool) -> dict[str, Any]:
    return {"service": service, "weight": weight, "weight_text": str(weight), "pool": pooled}


def _pool(
    release: Release, part: Parts, traffic: Mapping[str, Any], service: str
) -> dict[str, Any] | None:
    """A version's pods behind a picker, which is told one pool: each has its own unless named."""
    asked = traffic["pool"]
    if asked is None:
        return None
    return {
        "selector": values.selector_of(release, part.variant),
        "port": part.engine.port,
        "picker": asked.picker or f"{service}-epp",
        "picker_port": asked.port,
        "failure_mode": asked.failure_mode,
    }
