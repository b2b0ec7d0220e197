"""Whose weights a source leads to: the owner of the place, and lists of places that are allowed.

A place is compared part by part, never as text: `hf://acme` does not allow `hf://acme-labs/x`. What
can be read in two ways (`..`, `//`, `%2e`, a user before the host) is no place at all.
"""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

from sluice.core.workload.sources import SourceError

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(//)?(.*)")
_AMBIGUOUS = re.compile(r"[^\x21-\x7e]|[%\\?#]")
_PIN = re.compile(r"@(?:sha256:)?[0-9A-Za-z._-]+(?=/|$)")
# Schemes whose names begin right after the colon: `models:/NAME/VERSION`.
_WITHOUT_AUTHORITY = frozenset({"models", "mlflow-artifacts"})
_PINNED = frozenset({"hf", "oci"})
_LOCAL_NAMES = ("localhost", "local", "internal", "localdomain")


@dataclass(frozen=True, slots=True)
class Place:
    """A scheme and the parts of a path; the first one is an organisation, bucket, claim or host.

    `host` is the server that a source of `mlflow-artifacts:` names itself, empty where it names
    none.
    """

    scheme: str
    parts: tuple[str, ...]
    host: str = ""

    @property
    def owner(self) -> str:
        """Who or what decides about everything that lies there.

        An organisation, a bucket, a claim, a registered model, an experiment; of a registry of
        images the host with the first folder.
        """
        has_folder = self.scheme == "oci" and len(self.parts) > len(("host", "name"))
        names = "/".join(self.parts[: 2 if has_folder else 1])
        if self.scheme not in _WITHOUT_AUTHORITY:
            return f"{self.scheme}://{names}"
        return f"{self.scheme}:{self.host and '//' + self.host}/{names}"

    def is_within(self, other: "Place") -> bool:
        """Whether this lies in another place, or is it."""
        same = (self.scheme, self.host) == (other.scheme, other.host)
        return same and self.parts[: len(other.parts)] == other.parts


def place_of(text: str) -> Place:
    """Read a source, or the beginning of one.

    Raises:
        SourceError: it can be read in more than one way, or has no scheme.
    """
    found = _ADDRESS.fullmatch(text)
    if not found or _AMBIGUOUS.search(text):
        raise SourceError("it is no plain address", _PLAIN)
    scheme, authority, rest = found[1].lower(), bool(found[2]), found[3]
    host = ""
    if scheme in _WITHOUT_AUTHORITY:
        host, rest = _split(rest) if authority else ("", rest.removeprefix("/"))
    elif not authority:
        raise SourceError("it is no plain address", _PLAIN)
    has_user = "@" in (host if scheme in _WITHOUT_AUTHORITY else rest.partition("/")[0])
    path = (_PIN.sub("", rest, count=1) if scheme in _PINNED else rest).removesuffix("/")
    names = path.split("/") if path else []
    if has_user or any(name in {"", ".", ".."} for name in names):
        raise SourceError("it is no plain address", _PLAIN)
    if scheme == "oci" and names:
        names[0] = names[0].lower()
    return Place(scheme, tuple(names), host.lower())


_PLAIN = "write scheme://path without .., //, %, ? or a user before the host"


def _split(rest: str) -> tuple[str, str]:
    host, _, path = rest.partition("/")
    return host, path


def is_listed(source: str, places: Iterable[str]) -> bool:
    """Whether a source lies within one of these places; what is ambiguous lies nowhere."""
    try:
        place = place_of(source)
        return any(place.is_within(place_of(each)) for each in places)
    except SourceError:
        return False


def is_inward(host: str) -> bool:
    """Whether a host, with or without a port, is a machine within: an address or a local name.

    A number in any spelling counts: resolvers read `2130706433`, `0x7f.1` and `127.1` as addresses.
    """
    name = re.sub(r":\d*$", "", host.lower()).strip("[]").rstrip(".")
    try:
        ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        last = name.rpartition(".")[2]
        return name in _LOCAL_NAMES or last in _LOCAL_NAMES or bool(re.match(r"0x|\d", last))
    return True
