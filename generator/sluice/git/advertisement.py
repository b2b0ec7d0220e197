"""The refs that a server advertises over HTTP, asked for with the credentials from the start.

libgit2 shows credentials only to who has refused it without them, in each conversation anew, and a
header of ours it would take along to wherever it is led. So the server is asked here first, without
following anybody: one that answers by itself may be shown the same header by libgit2.
"""

import atexit
import ssl
from base64 import b64encode
from collections.abc import Iterator, Mapping
from functools import cache
from http import HTTPStatus
from typing import Literal
from urllib.parse import urlsplit

import httpx

from sluice.git.callbacks import CredentialsRefusedError, Login, describe_refusal, explain_words
from sluice.git.network import WHOLE_SECONDS, check_trust, choose_proxy, read_timeouts
from sluice.network.deadlines import within
from sluice.network.encoding import PLAIN, refuse_encoding

Service = Literal["git-upload-pack", "git-receive-pack"]

_LARGEST = 64 * 2**20
_AGENT = "git/2.0 (sluice)"  # some serve Git only to who says so
_KEPT = 300.0  # seconds that a connection may rest between two looks
_DIGITS = 4  # of a line's length
_WORDS = 1000  # characters of a refusal that are read
_ARCHIVED = (
    "the repository is archived (403): unarchive it, or give the address of the one that is in use"
)


class UnansweredError(Exception):
    """Why there is no advertisement, in words for who asked; `cause` is its kind, if it has one."""

    def __init__(self, reason: str, cause: str = "") -> None:
        super().__init__(reason)
        self.cause = cause


class Advertisement(dict[str, str]):
    """Refs, full name → id; `header` is what the server was shown that answered by itself."""

    header: str = ""


def ask(
    url: str, service: Service, environ: Mapping[str, str], login: Login | None
) -> Advertisement | None:
    """Ask a server for its refs; None when libgit2 has to find out, and to tell what is wrong.

    Args:
        url: of the repository.
        service: what it is asked for.
        environ: where the token may be.
        login: gives a user name and a password where it is not.

    Raises:
        CredentialsRefusedError: it does not accept them.
        UnansweredError: it has no answer now, or not for us.
    """
    proxy = choose_proxy(url)
    if proxy is True:  # only Git's configuration knows the way
        return None
    credentials = _choose_credentials(url, environ, login)
    if credentials is None:
        return None
    header = f"Basic {b64encode(':'.join(credentials).encode()).decode()}"
    address = url.rstrip("/") + f"/info/refs?service={service}"
    try:
        headers = {"Authorization": header}
        with (
            within(WHOLE_SECONDS, _refuse_late),
            _open_client(proxy).stream("GET", address, headers=headers) as answer,
        ):
            refuse_encoding(answer)
            asked_for = answer.headers.get("WWW-Authenticate", "").lower()
            if answer.status_code == HTTPStatus.UNAUTHORIZED and asked_for.startswith("basic"):
                raise CredentialsRefusedError(describe_refusal(url))
            reason = explain_words(f"status code: {answer.status_code}")
            if answer.status_code == HTTPStatus.FORBIDDEN:
                raise _explain_denial(answer, reason)
            if reason:
                raise UnansweredError(reason)
            return _read_refs(answer, service, header)
    except httpx.TimeoutException:
        raise UnansweredError(explain_words("timed out")) from None
    except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, ValueError):
        return None


def _refuse_late() -> UnansweredError:
    return UnansweredError(explain_words("timed out"))


def _explain_denial(answer: httpx.Response, reason: str) -> UnansweredError:
    """Return why we may not do this: of an archived repository the server says so."""
    body = next(answer.iter_text(_WORDS), "")
    if "archived" in body.lower():
        return UnansweredError(_ARCHIVED, "archived")
    return UnansweredError(reason, "read-only token")


def _read_refs(answer: httpx.Response, service: Service, header: str) -> Advertisement | None:
    if answer.status_code != HTTPStatus.OK:
        return None
    content = bytearray()
    for chunk in answer.iter_bytes():
        content += chunk
        if len(content) > _LARGEST:
            return None
    lines = list(_split_lines(bytes(content)))
    if not lines or lines[0].rstrip() != f"# service={service}".encode():
        return None
    refs = Advertisement()
    for line in lines[1:]:
        commit, _, name = line.partition(b"\0")[0].rstrip(b"\n").partition(b" ")
        if name.startswith(b"refs/") or name == b"HEAD":
            refs[name.decode("utf-8", "surrogateescape")] = commit.decode()
    refs.header = f"Authorization: {header}"
    return refs


def _split_lines(content: bytes) -> Iterator[bytes]:
    """Yield the lines of a conversation; ValueError when it is none, or breaks off."""
    at = 0
    while at < len(content):
        length = int(content[at : at + _DIGITS], 16)
        if at + max(length, _DIGITS) > len(content):
            raise ValueError
        if length > _DIGITS:
            yield content[at + _DIGITS : at + length]
        at += max(length, _DIGITS)


def _choose_credentials(
    url: str, environ: Mapping[str, str], login: Login | None
) -> tuple[str, str] | None:
    """Return user name and password; None for what is not asked over HTTP, or has none."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        return None
    token = environ.get("SLUICE_GIT_TOKEN")
    if token:
        return parts.username or environ.get("SLUICE_GIT_USERNAME") or "x-access-token", token
    if login is None:
        return None
    return login()


@cache
def _open_client(proxy: str | None) -> httpx.Client:
    """Open the connections of this process, which stay open from one look to the next."""
    check_trust()
    connect, whole = read_timeouts()
    client = httpx.Client(
        proxy=proxy,
        trust_env=proxy is not None,
        verify=ssl.create_default_context(),
        timeout=httpx.Timeout(whole, connect=connect),
        limits=httpx.Limits(keepalive_expiry=_KEPT),
        headers={"User-Agent": _AGENT, **PLAIN},
        follow_redirects=False,
    )
    atexit.register(client.close)
    return client
