"""What holds for every connection of this process: certificates, time limits and proxies."""

import functools
import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from sluice.core.finding import UsageError

_CA = "SSL_CERT_FILE"
_CONNECT_TIMEOUT = 10_000  # milliseconds
_TIMEOUT = 60_000
WHOLE_SECONDS = 120.0
"""For a conversation of few bytes as a whole; those that carry a repository have `LONG_SECONDS`."""
LONG_SECONDS = 1800.0


def check_trust(environ: Mapping[str, str] = os.environ) -> None:
    """See that the certificates to trust, SSL_CERT_FILE, can be used; without it, the system's are.

    Raises:
        UsageError: in one line.
    """
    name = environ.get(_CA, "")
    try:
        if name:
            ssl.create_default_context(cafile=name)
    except ssl.SSLError:
        raise UsageError(f"{_CA} {name} holds no certificates: it must be a PEM file") from None
    except OSError as error:
        raise UsageError(f"{_CA} {name} cannot be used: {error.strerror}") from None


@functools.cache
def set_timeouts() -> None:
    """Give libgit2 the timeouts that it lacks; its settings belong to the whole process."""
    import pygit2  # noqa: PLC0415  # must not be read before the certificates were looked at

    check_trust()
    pygit2.settings.server_connect_timeout = _CONNECT_TIMEOUT
    pygit2.settings.server_timeout = _TIMEOUT


def read_timeouts() -> tuple[float, float]:
    """Return the seconds to wait for a connection, and for anything on it."""
    return _CONNECT_TIMEOUT / 1000, _TIMEOUT / 1000


def choose_proxy(url: str) -> str | Literal[True] | None:
    """Choose a URL's proxy by HTTPS_PROXY and NO_PROXY; True leaves it to Git's configuration.

    Plain HTTP goes straight to the server: libgit2 does not know proxies for it. Of NO_PROXY it
    does not know spaces, and so it is read as everything else here reads it.
    """
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415  # slow: only when used

    parts = urlsplit(url)
    if parts.scheme != "https" or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    proxies = getproxies()
    proxy = proxies.get("https") or proxies.get("all")
    if not proxy:
        return True
    if "://" not in proxy:
        return f"http://{proxy}"
    return proxy


if Path(os.environ.get(_CA, "")).is_file():
    check_trust()  # pygit2 reads it as it is imported, and has no words for what is none
