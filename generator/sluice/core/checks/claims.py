"""What releases have each for themselves: of an environment their names and objects."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from sluice.core.finding import Finding
from sluice.core.layout import Key
from sluice.core.specs.resolve import Release
from sluice.core.workload import values

Claim = tuple[str, ...]
"""A kind (`name` and `object`, or `route` and `reach`), and what is claimed."""
Holders = tuple[Release, ...]
ClaimsOf = Callable[[Release], Iterable[Claim]]
"""Which claims a release has."""


@dataclass(frozen=True, slots=True)
class Claims:
    """Who claims what; `contested` is what more than one release does.

    Few claims that differ lie over many that never change, so that a change costs what it changes.
    """

    contested: frozenset[Claim] = frozenset()
    _many: Mapping[Claim, Holders] = field(default_factory=dict)
    _few: Mapping[Claim, Holders] = field(default_factory=dict)

    def holders(self, claim: Claim) -> Holders:
        """The releases with this claim, in the order of their keys."""
        found = self._few.get(claim)
        return self._many.get(claim, ()) if found is None else found

    def changed(
        self, gone: Iterable[Release], come: Iterable[Release], claims_of: ClaimsOf
    ) -> "Claims":
        """The claims after some releases went and others came; one that was changed did both."""
        left: dict[Claim, set[Key]] = {}
        taken: dict[Claim, list[Release]] = {}
        for release in gone:
            for claim in claims_of(release):
                left.setdefault(claim, set()).add(release.key)
        for release in come:
            for claim in claims_of(release):
                taken.setdefault(claim, []).append(release)
        touched = {**left, **taken}
        new = {c: self._held(c, left.get(c, set()), taken.get(c, ())) for c in touched}
        contested = (self.contested - touched.keys()) | {c for c in new if new[c][1:]}
        if not self._many:
            return Claims(contested, new)
        return Claims(contested, self._many, {**self._few, **new})

    def _held(self, claim: Claim, left: set[Key], taken: Iterable[Release]) -> Holders:
        stay = (release for release in self.holders(claim) if release.key not in left)
        return tuple(sorted((*stay, *taken), key=attrgetter("key")))


def claims_of(release: Release) -> Iterator[Claim]:
    """What only one release of an environment can have."""
    yield "name", release.key.name
    for name in values.object_names(release):
        yield "object", name


def check_claims(claims: Claims) -> Iterator[Finding]:
    """What is wrong between the releases of one environment."""
    for claim in claims.contested:
        kind, said = claim
        check = {"name": _same_name, "object": _same_object}[kind]
        yield from check(claims.holders(claim), said)


def _same_name(holders: Sequence[Release], _name: str) -> Iterator[Finding]:
    for release in holders[1:]:
        place = release.document.place(("metadata", "name"))
        message = f"{holders[0].key} has the same name in the same namespace"
        yield Finding(place, "REF013", message, "rename one of them")


def _same_object(holders: Sequence[Release], name: str) -> Iterator[Finding]:
    """A release named chat-v2 beside version 2 of the release chat."""
    for release in holders[1:]:
        if release.key.name != holders[0].key.name:
            place = release.document.place(("metadata", "name"))
            message = f"{holders[0].key} has objects with the name {name!r} too"
            yield Finding(place, "REF031", message, "rename one of them")
