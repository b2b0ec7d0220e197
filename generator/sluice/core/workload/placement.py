"""Where the replicas of a release may run: nodes, queues, and how far apart."""

from collections.abc import Iterator, Mapping
from typing import Any

from sluice.core.capacity.allotment import Allotment
from sluice.core.catalog.devices import Accelerator, Queueing
from sluice.core.catalog.entries import Catalog
from sluice.core.specs.resolve import Environment, Spec, lookup
from sluice.core.units import seconds

SPOT = {"key": "node.kubernetes.io/lifecycle", "value": "spot"}
DEFAULT_WAIT = "30m"
_TOPOLOGIES = {"zones": "topology.kubernetes.io/zone", "hosts": "kubernetes.io/hostname"}
_STRICTNESS = {"preferred": "ScheduleAnyway", "required": "DoNotSchedule"}


def placement(
    environment: Environment, spec: Spec, accelerator: Accelerator, given: Allotment
) -> dict[str, Any]:
    """What a pod says of the nodes that it may run on, as the templates take it."""
    said, pool = spec.get("placement", {}), pool_of(environment, spec)
    own = [*said.get("tolerations", ()), *_spot_tolerations(said)]
    selector = {**given.node_selector, **pool.get("nodeSelector", {})}
    return {
        "node_selector": {**selector, **said.get("nodeSelector", {})},
        "tolerations": _unique([*accelerator.tolerations, *pool.get("tolerations", ()), *own]),
        "required_nodes": [*_in(accelerator.node_affinity), *said.get("require", ())],
        "preferred_nodes": [*_spot(said), *map(_preferred, said.get("prefer", ()))],
        "spread": list(_spread(said)),
        "priority_class": said.get("priorityClass"),
        "runtime_class": said.get("runtimeClass") or accelerator.runtime_class,
    }


def pool_of(environment: Environment, spec: Spec) -> Spec:
    """The pool of the environment that a release names; empty when it names none."""
    pools: Mapping[str, Spec] = environment.spec.get("pools", {})
    return pools.get(lookup(spec, "placement.pool", ""), {})


def queueing(spec: Spec, catalog: Catalog, given: Allotment, workload: str) -> dict[str, Any]:
    """How pods and their workload say that they wait in a queue, as the templates take it."""
    queue = lookup(spec, "placement.queue")
    entry = catalog.queueing(queue["scheduler"]) if queue else None
    if entry is None:
        return {
            "scheduler": given.scheduler,
            "workload_labels": {},
            "queue_labels": {},
            "queue_annotations": {},
            "queue_wait": 0,
        }
    texts = {"queue": queue["name"], "priority": queue.get("priority", ""), "workload": workload}
    away = entry.preemptible if queue.get("preemptible") else {}
    return {
        "scheduler": entry.scheduler or given.scheduler,
        "workload_labels": _filled(entry.labels, texts),
        "queue_labels": {**_filled(entry.pod_labels, texts), **away},
        "queue_annotations": _filled(entry.pod_annotations, texts),
        "queue_wait": seconds(queue.get("wait", DEFAULT_WAIT)),
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


def _preferred(said: Spec) -> dict[str, Any]:
    return {"weight": said["weight"], "node": {k: v for k, v in said.items() if k != "weight"}}


def _spot(said: Spec) -> Iterator[dict[str, Any]]:
    spot = said.get("spot")
    if spot:
        label = spot.get("label", SPOT)
        node = {"key": label["key"], "operator": "In", "values": [label["value"]]}
        yield {"weight": spot["weight"], "node": node}


def _spot_tolerations(said: Spec) -> Iterator[dict[str, str]]:
    """Some clouds taint such nodes with their label; then a preference alone leads nowhere."""
    if lookup(said, "spot.tolerate"):
        label = said["spot"].get("label", SPOT)
        yield {**label, "operator": "Equal", "effect": "NoSchedule"}


def _spread(said: Spec) -> Iterator[dict[str, str]]:
    asked = said.get("spread", {})
    for over, topology in _TOPOLOGIES.items():
        how = asked.get(over, "preferred")
        if how in _STRICTNESS:
            yield {"topology": topology, "when": _STRICTNESS[how]}


def _unique(tolerations: list[Any]) -> list[Any]:
    """Without those that are there already: a pool and a release may say the same."""
    found: list[Any] = []
    for toleration in tolerations:
        if toleration not in found:
            found.append(toleration)
    return found
