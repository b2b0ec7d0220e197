"""Kinds of places for weights as records; each is one YAML file, by the scheme of its sources."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sluice.core.catalog.records import read_record


@dataclass(frozen=True, slots=True)
class Store:
    """A kind of place for weights, by the scheme of its sources.

    `directory` and `file` are what an init container runs to get one into its working directory;
    empty where the engine or the node fetches. `takes` gives the variables for fields of `weights`,
    `needs` those without which nothing is found. `nested` says that what is below a root arrives in
    a folder of its name; `discard` is a file that is the client's, not the model's.
    `read_only_root` says that the client writes into its home, /tmp and its working directory only.
    """

    name: str
    title: str
    image: str = ""
    directory: tuple[str, ...] = ()
    file: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    takes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    with_endpoint: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    cache: str = ""
    nested: bool = False
    discard: str = ""
    read_only_root: bool = False


def store_from(entry: Mapping[str, Any]) -> Store:
    """Read the entry of a scheme."""
    return read_record(Store, entry)
