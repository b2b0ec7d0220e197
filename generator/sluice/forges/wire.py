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
from sluice.forges.answers import Answer, MovedError, Site, read_answer, redact
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
        self._remembered: OrderedDict[str, Answer] = OrderedDict()

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
                answer = self._exchange_once(request, url, params)
                if answer.status // 100 != 3:  # noqa: PLR2004 - what redirects
                    return answer
                target = answer.headers.get("location", "")
                if not target:
                    break
                if request.writes and answer.status not in _KEEP_METHOD:
                    # Followed, it would become a GET, and nothing would be written.
                    self._check_host(urljoin(url, target))
                    raise self._make_moved_error(answer.status, target)
                url, params = urljoin(url, target), None
        except httpx.TransportError as error:
            raise self._make_broken_error(error) from None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise self._site.make_error(
                f"gives an answer that cannot be read: {_name_kind(error)}"
            ) from None
        raise self._make_moved_error(answer.status, "")

    def _make_moved_error(self, status: int, target: str) -> MovedError:
        """Make the error that says where it is now, if the address of another call tells."""
        place = "may have moved"
        repository = _REPOSITORY.search(urlsplit(target).path)
        if repository:
            name = redact(unquote(repository[1] or repository[2]))
            if name:
                place = f"has moved to {name}"
        return MovedError(
            f"{self._site} redirects ({status}): {self._site.repository} {place}; give its new "
            "address"
        )

    def _exchange_once(
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
        remembered = None if request.writes else self._remembered.get(key)
        if remembered:
            headers["If-None-Match"] = remembered.headers["etag"]
        answer = self._receive(
            self._client.build_request(
                request.method, url, params=params, content=content, headers=headers
            )
        )
        if remembered and answer.status == HTTPStatus.NOT_MODIFIED:
            return replace(
                remembered, headers={**remembered.headers, **answer.headers}, unchanged=True
            )
        if not request.writes:
            self._remember(key, answer)
        return answer

    def _receive(self, prepared: httpx.Request) -> Answer:
        """Read an answer within bounds of size and time, however it drips."""
        content = bytearray()
        with within(_DEADLINE, self._make_endless_error):
            response = self._client.send(prepared, stream=True)
            try:
                refuse_encoding(response)
                for chunk in response.iter_bytes():
                    content += chunk
                    if len(content) > _LARGEST:
                        raise self._make_endless_error()
            finally:
                response.close()
        return read_answer(response.status_code, response.headers, bytes(content))

    def _make_endless_error(self) -> UsageError:
        return self._site.make_error("does not come to an end of its answer: try again")

    def _remember(self, key: str, answer: Answer) -> None:
        self._remembered.pop(key, None)
        if answer.status == HTTPStatus.OK and answer.headers.get("etag"):
            self._remembered[key] = answer
            if len(self._remembered) > _REMEMBERED:
                self._remembered.popitem(last=False)

    def _check_host(self, url: str) -> None:
        """Send the credentials to the very host that was configured, and to no other."""
        if _parse_origin(url) != _parse_origin(self._site.base):
            raise self._site.make_error(
                f"redirects to another host, {redact(urlsplit(url).hostname or '')}, which must "
                "not see the credentials: check the address"
            )

    def _make_broken_error(self, error: httpx.TransportError) -> UsageError:
        text = redact(str(error), self._credentials.secrets())
        if isinstance(error, httpx.TimeoutException):
            problem = "does not answer in time: check that it works"
        elif "certificate" in text.lower():  # another attempt would end the same
            return self._site.make_error(
                "has no certificate that we trust: set SSL_CERT_FILE to its CA's certificate"
            )
        elif isinstance(error, httpx.ProxyError):
            problem = "is not reachable through the proxy: check HTTPS_PROXY and NO_PROXY"
        elif isinstance(error, httpx.ConnectError):
            problem = "is not reachable: check its address and the network"
        else:
            problem = (
                f"broke off the connection ({_name_kind(error)}): look at its log or its proxy"
            )
        return BrokenError(f"{self._site} {problem}", sent=not isinstance(error, _NEVER_SENT))


def _parse_origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)


def _name_kind(error: Exception) -> str:
    return type(error).__name__
