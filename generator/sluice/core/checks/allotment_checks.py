"""Whether a release can have the devices, or the shares of devices, that it asks for."""

from collections.abc import Iterator
from fractions import Fraction

from sluice.core.capacity.allotment import devices, share_memory
from sluice.core.capacity.parallel import parallel_of
from sluice.core.catalog.devices import Accelerator, Sharing
from sluice.core.catalog.entries import Catalog
from sluice.core.checks.references import unknown
from sluice.core.finding import Finding
from sluice.core.names import nearest
from sluice.core.specs.capacity_records import Share
from sluice.core.specs.reader import written
from sluice.core.specs.resolve import Release

_MODE = "accelerator.share.mode"


def check_allotment(release: Release, catalog: Catalog) -> Iterator[Finding]:
    """What of `accelerator` cannot be had together, or not at all."""
    accelerator = catalog.accelerator(release.spec.accelerator.name)
    share = release.spec.accelerator.share
    if accelerator is None:
        return
    if share is None:
        yield from _count(release, accelerator)
        return
    sharing = catalog.sharing(share.mode)
    if sharing is not None:
        yield from _share(release, accelerator, sharing, share, catalog)
    else:
        yield unknown(release.place(_MODE), "way of sharing", share.mode, catalog.names("sharing"))


def _count(release: Release, accelerator: Accelerator) -> Iterator[Finding]:
    count = parallel_of(release.spec).per_node
    if accelerator.counts and count not in accelerator.counts:
        known = ", ".join(map(str, accelerator.counts))
        message = f"no node has {count} of {accelerator.title} to give to one replica"
        yield Finding(release.place("accelerator.count"), "REF041", message, f"one of {known}")


def _share(
    release: Release,
    accelerator: Accelerator,
    sharing: Sharing,
    share: Share,
    catalog: Catalog,
) -> Iterator[Finding]:
    if accelerator.vendor not in sharing.vendors:
        message = f"{accelerator.title} cannot be shared by {sharing.title}"
        yield Finding(release.place(_MODE), "REF042", message, _others(accelerator, catalog))
        return
    wrong = [*_fields(release, sharing, share), *_profile(release, accelerator, sharing, share)]
    yield from wrong
    if sharing.single and devices(release.spec) > 1:
        message = f"a replica cannot have more than one of {sharing.title}: {sharing.single}"
        remedy = "set accelerator.count to 1 and take a larger share, or whole devices"
        yield Finding(release.place("accelerator.count"), "REF045", message, remedy)
    if not wrong:
        yield from _memory(release, accelerator, sharing, share)
        yield from _alone(release, sharing, share, catalog)


def _others(accelerator: Accelerator, catalog: Catalog) -> str:
    entries = [catalog.sharing(name) for name in catalog.names("sharing")]
    fitting = [e.name for e in entries if e and accelerator.vendor in e.vendors]
    whole = "remove share and take whole devices"
    return f"use {' or '.join(fitting)}, or {whole}" if fitting else whole


def _fields(release: Release, sharing: Sharing, share: Share) -> Iterator[Finding]:
    given = [field for field in written(share) if field != "mode"]
    for field in given:
        if field not in sharing.fields:
            place = release.place(f"accelerator.share.{field}", key=True)
            message = f"{field} means nothing to {sharing.title}"
            yield Finding(place, "REF043", message, f"it takes {', '.join(sharing.fields)}")
    for group in sharing.needs:
        if not set(group) & set(given):
            message = f"{sharing.title} needs {' or '.join(group)}"
            yield Finding(release.place(_MODE), "REF043", message, f"add {' or '.join(group)}")
    for group in sharing.exclusive:
        both = [field for field in group if field in given]
        if both[1:]:
            place = release.place(f"accelerator.share.{both[1]}", key=True)
            message = f"{' and '.join(both)} exclude each other"
            yield Finding(place, "REF043", message, "keep one of them")


def _profile(
    release: Release, accelerator: Accelerator, sharing: Sharing, share: Share
) -> Iterator[Finding]:
    wanted = share.profile
    if "profile" not in sharing.fields or wanted is None or wanted in accelerator.profiles:
        return
    place = release.place("accelerator.share.profile")
    message = f"{accelerator.title} has no profile {wanted!r}"
    yield Finding(place, "REF044", message, _known(wanted, tuple(accelerator.profiles)))


def _known(wanted: str, known: tuple[str, ...]) -> str:
    close = nearest(wanted, known)
    if not known:
        return "use another way of sharing, or an accelerator whose catalog entry has profiles"
    return f"did you mean {close!r}?" if close else f"it has {', '.join(known)}"


def _memory(
    release: Release, accelerator: Accelerator, sharing: Sharing, share: Share
) -> Iterator[Finding]:
    asked = share_memory(accelerator, sharing, share)
    if share.memory is not None and not 0 < asked <= accelerator.memory_mib:
        message = f"{accelerator.title} has {accelerator.memory_mib} MiB, not {asked}"
        place = release.place("accelerator.share.memory")
        yield Finding(place, "FIT011", message, f"between 1Mi and {accelerator.memory_mib}Mi")


def _alone(release: Release, sharing: Sharing, share: Share, catalog: Catalog) -> Iterator[Finding]:
    """Whether an engine that sees the whole memory leaves the others theirs."""
    spec = release.spec
    engine = catalog.engine(spec.engine.name, spec.engine.version)
    if sharing.memory != "whole" or engine is None or not engine.fraction_of:
        return
    asked, replicas = spec.serving.memory_fraction, share.replicas or 1
    fraction = engine.default_fraction if asked is None else asked
    if Fraction(str(fraction)) * replicas > 1:
        message = (
            f"each of {replicas} replicas on a device would take {fraction} of its memory: "
            f"{sharing.title} does not keep them apart"
        )
        most = int(100 / replicas) / 100
        place = release.place("serving.memoryFraction")
        yield Finding(place, "FIT012", message, f"set serving.memoryFraction to {most} or less")
