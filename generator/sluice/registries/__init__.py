"""Model registries. A new one is a module here and a line in this table."""

import importlib

from sluice.core.finding import UsageError
from sluice.core.model import Registry
from sluice.registries.mlflow_webhooks import verify as verify_delivery

__all__ = ["open_registry", "verify_delivery"]

# Scheme of the address → module and class. The class takes the address, without `file:`.
# Database addresses are left out on purpose: opening one creates or migrates its tables.
_REGISTRIES = {
    "file": "sluice.registries.file:FileRegistry",
    "http": "sluice.registries.mlflow:MlflowRegistry",
    "https": "sluice.registries.mlflow:MlflowRegistry",
    "databricks": "sluice.registries.mlflow:MlflowRegistry",
    "databricks-uc": "sluice.registries.mlflow:MlflowRegistry",
    "uc": "sluice.registries.mlflow:MlflowRegistry",
}
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
    kind = scheme.lower()
    # file:PATH, file:///PATH
    if kind == "file" and (path := rest.removeprefix("//")):
        return _create(kind, path)
    if kind in _REGISTRIES and kind != "file" and (rest or kind.startswith("databricks")):
        return _create(kind, url)
    if url.lower().endswith(_FILE_ENDINGS) and "://" not in url:
        return _create("file", url)
    raise UsageError(f"{_shown(url)} is not a registry: {_WANTED}")


_WANTED = "give http(s)://HOST, file:PATH or a path that ends in .yaml or .json"


def _create(kind: str, address: str) -> Registry:
    module, _, name = _REGISTRIES[kind].partition(":")
    registry: Registry = getattr(importlib.import_module(module), name)(address)
    return registry


def _shown(url: str) -> str:
    """Return the address without what may be a password."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"
