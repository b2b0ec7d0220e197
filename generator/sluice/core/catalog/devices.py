"""Accelerators and ways of sharing them as records, read from their catalog entries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sluice.core.catalog.records import read_from, read_record

SharedMemory = Literal["whole", "divided", "profile", "asked"]
"""What of a device's memory a share sees.

whole: all of it, though others use it too; divided: its part of equal ones; profile: what the
profile has; asked: what the release asks for.
"""


@dataclass(frozen=True, slots=True)
class Profile:
    """A fixed part of a device: its memory, and how many of the device's slices it takes."""

    memory_mib: int = field(metadata=read_from("memoryMiB"))
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
    memory_mib: int = field(metadata=read_from("memoryMiB"))
    vendor: str = ""
    node_selector: Mapping[str, str] = field(default_factory=dict)
    node_affinity: Mapping[str, Sequence[str]] = field(default_factory=dict)
    tolerations: Sequence[Mapping[str, str]] = ()
    price_per_hour: float | None = None
    features: frozenset[str] = field(default_factory=frozenset)
    image_variant: str = ""
    runtime_class: str = field(default="", metadata=read_from("runtimeClassName"))
    scheduler: str = field(default="", metadata=read_from("schedulerName"))
    extra: Mapping[str, str] = field(default_factory=dict, metadata=read_from("podResources"))
    environment: Mapping[str, str] = field(default_factory=dict, metadata=read_from("env"))
    host_paths: Mapping[str, str] = field(default_factory=dict)
    capabilities: Sequence[str] = ()
    host_ipc: bool = field(default=False, metadata=read_from("hostIPC"))
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
    renamed: str = field(default="", metadata=read_from("renamedResource"))
    suffix: Mapping[str, str] = field(default_factory=dict, metadata=read_from("labelSuffix"))
    node_selector: Mapping[str, str] = field(default_factory=dict)
    amounts: Mapping[str, str] = field(default_factory=dict)
    scheduler: str = field(default="", metadata=read_from("schedulerName"))
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
    scheduler: str = field(default="", metadata=read_from("schedulerName"))
    labels: Mapping[str, str] = field(default_factory=dict)
    pod_labels: Mapping[str, str] = field(default_factory=dict)
    pod_annotations: Mapping[str, str] = field(default_factory=dict)
    preemptible: Mapping[str, str] = field(default_factory=dict)


def accelerator_from(entry: Mapping[str, Any]) -> Accelerator:
    """Read the entry of an accelerator."""
    return read_record(Accelerator, entry)


def sharing_from(entry: Mapping[str, Any]) -> Sharing:
    """Read the entry of a way of sharing."""
    return read_record(Sharing, entry)


def queueing_from(entry: Mapping[str, Any]) -> Queueing:
    """Read the entry of a batch scheduler."""
    return read_record(Queueing, entry)
