"""What a registry says about its webhooks."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Hooks:
    """Whether they are as they should be, what was found, and what to do."""

    ok: bool
    summary: str
    remedy: str = ""


@runtime_checkable
class Notifying(Protocol):
    """A registry that can deliver what happens."""

    def hooks(self) -> Hooks:
        """Look at what it has been told to deliver; UsageError when it cannot be reached."""
