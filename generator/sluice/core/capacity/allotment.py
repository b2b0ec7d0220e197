"""What a replica gets of accelerators, whole or shared, and what asks the cluster for it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from sluice.core.capacity.parallel import parallel_of
from sluice.core.catalog.devices import Accelerator, Sharing
from sluice.core.catalog.entries import Catalog
from sluice.core.specs.capacity_records import Share
from sluice.core.specs.reader import written
from sluice.core.specs.records import ReleaseSpec
from sluice.core.units import amount

MIB = 2**20
WHOLE = Fraction(1)
_PERCENT = 100


@dataclass(frozen=True, slots=True)
class Allotment:
    """What one pod of a replica gets; a replica has one on each of its nodes.

    `resource` is the extended resource and `count` how many of it; `resources` are all that the
    container asks for, itself included. `memory_mib` is the memory that an engine sees of one of
    them. `part` is the part of a device that one of them is, by memory or by computing power,
    whichever is more; it is what one of them costs of the device's price.
    """

    resource: str
    count: int
    memory_mib: int
    part: Fraction = WHOLE
    resources: Mapping[str, str] = field(default_factory=dict)
    node_selector: Mapping[str, str] = field(default_factory=dict)
    scheduler: str = ""


def devices(spec: ReleaseSpec) -> int:
    """Accelerators, or shares of them, per replica, on all its nodes."""
    return parallel_of(spec).devices


def allotment(spec: ReleaseSpec, catalog: Catalog) -> Allotment | None:
    """What a replica gets, or None when the accelerator or the way of sharing is not known."""
    accelerator = catalog.accelerator(spec.accelerator.name)
    share = spec.accelerator.share
    if accelerator is None:
        return None
    count = parallel_of(spec).per_node
    if share is None:
        return _whole(accelerator, count)
    sharing = catalog.sharing(share.mode)
    return _shared(accelerator, sharing, share, count) if sharing else None


def _whole(accelerator: Accelerator, count: int) -> Allotment:
    return Allotment(
        resource=accelerator.resource,
        count=count,
        memory_mib=accelerator.memory_mib,
        resources={accelerator.resource: str(count), **accelerator.extra},
        node_selector={**accelerator.node_selector, **_selected_by_count(accelerator, count)},
        scheduler=accelerator.scheduler,
    )


def _selected_by_count(accelerator: Accelerator, count: int) -> dict[str, str]:
    """The labels of nodes that have just this many devices, or this shape of them."""
    if count not in accelerator.counts:
        return {}
    place = accelerator.counts.index(count)
    return {label: values[place] for label, values in accelerator.count_selector.items()}


def _shared(accelerator: Accelerator, sharing: Sharing, share: Share, count: int) -> Allotment:
    texts = {
        "resource": accelerator.resource,
        "profile": (share.profile or "").replace("+", "."),
        "replicas": str(share.replicas or 1),
    }
    renamed = bool(share.renamed and sharing.renamed)
    resource = (sharing.renamed if renamed else sharing.resource).format_map(texts)
    asked = written(share)
    amounts = {n: _amount(asked[f]) for f, n in sharing.amounts.items() if f in asked}
    labels = dict(accelerator.node_selector)
    for label, suffix in {} if renamed else sharing.suffix.items():
        labels |= {label: labels[label] + suffix.format_map(texts)} if label in labels else {}
    labels |= {label: text.format_map(texts) for label, text in sharing.node_selector.items()}
    memory = share_memory(accelerator, sharing, share)
    return Allotment(
        resource=resource,
        count=count,
        memory_mib=memory,
        part=_part(accelerator, sharing, share, memory),
        resources={resource: str(count), **amounts, **accelerator.extra},
        node_selector=labels,
        scheduler=sharing.scheduler or accelerator.scheduler,
    )


def share_memory(accelerator: Accelerator, sharing: Sharing, share: Share) -> int:
    """MiB of a device's memory that an engine sees through its share."""
    whole = accelerator.memory_mib
    if sharing.memory == "divided":
        return whole // (share.replicas or 1)
    if sharing.memory == "profile":
        profile = accelerator.profiles.get(share.profile or "")
        return profile.memory_mib if profile else whole
    if sharing.memory == "asked" and share.memory is not None:
        return int(amount(share.memory) / MIB)
    if sharing.memory == "asked":
        return whole * (share.memory_percent or _PERCENT) // _PERCENT
    return whole


def _part(accelerator: Accelerator, sharing: Sharing, share: Share, memory: int) -> Fraction:
    """The larger one of the parts of the device's memory and of its computing power."""
    if "replicas" in sharing.fields:
        return Fraction(1, share.replicas or 1)
    profile = accelerator.profiles.get(share.profile or "")
    power = Fraction(profile.slices, accelerator.slices) if profile else Fraction(0)
    cores = Fraction(share.cores or 0, _PERCENT)
    return min(WHOLE, max(Fraction(memory, accelerator.memory_mib), power, cores))


def resources_of(names: Iterable[str], catalog: Catalog) -> set[str]:
    """Every extended resource that these accelerators can be asked for by, whole or shared."""
    entries = [catalog.accelerator(name) for name in names]
    ways = [catalog.sharing(name) for name in catalog.names("sharing")]
    found: set[str] = set()
    for accelerator in filter(None, entries):
        found |= {accelerator.resource, *accelerator.extra}
        for sharing in (way for way in ways if way and accelerator.vendor in way.vendors):
            found |= set(sharing.amounts.values()) | set(_spellings(accelerator, sharing))
    return found


def _spellings(accelerator: Accelerator, sharing: Sharing) -> Iterator[str]:
    for text in filter(None, (sharing.resource, sharing.renamed)):
        for profile in accelerator.profiles if "{profile}" in text else ("",):
            texts = {"resource": accelerator.resource, "replicas": ""}
            yield text.format_map({**texts, "profile": profile.replace("+", ".")})


def _amount(value: object) -> str:
    """An amount of an extended resource, which is a whole number: memory in MiB."""
    return str(int(amount(value) / MIB) if isinstance(value, str) else value)
