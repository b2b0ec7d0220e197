"""One exchange with a server: bounded, conditional, and only with the host that was configured."""

import json
import re
import weakref
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from urllib.parse import unquote, urljoin, urlsplit

import httpx

from sluice.core.finding import UsageError
from sluice.forges.answers import Answer, MovedError, Site, answer_of, redact
from sluice.forges.credentials import Credentials
from sluice.network.deadlines import within
from sluice.network.encoding import PLAIN, refuse_encoding

_TIMEOUT = httpx.Timeout(30.0, connect=10.0)
_DEADLINE = 60.0
"""Seconds for one exchange as a whole."""
_LARGEST = 64 * 2**20
_REDIRECTS = 3
_REMEMBERED = 128
_PORTS = {"https": 443, "http": 80}
# How an address names its repository.
_REPOSITORY = re.compile(r"/(?:repos/([^/]+/[^/]+)|projects/([^/]+))(?:/|$)")
_KEEP_METHOD = {HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.PERMANENT_REDIRECT}
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


@dataclass(frozen=True, slots=True)
class Request:
    """One call. One that is not repeatable may be sent once only."""

    method: str
    url: str
    params: Mapping[str, str | int] | None = None
    body: object = None
    repeatable: bool = True

    @property
    def writes(self) -> bool:
        """Whether it changes something."""
        return self.method != "GET"


class BrokenError(UsageError):
    """No answer came; `sent` says whether the server may have acted on the request."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class Wire:
    """The connections to one site, and the answers that it may tell us to keep."""

    def __init__(self, site: Site, credentials: Credentials, clock: Callable[[], float]) -> None:
        self._site, self._credentials, self._clock = site, credentials, clock
        self._client = httpx.Client(timeout=_TIMEOUT, follow_redirects=False)
        # Whoever opens a forge for one command does not close it.
        weakref.finalize(self, self._client.close)
        self._known: OrderedDict[str, Answer] = OrderedDict()

    def exchange(self, request: Request) -> Answer:
        """Send a request and return the answer, of whatever status.

        What the server says has not changed is what we were told before, marked so.

        Raises:
            BrokenError: no whole answer came.
            UsageError: it leads elsewhere, has no end, or cannot be read or trusted.
        """
        url, params = request.url, request.params
        try:
            for _ in range(_REDIRECTS + 1):
                self._check_host(url)
                answer = self._exchanged(request, url, params)
                if answer.status // 100 != 3:  # noqa: PLR2004 - what redirects
                    return answer
                target = answer.headers.get("location", "")
                if target and request.writes and answer.status not in _KEEP_METHOD:
                    self._check_host(urljoin(url, target))
                    raise self._moved(answer.status, target)
                if not target or (request.writes and answer.status not in _KEEP_METHOD):
                    break
                url, params = urljoin(url, target), None
        except httpx.TransportError as error:
            raise self._broken(error) from None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise self._site.problem(
                f"gives an answer that cannot be read: {_kind(error)}"
            ) from None
        raise self._moved(answer.status, "")

    def _moved(self, status: int, target: str) -> MovedError:
        """Where it is now, if the address of another call tells."""
        found = _REPOSITORY.search(urlsplit(target).path)
        new = redact(unquote(found[1] or found[2])) if found else ""
        where = f"has moved to {new}" if new else "may have moved"
        return MovedError(
            f"{self._site} redirects ({status}): {self._site.repository} {where}; give its new "
            "address"
        )

    def _exchanged(
        self, request: Request, url: str, params: Mapping[str, str | int] | None
    ) -> Answer:
        headers = {
            "User-Agent": "sluice",
            "Accept": "application/json",
            **PLAIN,
            **self._site.headers,
            "Authorization": self._credentials.header(),
        }
        content = None
        if request.body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(request.body).encode()
        key = str(httpx.URL(url, params=params)) if params else url
        known = None if request.writes else self._known.get(key)
        if known:
            headers["If-None-Match"] = known.headers["etag"]
        answer = self._received(
            self._client.build_request(
                request.method, url, params=params, content=content, headers=headers
            )
        )
        if known and answer.status == HTTPStatus.NOT_MODIFIED:
            return replace(known, headers={**known.headers, **answer.headers}, unchanged=True)
        if not request.writes:
            self._remember(key, answer)
        return answer

    def _received(self, prepared: httpx.Request) -> Answer:
        """Read an answer within bounds of size and time, however it drips."""
        content = bytearray()
        with within(_DEADLINE, self._endless):
            response = self._client.send(prepared, stream=True)
            try:
                refuse_encoding(response)
                for chunk in response.iter_bytes():
                    content += chunk
                    if len(content) > _LARGEST:
                        raise self._endless()
            finally:
                response.close()
        return answer_of(response.status_code, response.headers, bytes(content))

    def _endless(self) -> UsageError:
        return self._site.problem("does not come to an end of its answer: try again")

    def _remember(self, key: str, answer: Answer) -> None:
        self._known.pop(key, None)
        if answer.status == HTTPStatus.OK and answer.headers.get("etag"):
            self._known[key] = answer
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)

    def _check_host(self, url: str) -> None:
        """Send the credentials to the very host that was configured, and to no other."""
        if _origin(url) != _origin(self._site.base):
            raise self._site.problem(
                f"redirects to another host, {redact(urlsplit(url).hostname or '')}, which must "
                "not see the credentials: check the address"
            )

    def _broken(self, error: httpx.TransportError) -> UsageError:
        said = redact(str(error), self._credentials.secrets())
        if isinstance(error, httpx.TimeoutException):
            what = "does not answer in time: check that it works"
        elif "certificate" in said.lower():  # another attempt would end the same
            return self._site.problem(
                "has no certificate that we trust: set SSL_CERT_FILE to its CA's certificate"
            )
        elif isinstance(error, httpx.ProxyError):
            what = "is not reachable through the proxy: check HTTPS_PROXY and NO_PROXY"
        elif isinstance(error, httpx.ConnectError):
            what = "is not reachable: check its address and the network"
        else:
            what = f"broke off the connection ({_kind(error)}): look at its log or its proxy"
        return BrokenError(f"{self._site} {what}", sent=not isinstance(error, _NEVER_SENT))


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)


def _kind(error: Exception) -> str:
    return type(error).__name__
