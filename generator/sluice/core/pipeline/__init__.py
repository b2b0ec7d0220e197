"""The pipeline: a tree of specs becomes findings and a tree of manifests."""

from sluice.core.pipeline.reading import Files, read, reread
from sluice.core.pipeline.specs import Moves, Specs
from sluice.core.pipeline.stages import Toolkit, affected, check, check_one, culprits, render
from sluice.core.pipeline.standing import Standing, route_claims, standings

__all__ = [
    "Files",
    "Moves",
    "Specs",
    "Standing",
    "Toolkit",
    "affected",
    "check",
    "check_one",
    "culprits",
    "read",
    "render",
    "reread",
    "route_claims",
    "standings",
]
