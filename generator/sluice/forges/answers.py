"""What a forge answered, and every failure as one line that says what to do."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from sluice.core.bounded import json_of
from sluice.core.finding import UsageError

_LONGEST_QUOTE = 300
_DEEPEST = 6  # levels of an error that are worth quoting
_REASON_KEYS = ("message", "error", "error_description", "errors")  # where forges say why
_PAGE = "a web page came instead of an answer, so look for a proxy or a login before it"
_USER_INFO = re.compile(r"//[^/\s@]*@")
_QUERY = re.compile(r"(://[^\s'\"?]*)\?[^\s'\"]*")
_TOKENS = re.compile(
    r"\b(?:gh[oprsu]_|github_pat_|glpat-|gldt-|glrt-)[\w.-]{10,}|\beyJ[\w-]+\.[\w-]+\.[\w-]+"
)

_ARCHIVED = (
    "has the repository archived or locked ({status}): unlock {repository}, or give the address of "
    "the one that is in use"
)
_SCOPES = re.compile(
    r"required scope|insufficient[_ ]scope|not accessible by|does not have .*scope",
    re.IGNORECASE,
)
_PROTECTED = re.compile(r"protected branch|branch protection|push to protected", re.IGNORECASE)
_ADVICE: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: "does not accept the credentials (401): renew {credential}",
    HTTPStatus.FORBIDDEN: (
        "forbids this (403): {credential} needs read and write access to the contents, the pull "
        "requests and the commit statuses of {repository}{needs}"
    ),
    HTTPStatus.NOT_FOUND: (
        "knows no such thing (404): check the address {repository}, and that {credential} may "
        "see it"
    ),
    HTTPStatus.METHOD_NOT_ALLOWED: (
        "does not allow this (405): look at the rules of its branches, and whether the repository "
        "has moved or does not take pull requests"
    ),
    HTTPStatus.REQUEST_TIMEOUT: "did not wait for all of it (408): the next cycle tries again",
    HTTPStatus.CONFLICT: "sees a conflict (409): the next cycle looks again",
    HTTPStatus.GONE: "has this turned off or removed (410): check the settings of {repository}",
    HTTPStatus.PRECONDITION_FAILED: (
        "says that others were faster (412): the next cycle looks again"
    ),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "finds the text too long (413): propose less at once",
    HTTPStatus.UNPROCESSABLE_ENTITY: "refuses these values (422)",
    HTTPStatus.LOCKED: _ARCHIVED,
    HTTPStatus.TOO_MANY_REQUESTS: "limits the rate of calls (429): the next cycle tries again",
}
_SERVER_FAILS = "fails ({status}): look at its status page or log; the next cycle tries again"


@dataclass(frozen=True, slots=True)
class Site:
    """One repository on one forge, as messages name it; `base` is where its API begins.

    `needs` says in the forge's own words what the credentials must be allowed.
    """

    name: str
    base: str
    repository: str
    credential: str = "SLUICE_FORGE_TOKEN"
    needs: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.name} at {self.base.partition('://')[2].partition('/')[0]}"

    def make_error(self, problem: str) -> UsageError:
        """Return an error about this site."""
        return UsageError(f"{self} {problem}")

    def make_format_error(self) -> UsageError:
        """Return the error for an answer that no such forge gives."""
        return self.make_error(
            f"answers, but not as {self.name} does: check the address, and look for a login page "
            "or a proxy before it"
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; header names are in lower case, `data` is None when there is no JSON."""

    status: int
    headers: Mapping[str, str]
    text: str
    data: Any = None
    unchanged: bool = False


class RefusedError(UsageError):
    """The forge said no: its `status`, and what it `said` on one line."""

    def __init__(self, message: str, status: int, reason: str) -> None:
        super().__init__(message)
        self.status, self.reason = status, reason

    @property
    def cause(self) -> str:
        """The kind of it in few words, as metrics name it."""
        if _is_archived(self.status, self.reason):
            return "archived"
        if self.says("moved project"):  # GitLab's word to all but reads
            return "renamed"
        if self.status == HTTPStatus.UNAUTHORIZED:
            return "credentials refused"
        if _PROTECTED.search(self.reason):
            return "protected branch"
        if self.status == HTTPStatus.FORBIDDEN:
            return "missing scope" if _SCOPES.search(self.reason) else "read-only token"
        return f"forge answers {self.status}"

    def says(self, *texts: str) -> bool:
        """Whether any of these stands in what the forge said, in whatever case."""
        return any(text.lower() in self.reason.lower() for text in texts)


class HeadMovedError(UsageError):
    """A branch is not at the commit that words are about: somebody was faster."""

    def __init__(self, branch: str, expected: str, actual: str | None) -> None:
        super().__init__(f"{branch} is at {actual or 'nothing'}, not at {expected}; look again")
        self.branch, self.expected, self.actual = branch, expected, actual


class MovedError(UsageError):
    """The repository has another address now."""

    cause = "renamed"


def read_answer(
    status: int, headers: Mapping[str, str], content: bytes, encoding: str = "utf-8"
) -> Answer:
    """Return an answer with its JSON read, if it is JSON.

    Args:
        status: of the answer.
        headers: of the answer; their names in any case.
        content: the body.
        encoding: of its text.
    """
    text = content.decode(encoding, "replace")
    lowered = {name.lower(): value for name, value in headers.items()}
    return Answer(status, lowered, text, _parse_json(text))


def make_refusal(site: Site, answer: Answer, secrets: Collection[str]) -> RefusedError:
    """Return an answer of 400 or more as an error, without secrets.

    Args:
        site: who answered.
        answer: what it answered.
        secrets: what no message may show.
    """
    reason = redact(_find_reason(answer), secrets)
    advice = _ADVICE.get(answer.status)
    if _is_archived(answer.status, reason):
        advice = _ARCHIVED
    if advice is None:
        is_failing = answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        advice = _SERVER_FAILS if is_failing else "refuses ({status})"
    text = advice.format(
        status=answer.status,
        credential=site.credential,
        repository=site.repository,
        needs=f" ({site.needs})" if site.needs else "",
    )
    message = f"{site} {text}"
    if reason:
        message += f": {reason}"
    elif _is_page(answer):
        message += f": {_PAGE}"
    return RefusedError(message, answer.status, reason)


def _is_archived(status: int, reason: str) -> bool:
    """Whether the repository cannot be written to any more; some call that forbidden."""
    if status == HTTPStatus.LOCKED:
        return True
    return status == HTTPStatus.FORBIDDEN and "archived" in reason.lower()


def redact(text: str, secrets: Collection[str] = ()) -> str:
    """Return a text on one line of bounded length, without credentials."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    text = _TOKENS.sub("***", text)
    text = _USER_INFO.sub("//", text)
    text = _QUERY.sub(r"\1", text)
    # Control characters of a server must not reach a terminal or a log.
    printable = "".join(char if char.isprintable() else " " for char in text)
    line = " ".join(printable.split())
    if len(line) > _LONGEST_QUOTE:
        return f"{line[: _LONGEST_QUOTE - 1]}…"
    return line


def _find_reason(answer: Answer) -> str:
    """Return the forge's own words; a page of HTML says nothing."""
    if isinstance(answer.data, dict):
        parts = [answer.data.get(key) for key in _REASON_KEYS]
        return "; ".join(_flatten(part) for part in parts if part)
    if _is_page(answer):
        return ""
    return answer.text


def _is_page(answer: Answer) -> bool:
    return answer.text.lstrip().startswith("<")


def _flatten(value: object, deepest: int = _DEEPEST) -> str:
    """Return nested messages as one text, in the same order whatever order they came in."""
    if not deepest:
        return "…"
    if isinstance(value, dict):
        parts = []
        if "message" in value:  # it comes first, and needs no key before it
            parts.append(_flatten(value["message"], deepest - 1))
        keys = sorted(value.keys() - {"message", "documentation_url"})
        parts += [f"{key} {_flatten(value[key], deepest - 1)}" for key in keys]
        return ", ".join(parts)
    if isinstance(value, list):
        return ", ".join(_flatten(item, deepest - 1) for item in value)
    return str(value)


def _parse_json(text: str) -> Any:  # noqa: ANN401 - JSON is anything
    try:
        return json_of(text)
    except ValueError:
        return None
