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
    if kind == "file":
        path = rest.removeprefix("//")  # of file:///PATH
        if path:
            return _create(kind, path)
    elif kind in _REGISTRIES and (rest or kind.startswith("databricks")):
        return _create(kind, url)
    if url.lower().endswith(_FILE_ENDINGS) and "://" not in url:
        return _create("file", url)
    raise UsageError(f"{_strip_login(url)} is not a registry: {_WANTED}")


_WANTED = "give http(s)://HOST, file:PATH or a path that ends in .yaml or .json"


def _create(kind: str, address: str) -> Registry:
    module, _, name = _REGISTRIES[kind].partition(":")
    # Imported only now: a client is slow, and may not be installed.
    create = getattr(importlib.import_module(module), name)
    registry: Registry = create(address)
    return registry


def _strip_login(url: str) -> str:
    """Return the address without what may be a password."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"
