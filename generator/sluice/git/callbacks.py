"""Credentials, timeouts and messages for every conversation with a remote."""

import functools
import os
import re
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import pygit2
from pygit2.enums import CredentialType

from sluice.core.finding import UsageError

_CONNECT_TIMEOUT = 10_000  # milliseconds
_TIMEOUT = 60_000
_WITH_USER = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*)://[^\s'\"]*@")
_QUERY = re.compile(r"(://[^\s'\"?]*)\?[^\s'\"]*")
Credential = pygit2.Username | pygit2.UserPass | pygit2.Keypair
Login = Callable[[], tuple[str, str]]


class CredentialsRefusedError(UsageError):
    """The remote does not accept who we are; asking again changes nothing but its patience."""


@functools.cache
def configure() -> None:
    """Give libgit2 the timeouts that it lacks; its settings belong to the whole process."""
    pygit2.settings.server_connect_timeout = _CONNECT_TIMEOUT
    pygit2.settings.server_timeout = _TIMEOUT


def redact(text: str) -> str:
    """Take user names, passwords, tokens and query strings out of the URLs in a text."""
    return _QUERY.sub(r"\1", _WITH_USER.sub(r"\1://", text))


def scrub(text: str) -> str:
    """Redact URLs, and the token should a server echo it."""
    token = os.environ.get("SLUICE_GIT_TOKEN", "")
    return redact(text.replace(token, "***") if token else text)


class Callbacks(pygit2.RemoteCallbacks):
    """Offers credentials once a conversation: what was refused is not replayed.

    They are those of the environment, or else what `login` gives: user name and password.
    """

    def __init__(self, url: str, environ: Mapping[str, str], login: Login | None = None) -> None:
        super().__init__()
        self._url, self._environ, self._login = url, environ, login
        self._asked = False
        self._password = ""

    def credentials(
        self, url: str, username_from_url: str | None, allowed_types: CredentialType
    ) -> Credential:
        """Answer the server's request for credentials."""
        user = username_from_url or self._environ.get("SLUICE_GIT_USERNAME", "")
        if not allowed_types & (CredentialType.SSH_KEY | CredentialType.USERPASS_PLAINTEXT):
            return pygit2.Username(user or "git")
        if self._asked:
            raise CredentialsRefusedError(
                f"{redact(self._url)} refused the credentials: renew them, and check that they may "
                "read and write this repository"
            )
        if _host(url) != _host(self._url):
            raise UsageError(f"{redact(self._url)} redirects to another host for credentials")
        self._asked = True
        if allowed_types & CredentialType.SSH_KEY:
            return self._key(user or "git")
        return self._token(user)

    def _key(self, user: str) -> Credential:
        path = self._environ.get("SLUICE_GIT_SSH_KEY")
        return pygit2.Keypair(user, None, path, "") if path else pygit2.KeypairFromAgent(user)

    def _token(self, user: str) -> Credential:
        token = self._environ.get("SLUICE_GIT_TOKEN")
        if token:
            return pygit2.UserPass(user or "x-access-token", token)
        if self._login is None:
            raise UsageError(f"{redact(self._url)} asks for credentials: set SLUICE_GIT_TOKEN")
        name, self._password = self._login()
        return pygit2.UserPass(name, self._password)

    def certificate_check(self, certificate: None, valid: bool, host: bytes | str) -> bool:  # noqa: ARG002, FBT001  # the binding's signature
        """Refuse who is not known: without this any SSH server is believed."""
        if not valid:
            name = host.decode() if isinstance(host, bytes) else host
            web = self._url.startswith("http")
            raise UsageError(
                f"{redact(self._url)} has no certificate that we trust: set SSL_CERT_FILE to its CA"
                if web
                else f"{redact(self._url)}: {name} is not in ~/.ssh/known_hosts with this key: "
                "compare its fingerprint, then add it with ssh-keyscan"
            )
        return True

    def explain(self, error: Exception) -> str:
        """Return the reason of a failure, without secrets."""
        if isinstance(error, pygit2.AuthError):
            return "it refused the credentials"
        return self.scrub(str(error))

    def scrub(self, text: str) -> str:
        """Take what we sent, and what URLs hold, out of a text."""
        return scrub(text.replace(self._password, "***") if self._password else text)


def _host(url: str) -> str | None:
    if "://" in url:
        return urlsplit(url).hostname
    return url.partition(":")[0].rpartition("@")[2].lower()
