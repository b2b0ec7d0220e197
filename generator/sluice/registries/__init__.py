"""Model registries: what they list of versions and what was measured, one client for each kind.

A new registry is a module here and a record in this one.
"""

import importlib
from dataclasses import dataclass

from sluice.core.finding import UsageError
from sluice.core.model import Registry
from sluice.registries.mlflow_webhooks import verify as verify_delivery

__all__ = ["open_registry", "verify_delivery"]


@dataclass(frozen=True, slots=True)
class RegistryKind:
    """What is known of a kind of registry before it is asked.

    Args:
        client: module and class; the class takes the address, without `file:`.
        schemes: with which its addresses begin.
        bare: those of them that are an address by themselves.
        form: how its addresses look, for people.
    """

    client: str
    schemes: tuple[str, ...]
    bare: tuple[str, ...] = ()
    form: str = ""


# Database addresses are left out on purpose: opening one creates or migrates its tables.
_FILE = RegistryKind(
    client="sluice.registries.file:FileRegistry",
    schemes=("file",),
    form="file:PATH or a path that ends in .yaml or .json",
)
KINDS = (
    RegistryKind(
        client="sluice.registries.mlflow:MlflowRegistry",
        schemes=("http", "https", "databricks", "databricks-uc", "uc"),
        bare=("databricks", "databricks-uc"),
        form="http(s)://HOST",
    ),
    _FILE,
)
_FILE_ENDINGS = (".yaml", ".yml", ".json")


def open_registry(url: str) -> Registry:
    """Return the registry at an address; nothing is asked of it yet.

    Addresses: `file:PATH` or a path that ends in .yaml, .yml or .json; everything else by its
    scheme.

    Raises:
        UsageError: no address, or one of a kind that is not known.
    """
    if not url.strip():
        raise UsageError("no registry: give --registry or set MLFLOW_TRACKING_URI")
    scheme, _, rest = url.partition(":")
    scheme = scheme.lower()
    # file:PATH, file:///PATH
    if scheme in _FILE.schemes and (path := rest.removeprefix("//")):
        return _create(_FILE, path)
    kind = _kind_of(scheme)
    if kind and kind is not _FILE and (rest or scheme in kind.bare):
        return _create(kind, url)
    if url.lower().endswith(_FILE_ENDINGS) and "://" not in url:
        return _create(_FILE, url)
    forms = ", ".join(kind.form for kind in KINDS)
    raise UsageError(f"{_strip_login(url)} is not a registry: give {forms}")


def _kind_of(scheme: str) -> RegistryKind | None:
    return next((kind for kind in KINDS if scheme in kind.schemes), None)


def _create(kind: RegistryKind, address: str) -> Registry:
    module, _, name = kind.client.partition(":")
    registry: Registry = getattr(importlib.import_module(module), name)(address)
    return registry


def _strip_login(url: str) -> str:
    """Return the address without what may be a password."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"
