"""Whether the registry has the versions that the specs name."""

from collections.abc import Iterator, Sequence

from sluice.core.finding import Finding
from sluice.core.specs.resolve import Release
from sluice.registries import open_registry

_ABSENT = "register it, correct the name, or grant this account READ on it"


def find_unregistered(releases: Sequence[Release], url: str) -> Iterator[Finding]:
    """A finding for each release whose model or version the registry does not have."""
    registry = open_registry(url)
    known = registry.versions({release.spec.model.name for release in releases})
    for release in releases:
        name, version = release.spec.model.name, release.spec.model.version
        versions = known.get(name)
        if versions is None:
            place = release.place("model.name")
            message = f"the registry has no model {name!r}"
            yield Finding(place, "REG003", message, _ABSENT)
        elif version not in {found.version for found in versions}:
            place = release.place("model.version")
            newest = ", ".join(found.version for found in versions[:5]) or "none"
            message = f"the registry has no version {version!r} of {name!r}"
            yield Finding(place, "REG004", message, f"it has: {newest}")
