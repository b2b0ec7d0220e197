"""What is wrong with an environment beside its shape, and between environments."""

from collections.abc import Iterator, Mapping, Sequence

from sluice.core.capacity.allotment import resources_of
from sluice.core.catalog.entries import Catalog
from sluice.core.checks.gate_rules import check_promotion
from sluice.core.checks.references import misplaced, reserved, unknown
from sluice.core.finding import Finding, Severity
from sluice.core.names import nearest
from sluice.core.specs.environment_records import ArgoCD
from sluice.core.specs.reader import written
from sluice.core.specs.resolve import Environment
from sluice.core.workload.applications import IN_CLUSTER

_SYSTEM = "kube-"
"""How the names of namespaces begin that Kubernetes keeps for itself."""


def check_environment(environment: Environment, catalog: Catalog) -> Iterator[Finding]:
    """What is wrong with an environment beside its shape."""
    document = environment.document
    name = document.data["metadata"]["name"]
    if name != environment.name:
        yield misplaced(document.place(("metadata", "name")), name, environment.name)
    yield from reserved(document)
    yield from _accelerators(environment, catalog)
    yield from _prices(environment, catalog)
    yield from _resources(environment, catalog)
    yield from _provider(environment)
    yield from _gateway(environment, catalog)
    yield from _autoscaling(environment)
    yield from check_promotion(environment)
    yield from _alerts(environment)
    yield from _pruning(environment)
    yield from _namespace(environment)
    monitoring = environment.spec.monitoring
    if monitoring.labels and not monitoring.pod_monitor:
        place = document.place(("spec", "monitoring", "labels"), key=True)
        message = "without a PodMonitor there is nothing that these labels could be put on"
        yield Finding(place, "REF033", message, "set podMonitor to true, or remove them")


def _alerts(environment: Environment) -> Iterator[Finding]:
    monitoring = environment.spec.monitoring
    if monitoring.alerts and not monitoring.pod_monitor:
        place = environment.document.place(("spec", "monitoring", "alerts"), key=True)
        message = "without a PodMonitor there are no metrics that could raise an alert"
        yield Finding(place, "REF058", message, "set podMonitor to true, or remove it")


def _pruning(environment: Environment) -> Iterator[Finding]:
    argocd = environment.spec.argocd
    automated = argocd.automated if argocd else None
    if automated is not None and not automated.get("prune"):
        place = environment.document.place(("spec", "argocd", "automated"), key=True)
        message = "what leaves Git stays: the pods of old versions, and an Ingress of a canary"
        remedy = "set prune to true, as soon as no object moves to another Application any more"
        yield Finding(place, "REF091", message, remedy, Severity.WARNING)


def _namespace(environment: Environment) -> Iterator[Finding]:
    """Whether releases would live among what runs the cluster, or Argo CD."""
    spec = environment.spec
    namespace, argocd = spec.namespace, spec.argocd or ArgoCD()
    is_argocds = spec.cluster.server == IN_CLUSTER and namespace == argocd.namespace
    if namespace.startswith(_SYSTEM) or is_argocds:
        place = environment.document.place(("spec", "namespace"))
        owner = "Argo CD" if is_argocds else "the cluster itself"
        message = f"the namespace {namespace} belongs to {owner}"
        yield Finding(place, "REF098", message, "give releases a namespace of their own")


def _accelerators(environment: Environment, catalog: Catalog) -> Iterator[Finding]:
    document, accelerators = environment.document, environment.spec.accelerators
    for index, allowed in enumerate(accelerators.allowed or ()):
        if catalog.accelerator(allowed) is None:
            place = document.place(("spec", "accelerators", "allowed", index))
            yield unknown(place, "accelerator", allowed, catalog.names("accelerators"))
    if isinstance(accelerators.quota, int | float) and not accelerators.allowed:
        place = document.place(("spec", "accelerators", "quota"), key=True)
        message = "a quota needs to know what it counts"
        yield Finding(place, "REF010", message, "list the accelerators under `allowed`")


def _prices(environment: Environment, catalog: Catalog) -> Iterator[Finding]:
    for name in environment.spec.accelerators.prices:
        if catalog.accelerator(name) is None:
            place = environment.document.place(("spec", "accelerators", "prices", name), key=True)
            yield unknown(place, "accelerator", name, catalog.names("accelerators"))


def _resources(environment: Environment, catalog: Catalog) -> Iterator[Finding]:
    """Whether a quota by resource names what something here can ask for."""
    accelerators = environment.spec.accelerators
    for field, said in (("quota", accelerators.quota), ("spare", accelerators.spare)):
        if isinstance(said, Mapping):
            names = accelerators.allowed or catalog.names("accelerators")
            known = sorted(resources_of(names, catalog))
            for resource in (each for each in said if each not in known):
                path = ("spec", "accelerators", field, resource)
                close = nearest(resource, tuple(known))
                remedy = f"did you mean {close!r}?" if close else f"known: {', '.join(known)}"
                message = f"no accelerator that is allowed here is asked for by {resource!r}"
                yield Finding(environment.document.place(path, key=True), "REF056", message, remedy)


def _gateway(environment: Environment, catalog: Catalog) -> Iterator[Finding]:
    """Whether who is to count at the edge is known, and serves the routes that we render."""
    where = ("spec", "monitoring", "gateway")
    named, traffic = environment.spec.monitoring.gateway, environment.spec.traffic
    if named is None:
        return
    entry, provider = catalog.gateway(named), traffic.provider if traffic else None
    if entry is None:
        place = environment.document.place(where)
        yield unknown(place, "gateway", named, catalog.names("gateways"))
    elif provider is None:
        message = "the environment has no traffic, so nothing is counted at its edge"
        remedy = "remove it, or add `traffic`"
        yield Finding(environment.document.place(where), "REF074", message, remedy)
    elif provider not in entry.providers:
        fit = [n for n in catalog.names("gateways") if _serves(catalog, n, provider)]
        message = f"{entry.title} does not serve routes of the provider {provider}"
        remedy = f"name one that does: {', '.join(fit)}"
        yield Finding(environment.document.place(where), "REF074", message, remedy)


def _serves(catalog: Catalog, name: str, provider: str) -> bool:
    entry = catalog.gateway(name)
    return entry is not None and provider in entry.providers


def _autoscaling(environment: Environment) -> Iterator[Finding]:
    spec = environment.spec
    scaler = environment.scaler
    if not scaler.queries:
        return
    problems = []
    if spec.autoscaling.prometheus is None:
        message = f"{scaler.title} asks Prometheus, and no address is given"
        problems.append((message, "add autoscaling.prometheus"))
    if not spec.monitoring.pod_monitor:
        message = (
            f"{scaler.title}'s query selects by labels that the PodMonitor puts on the metrics"
        )
        problems.append((message, "set monitoring.podMonitor to true"))
    for message, remedy in problems:
        place = environment.document.place(("spec", "autoscaling", "provider"))
        yield Finding(place, "REF021", message, remedy)


def _provider(environment: Environment) -> Iterator[Finding]:
    """Whether the traffic provider has what it needs and nothing that it would ignore."""
    traffic, provider = environment.spec.traffic, environment.provider
    if traffic is None or provider is None:
        return
    given = written(traffic)
    for field in sorted(environment.records.provider_fields & given.keys()):
        if field not in provider.fields:
            place = environment.document.place(("spec", "traffic", field), key=True)
            message = f"{provider.name} has nothing that {field} could become"
            yield Finding(place, "REF020", message, "remove it")
    for field, needed in provider.fields.items():
        if needed and field not in given:
            place = environment.document.place(("spec", "traffic", "provider"))
            message = f"routes of {provider.name} need {field}"
            yield Finding(place, "REF020", message, f"add traffic.{field}")


def check_environments(environments: Sequence[Environment]) -> Iterator[Finding]:
    """What is wrong between environments: two in one namespace would overwrite each other."""
    seen: dict[tuple[str, str], Environment] = {}
    for environment in environments:
        where = environment.spec.cluster.server, environment.spec.namespace
        first = seen.setdefault(where, environment)
        if first is not environment:
            place = environment.document.place(("spec", "namespace"))
            message = f"the environment {first.name} has this namespace of the same cluster"
            yield Finding(place, "REF032", message, "give each a namespace of its own")
