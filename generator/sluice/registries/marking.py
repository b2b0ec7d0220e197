"""A registry that takes back what became of its versions."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from sluice.core.model import ModelVersion


@runtime_checkable
class Markable(Protocol):
    """Where Sluice can leave tags on a version."""

    def mark(self, version: ModelVersion, marks: Mapping[str, str]) -> None:
        """Set these tags; UsageError when it refuses. Nothing where the version is gone."""
