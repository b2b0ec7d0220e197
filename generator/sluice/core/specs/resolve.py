"""Release and environment defaults become one spec, in exactly two levels, with provenance."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from sluice.core.documents.load import Document
from sluice.core.documents.source import Pointer
from sluice.core.finding import Place
from sluice.core.layout import Key
from sluice.core.model import Follow
from sluice.core.specs.environment_records import EnvironmentSpec
from sluice.core.specs.records import ReleaseSpec, lookup, read_environment, read_release
from sluice.core.takeover.provider import Provider
from sluice.core.takeover.records import Records, Takeover
from sluice.core.takeover.scaler import Scaler

Role = Literal["stable", "candidate"]
Spec = Mapping[str, Any]


@dataclass(frozen=True)
class Environment:
    """A cluster and namespace with defaults and rules."""

    name: str
    document: Document
    records: Records = field(default_factory=Records, compare=False, repr=False)
    """What strategies, providers, controllers and scalers do; the same for all environments."""

    @cached_property
    def spec(self) -> EnvironmentSpec:
        """What it says, with the defaults of what it does not."""
        return read_environment(self.document.data["spec"])

    @property
    def scaler(self) -> Scaler:
        """What scales the releases here."""
        return self.records.scalers[self.spec.autoscaling.provider]

    @property
    def provider(self) -> Provider | None:
        """What routes requests to the releases here; None where nobody outside reaches them."""
        traffic = self.spec.traffic
        return None if traffic is None else self.records.providers[traffic.provider]

    def takeover_of(self, spec: ReleaseSpec) -> Takeover:
        """What a release with this resolved spec goes by when a version takes over."""
        return self.records.takeover(spec.rollout.strategy, spec.rollout.controller, self.provider)


class Described(str):
    """The name of a file beside the release that describes a model, with the numbers in it."""

    numbers: Spec
    __slots__ = ("numbers",)


@dataclass(frozen=True)
class Variant:
    """One version of a release that is to run: its whole spec, and its part in a rollout."""

    spec: ReleaseSpec
    role: Role
    takeover: Takeover

    @property
    def version(self) -> str:
        return self.spec.model.version


@dataclass(frozen=True)
class Release:
    """One model served under one name in one environment."""

    key: Key
    document: Document
    environment: Environment
    rollout: Document | None = None
    architectures: Mapping[str, Spec] = field(default_factory=dict)
    """Numbers of models by the names of the files beside the release that describe them."""

    @cached_property
    def spec(self) -> ReleaseSpec:
        """The newest version's spec, defaults included."""
        return self._resolved(self.document.data["spec"])

    def _resolved(self, own: Spec) -> ReleaseSpec:
        """A spec over the defaults, with the numbers of an architecture that a file describes."""
        spec = merge(self.environment.spec.defaults, own)
        named = lookup(spec, "model.architecture")
        if isinstance(named, str) and named in self.architectures:
            described = Described(named)
            described.numbers = self.architectures[named]
            spec["model"] = {**spec["model"], "architecture": described}
        return read_release(spec)

    @property
    def follows(self) -> Follow | None:
        """What of the registry is followed: what the release says, or else its environment."""
        return self.spec.follows or self.environment.spec.follows

    @property
    def metadata(self) -> Mapping[str, Any]:
        metadata: Mapping[str, Any] = self.document.data["metadata"]
        return metadata

    @cached_property
    def variants(self) -> tuple[Variant, ...]:
        """The versions that run, the stable one first."""
        if self.rollout is None:
            return (Variant(self.spec, "stable", self.takeover),)
        stable = self._resolved(self.rollout.data["spec"]["stable"]["spec"])
        return (
            Variant(stable, "stable", self.environment.takeover_of(stable)),
            Variant(self.spec, "candidate", self.takeover),
        )

    @cached_property
    def takeover(self) -> Takeover:
        """How the newest version takes over: its strategy, its controller, its provider."""
        return self.environment.takeover_of(self.spec)

    @cached_property
    def stable(self) -> "Release | None":
        """The version that serves during a rollout, as a release that rollout.yaml describes."""
        if self.rollout is None:
            return None
        data = {**self.rollout.data["spec"]["stable"], "metadata": self.metadata}
        document = Document(self.rollout.path, self.rollout.raw, data, ("spec", "stable"))
        return Release(self.key, document, self.environment, architectures=self.architectures)

    @property
    def weight(self) -> int:
        """Percent of the requests that the candidate gets."""
        return int(self.rollout.data["spec"]["weight"]) if self.rollout else 0

    def place(self, dotted: str = "", *, key: bool = False) -> Place:
        """Where the value at a path below spec was written."""
        pointer: Pointer = tuple(dotted.split(".")) if dotted else ()
        return self.origin(pointer, key=key)[0]

    def origin(self, pointer: Pointer, *, key: bool = False) -> tuple[Place, str]:
        """Place of a resolved value, and whether the release or a default said so."""
        if _has(self.document.data["spec"], pointer):
            return self.document.place(("spec", *pointer), key=key), "release"
        if _has(self.environment.spec.defaults, pointer):
            place = self.environment.document.place(("spec", "defaults", *pointer), key=key)
            return place, "default of the environment"
        return self.document.place(("spec", *pointer), key=True), "absent"


def merge(defaults: Spec, own: Spec) -> dict[str, Any]:
    """Put `own` over `defaults`: mappings are merged, everything else is replaced."""
    merged = dict(defaults)
    for key, value in own.items():
        below = merged.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            merged[key] = merge(below, value)
        else:
            merged[key] = value
    return merged


def _has(node: object, pointer: Pointer) -> bool:
    for part in pointer:
        inside = isinstance(node, list) and isinstance(part, int) and part < len(node)
        if not inside and not (isinstance(node, Mapping) and part in node):
            return False
        node = node[part]  # type: ignore[index]  # a list with an index or a mapping with a key
    return True
