"""Raw samples from Prometheus, or from what speaks its HTTP API, read only.

Connections: `address` may carry a path prefix. From the environment: SLUICE_PROMETHEUS_TOKEN, or
SLUICE_PROMETHEUS_USERNAME and SLUICE_PROMETHEUS_PASSWORD; SLUICE_PROMETHEUS_CA, a file with the
certificates to trust; SLUICE_PROMETHEUS_TENANT for servers with several tenants. Redirects are not
followed, since credentials must not travel, and no proxy of the environment sees what is asked.
"""

import math
import ssl
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit, urlunsplit

import httpx

from sluice.core.bounded import json_of
from sluice.core.finding import SilentError, UsageError
from sluice.network.deadlines import within
from sluice.network.encoding import PLAIN, CompressedError, refuse_encoding

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 20.0
WHOLE_SECONDS = 40.0
"""For one exchange as a whole, however slowly the answer comes."""
SIZE_LIMIT = 64 << 20
"""Bytes of an answer; fifty rollouts for a day are a quarter of it."""
_LONGEST_QUOTE = 200
_PREFIX = "SLUICE_PROMETHEUS_"

_ADVICE: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: f"wants credentials (401): set {_PREFIX}TOKEN or "
    f"{_PREFIX}USERNAME and {_PREFIX}PASSWORD",
    HTTPStatus.FORBIDDEN: "denies access (403): the account needs to query",
    HTTPStatus.NOT_FOUND: "has no such API (404): give the base address, with its path prefix",
    HTTPStatus.TOO_MANY_REQUESTS: "limits the rate of requests (429): ask less often",
    HTTPStatus.SERVICE_UNAVAILABLE: "is not ready or took too long (503)",
}


class Series(NamedTuple):
    """One series: its labels, and samples of (seconds since the epoch, value)."""

    labels: Mapping[str, str]
    samples: Sequence[tuple[float, float]]


class Answer(NamedTuple):
    """What a query gave; with warnings it may be only a part, and must not be judged."""

    series: Sequence[Series]
    warnings: tuple[str, ...] = ()

    @property
    def is_partial(self) -> bool:
        """Whether some of the data may be missing."""
        return bool(self.warnings)


class Prometheus:
    """A server to ask; close it after use, or use it in `with`.

    Args:
        address: http:// or https://, with a path prefix if there is one.
        environment: where credentials are looked up; `os.environ` as a rule.

    Raises:
        UsageError: when the address or the certificates cannot be used.
    """

    def __init__(self, address: str, environment: Mapping[str, str]) -> None:
        parts = _split(address)
        self._shown = urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))
        headers, login = _choose_credentials(environment)
        self._client = httpx.Client(
            base_url=self._shown.rstrip("/") + "/",
            headers=headers,
            auth=login,
            verify=_load_certificates(environment.get(f"{_PREFIX}CA", "")),
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def query(self, promql: str, time: float) -> Answer:
        """Evaluate a query that gives series, `metric[5m]` for instance, at a time.

        Raises:
            UsageError: in one line, when there is no answer or it is no good.
        """
        limit = f"{int(ANSWER_SECONDS)}s"
        form = {"query": promql, "time": f"{time:.3f}", "timeout": limit}
        data, warnings = self._ask("api/v1/query", form)
        return Answer(_read_series(data, self._describe_problem), warnings)

    def read_version(self) -> str:
        """Return the version of the server, for `doctor`.

        Raises:
            UsageError: when it does not say.
        """
        data, _ = self._ask("api/v1/status/buildinfo", None)
        return str(data.get("version", "unknown"))

    def _ask(self, path: str, form: Mapping[str, str] | None) -> tuple[Any, tuple[str, ...]]:
        response, body = self._send(path, form)
        try:
            answer = json_of(body)
        except ValueError:
            answer = None
        if isinstance(answer, dict) and answer.get("status") == "error":
            raise self._describe_problem(
                f"refuses the query: {_quote(str(answer.get('error', '')))}"
            )
        if response.status_code != HTTPStatus.OK:
            status = response.status_code
            raise self._describe_problem(_ADVICE.get(status, f"answers with status {status}"))
        if not isinstance(answer, dict) or not isinstance(answer.get("data"), dict):
            raise self._describe_problem(
                "answers, but not as Prometheus does: is a login page before it?"
            )
        return answer["data"], _read_warnings(answer)

    def _send(self, path: str, form: Mapping[str, str] | None) -> tuple[httpx.Response, bytes]:
        """Send by POST, whose length nobody limits; by GET where only reading is allowed."""
        try:
            if form is None:
                return self._read("GET", path)
            response, body = self._read("POST", path, data=form)
            if response.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
                return self._read("GET", path, params=form)
        except httpx.TimeoutException:
            raise SilentError(self._describe("does not answer in time")) from None
        except CompressedError as error:
            raise self._describe_problem(f"cannot be read: {error}") from None
        except httpx.HTTPError as error:
            raise SilentError(self._describe(f"does not answer: {_quote(str(error))}")) from None
        return response, body

    def _read(self, method: str, path: str, **more: Any) -> tuple[httpx.Response, bytes]:  # noqa: ANN401  # httpx's arguments
        body = bytearray()
        with (
            within(WHOLE_SECONDS, lambda: SilentError(self._describe("does not answer in time"))),
            self._client.stream(method, path, **more) as response,
        ):
            refuse_encoding(response)
            for part in response.iter_bytes():
                body += part
                if len(body) > SIZE_LIMIT:
                    raise self._describe_problem(f"answers with more than {SIZE_LIMIT >> 20} MiB")
        return response, bytes(body)

    def _describe_problem(self, problem: str) -> UsageError:
        return UsageError(self._describe(problem))

    def _describe(self, problem: str) -> str:
        return f"Prometheus at {self._shown} {problem}"


def _read_warnings(answer: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what may be missing, in the server's words or by the mark that some give instead."""
    warnings = tuple(_quote(str(warning)) for warning in answer.get("warnings") or ())
    if not warnings and answer.get("isPartial") is True:
        return ("isPartial",)
    return warnings


def _split(address: str) -> Any:  # noqa: ANN401  # urllib's result
    try:
        parts = urlsplit(address)
        is_usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable:
        raise UsageError("the address of Prometheus must be http:// or https:// with a host")
    if "@" in parts.netloc:
        variables = f"{_PREFIX}USERNAME and {_PREFIX}PASSWORD"
        raise UsageError(f"the address of Prometheus must not hold credentials: set {variables}")
    return parts


def _choose_credentials(
    environment: Mapping[str, str],
) -> tuple[dict[str, str], httpx.BasicAuth | None]:
    """Return the headers of every request, and a login where there is no token."""
    headers = {"accept": "application/json", "user-agent": "sluice", **PLAIN}
    tenant = environment.get(f"{_PREFIX}TENANT")
    if tenant:
        headers["x-scope-orgid"] = _check_header(tenant, "TENANT")
    token = environment.get(f"{_PREFIX}TOKEN")
    if token:
        headers["authorization"] = f"Bearer {_check_header(token, 'TOKEN')}"
        return headers, None
    user = environment.get(f"{_PREFIX}USERNAME")
    if not user:
        return headers, None
    return headers, httpx.BasicAuth(user, environment.get(f"{_PREFIX}PASSWORD", ""))


def _check_header(value: str, name: str) -> str:
    value = value.strip()
    if not (value.isascii() and value.isprintable()):
        raise UsageError(f"{_PREFIX}{name} holds what a header cannot")
    return value


def _load_certificates(certificates: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=certificates or None)
    except OSError as error:
        reason = error.strerror or "no certificates"
        raise UsageError(f"{_PREFIX}CA {certificates} cannot be used: {reason}") from None


def _read_series(data: Mapping[str, Any], problem: Any) -> list[Series]:  # noqa: ANN401  # makes errors
    """Return a matrix or a vector; every sample as a number, NaN and infinities included."""
    all_series = []
    try:
        kind = data["resultType"]
        if kind in ("matrix", "vector"):
            for item in data["result"]:
                # A vector has one sample for each series, a matrix a list of them.
                pairs = item["values"] if kind == "matrix" else [item["value"]]
                all_series.append(Series(item["metric"], [_read_sample(pair) for pair in pairs]))
            return all_series
    except (KeyError, TypeError, ValueError, IndexError, OverflowError):
        raise problem("gives samples that cannot be read") from None
    raise problem(f"gives a {_quote(str(kind))}, not series")


def _read_sample(pair: Sequence[Any]) -> tuple[float, float]:
    time = float(pair[0])
    if not math.isfinite(time):
        raise ValueError("a sample without a time")
    return time, float(pair[1])


def _quote(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_QUOTE else f"{line[: _LONGEST_QUOTE - 3]}..."
