"""The specs of a tree as records, and what is new in those that were made from others."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sluice.core.finding import Finding
from sluice.core.layout import Key
from sluice.core.specs.resolve import Environment, Release


@dataclass(frozen=True)
class Specs:
    """The specs of a tree, with what is wrong with those that could not be used.

    Nobody changes them once they are read. `origin` are those that they were made from, and `new`
    the releases that are not the same ones there, None for one that went.
    """

    environments: Mapping[str, Environment] = field(default_factory=dict)
    releases: Mapping[Key, Release] = field(default_factory=dict)
    findings: Sequence[Finding] = ()
    origin: "Specs | None" = None
    new: Mapping[Key, Release | None] = field(default_factory=dict)

    def of(self, environment: str) -> list[Release]:
        """The releases of one environment, in order."""
        return [r for key, r in sorted(self.releases.items()) if key.environment == environment]

    def changed(self, read: "Specs") -> "Specs":
        """These specs with some releases as they were read anew, and what is wrong with those."""
        releases = {**self.releases, **read.releases}
        return Specs(self.environments, releases, read.findings, self, read.releases)

    def without(self, keys: Collection[Key]) -> "Specs":
        """These specs less some releases; themselves when that is none."""
        if not keys:
            return self
        releases = {key: release for key, release in self.releases.items() if key not in keys}
        return Specs(self.environments, releases, self.findings, self, dict.fromkeys(keys))

    def apart(self, keys: Collection[Key]) -> "Specs":
        """These releases only, about which all is asked anew."""
        releases = {key: self.releases[key] for key in sorted(keys)}
        return Specs(self.environments, releases, self.findings)

    def settle(self) -> None:
        """Forget what they were made from, so that it can go: what is kept of it is counted."""
        object.__setattr__(self, "origin", None)

    def differing(self, before: "Specs") -> Collection[Key]:
        """The releases that are not the same ones as before."""
        if self.origin is before:
            return self.new.keys()
        keys = {**before.releases, **self.releases}
        return {key for key in keys if before.releases.get(key) is not self.releases.get(key)}

    def moves(self) -> Mapping[str, "Moves"]:
        """By environment the releases that came since the origin, or since there was nothing."""
        found: defaultdict[str, Moves] = defaultdict(Moves)
        for key, release in (self.new if self.origin else self.releases).items():
            if release:
                found[key.environment].come.append(release)
            if self.origin and key in self.origin.releases:
                found[key.environment].gone.append(self.origin.releases[key])
        return found


@dataclass(frozen=True, slots=True)
class Moves:
    """Releases of one environment that went, and that came; one that was changed did both."""

    gone: list[Release] = field(default_factory=list)
    come: list[Release] = field(default_factory=list)
