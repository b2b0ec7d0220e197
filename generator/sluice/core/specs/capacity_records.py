"""On what a release runs, how many times and where. Part of `records`."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from sluice.core.specs.reader import EMPTY, Seconds

Toleration = Mapping[str, Any]
"""As Kubernetes has it, and rendered as it is written: key, operator, value, effect."""
NodeCondition = Mapping[str, Any]
"""As Kubernetes has it, and rendered as it is written: key, operator, values (and a weight)."""


class Share(NamedTuple):
    """A part of a device. Which fields a mode takes is said by its entry in the catalog."""

    mode: str
    profile: str | None = None
    replicas: int | None = None  # that take turns on one device
    renamed: bool | None = None  # whether the device plugin gives shares a name of their own
    memory: str | None = None  # a quantity
    memory_percent: int | None = None
    cores: int | None = None  # percent of the computing power


class AcceleratorChoice(NamedTuple):
    """What each node of a replica gets; the name is one of the catalog's, empty as in `Model`."""

    name: str = ""
    count: int = 1  # type: ignore[assignment]  # hides the method of tuples; devices, or shares of them
    share: Share | None = None  # None: whole devices


class Spread(NamedTuple):
    """How one replica is spread over devices and nodes."""

    nodes: int = 1
    pipeline: int | None = None  # stages of layers; None: one a node
    data: int = 1  # copies within a node
    expert: bool = False  # whether experts are spread instead of split


class Bounds(NamedTuple):
    """What a container asks for and may not exceed, as quantities."""

    request: str | None = None
    limit: str | None = None


class MemoryOverride(NamedTuple):
    """Why the release runs although the memory preflight says that it does not fit."""

    reason: str


class Resources(NamedTuple):
    """What the container gets beside the accelerator; None: by the devices and the weights."""

    cpu: Bounds | None = None
    memory: Bounds | None = None
    ephemeral_storage: Bounds | None = None  # of the node's disk
    shared_memory: str | None = None  # /dev/shm, a quantity; None: what the engine needs
    memory_override: MemoryOverride | None = None


class ScalingStep(NamedTuple):
    """By how many replicas a scaler may change at once, in what time."""

    replicas: int
    period: Seconds


class ScaleUp(NamedTuple):
    """How fast replicas are added."""

    stabilization: Seconds = 30
    step: ScalingStep | None = None


class ScaleDown(NamedTuple):
    """How fast replicas are given up; None: not sooner than one can start."""

    stabilization: Seconds | None = None
    step: ScalingStep | None = None


class Scaling(NamedTuple):
    """How many replicas run: a fixed number, or, with `max`, what an autoscaler finds."""

    replicas: int = 1
    min: int = 1  # 0: it may sleep
    max: int | None = None
    # What one replica is to have, by metric, in the order in which it is rendered.
    target: Mapping[str, float] = EMPTY
    scale_up: ScaleUp = ScaleUp()
    scale_down: ScaleDown = ScaleDown()
    fallback: int | None = None  # replicas when metrics are missing; None: the least, or one
    idle_after: Seconds = 600  # without a request until the last replica sleeps

    @property
    def is_automatic(self) -> bool:
        """Whether a scaler sets the number of replicas."""
        return self.max is not None

    @property
    def may_sleep(self) -> bool:
        """Whether there may be no replica at all."""
        return self.min == 0

    @property
    def least(self) -> int:
        """The least replicas at any time."""
        return self.min if self.is_automatic else self.replicas

    @property
    def most(self) -> int:
        """The most replicas at any time."""
        return self.replicas if self.max is None else self.max


SPOT_LABEL = {"key": "node.kubernetes.io/lifecycle", "value": "spot"}
"""What most clouds and node pools mark nodes with that may go."""


class Spot(NamedTuple):
    """A preference for nodes that are cheap and may go."""

    weight: int  # from 1 to 100
    # Of such nodes, a key and a value.
    label: Mapping[str, str] = SPOT_LABEL
    grace_period: Seconds = 0  # between the notice and the end of a node
    tolerate: bool = False  # where such nodes are tainted with their label


class Apart(NamedTuple):
    """How far replicas stand from each other: preferred, required or none."""

    hosts: str = "preferred"
    zones: str = "preferred"


class Queue(NamedTuple):
    """A queue of a batch scheduler, one of the catalog's, in which pods wait."""

    scheduler: str
    name: str
    priority: str | None = None
    preemptible: bool = False
    wait: Seconds = 1800  # that a replica may stand in the queue


class Placement(NamedTuple):
    """Where replicas may run."""

    node_selector: Mapping[str, str] = EMPTY
    tolerations: tuple[Toleration, ...] = ()
    priority_class: str | None = None
    spot: Spot | None = None
    pool: str | None = None  # one of the environment's
    require: tuple[NodeCondition, ...] = ()
    prefer: tuple[NodeCondition, ...] = ()
    spread: Apart = Apart()
    queue: Queue | None = None
    runtime_class: str | None = None  # None: the accelerator's
