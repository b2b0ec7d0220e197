"""What went wrong between us and an MLflow server, in one line that says what to do."""

import contextlib
import json
import re
import traceback
from collections.abc import Iterator
from http import HTTPStatus
from urllib.parse import urlsplit, urlunsplit

from sluice.core.finding import UsageError
from sluice.network.deadlines import within
from sluice.network.transport import TooLargeError, limit_conversation
from sluice.registries.mlflow_workspaces import is_about_workspaces, read_workspace

NOT_MLFLOW = (
    "answers, but not as MLflow does: give the tracking server's base address, and look for a "
    "login page or a proxy before it"
)
TO_READ = "READ on the models and on the experiments of their runs"
TO_WRITE = "EDIT on the model, and on the experiment of its run"
_STATUS_IN_TEXT = re.compile(r"failed with error code (\d{3})|too many (\d{3}) error responses")
_WRONG_HOST = "Invalid Host header"
_USER_INFO = re.compile(r"//[^/\s@]*@")
_LONGEST_QUOTE = 200

_ADVICE = {
    HTTPStatus.UNAUTHORIZED: (
        "wants credentials that it accepts (401): set MLFLOW_TRACKING_USERNAME and "
        "MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
    ),
    HTTPStatus.NOT_FOUND: (
        "has no such API (404): give the tracking server's base address, with its path prefix "
        "if it has one"
    ),
    HTTPStatus.REQUEST_URI_TOO_LONG: (
        "or a proxy before it refuses long addresses (414): raise the proxy's request line limit"
    ),
    HTTPStatus.TOO_MANY_REQUESTS: "limits the rate of requests (429): poll less often",
}


WHOLE_SECONDS = 120.0
"""For what is asked at once, however many calls of the client that takes."""


class NonsenseError(ValueError):
    """The server answered, but not about what it was asked for, which the text names."""


_MOST_PAGES = 1000


def check_page(token: str, before: set[str]) -> str:
    """Return the token of a page, and add it to those that were asked for before.

    Raises:
        NonsenseError: it was asked for already, or there is no end of pages.
    """
    if token in before or len(before) >= _MOST_PAGES:
        raise NonsenseError("the next page")
    before.add(token)
    return token


@contextlib.contextmanager
def explain_failures(
    uri: str, needs: str = TO_READ, seconds: float | None = None
) -> Iterator[None]:
    """Turn every failure of the client inside into one line.

    Args:
        uri: the server's address.
        needs: which permission the account lacks when it is denied.
        seconds: how long all of it may take; None is `WHOLE_SECONDS`.

    Raises:
        UsageError: about the address; it has no cause, which would show the credentials in it.
    """
    from google.protobuf import json_format  # type: ignore[import-untyped] # noqa: PLC0415 - slow
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - slow: only when used

    try:
        with (
            within(WHOLE_SECONDS if seconds is None else seconds, TimeoutError),
            limit_conversation(),
        ):
            yield
    except TimeoutError:
        problem = _SLOW
    except MlflowException as error:
        problem = _describe_failure(error, uri, needs)
    except (json_format.ParseError, json.JSONDecodeError, RecursionError):
        problem = NOT_MLFLOW
    except NonsenseError as error:
        problem = f"{NOT_MLFLOW} (it was asked for {_quote(str(error))})"
    except ImportError as error:
        problem = f"needs the Python package {error.name}: install the full mlflow package"
    except ValueError as error:
        # A setting of the client that it cannot read.
        problem = f"cannot be used: {_quote(str(error))}"
    else:
        return
    raise UsageError(f"MLflow at {redact(uri)} {problem}")


def redact(uri: str) -> str:
    """Return the address without user, password, query and fragment."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return uri.partition(":")[0] + ":..."  # it may hold a password in an odd place
    if not parts.netloc:
        return uri
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def is_missing(error: Exception) -> bool:
    """Whether the server says that the thing asked for does not exist."""
    if getattr(error, "error_code", "") not in {"RESOURCE_DOES_NOT_EXIST", "NOT_FOUND"}:
        return False
    if _find_wire_status(error) not in (HTTPStatus.NOT_FOUND, None):
        return False
    return not is_about_workspaces(error)


def is_unsupported(error: Exception) -> bool:
    """Whether the server does not know the API that was called."""
    return getattr(error, "error_code", "") in {"ENDPOINT_NOT_FOUND", "NOT_IMPLEMENTED"}


def is_invalid(error: Exception) -> bool:
    """Whether the server finds the request's parameters wrong."""
    is_refused = getattr(error, "error_code", "") in {"INVALID_PARAMETER_VALUE", "BAD_REQUEST"}
    return is_refused and not is_about_workspaces(error)


def is_forbidden(error: Exception) -> bool:
    """Whether the server knows who asks, and does not let them see this one thing."""
    return find_status(error) == HTTPStatus.FORBIDDEN and _WRONG_HOST not in str(error)


def _describe_failure(error: Exception, uri: str, needs: str) -> str:
    status, text = find_status(error), str(error)
    if is_about_workspaces(error):
        workspace = read_workspace()
        name = f"workspace {workspace!r}" if workspace else "default workspace"
        return f"has no {name}: set MLFLOW_WORKSPACE to one that it has, or unset it"
    if status is None:
        return _describe_connection(error.__cause__ or error.__context__, text)
    if status in _ADVICE:
        return _ADVICE[HTTPStatus(status)]
    host = urlsplit(uri).netloc.rpartition("@")[2]
    hosts = f"start it with --allowed-hosts {host}, and what else calls it"
    redirected = HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST
    for applies, complaint, remedy in (
        (redirected, "sends us to another address", _ELSEWHERE),
        (_WRONG_HOST in text, "rejects the host name", hosts),
        (status == HTTPStatus.FORBIDDEN, "denies access", f"the account needs {needs}"),
        (status >= HTTPStatus.INTERNAL_SERVER_ERROR, "fails", _advise_log()),
    ):
        if applies:
            return f"{complaint} ({status}): {remedy}"
    return f"refuses ({status}): {_quote(text)}"


def _advise_log() -> str:
    """Return what to do about a failure, of which the client shows no more than its number."""
    advice = "look into the server's log"
    if read_workspace():
        advice += "; if it has no workspaces, unset MLFLOW_WORKSPACE"
    return advice


def find_status(error: Exception) -> int | None:
    """Return the HTTP status that the server gave; None when there was no such answer."""
    status = _find_wire_status(error)
    if status is not None:
        return status
    if hasattr(error, "json"):
        return int(error.get_http_status_code())  # type: ignore[attr-defined]
    match = _STATUS_IN_TEXT.search(str(error))
    if match is None:
        return None
    return int(match[1] or match[2])


def _find_wire_status(error: Exception) -> int | None:
    """Find the status of the answer that the client was looking at when it gave up.

    The client drops it where the JSON of an answer has no error code of MLflow's: a 401 of a proxy
    then looks like a failure of the server.
    """
    status = None
    for frame, _ in traceback.walk_tb(error.__traceback__):
        code = getattr(frame.f_locals.get("response"), "status_code", None)
        if isinstance(code, int) and code >= HTTPStatus.MULTIPLE_CHOICES:
            status = code
    return status


def _describe_connection(cause: BaseException | None, text: str) -> str:
    from requests import exceptions  # noqa: PLC0415 - slow: only when used
    from urllib3.exceptions import (  # noqa: PLC0415 - as above
        NameResolutionError,
        ProtocolError,
        ReadTimeoutError,
    )

    inner = cause.args[0] if cause and cause.args else None
    causes = (cause, inner, getattr(inner, "reason", None))
    # The special before the general: all but the time-outs are connection errors too.
    for kind, complaint in (
        (TooLargeError, str(TooLargeError())),
        (exceptions.Timeout, _SLOW),
        (ReadTimeoutError, _SLOW),
        (exceptions.SSLError, _describe_certificate(text)),
        (exceptions.ProxyError, "is not reachable through the proxy: check HTTPS_PROXY, NO_PROXY"),
        (NameResolutionError, "is not reachable: its host name is unknown here"),
        (exceptions.ChunkedEncodingError, _BROKEN),
        (ProtocolError, _BROKEN),
        (exceptions.ConnectionError, "is not reachable: check that it runs, its address and port"),
    ):
        if any(isinstance(problem, kind) for problem in causes):
            return complaint
    if "not in a valid JSON format" in text:
        return NOT_MLFLOW
    return f"cannot be used: {_quote(text)}"


_ELSEWHERE = "give that one if it is the tracking server's, or look for a login page before it"
_BROKEN = (
    "breaks the connection off before its answer is whole: look into the server's log and at "
    "proxies before it, and check that its port speaks HTTP"
)
_SLOW = "does not answer in time: check that it works, or raise MLFLOW_HTTP_REQUEST_TIMEOUT"
_UNTRUSTED = (
    "has no certificate that we trust: set MLFLOW_TRACKING_SERVER_CERT_PATH to its CA, or give "
    "http:// if it has no TLS"
)


def _describe_certificate(text: str) -> str:
    """Return what is wrong with a certificate, where OpenSSL says it."""
    lowered = text.lower()
    if "certificate has expired" in lowered:
        return "has a certificate that has expired: renew it"
    if "certificate is not yet valid" in lowered:
        return "has a certificate that is not valid yet: check the clocks of both machines"
    if "mismatch" in lowered or "doesn't match" in lowered:
        return "has a certificate for another host: give the name that stands in it"
    return _UNTRUSTED


def _quote(text: str) -> str:
    line = " ".join(_USER_INFO.sub("//", text).split())
    return line if len(line) <= _LONGEST_QUOTE else f"{line[: _LONGEST_QUOTE - 3]}..."
