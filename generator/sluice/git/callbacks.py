"""Credentials and messages for every conversation with a remote."""

import os
import re
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import pygit2
from pygit2.enums import CredentialType

from sluice.core.finding import UsageError
from sluice.network.deadlines import MOST_MEMORY

_WITH_USER = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*)://[^\s'\"]*@")
_QUERY = re.compile(r"(://[^\s'\"?]*)\?[^\s'\"]*")
_PORTS = {"http": 80, "https": 443}
# What libgit2 says, and what that means to who reads it.
_REASONS = (
    (r"status code: 403", "access is denied (403): the token must be allowed to read and write"),
    (r"object format", "SHA-256 repositories are not supported; use a SHA-1 repository"),
    (
        r"status code: 404|not appear to be a git repository|[Rr]epository not found",
        "there is no such repository, or these credentials do not let us see it",
    ),
    (r"status code: 429", "it limits the rate of requests (429): ask less often"),
    (r"status code: 5(\d\d)", "the server has trouble of its own (5xx): look at its log"),
    (
        r"invalid content-type|bad packet length",
        "its answer is not Git's: look for a login page or a proxy before it",
    ),
    (r"too many redirects", "it redirects without end: check the address"),
    (
        r"^too large$",
        f"its answer has no end within {MOST_MEMORY >> 20} MiB of memory: look for what answers",
    ),
    (r"[Tt]imed out", "it does not answer in time: check that it works"),
    (r"\bproxy\b", "the proxy does not let us through: check HTTPS_PROXY and NO_PROXY"),
    (
        r"SSL error",
        "there is no secure connection: has it TLS, and a certificate for this very name?",
    ),
    (r"do not support|invalid credential type", "it wants credentials that are no token"),
)
Credential = pygit2.Username | pygit2.UserPass | pygit2.Keypair
Login = Callable[[], tuple[str, str]]


class CredentialsRefusedError(UsageError):
    """The remote does not accept who we are; asking again changes nothing but its patience."""

    cause = "credentials refused"


def redact(text: str) -> str:
    """Take user names, passwords, tokens and query strings out of the URLs in a text."""
    return _QUERY.sub(r"\1", _WITH_USER.sub(r"\1://", text))


def explain_words(text: str) -> str:
    """Return what libgit2's words mean, and what to do; nothing for words that are not known."""
    for pattern, reason in _REASONS:
        if re.search(pattern, text):
            return reason
    return ""


def describe_refusal(url: str) -> str:
    """Return what to say of credentials that a server does not accept."""
    return (
        f"{redact(url)} refused the credentials: renew them, and check that they may read and "
        "write this repository"
    )


def scrub_token(text: str) -> str:
    """Redact URLs, and the token should a server echo it."""
    token = os.environ.get("SLUICE_GIT_TOKEN", "")
    if token:
        text = text.replace(token, "***")
    return redact(text)


class Callbacks(pygit2.RemoteCallbacks):
    """Offers credentials once a conversation: what was refused is not replayed.

    They are those of the environment, or else what `login` gives: user name and password. `header`
    is sent from the start, wherever the conversation leads: it is for a server that was asked.
    """

    def __init__(
        self,
        url: str,
        environ: Mapping[str, str],
        login: Login | None = None,
        header: str = "",
    ) -> None:
        super().__init__()
        self._url, self._environ, self._login = url, environ, login
        self._header = header
        self._was_offered = bool(header)
        self._password = ""

    def custom_headers(self) -> list[str] | None:
        """Return the headers that every request has."""
        return [self._header] if self._header else None

    def credentials(
        self, url: str, username_from_url: str | None, allowed_types: CredentialType
    ) -> Credential:
        """Answer the server's request for credentials."""
        user = username_from_url or self._environ.get("SLUICE_GIT_USERNAME", "")
        if not allowed_types & (CredentialType.SSH_KEY | CredentialType.USERPASS_PLAINTEXT):
            return pygit2.Username(user or "git")
        # libgit2 would offer the same ones 15 times, and a server may ban who fails so often.
        if self._was_offered:
            raise CredentialsRefusedError(describe_refusal(self._url))
        if _parse_origin(url) != _parse_origin(self._url):
            raise UsageError(
                f"{redact(self._url)} redirects to {redact(url)}, which must not see the "
                "credentials: give that address if it is the right one"
            )
        self._was_offered = True
        if allowed_types & CredentialType.SSH_KEY:
            return self._offer_key(user or "git")
        return self._offer_token(user)

    def _offer_key(self, user: str) -> Credential:
        path = self._environ.get("SLUICE_GIT_SSH_KEY")
        if not path:
            return pygit2.KeypairFromAgent(user)
        return pygit2.Keypair(user, None, path, "")

    def _offer_token(self, user: str) -> Credential:
        token = self._environ.get("SLUICE_GIT_TOKEN")
        if token:
            return pygit2.UserPass(user or "x-access-token", token)
        if self._login is None:
            raise UsageError(f"{redact(self._url)} asks for credentials: set SLUICE_GIT_TOKEN")
        name, self._password = self._login()
        return pygit2.UserPass(name, self._password)

    def certificate_check(self, certificate: None, valid: bool, host: bytes | str) -> bool:  # noqa: ARG002, FBT001  # the binding's signature
        """Refuse who is not known: without this any SSH server is believed."""
        if valid:
            return True
        if self._url.startswith("http"):
            raise UsageError(
                f"{redact(self._url)} has no certificate that we trust, or one of another name: "
                "set SSL_CERT_FILE to its CA, and use the name in the certificate"
            )
        name = host.decode() if isinstance(host, bytes) else host
        raise UsageError(
            f"{redact(self._url)}: {name} is not in ~/.ssh/known_hosts with this key: "
            "compare its fingerprint, then add it with ssh-keyscan"
        )

    def explain(self, error: Exception) -> str:
        """Return the reason of a failure and what to do, without secrets."""
        text = str(error)
        reason = explain_words(text)
        if reason:
            return reason
        if isinstance(error, pygit2.AuthError):
            return "it refused the credentials"
        return self.scrub(text)

    def scrub(self, text: str) -> str:
        """Take what we sent, and what URLs hold, out of a text."""
        if self._password:
            text = text.replace(self._password, "***")
        return scrub_token(text)


def _parse_origin(url: str) -> tuple[str, str | None, int | None]:
    if "://" in url:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)
    # user@host:path, as ssh and scp have it
    return "ssh", url.partition(":")[0].rpartition("@")[2].lower(), None
