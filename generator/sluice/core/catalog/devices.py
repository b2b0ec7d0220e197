"""Accelerators and ways of sharing them as records, read from their catalog entries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

SharedMemory = Literal["whole", "divided", "profile", "asked"]
"""What of a device's memory a share sees.

whole: all of it, though others use it too; divided: its part of equal ones; profile: what the
profile has; asked: what the release asks for.
"""
SHARED_MEMORIES: tuple[SharedMemory, ...] = ("whole", "divided", "profile", "asked")


@dataclass(frozen=True, slots=True)
class Profile:
    """A fixed part of a device: its memory, and how many of the device's slices it takes."""

    memory_mib: int
    slices: int


@dataclass(frozen=True, slots=True)
class Accelerator:
    """A device that nodes offer as an extended resource; memory as the device reports it.

    `counts` are the numbers of devices that a replica may have, any when empty; `count_selector`
    gives the value of a node label for each of them. `node_affinity` are labels with the values
    that will do. `extra` are resources that a pod with such devices needs beside them. `host_paths`
    are paths of the node, by a name, that containers see read-only. The price is of one device for
    an hour in USD, None when it is not known.
    """

    name: str
    title: str
    resource: str
    memory_mib: int
    vendor: str = ""
    node_selector: Mapping[str, str] = field(default_factory=dict)
    node_affinity: Mapping[str, Sequence[str]] = field(default_factory=dict)
    tolerations: Sequence[Mapping[str, str]] = ()
    price_per_hour: float | None = None
    features: frozenset[str] = field(default_factory=frozenset)
    image_variant: str = ""
    runtime_class: str = ""
    scheduler: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    host_paths: Mapping[str, str] = field(default_factory=dict)
    capabilities: Sequence[str] = ()
    host_ipc: bool = False
    counts: Sequence[int] = ()
    count_selector: Mapping[str, Sequence[str]] = field(default_factory=dict)
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    slices: int = 1


@dataclass(frozen=True, slots=True)
class Sharing:
    """A way of giving a replica a part of a device.

    `fields` are those of `accelerator.share` that it honours; of each group in `needs` one must be
    there, of each in `exclusive` one at most. `resource` and `renamed` spell the resource, with
    {resource} and {profile} in them; `amounts` names the resources that fields become. `suffix` is
    what a label of the node ends with unless the resource is renamed. `single` says why a replica
    can have no more than one share; empty where it can.
    """

    name: str
    title: str
    vendors: Sequence[str]
    fields: Sequence[str]
    memory: SharedMemory
    needs: Sequence[Sequence[str]] = ()
    exclusive: Sequence[Sequence[str]] = ()
    resource: str = "{resource}"
    renamed: str = ""
    suffix: Mapping[str, str] = field(default_factory=dict)
    node_selector: Mapping[str, str] = field(default_factory=dict)
    amounts: Mapping[str, str] = field(default_factory=dict)
    scheduler: str = ""
    single: str = ""


@dataclass(frozen=True, slots=True)
class Queueing:
    """A batch scheduler, and how pods and workloads say into which of its queues they go.

    The texts of labels and annotations hold {queue}, {priority} and {workload}; one with
    {priority} is left out when there is none. `preemptible` are the pod labels of those that may
    be taken away for others.
    """

    name: str
    title: str
    scheduler: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    pod_labels: Mapping[str, str] = field(default_factory=dict)
    pod_annotations: Mapping[str, str] = field(default_factory=dict)
    preemptible: Mapping[str, str] = field(default_factory=dict)


_ACCELERATOR = {
    "name": "name",
    "title": "title",
    "resource": "resource",
    "memoryMiB": "memory_mib",
    "vendor": "vendor",
    "nodeSelector": "node_selector",
    "nodeAffinity": "node_affinity",
    "tolerations": "tolerations",
    "pricePerHour": "price_per_hour",
    "features": "features",
    "imageVariant": "image_variant",
    "runtimeClassName": "runtime_class",
    "schedulerName": "scheduler",
    "podResources": "extra",
    "env": "environment",
    "hostPaths": "host_paths",
    "capabilities": "capabilities",
    "hostIPC": "host_ipc",
    "counts": "counts",
    "countSelector": "count_selector",
    "profiles": "profiles",
    "slices": "slices",
}
_SHARING = {
    "name": "name",
    "title": "title",
    "vendors": "vendors",
    "fields": "fields",
    "memory": "memory",
    "needs": "needs",
    "exclusive": "exclusive",
    "resource": "resource",
    "renamedResource": "renamed",
    "labelSuffix": "suffix",
    "nodeSelector": "node_selector",
    "amounts": "amounts",
    "schedulerName": "scheduler",
    "single": "single",
}
_QUEUEING = {
    "name": "name",
    "title": "title",
    "schedulerName": "scheduler",
    "labels": "labels",
    "podLabels": "pod_labels",
    "podAnnotations": "pod_annotations",
    "preemptible": "preemptible",
}


def accelerator_from(entry: Mapping[str, Any]) -> Accelerator:
    """Read the entry of an accelerator.

    Raises:
        KeyError: for a key that is missing.
        ValueError: for a key that no accelerator has, or label values that do not fit the counts.
    """
    read = _read(entry, _ACCELERATOR, ("name", "title", "resource", "memoryMiB"))
    read["features"] = frozenset(read.get("features", ()))
    profiles = read.get("profiles", {})
    read["profiles"] = {n: Profile(p["memoryMiB"], p["slices"]) for n, p in profiles.items()}
    made = Accelerator(**read)
    for label, values in made.count_selector.items():
        if len(values) != len(made.counts):
            raise ValueError(f"countSelector.{label} needs a value for each of counts")
    return made


def sharing_from(entry: Mapping[str, Any]) -> Sharing:
    """Read the entry of a way of sharing.

    Raises:
        KeyError, ValueError: as `accelerator_from`.
    """
    read = _read(entry, _SHARING, ("name", "title", "vendors", "fields", "memory"))
    if read["memory"] not in SHARED_MEMORIES:
        raise ValueError(f"memory is one of {', '.join(SHARED_MEMORIES)}")
    return Sharing(**read)


def queueing_from(entry: Mapping[str, Any]) -> Queueing:
    """Read the entry of a batch scheduler.

    Raises:
        KeyError, ValueError: as `accelerator_from`.
    """
    return Queueing(**_read(entry, _QUEUEING, ("name", "title")))


def _read(
    entry: Mapping[str, Any], keys: Mapping[str, str], required: Sequence[str]
) -> dict[str, Any]:
    missing = [key for key in required if key not in entry]
    if missing:
        raise KeyError(missing[0])
    unknown = sorted(entry.keys() - keys.keys())
    if unknown:
        raise ValueError(f"{unknown[0]} is not one of its keys: {', '.join(keys)}")
    return {keys[key]: value for key, value in entry.items()}
