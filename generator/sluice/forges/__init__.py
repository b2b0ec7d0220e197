"""Forges, where pull requests live. A new one is a module here and a line in this table.

The embedded forge is `sluice.forges.local`: it needs the repository itself, not an address.
"""

import importlib
from collections.abc import Mapping
from urllib.parse import urlsplit

from sluice.core.finding import UsageError
from sluice.core.forge import Forge
from sluice.forges.addresses import Address, parse
from sluice.forges.timing import Timing

# Kind of the address → the module whose `connect` opens it.
_FORGES = {
    "github": "sluice.forges.github",
    "gitlab": "sluice.forges.gitlab",
    "gitea": "sluice.forges.gitea",
    "forgejo": "sluice.forges.gitea",
}
# Public hosts whose kind needs no telling → their kind. A kind's first one is its home.
_HOSTS = {"github.com": "github", "gitlab.com": "gitlab", "gitea.com": "gitea"}
_HOSTS |= {"codeberg.org": "forgejo"}


def open_forge(url: str, environ: Mapping[str, str], timing: Timing | None = None) -> Forge:
    """Return the forge at `kind:owner/repository[@host]`; nothing is asked of it yet.

    The host may have a port and a path, and `http://` before it on loopback. The token is
    SLUICE_FORGE_TOKEN; a GitHub App is SLUICE_GITHUB_APP_ID, SLUICE_GITHUB_APP_PRIVATE_KEY_FILE
    and SLUICE_GITHUB_APP_INSTALLATION_ID.

    Raises:
        UsageError: the address has another form, or the credentials are missing.
    """
    address = parse(url)
    if address.kind not in _FORGES:
        raise UsageError(f"{address.kind} is not a forge: {', '.join(sorted(_FORGES))}")
    module = importlib.import_module(_FORGES[address.kind])
    forge: Forge = module.connect(address, environ, timing)
    return forge


def forge_of(url: str) -> str | None:
    """Return the forge's address of a Git URL on a public host, None for any other one."""
    text = url if "://" in url else f"ssh://{url.replace(':', '/', 1)}"
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    kind = _HOSTS.get(parts.hostname or "")
    path = parts.path.strip("/").removesuffix(".git")
    return f"{kind}:{path}@{parts.hostname}" if kind and "/" in path else None


def git_url(forge: str) -> str:
    """Return where Git finds the repository of a forge's address.

    Raises:
        UsageError: the address has another form, or names no host.
    """
    address: Address = parse(forge)
    home = next((host for host, kind in _HOSTS.items() if kind == address.kind), "")
    return f"{address.place(home)}/{address.path}.git"
