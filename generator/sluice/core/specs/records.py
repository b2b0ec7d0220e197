"""The spec of a release as records: every field that there is, and every default.

A release's own spec lies over its environment's defaults (`resolve`); what neither says has the
default that stands here, or is None where its absence has a meaning of its own. The parts are in
`model_records`, `capacity_records`, `rollout_records`, and an environment's in
`environment_records`. Durations are seconds; quantities are text, as Kubernetes has them.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from sluice.core.model import Follow
from sluice.core.specs.capacity_records import (
    AcceleratorChoice,
    Placement,
    Resources,
    Scaling,
    Spread,
)
from sluice.core.specs.environment_records import EnvironmentSpec, Pool
from sluice.core.specs.model_records import EngineChoice, Model, Serving, Weights
from sluice.core.specs.reader import EMPTY, Seconds, read_record
from sluice.core.specs.rollout_records import Gate, Strategy


class Probes(NamedTuple):
    """When Kubernetes takes a replica for started, and for hung."""

    startup_budget: Seconds | None = None  # until the first answer; None: by the weights' size
    liveness_timeout: Seconds = 10


class Lifecycle(NamedTuple):
    """How a replica ends.

    `drain` is how long it may go on answering what it has begun. Where it is not written a pod that
    is replaced gets a minute, and a candidate that is rolled back five.
    """

    drain: Seconds | None = None

    @property
    def pod_drain(self) -> int:
        """Seconds that a pod may take to finish its answers."""
        return 60 if self.drain is None else self.drain

    @property
    def candidate_drain(self) -> int:
        """Seconds that a rolled back candidate is kept for what it still answers."""
        return 300 if self.drain is None else self.drain


class Traffic(NamedTuple):
    """How clients reach the release; None: as the environment says (`SharedTraffic`)."""

    host: str | None = None
    path: str | None = None
    timeout: Seconds | None = None  # of a request
    tls_secret: str | None = None
    pool: Pool | None = None


class ReleaseSpec(NamedTuple):
    """What is served and how.

    `document` is the mapping that the record was read from, defaults of the environment included:
    for what is about the writing itself, such as its hash, or which fields are there at all.
    """

    model: Model = Model()
    weights: Weights = Weights()
    engine: EngineChoice = EngineChoice()
    serving: Serving = Serving()
    accelerator: AcceleratorChoice = AcceleratorChoice()
    parallel: Spread = Spread()
    resources: Resources = Resources()
    scaling: Scaling = Scaling()
    placement: Placement = Placement()
    probes: Probes = Probes()
    lifecycle: Lifecycle = Lifecycle()
    traffic: Traffic = Traffic()
    rollout: Strategy = Strategy()
    follows: Follow | None = None  # of the registry; None: what the environment follows
    gates: tuple[Gate, ...] = ()  # conditions on a version, after those of the environment
    document: Mapping[str, Any] = EMPTY

    def says(self, dotted: str) -> bool:
        """Whether a field is written, `scaling.max` for instance, be it among the defaults."""
        return self.written(dotted) is not None

    def written(self, dotted: str) -> Any:  # noqa: ANN401  # any YAML
        """What is written at a path, as it is written; None where nothing is.

        For paths that are data, as those of the catalog are, and for texts of messages.
        """
        return lookup(self.document, dotted)


def read_release(document: Mapping[str, Any]) -> ReleaseSpec:
    """The spec of a release, defaults of its environment included."""
    return read_record(ReleaseSpec, document, document=document)


def read_environment(document: Mapping[str, Any]) -> EnvironmentSpec:
    """The spec of an environment."""
    return read_record(EnvironmentSpec, document, document=document)


def lookup(document: Mapping[str, Any], dotted: str, default: object = None) -> Any:  # noqa: ANN401  # any YAML
    """The value at a dotted path, or the default."""
    node: Any = document
    for part in dotted.split("."):
        if not isinstance(node, Mapping) or part not in node:
            return default
        node = node[part]
    return node
