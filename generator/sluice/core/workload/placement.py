"""Where the replicas of a release may run: nodes, queues, and how far apart."""

from collections.abc import Iterator, Mapping
from typing import Any

from sluice.core.capacity.allotment import Allotment
from sluice.core.catalog.devices import Accelerator, Queueing
from sluice.core.catalog.entries import Catalog
from sluice.core.specs.capacity_records import Apart, NodeCondition, Spot
from sluice.core.specs.environment_records import NodePool
from sluice.core.specs.records import ReleaseSpec
from sluice.core.specs.resolve import Environment

_STRICTNESS = {"preferred": "ScheduleAnyway", "required": "DoNotSchedule"}


def placement(
    environment: Environment, spec: ReleaseSpec, accelerator: Accelerator, given: Allotment
) -> dict[str, Any]:
    """What a pod says of the nodes that it may run on, as the templates take it."""
    said, pool = spec.placement, pool_of(environment, spec)
    own = [*said.tolerations, *_spot_tolerations(said.spot)]
    selector = {**given.node_selector, **pool.node_selector}
    return {
        "node_selector": {**selector, **said.node_selector},
        "tolerations": _unique([*accelerator.tolerations, *pool.tolerations, *own]),
        "required_nodes": [*_in(accelerator.node_affinity), *said.require],
        "preferred_nodes": [*_spot(said.spot), *map(_preferred, said.prefer)],
        "spread": list(_spread(said.spread)),
        "priority_class": said.priority_class,
        "runtime_class": said.runtime_class or accelerator.runtime_class,
    }


def pool_of(environment: Environment, spec: ReleaseSpec) -> NodePool:
    """The pool of the environment that a release names; empty when it names none."""
    return environment.spec.pools.get(spec.placement.pool or "", NodePool())


def queueing(
    spec: ReleaseSpec, catalog: Catalog, given: Allotment, workload: str
) -> dict[str, Any]:
    """How pods and their workload say that they wait in a queue, as the templates take it."""
    queue = spec.placement.queue
    entry = catalog.queueing(queue.scheduler) if queue else None
    if queue is None or entry is None:
        return {
            "scheduler": given.scheduler,
            "workload_labels": {},
            "queue_labels": {},
            "queue_annotations": {},
            "queue_wait": 0,
        }
    texts = {"queue": queue.name, "priority": queue.priority or "", "workload": workload}
    away = entry.preemptible if queue.preemptible else {}
    return {
        "scheduler": entry.scheduler or given.scheduler,
        "workload_labels": _filled(entry.labels, texts),
        "queue_labels": {**_filled(entry.pod_labels, texts), **away},
        "queue_annotations": _filled(entry.pod_annotations, texts),
        "queue_wait": queue.wait,
    }


def has_priorities(entry: Queueing) -> bool:
    """Whether the scheduler has priority classes of its own."""
    texts = (entry.labels, entry.pod_labels, entry.pod_annotations)
    return any("{priority}" in text for each in texts for text in each.values())


def _filled(entries: Mapping[str, str], texts: Mapping[str, str]) -> dict[str, str]:
    filled = {key: text.format_map(texts) for key, text in entries.items()}
    return {key: text for key, text in filled.items() if text}


def _in(labels: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": k, "operator": "In", "values": list(v)} for k, v in labels.items()]


def _preferred(said: NodeCondition) -> dict[str, Any]:
    return {"weight": said["weight"], "node": {k: v for k, v in said.items() if k != "weight"}}


def _spot(spot: Spot | None) -> Iterator[dict[str, Any]]:
    if spot:
        node = {"key": spot.label["key"], "operator": "In", "values": [spot.label["value"]]}
        yield {"weight": spot.weight, "node": node}


def _spot_tolerations(spot: Spot | None) -> Iterator[dict[str, str]]:
    """Some clouds taint such nodes with their label; then a preference alone leads nowhere."""
    if spot and spot.tolerate:
        yield {**spot.label, "operator": "Equal", "effect": "NoSchedule"}


def _spread(apart: Apart) -> Iterator[dict[str, str]]:
    for how, topology in (
        (apart.zones, "topology.kubernetes.io/zone"),
        (apart.hosts, "kubernetes.io/hostname"),
    ):
        if how in _STRICTNESS:
            yield {"topology": topology, "when": _STRICTNESS[how]}


def _unique(tolerations: list[Any]) -> list[Any]:
    """Without those that are there already: a pool and a release may say the same."""
    found: list[Any] = []
    for toleration in tolerations:
        if toleration not in found:
            found.append(toleration)
    return found
