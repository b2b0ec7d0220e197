"""Watching a registry for long: what has changed since the last look, instead of everything.

Three looks together miss nothing for long. What the registry dates (stages, versions, renames)
is found among what changed last, with an overlap, for its clock runs before its commits. What it
does not date (aliases) is read anew of the models that are followed by alias. And now and then
everything is read, for what leaves no trace: deletions, tags, models hidden from searches.
"""

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol, runtime_checkable

from sluice.core.model import Evaluation, ModelVersion, Registry

OVERLAP = 60_000  # milliseconds
RESYNC = 600.0  # seconds

Versions = Mapping[str, Sequence[ModelVersion]]


@runtime_checkable
class Dated(Registry, Protocol):
    """A registry that can tell what changed last."""

    def changes(self, since: int) -> Mapping[str, tuple[int, object]]:
        """Name → time of the change in milliseconds, and a state that differs when it differs.

        Of the models that changed at or after `since`, and the one that changed last in any case.
        """

    def aliases(self, names: Collection[str]) -> Mapping[str, Mapping[str, str]]:
        """Name → alias → version; a model that a search does not find is absent."""


def watch_registry(registry: Registry) -> Registry:
    """Return a registry for many looks: the same, or one that remembers."""
    if isinstance(registry, Dated):
        return Watch(registry)
    return registry


class Watch:
    """Remembers what it read; see `Registry` for the methods. The clock only goes forward."""

    def __init__(self, registry: Dated, clock: Callable[[], float] = time.monotonic) -> None:
        self._registry, self._clock = registry, clock
        self.calls: Counter[str] = Counter()
        self._names: frozenset[str] = frozenset()
        self._versions: dict[str, Sequence[ModelVersion]] = {}
        self._states: dict[str, tuple[int, object]] = {}
        self._newest = 0
        self._read_all = 0.0

    def versions(self, names: Collection[str], aliased: Collection[str] | None = None) -> Versions:
        """Return every version of each named model; `aliased` are those followed by alias."""
        followed = frozenset(names)
        is_stale = self._clock() - self._read_all >= RESYNC
        is_new = followed != self._names or not self._newest
        # Until all is read, nothing is: a change that was seen and not read would be forgotten.
        self._names = frozenset()
        if is_stale or is_new:
            self._read_everything(followed)
        else:
            changed = self._find_changed(followed)
            moved = self._find_moved(followed, aliased)
            self._read_some(changed | moved)
        self._names = followed
        return dict(self._versions)

    def is_gone(self, name: str) -> bool:
        """Whether the registry says itself that there is no such model; always asked anew."""
        self.calls["is gone"] += 1
        return self._registry.is_gone(name)

    def fresh(self, version: ModelVersion) -> ModelVersion:
        """Return this version read anew: a tag, an approval too, changes without a date."""
        self.calls["fresh"] += 1
        return self._registry.fresh(version)

    def evaluation(self, version: ModelVersion) -> Evaluation:
        """Return what was measured on this version; always read anew."""
        self.calls["evaluation"] += 1
        return self._registry.evaluation(version)

    def url(self, version: ModelVersion) -> str:
        """Return where a person can look at it."""
        return self._registry.url(version)

    def describe(self) -> str:
        """Return the server and its version."""
        return self._registry.describe()

    def _read_everything(self, names: frozenset[str]) -> None:
        # The time first: what changes while the rest is read is then found by the next look.
        self._states = dict(self._poll(self._newest - OVERLAP if self._newest else 2**62))
        self.calls["read"] += 1
        self._versions = dict(self._registry.versions(names))
        self._read_all = self._clock()

    def _read_some(self, names: frozenset[str]) -> None:
        if not names:
            return
        self.calls["read"] += 1
        versions = self._registry.versions(names)
        for name in names:
            if name in versions:
                self._versions[name] = versions[name]
            else:
                self._versions.pop(name, None)

    def _find_changed(self, names: frozenset[str]) -> frozenset[str]:
        # Its times are taken before a commit: what was late is found in the overlap.
        states = self._poll(self._newest - OVERLAP)
        different = {name for name, state in states.items() if self._states.get(name) != state}
        self._states = dict(states)
        return names & different

    def _poll(self, since: int) -> Mapping[str, tuple[int, object]]:
        self.calls["poll"] += 1
        states = self._registry.changes(since)
        for when, _ in states.values():
            self._newest = max(self._newest, when)
        return states

    def _find_moved(self, names: frozenset[str], aliased: Collection[str] | None) -> frozenset[str]:
        """Find those whose aliases are not as they were, or that are there no more."""
        swept = names if aliased is None else names & frozenset(aliased)
        if not swept:
            return frozenset()
        self.calls["sweep"] += 1
        aliases = self._registry.aliases(swept)
        return frozenset(
            name for name in swept if aliases.get(name) != self._remember_aliases(name)
        )

    def _remember_aliases(self, name: str) -> Mapping[str, str] | None:
        if name not in self._versions:
            return None
        aliases: dict[str, str] = {}
        for version in self._versions[name]:
            aliases |= dict.fromkeys(version.aliases, version.version)
        return aliases
