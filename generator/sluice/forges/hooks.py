"""The webhooks of a repository, as far as whoever asks may see them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Hook:
    """An address that the forge calls; `tells_pushes` when it does so for each push now."""

    address: str
    tells_pushes: bool


@runtime_checkable
class Hooked(Protocol):
    """A forge that has webhooks; the embedded one has none."""

    def hooks(self) -> Sequence[Hook]:
        """Those of the repository; UsageError when they are not shown to us."""
