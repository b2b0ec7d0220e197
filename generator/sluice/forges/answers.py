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

    def problem(self, what: str) -> UsageError:
        """Return an error about this site."""
        return UsageError(f"{self} {what}")

    def not_a_forge(self) -> UsageError:
        """Return the error for an answer that no such forge gives."""
        return self.problem(
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

    def __init__(self, message: str, status: int, said: str) -> None:
        super().__init__(message)
        self.status, self.said = status, said

    @property
    def cause(self) -> str:
        """The kind of it in few words, as metrics name it."""
        if _is_archived(self.status, self.said):
            return "archived"
        if self.says("moved project"):  # GitLab's word to all but reads
            return "renamed"
        if self.status == HTTPStatus.UNAUTHORIZED:
            return "credentials refused"
        if _PROTECTED.search(self.said):
            return "protected branch"
        if self.status == HTTPStatus.FORBIDDEN:
            return "missing scope" if _SCOPES.search(self.said) else "read-only token"
        return f"forge answers {self.status}"

    def says(self, *texts: str) -> bool:
        """Whether any of these stands in what the forge said, in whatever case."""
        return any(text.lower() in self.said.lower() for text in texts)


class HeadMovedError(UsageError):
    """A branch is not at the commit that words are about: somebody was faster."""

    def __init__(self, branch: str, expected: str, found: str | None) -> None:
        super().__init__(f"{branch} is at {found or 'nothing'}, not at {expected}; look again")
        self.branch, self.expected, self.found = branch, expected, found


class MovedError(UsageError):
    """The repository has another address now."""

    cause = "renamed"


def answer_of(
    status: int, headers: Mapping[str, str], content: bytes, encoding: str = "utf-8"
) -> Answer:
    """Return an answer with its JSON read, if it is JSON."""
    text = content.decode(encoding, "replace")
    return Answer(status, {k.lower(): v for k, v in headers.items()}, text, _json(text))


def refusal(site: Site, answer: Answer, secrets: Collection[str]) -> RefusedError:
    """Return an answer of 400 or more as an error, without secrets."""
    said = redact(_said(answer), secrets)
    advice = _ADVICE.get(answer.status)
    if _is_archived(answer.status, said):
        advice = _ARCHIVED
    if advice is None:
        failing = answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        advice = _SERVER_FAILS if failing else "refuses ({status})"
    text = advice.format(
        status=answer.status,
        credential=site.credential,
        repository=site.repository,
        needs=f" ({site.needs})" if site.needs else "",
    )
    quoted = said or (_PAGE if _is_page(answer) else "")
    return RefusedError(f"{site} {text}" + (f": {quoted}" if quoted else ""), answer.status, said)


def _is_archived(status: int, said: str) -> bool:
    """Whether the repository cannot be written to any more; some call that forbidden."""
    locked = status == HTTPStatus.LOCKED
    return locked or (status == HTTPStatus.FORBIDDEN and "archived" in said.lower())


def redact(text: str, secrets: Collection[str] = ()) -> str:
    """Return a text on one line of bounded length, without credentials."""
    for secret in secrets:
        text = text.replace(secret, "***") if secret else text
    text = _QUERY.sub(r"\1", _USER_INFO.sub("//", _TOKENS.sub("***", text)))
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= _LONGEST_QUOTE else f"{line[: _LONGEST_QUOTE - 1]}…"


def _said(answer: Answer) -> str:
    """Return the forge's own words; a page of HTML says nothing."""
    if isinstance(answer.data, dict):
        parts = (answer.data.get(key) for key in ("message", "error", "error_description"))
        return "; ".join(_flat(p) for p in (*parts, answer.data.get("errors")) if p)
    return "" if _is_page(answer) else answer.text


def _is_page(answer: Answer) -> bool:
    return answer.text.lstrip().startswith("<")


def _flat(value: object, deepest: int = _DEEPEST) -> str:
    """Return nested messages as one text, in the same order whatever order they came in."""
    if not deepest:
        return "…"
    if isinstance(value, dict):
        return ", ".join(
            f"{key} {_flat(v, deepest - 1)}" if key != "message" else _flat(v, deepest - 1)
            for key, v in sorted(value.items(), key=lambda item: (item[0] != "message", item[0]))
            if key != "documentation_url"
        )
    if isinstance(value, list):
        return ", ".join(_flat(each, deepest - 1) for each in value)
    return str(value)


def _json(text: str) -> Any:  # noqa: ANN401 - JSON is anything
    try:
        return json_of(text)
    except ValueError:
        return None
