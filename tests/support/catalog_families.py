"""The families of the catalog: their schemas, and what reads an entry of each."""

from collections.abc import Callable, Mapping
from typing import Any

from sluice.core.catalog.devices import accelerator_from, queueing_from, sharing_from
from sluice.core.catalog.entries import Family, Gateway, engine_from
from sluice.core.catalog.records import read_record
from sluice.core.catalog.stores import store_from
from sluice.core.memory.architecture import architecture_from
from sluice.core.specs.schema import Schemas
from sluice.system import resources

SCHEMAS = Schemas(resources.read_schema)
KINDS: Mapping[Family, str] = {
    "engines": "Engine",
    "accelerators": "Accelerator",
    "architectures": "Architecture",
    "sources": "Source",
    "sharing": "Sharing",
    "queueing": "Queueing",
    "gateways": "Gateway",
}
READERS: Mapping[Family, Callable[[Mapping[str, Any]], Any]] = {
    "engines": engine_from,
    "accelerators": accelerator_from,
    "architectures": lambda entry: architecture_from(entry, "x"),
    "sources": store_from,
    "sharing": sharing_from,
    "queueing": queueing_from,
    "gateways": lambda entry: read_record(Gateway, entry),
}
