"""Forges, where pull requests live: one client for each kind, all with one interface.

What is known of a kind is its record in `sluice.forges.kinds`. The embedded forge is
`sluice.forges.local`: it needs the repository itself, not an address.
"""

import importlib
from collections.abc import Mapping
from urllib.parse import urlsplit

from sluice.core.forge import Forge
from sluice.forges.addresses import Address, parse
from sluice.forges.kinds import kind_at, kind_of
from sluice.forges.timing import Timing


def open_forge(url: str, environ: Mapping[str, str], timing: Timing | None = None) -> Forge:
    """Return the forge at `kind:owner/repository[@host]`; nothing is asked of it yet.

    The host may have a port and a path, and `http://` before it on loopback. The token is
    SLUICE_FORGE_TOKEN; a GitHub App is SLUICE_GITHUB_APP_ID, SLUICE_GITHUB_APP_PRIVATE_KEY_FILE
    and SLUICE_GITHUB_APP_INSTALLATION_ID.

    Raises:
        UsageError: the address has another form or kind, or the credentials are missing.
    """
    address = parse(url)
    module = importlib.import_module(kind_of(address.kind).module)
    forge: Forge = module.connect(address, environ, timing)
    return forge


def forge_of(url: str) -> str | None:
    """Return the forge's address of a Git URL on a public host, None for any other one."""
    text = url if "://" in url else f"ssh://{url.replace(':', '/', 1)}"
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    kind = kind_at(parts.hostname or "")
    path = parts.path.strip("/").removesuffix(".git")
    return f"{kind.name}:{path}@{parts.hostname}" if kind and "/" in path else None


def git_url(forge: str) -> str:
    """Return where Git finds the repository of a forge's address.

    Raises:
        UsageError: the address has another form or kind, or names no host.
    """
    address: Address = parse(forge)
    return f"{address.place(kind_of(address.kind).home)}/{address.path}.git"
