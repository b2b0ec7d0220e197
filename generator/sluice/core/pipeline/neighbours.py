"""Which releases a change may collide with, so that a check reads those and no others."""

from collections.abc import Collection, Iterable, Iterator, Mapping

from sluice.core.capacity.quota import wants_more
from sluice.core.checks.route_claims import routes_of
from sluice.core.layout import Key
from sluice.core.specs.resolve import Environment, Release
from sluice.core.workload import values
from sluice.core.workload.addresses import gateway_of

Releases = Mapping[Key, Release]


def neighbours(
    now: Releases,
    before: Releases,
    present: Collection[Key],
    environments: Mapping[str, Environment],
) -> set[Key]:
    """The unchanged releases that changed ones may collide with.

    A change that asks for no more than before collides with nothing. New names collide with
    releases whose own name they begin with; more devices with anything of the environment; new
    routes with anything of the environments that share its gateway.

    Args:
        now: the changed releases.
        before: what they were.
        present: all releases of the tree.
        environments: all environments of the tree that can be read.
    """
    found: set[Key] = set()
    together: dict[str, list[Key]] = {}
    for key in present:
        together.setdefault(key.environment, []).append(key)
    for key, release in now.items():
        beside = together.get(key.environment, [])
        old = before.get(key)
        if old is None or set(routes_of(release)) - set(routes_of(old)):
            for name in _sharing_gateway(release.environment, environments):
                found.update(together.get(name, ()))
        if old is None or _wants_more(release, old):
            found.update(beside)
            continue
        added = values.object_names(release) - values.object_names(old)
        found.update(_named_alike(added, beside))
    return found - now.keys()


def _sharing_gateway(
    environment: Environment, environments: Mapping[str, Environment]
) -> Iterator[str]:
    """The environments, this one among them, whose releases are reached at the same gateway."""
    gateway = gateway_of(environment)
    if gateway is not None:
        yield from (n for n, other in environments.items() if gateway_of(other) == gateway)


def _named_alike(added: Collection[str], beside: Iterable[Key]) -> Iterator[Key]:
    return (key for key in beside if any(name.startswith(key.name) for name in added))


def _wants_more(release: Release, old: Release) -> bool:
    """More of something, with the version that a rollout keeps running counted."""
    more = len(release.variants) > len(old.variants)
    pairs = zip(release.variants, old.variants, strict=False)
    return more or any(wants_more(new.spec, before.spec) for new, before in pairs)
