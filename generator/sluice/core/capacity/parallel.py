"""How one replica of a model is spread: over tensors, layers, copies within a node, and nodes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sluice.core.catalog.entries import Engine
from sluice.core.catalog.settings import DEVICES, PER_NODE
from sluice.core.finding import Finding
from sluice.core.memory.architecture import Architecture
from sluice.core.specs.records import ReleaseSpec
from sluice.core.specs.resolve import Release

PATHS = ("parallel.nodes", "parallel.pipeline", "parallel.data", "parallel.expert")
"""Fields of a spec that engines may honour."""


@dataclass(frozen=True, slots=True)
class Parallel:
    """Devices of one replica, and what they are used for.

    `tensor` times `pipeline` times `data` is `nodes` times `per_node`, unless they do not divide:
    then `tensor` is 0.
    """

    nodes: int
    per_node: int
    pipeline: int
    data: int
    expert: bool

    @property
    def devices(self) -> int:
        return self.nodes * self.per_node

    @property
    def tensor(self) -> int:
        tensor, rest = divmod(self.devices, self.pipeline * self.data)
        return 0 if rest else tensor


def parallel_of(spec: ReleaseSpec) -> Parallel:
    """How a release is spread; over nodes in stages of layers, unless it says otherwise."""
    asked = spec.parallel
    return Parallel(
        nodes=asked.nodes,
        per_node=spec.accelerator.count,
        pipeline=asked.nodes if asked.pipeline is None else asked.pipeline,
        data=asked.data,
        expert=asked.expert,
    )


def values_of(spec: ReleaseSpec, engine: Engine) -> dict[str, Any]:
    """The values of fields as engines take them: the split over tensors in place of the devices."""
    spread = parallel_of(spec)
    by_layers = engine.split == "layers"
    found: dict[str, Any] = {
        DEVICES: spread.per_node if by_layers else spread.tensor,
        PER_NODE: spread.per_node,
    }
    return found if by_layers else {**found, "parallel.pipeline": spread.pipeline}


def check_parallel(release: Release, engine: Engine) -> Iterator[Finding]:
    """What of the spread cannot be; that the engine has no such thing is said elsewhere."""
    spread = parallel_of(release.spec)
    if not spread.tensor:
        message = (
            f"{spread.devices} devices do not divide by {spread.pipeline} stages "
            f"times {spread.data} copies"
        )
        place = release.place("parallel", key=True)
        yield Finding(place, "ENG051", message, "correct parallel or accelerator.count")
    for path, is_asked in (("parallel.data", spread.data > 1), ("parallel.expert", spread.expert)):
        if spread.nodes > 1 and is_asked:
            message = f"{path} is for the devices of one node, and there are {spread.nodes} nodes"
            yield Finding(release.place(path, key=True), "ENG052", message, "remove one of both")
    if spread.nodes > 1 and spread.pipeline > 1 and spread.pipeline % spread.nodes:
        message = f"{spread.pipeline} stages are not spread evenly over {spread.nodes} nodes"
        remedy = "use a multiple of the nodes, or 1 to split tensors over all of them"
        yield Finding(release.place("parallel.pipeline"), "ENG051", message, remedy)
    if spread.nodes > 1 and not engine.leader:
        return  # ENG002 says why
    yield from _name(release, spread)


_LONGEST_SET = 48
"""The group's number follows, and its StatefulSet's name ends at 52 characters."""


def _name(release: Release, spread: Parallel) -> Iterator[Finding]:
    longest = len(f"{release.key.name}-v{release.spec.model.version}")
    if spread.nodes > 1 and longest > _LONGEST_SET:
        message = f"a set of groups has at most {_LONGEST_SET} characters, this one {longest}"
        remedy = "give the release a shorter name"
        yield Finding(release.document.place(("metadata", "name")), "REF054", message, remedy)


def expert_problem(release: Release, architecture: Architecture) -> Iterator[Finding]:
    """Experts to spread where the model has none."""
    if release.spec.parallel.expert and architecture.moe is None:
        message = "the model has no experts that could be spread"
        place = release.place("parallel.expert", key=True)
        yield Finding(place, "FIT021", message, "remove it")
