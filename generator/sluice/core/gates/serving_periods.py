"""Which version of a release served when, as the history of its files has it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from sluice.core.model import ModelVersion


@dataclass(frozen=True, slots=True)
class State:
    """What main said of a release from a commit on; no version means that there was none.

    `time` is in seconds since the epoch. While a rollout is under way the version does not count
    as serving; `leaving` says that it is on its way out again.
    """

    time: int
    model: str = ""
    version: str = ""
    rolling: bool = False
    leaving: bool = False


@dataclass(frozen=True, slots=True)
class Tenure:
    """A time in one piece in which a version served everyone; `until` is None while it does."""

    model: str
    version: str
    since: int
    until: int | None = None

    def length(self, now: int) -> int:
        """Seconds up to its end, or up to now."""
        return max(0, (now if self.until is None else self.until) - self.since)


def tenures(states: Iterable[State]) -> list[Tenure]:
    """The times in which each version served, oldest first.

    Args:
        states: oldest first.
    """
    found: list[Tenure] = []
    for state in states:
        last = found[-1] if found and found[-1].until is None else None
        served = (state.model, state.version) if state.version and not state.rolling else None
        if last and served == (last.model, last.version):
            continue
        if last:
            found[-1] = replace(last, until=state.time)
        if served:
            found.append(Tenure(*served, since=state.time))
    return found


def served(known: Iterable[Tenure], version: ModelVersion) -> list[Tenure]:
    """The tenures of one version.

    One that was registered after it served is another of the same number: its model was deleted
    and created again.
    """
    return [
        tenure
        for tenure in known
        if (tenure.model, tenure.version) == (version.name, version.version)
        and version.created <= 1000 * tenure.since
    ]
