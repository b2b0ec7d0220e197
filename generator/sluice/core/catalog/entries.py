"""Engines, accelerators and architectures as records; each is one YAML file."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, TypeVar, get_args

from sluice.core.catalog.devices import (
    Accelerator,
    Queueing,
    Sharing,
    accelerator_from,
    queueing_from,
    sharing_from,
)
from sluice.core.catalog.settings import Setting, in_range, settings_from
from sluice.core.catalog.stores import Store, store_from
from sluice.core.catalog.thresholds import Thresholds
from sluice.core.finding import Finding, FindingsError, Place
from sluice.core.memory.architecture import architecture_from
from sluice.core.memory.preflight import FractionOf
from sluice.core.paths import Api, read_api
from sluice.core.specs.load import Document
from sluice.core.specs.resolve import Described

Entry = TypeVar("Entry")
Family = Literal[
    "engines", "accelerators", "architectures", "sources", "sharing", "queueing", "gateways"
]
FAMILIES: tuple[Family, ...] = get_args(Family)


@dataclass(frozen=True, slots=True)
class Image:
    """Where the images of an engine are, and how their tags follow from its version."""

    repository: str
    prefix: str = ""
    suffix: str = ""

    def of(self, version: str) -> str:
        """The image of one version."""
        return f"{self.repository}:{self.prefix}{version}{self.suffix}"


@dataclass(frozen=True, slots=True)
class Flag:
    """What is said of a flag: its successor, and the version from which that holds."""

    successor: str = ""
    since: str = ""


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
    minimum: str = ""
    images: Mapping[str, Image] = field(default_factory=dict)
    user: int = 0
    shared_memory: str = ""
    command: tuple[str, ...] = ()
    join: bool = False
    port: int = 0
    bind: Mapping[str, str] = field(default_factory=dict)
    api: Api = field(default_factory=Api)
    model_flag: str = ""
    model_suffix: str = ""
    health: Mapping[str, str] = field(default_factory=dict)
    startup_seconds: int = 0
    environment: Mapping[str, str] = field(default_factory=dict)
    offline: Mapping[str, str] = field(default_factory=dict)
    split: str = "tensors"
    leader: tuple[str, ...] = ()
    worker: tuple[str, ...] = ()
    fraction_of: FractionOf | Literal[""] = ""
    default_fraction: float = 0.9
    defaults: Mapping[str, Any] = field(default_factory=dict)
    fields: Mapping[str, Sequence[Setting]] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    exclusive: Sequence[Sequence[str]] = ()
    limits: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, str] = field(default_factory=dict)
    ceilings: Mapping[str, str] = field(default_factory=dict)
    counters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    buckets: Mapping[str, Sequence[float]] = field(default_factory=dict)
    metrics_arguments: tuple[str, ...] = ()
    metrics_reason: str = ""
    config_flag: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
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


def _gateway_from(entry: Mapping[str, Any]) -> Gateway:
    return Gateway(
        entry["name"],
        entry["title"],
        tuple(entry["providers"]),
        dict(entry.get("arm", {})),
        dict(entry.get("stable", {})),
        dict(entry.get("candidate", {})),
        dict(entry["counters"]),
    )


def _made(family: Family, name: str, make: Callable[[], Entry]) -> Entry:
    """An entry that cannot be read is a mistake of who wrote it into the repository."""
    try:
        return make()
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        said = f"lacks {error}" if isinstance(error, KeyError) else f"is malformed: {error}"
        place = Place(f"catalog/{family}/{name}.yaml")
        remedy = "compare it with an entry that Sluice brings"
        raise FindingsError([Finding(place, "CAT001", f"the entry {said}", remedy)]) from None


def entry_problems(family: Family, name: str, document: Document) -> Iterator[Finding]:
    """What is wrong with an entry of a repository's own, beside the shape that a schema knows."""
    said = document.data.get("name", name)
    if said != name:
        message = f"the entry is named {said!r}, and its file {name!r}"
        yield Finding(document.place(("name",)), "CAT001", message, "give both the same name")
    if family == "architectures":
        try:
            architecture_from(document.data, name)
        except ValueError as error:
            named = [key for key in document.data if key in str(error).split()]
            yield Finding(
                document.place(tuple(named[:1]), key=True),
                "CAT001",
                str(error),
                "correct the numbers",
            )


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
        self._read = cache(read)
        self.names = cache(names)
        self.engine = cache(self._engine)
        self.accelerator = cache(self._accelerator)
        self.store = cache(self._store)
        self.sharing = cache(self._sharing)
        self.queueing = cache(self._queueing)
        self.gateway = cache(self._gateway)

    def _engine(self, name: str, version: str = "") -> Engine | None:
        entry = self._read("engines", name)
        return _made("engines", name, lambda: engine_from(entry, version)) if entry else None

    def _accelerator(self, name: str) -> Accelerator | None:
        entry = self._read("accelerators", name)
        return _made("accelerators", name, lambda: accelerator_from(entry)) if entry else None

    def _store(self, scheme: str) -> Store | None:
        entry = self._read("sources", scheme)
        return _made("sources", scheme, lambda: store_from(entry)) if entry else None

    def _sharing(self, name: str) -> Sharing | None:
        entry = self._read("sharing", name)
        return _made("sharing", name, lambda: sharing_from(entry)) if entry else None

    def _queueing(self, name: str) -> Queueing | None:
        entry = self._read("queueing", name)
        return _made("queueing", name, lambda: queueing_from(entry)) if entry else None

    def _gateway(self, name: str) -> Gateway | None:
        entry = self._read("gateways", name)
        return _made("gateways", name, lambda: _gateway_from(entry)) if entry else None

    def architecture(self, name: str | Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The numbers of an architecture, as written; those that stand inline are their own."""
        if isinstance(name, Described):
            return name.numbers
        return self._read("architectures", name) if isinstance(name, str) else name


def engine_from(entry: Mapping[str, Any], version: str = "") -> Engine:
    """Read the entry of an engine, as it holds for a version; the newest known when empty."""
    said = {"name": entry["name"], "title": entry["title"], "status": entry["status"]}
    reason = {
        "reason": entry.get("reason", ""),
        "alternatives": tuple(entry.get("alternatives", ())),
    }
    if entry["status"] == "refused":
        return Engine(**said, **reason, version=version)
    known = entry["versions"]["known"]
    version = version or known
    fraction = entry.get("memoryFraction", {})
    config = entry.get("config", {})
    group = entry.get("group", {})
    return Engine(
        **said,
        **reason,
        version=version,
        minimum=entry["versions"]["minimum"],
        images=_images(entry["image"]),
        user=entry["user"],
        shared_memory=entry["sharedMemory"],
        command=tuple(entry["command"]),
        join=entry["joinArguments"],
        port=entry["port"],
        bind=entry["bind"],
        api=read_api(entry.get("api", {})),
        model_flag=entry["model"]["flag"],
        model_suffix=entry["model"].get("suffix", ""),
        health=entry["health"],
        startup_seconds=entry["startupSeconds"],
        environment=entry.get("environment", {}),
        offline=entry.get("offline", {}),
        split=entry.get("split", "tensors"),
        leader=tuple(group.get("leader", ())),
        worker=tuple(group.get("worker", ())),
        fraction_of=fraction.get("of", ""),
        default_fraction=fraction.get("default", 0.9),
        defaults=entry.get("defaults", {}),
        fields={path: settings_from(each) for path, each in entry["fields"].items()},
        refused=entry.get("refused", {}),
        exclusive=entry.get("exclusive", ()),
        limits=entry.get("limits", {}),
        metrics=_metrics(entry["metrics"], version),
        ceilings=entry["metrics"].get("ceilings", {}),
        counters=entry["metrics"].get("counters", {}),
        buckets=entry["metrics"].get("buckets", {}),
        metrics_arguments=tuple(entry["metrics"].get("arguments", ())),
        metrics_reason=entry["metrics"].get("reason", ""),
        config_flag=config.get("flag", ""),
        config=config.get("base", {}),
        flags=frozenset(_flags(entry["flags"], version)),
        plugins=frozenset(entry.get("plugins", ())),
        repositories=frozenset(entry.get("repositories", ())),
        deprecated=_said_of_flags(entry.get("deprecated", {}), known),
        removed=_said_of_flags(entry.get("removed", {}), known),
    )


def _images(entry: Mapping[str, Any]) -> dict[str, Image]:
    variants = {"": entry, **entry.get("variants", {})}
    return {name: _image({**entry, **own}) for name, own in variants.items()}


def _image(entry: Mapping[str, Any]) -> Image:
    return Image(entry["repository"], entry.get("tagPrefix", ""), entry.get("tagSuffix", ""))


def _metrics(entry: Mapping[str, Any], version: str) -> dict[str, str]:
    """The path and the names of metrics by meaning, as this version has them."""
    metrics = {"path": entry["path"]} if "path" in entry else {}
    for meaning, names in entry.get("names", {}).items():
        for name in [{"name": names}] if isinstance(names, str) else names:
            if in_range(version, name.get("since", ""), name.get("until", "")):
                metrics[meaning] = name["name"]
    return metrics


def _flags(entries: Sequence[str | Mapping[str, str]], version: str) -> list[str]:
    flags = [{"name": entry} if isinstance(entry, str) else entry for entry in entries]
    known = (flag for flag in flags if in_range(version, flag.get("since", ""), ""))
    return [flag["name"] for flag in known]


def _said_of_flags(entries: Mapping[str, str | Mapping[str, str]], known: str) -> dict[str, Flag]:
    """What is said without a version was read in the newest version that is known."""
    return {
        name: Flag(said, known)
        if isinstance(said, str)
        else Flag(said.get("use", ""), said["since"])
        for name, said in entries.items()
    }
