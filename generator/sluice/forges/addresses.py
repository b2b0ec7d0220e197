"""The address of a repository on a forge: `kind:owner/repository[@host]`."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from sluice.core.finding import UsageError

TOKEN = "SLUICE_FORGE_TOKEN"  # noqa: S105 - the name of a variable
_FORM = re.compile(
    r"(?P<kind>[a-z]+):(?P<path>[\w.-]+(?:/[\w.-]+)+)(?:@(?P<place>[^@\s]+))?", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Address:
    """`where` is the host as it was given, perhaps with a scheme, a port and a path."""

    kind: str
    path: str
    where: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.path}" + (f"@{self.where}" if self.where else "")

    @property
    def name(self) -> str:
        """The repository's own name."""
        return self.path.rpartition("/")[2]

    def place(self, home: str) -> str:
        """Where the forge is: `home`, unless another host is given. No slash at the end.

        Raises:
            UsageError: there is no host, or it is none, or a token would travel there in the clear.
        """
        given = self.where or home
        if not given:
            raise UsageError(f"{self}: add @HOST, {self.kind} has no public one")
        url = (given if "://" in given else f"https://{given}").rstrip("/")
        try:
            parts = urlsplit(url)
            _ = parts.port  # a bad one shows only when it is asked for
        except ValueError:
            raise UsageError(f"{self}: {given} is not a host") from None
        if not parts.hostname or parts.query or parts.fragment:
            raise UsageError(f"{self}: {given} is not a host")
        if parts.scheme != "https" and not (
            parts.scheme == "http" and _is_loopback(parts.hostname)
        ):
            raise UsageError(f"{self}: give https://, a token must not travel in the clear")
        return url.replace(parts.netloc, parts.netloc.lower(), 1)

    def page(self, home: str) -> str:
        """Where people look at the repository; as `place`."""
        return f"{self.place(home)}/{quote(self.path)}"

    def token(self, environ: Mapping[str, str]) -> str:
        """Return the token of the environment.

        Raises:
            UsageError: there is none, or it cannot be sent.
        """
        token = environ.get(TOKEN, "").strip()
        if not token:
            raise UsageError(f"{self}: no credentials; set {TOKEN} to a token of this forge")
        if not (token.isascii() and token.isprintable() and " " not in token):
            raise UsageError(f"{TOKEN} has characters that no token has; set it again")
        return token


def parse(text: str) -> Address:
    """Read an address; UsageError when it has another form. It may hold no credentials."""
    match = _FORM.fullmatch(text.strip())
    if not match or {".", ".."} & set(match["path"].split("/")):
        # Before an @ there may be credentials, which nobody should see.
        shown = text.partition(":")[0] if "@" in text else text
        raise UsageError(
            f"{shown[:100]!r} is not a forge: give kind:owner/repository, with @host for one "
            "that is not the public one"
        )
    return Address(match["kind"], match["path"], match["place"] or "")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
