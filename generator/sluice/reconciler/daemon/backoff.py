"""How long to wait after a failure: for each release by itself, and for everything."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

SHORTEST, LONGEST = 10.0, 600.0


@dataclass(slots=True)
class Patience:
    """Who has failed how often; the next attempt comes later and later, and a little by chance.

    `clock` gives seconds that only go forward.
    """

    clock: Callable[[], float]
    chance: Callable[[], float] = random.random
    _failed: dict[str, tuple[int, float]] = field(default_factory=dict)

    def is_due(self, name: str) -> bool:
        """Whether it is time for the next attempt."""
        return name not in self._failed or self.clock() >= self._failed[name][1]

    def failed(self, name: str, at_least: float = 0.0) -> float:
        """Count a failure; seconds until the next attempt, of which the server may ask a least."""
        count = self._failed.get(name, (0, 0.0))[0] + 1
        backoff = min(SHORTEST * 2.0 ** min(count - 1, 30), LONGEST)
        wait = max(backoff, at_least) * (1.0 + 0.2 * self.chance())
        self._failed[name] = (count, self.clock() + wait)
        return wait

    def succeeded(self, name: str) -> None:
        """Forget the failures."""
        self._failed.pop(name, None)

    def forgive(self) -> None:
        """Let everything be tried again now; the counts stay until something succeeds."""
        self._failed = {name: (count, 0.0) for name, (count, _) in self._failed.items()}
