"""How much a file of YAML may hold, by what it is; what programs wrote has those of `core.bounded`.

A parser that recurses ends the process's stack, a few aliases can stand for more than any memory
holds, and a file of megabytes holds up every check.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What one file may hold.

    Attributes:
        size: bytes.
        depth: levels of mappings and lists within each other.
        values: keys, texts, numbers, lists and mappings, with every alias written out.
    """

    size: int
    depth: int
    values: int


SPEC = Limits(size=1 << 20, depth=64, values=1 << 20)
"""A spec is a page or two; it has no aliases, so its size bounds its values."""
OBJECTS = Limits(size=8 << 20, depth=100, values=1_000_000)
"""Objects as the cluster's tools read them; the largest bundles have some five million bytes."""
