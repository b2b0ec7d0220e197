"""Engines, accelerators and architectures as records; each is one YAML file."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, get_args

from sluice.core.catalog.devices import (
    Accelerator,
    Queueing,
    Sharing,
    accelerator_from,
    queueing_from,
    sharing_from,
)
from sluice.core.catalog.records import read_from, read_record
from sluice.core.catalog.settings import Setting, in_range, settings_from
from sluice.core.catalog.stores import Store, store_from
from sluice.core.catalog.thresholds import Thresholds
from sluice.core.memory.preflight import FractionOf
from sluice.core.paths import Api, read_api
from sluice.core.specs.resolve import Described

Family = Literal[
    "engines", "accelerators", "architectures", "sources", "sharing", "queueing", "gateways"
]
FAMILIES: tuple[Family, ...] = get_args(Family)


@dataclass(frozen=True, slots=True)
class Image:
    """Where the images of an engine are, and how their tags follow from its version."""

    repository: str
    prefix: str = field(default="", metadata=read_from("tagPrefix"))
    suffix: str = field(default="", metadata=read_from("tagSuffix"))

    def of(self, version: str) -> str:
        """The image of one version."""
        return f"{self.repository}:{self.prefix}{version}{self.suffix}"


@dataclass(frozen=True, slots=True)
class Flag:
    """What is said of a flag: its successor, and the version from which that holds."""

    successor: str = field(default="", metadata=read_from("use"))
    since: str = ""


def _read_images(entry: Mapping[str, Any]) -> dict[str, Image]:
    """The images by variant, the usual one without a name; what a variant lacks it shares."""
    usual = {name: value for name, value in entry.items() if name != "variants"}
    variants = {"": {}, **entry.get("variants", {})}
    return {name: read_record(Image, {**usual, **variant}) for name, variant in variants.items()}


def _read_fields(entry: Mapping[str, Any]) -> dict[str, tuple[Setting, ...]]:
    return {path: settings_from(settings) for path, settings in entry.items()}


@dataclass(frozen=True, slots=True)
class Engine:
    """An inference server in one version: image, command, settings, health, metrics.

    `status` is active, maintenance (which is a warning) or refused (then only `reason` and
    `alternatives` matter). `split` says whether devices share layers or tensors; `leader` and
    `worker` are the arguments by which the nodes of a group find each other. `fraction_of` is
    empty where the engine does not say how it fills the memory. `refused` says why a field is not
    among `fields`; `exclusive` names fields that cannot stand together. `ceilings` names the fields
    that metrics never exceed in one copy of the engine; `counters` are metrics of requests and bad
    events by signal; `buckets` bounds of histograms in seconds. Of the further `flags`, `plugins`
    have code run, and `repositories` name something on a hub of models.
    """

    name: str
    title: str
    status: str
    version: str
    reason: str = ""
    alternatives: tuple[str, ...] = ()
    minimum: str = field(default="", metadata=read_from("versions.minimum"))
    images: Mapping[str, Image] = field(
        default_factory=dict, metadata=read_from("image", read=_read_images)
    )
    user: int = 0
    shared_memory: str = ""
    command: tuple[str, ...] = ()
    join: bool = field(default=False, metadata=read_from("joinArguments"))
    port: int = 0
    bind: Mapping[str, str] = field(default_factory=dict)
    api: Api = field(default_factory=Api, metadata=read_from("api", read=read_api))
    model_flag: str = field(default="", metadata=read_from("model.flag"))
    model_suffix: str = field(default="", metadata=read_from("model.suffix"))
    health: Mapping[str, str] = field(default_factory=dict)
    startup_seconds: int = 0
    environment: Mapping[str, str] = field(default_factory=dict)
    offline: Mapping[str, str] = field(default_factory=dict)
    split: str = "tensors"
    leader: tuple[str, ...] = field(default=(), metadata=read_from("group.leader"))
    worker: tuple[str, ...] = field(default=(), metadata=read_from("group.worker"))
    fraction_of: FractionOf | Literal[""] = field(
        default="", metadata=read_from("memoryFraction.of")
    )
    default_fraction: float = field(default=0.9, metadata=read_from("memoryFraction.default"))
    defaults: Mapping[str, Any] = field(default_factory=dict)
    fields: Mapping[str, Sequence[Setting]] = field(
        default_factory=dict, metadata=read_from("fields", read=_read_fields)
    )
    refused: Mapping[str, str] = field(default_factory=dict)
    exclusive: Sequence[Sequence[str]] = ()
    limits: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, str] = field(default_factory=dict, metadata=read_from("metrics.names"))
    ceilings: Mapping[str, str] = field(
        default_factory=dict, metadata=read_from("metrics.ceilings")
    )
    counters: Mapping[str, Mapping[str, Any]] = field(
        default_factory=dict, metadata=read_from("metrics.counters")
    )
    buckets: Mapping[str, Sequence[float]] = field(
        default_factory=dict, metadata=read_from("metrics.buckets")
    )
    metrics_arguments: tuple[str, ...] = field(default=(), metadata=read_from("metrics.arguments"))
    metrics_reason: str = field(default="", metadata=read_from("metrics.reason"))
    config_flag: str = field(default="", metadata=read_from("config.flag"))
    config: Mapping[str, Any] = field(default_factory=dict, metadata=read_from("config.base"))
    flags: frozenset[str] = frozenset()
    plugins: frozenset[str] = frozenset()
    repositories: frozenset[str] = frozenset()
    deprecated: Mapping[str, Flag] = field(default_factory=dict)
    removed: Mapping[str, Flag] = field(default_factory=dict)

    def image(self, version: str, variant: str = "") -> str:
        """The pinned image of one version, for a family of accelerators."""
        return self.images[variant].of(version)


@dataclass(frozen=True, slots=True)
class Gateway:
    """What counts at the edge: counters as of an engine, and the labels of what a version gets.

    In the labels' values {service}, {namespace}, {release} and {host} stand for those of the
    version; `stable` and `candidate` are what only that version's requests have.
    """

    name: str
    title: str
    providers: tuple[str, ...] = ()
    arm: Mapping[str, str] = field(default_factory=dict)
    stable: Mapping[str, str] = field(default_factory=dict)
    candidate: Mapping[str, str] = field(default_factory=dict)
    counters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def labels(self, role: str, words: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
        """The labels of the requests that a version in this role gets; empty: it is not there."""
        own = self.candidate if role == "candidate" else self.stable
        return {name: (text.format_map(words),) for name, text in {**self.arm, **own}.items()}


class Catalog:
    """Entries by name; each is read when it is first asked for.

    Args:
        read: gives the parsed entry of a family, or None when there is none.
        names: gives the names of a family.
        thresholds: from which numbers on somebody is told.
    """

    def __init__(
        self,
        read: Callable[[Family, str], Mapping[str, Any] | None],
        names: Callable[[Family], Sequence[str]],
        thresholds: Thresholds,
    ) -> None:
        self.thresholds = thresholds
        self.entry = cache(read)
        self.names = cache(names)
        self.engine = cache(self._engine)
        self.accelerator = cache(self._accelerator)
        self.store = cache(self._store)
        self.sharing = cache(self._sharing)
        self.queueing = cache(self._queueing)
        self.gateway = cache(self._gateway)

    def _engine(self, name: str, version: str = "") -> Engine | None:
        entry = self.entry("engines", name)
        return engine_from(entry, version) if entry else None

    def _accelerator(self, name: str) -> Accelerator | None:
        entry = self.entry("accelerators", name)
        return accelerator_from(entry) if entry else None

    def _store(self, scheme: str) -> Store | None:
        entry = self.entry("sources", scheme)
        return store_from(entry) if entry else None

    def _sharing(self, name: str) -> Sharing | None:
        entry = self.entry("sharing", name)
        return sharing_from(entry) if entry else None

    def _queueing(self, name: str) -> Queueing | None:
        entry = self.entry("queueing", name)
        return queueing_from(entry) if entry else None

    def _gateway(self, name: str) -> Gateway | None:
        entry = self.entry("gateways", name)
        return read_record(Gateway, entry) if entry else None

    def architecture(self, name: str | Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The numbers of an architecture, as written; those that stand inline are their own."""
        if isinstance(name, Described):
            return name.numbers
        return self.entry("architectures", name) if isinstance(name, str) else name


def engine_from(entry: Mapping[str, Any], version: str = "") -> Engine:
    """Read the entry of an engine, as it holds for a version; the newest known when empty.

    Raises:
        ValueError: for a key that no engine has.
    """
    newest = str(entry.get("versions", {}).get("known", ""))
    version = version or newest
    return read_record(Engine, {**entry, **_as_of(entry, version, newest)}, version=version)


def _as_of(entry: Mapping[str, Any], version: str, newest: str) -> dict[str, Any]:
    """The keys of an entry that depend on the version, as they are in this one.

    What is said of flags without a version was read in the newest version that is known.
    """
    parts: dict[str, Any] = {}
    for name in ("deprecated", "removed"):
        parts[name] = {
            flag: {"use": said, "since": newest} if isinstance(said, str) else said
            for flag, said in entry.get(name, {}).items()
        }
    if "flags" in entry:
        flags = [{"name": flag} if isinstance(flag, str) else flag for flag in entry["flags"]]
        parts["flags"] = [flag["name"] for flag in flags if _holds(flag, version)]
    if "metrics" in entry:
        parts["metrics"] = {**entry["metrics"], "names": _series(entry["metrics"], version)}
    return parts


def _series(metrics: Mapping[str, Any], version: str) -> dict[str, str]:
    """The names of metrics by meaning, and the path at which they are served."""
    series = {"path": metrics["path"]} if "path" in metrics else {}
    for meaning, names in metrics.get("names", {}).items():
        for name in [{"name": names}] if isinstance(names, str) else names:
            if _holds(name, version):
                series[meaning] = name["name"]
    return series


def _holds(part: Mapping[str, str], version: str) -> bool:
    return in_range(version, part.get("since", ""), part.get("until", ""))
