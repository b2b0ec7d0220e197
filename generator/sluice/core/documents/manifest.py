"""A rendered object, and the canonical bytes of its file."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sluice.core.documents.emit import emit


@dataclass(frozen=True, slots=True)
class Manifest:
    """One rendered object; `source` is the file that its author edits."""

    path: str
    data: Mapping[str, Any]
    source: str

    def content(self) -> bytes:
        """The canonical bytes of the file."""
        return emit(self.data, f"Rendered by sluice from {self.source}; edit that file instead.")
