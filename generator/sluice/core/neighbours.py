"""Which releases a change may collide with, so that a check reads those and no others."""

from collections.abc import Collection, Iterable, Iterator, Mapping

from sluice.core.capacity.quota import wants_more
from sluice.core.layout import Key
from sluice.core.specs.resolve import Release
from sluice.core.workload import values

Releases = Mapping[Key, Release]


def neighbours(now: Releases, before: Releases, present: Collection[Key]) -> set[Key]:
    """The unchanged releases that changed ones may collide with.

    A change that asks for no more than before collides with nothing. New names collide with
    releases whose own name they begin with; more devices and new routes with anything of the
    environment.

    Args:
        now: the changed releases.
        before: what they were.
        present: all releases of the tree.
    """
    found: set[Key] = set()
    together: dict[str, list[Key]] = {}
    for key in present:
        together.setdefault(key.environment, []).append(key)
    for key, release in now.items():
        beside = together.get(key.environment, [])
        old = before.get(key)
        if old is None or _wants_more(release, old) or _routes(release) - _routes(old):
            found.update(beside)
            continue
        added = values.object_names(release) - values.object_names(old)
        found.update(_named_alike(added, beside))
    return found - now.keys()


def _named_alike(added: Collection[str], beside: Iterable[Key]) -> Iterator[Key]:
    return (key for key in beside if any(name.startswith(key.name) for name in added))


def _wants_more(release: Release, old: Release) -> bool:
    """More of something, with the version that a rollout keeps running counted."""
    more = len(release.variants) > len(old.variants)
    pairs = zip(release.variants, old.variants, strict=False)
    return more or any(wants_more(new.spec, before.spec) for new, before in pairs)


def _routes(release: Release) -> set[tuple[str, str]]:
    return set(filter(None, [values.route(release.environment, release.spec)]))
