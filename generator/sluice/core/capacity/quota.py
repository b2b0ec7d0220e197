"""What the releases of an environment use of its quota, and what is left over."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from sluice.core.capacity.allotment import MIB, Allotment, allotment
from sluice.core.capacity.kept import kept
from sluice.core.capacity.parallel import parallel_of
from sluice.core.catalog.entries import Catalog
from sluice.core.finding import Finding, Place
from sluice.core.names import some
from sluice.core.specs.environment_records import Counts
from sluice.core.specs.records import ReleaseSpec
from sluice.core.specs.resolve import Environment, Release
from sluice.core.units import amount

ANY = "devices"
"""What a quota counts that is one number: devices and shares of all kinds."""


def quota_of(environment: Environment) -> dict[str, int]:
    """How much there may be of what; empty without a quota."""
    return _counted(environment.spec.accelerators.quota)


def _counted(said: Counts | None) -> dict[str, int]:
    if said is None:
        return {}
    return {n: int(c) for n, c in said.items()} if isinstance(said, Mapping) else {ANY: int(said)}


@dataclass(frozen=True, slots=True)
class Use:
    """How much releases use of what, each at its greatest size.

    `most` is of all their versions together, `steady` of the newest ones alone.
    """

    most: Mapping[str, int] = field(default_factory=dict)
    steady: Mapping[str, int] = field(default_factory=dict)

    def changed(
        self, gone: Collection[Release], come: Collection[Release], catalog: Catalog
    ) -> "Use":
        """What is used after some releases went and others came."""
        most, steady = Counter(self.most), Counter(self.steady)
        for release in come:
            most.update(_at_most(release, catalog))
            steady.update(_steadily(release, catalog))
        for release in gone:
            most.subtract(_at_most(release, catalog))
            steady.subtract(_steadily(release, catalog))
        return Use(most, steady)


def check_quota(
    environment: Environment,
    use: Use,
    releases: Callable[[], Iterable[Release]],
    catalog: Catalog,
) -> Iterator[Finding]:
    """Whether all releases together, each at its greatest size, stay within the quota.

    The version that a rollout introduces counts too; it may run in what is kept to spare.
    `releases` gives them, to name those that use what there is not enough of.
    """
    spare = _counted(environment.spec.accelerators.spare)
    for resource, most in quota_of(environment).items():
        total, steady = use.most.get(resource, 0), use.steady.get(resource, 0)
        kept = spare.get(resource, 0)
        if max(total, steady + kept) <= most:
            continue
        wanted = {str(r.key): _at_most(r, catalog)[resource] for r in releases()}
        asked = f"{total} {resource} are asked for at most ({_largest(wanted)})"
        if total > most:
            message = f"{asked}, the quota is {most}"
            remedy = "lower scaling.max somewhere or raise the quota"
            place = _place(environment, "quota", resource)
            yield Finding(place, "FIT001", message, remedy)
        else:
            message = f"{asked}: of the quota of {most} this leaves less than {kept} to spare"
            remedy = "lower accelerators.spare or scaling.max, or raise the quota"
            place = _place(environment, "spare", resource)
            yield Finding(place, "FIT013", message, remedy)


def _largest(wanted: Mapping[str, int]) -> str:
    """Who asks for most, largest first."""
    using = sorted((-count, name) for name, count in wanted.items() if count)
    return some([f"{name} {-count}" for count, name in using])


def _place(environment: Environment, field: str, resource: str) -> Place:
    path = ("spec", "accelerators", field)
    return environment.document.place(path if resource == ANY else (*path, resource))


def has_room(environment: Environment, spec: ReleaseSpec, catalog: Catalog) -> bool:
    """Whether one replica more than the greatest number may run while pods are replaced.

    What the environment says is spare decides; without such a word, whether the release by itself
    stays within the quota. Other releases have no say in it, so that a manifest depends on its own
    release and environment only.
    """
    quota, said = quota_of(environment), environment.spec.accelerators.spare
    one, most = _times(spec, catalog, 1), _times(spec, catalog, spec.scaling.most)
    left = {n: count - most[n] for n, count in quota.items()} if said is None else _counted(said)
    return all(one[resource] <= count for resource, count in left.items() if one[resource])


def left_over(environment: Environment, use: Use) -> dict[str, int]:
    """What of the quota is not used; empty without a quota."""
    quota = quota_of(environment)
    return {resource: most - use.most.get(resource, 0) for resource, most in quota.items()}


def exceeds(left: Mapping[str, int], spec: ReleaseSpec, catalog: Catalog) -> bool:
    """Whether one replica more does not go into what is left over of the quota."""
    one = _times(spec, catalog, 1)
    return any(one[resource] > count for resource, count in left.items())


def wants_more(now: ReleaseSpec, before: ReleaseSpec) -> bool:
    """Whether a spec may ask for more of something than another one, or for something else."""
    same = (now.accelerator, now.parallel) == (before.accelerator, before.parallel)
    return not same or now.scaling.most > before.scaling.most


@kept
def _steadily(release: Release, catalog: Catalog) -> Counter[str]:
    """What its newest version alone uses then."""
    return _times(release.spec, catalog, release.spec.scaling.most)


@kept
def _at_most(release: Release, catalog: Catalog) -> Counter[str]:
    """What a release uses at its greatest size, all its versions together."""
    used: Counter[str] = Counter()
    for variant in release.variants:
        used.update(_times(variant.spec, catalog, variant.spec.scaling.most))
    return used


def _times(spec: ReleaseSpec, catalog: Catalog, replicas: int) -> Counter[str]:
    given, pods = allotment(spec, catalog), replicas * parallel_of(spec).nodes
    return Counter({n: count * pods for n, count in _of_pod(given).items()} if given else {})


def _of_pod(given: Allotment) -> dict[str, int]:
    """What one pod uses; amounts of memory are in MiB."""
    extended = {n: _whole(text) for n, text in given.resources.items() if "/" in n}
    return {**extended, ANY: given.count}


def _whole(text: str) -> int:
    return int(text) if text.isdecimal() else int(amount(text) / MIB)
