"""CODEOWNERS: whom a repository wants to look at a path.

In every section the last line that fits counts; a file without sections is one. Owners that are
mail addresses or roles are left out: nobody can be asked for a review by them.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

# Where forges look for it, the first that there is.
PLACES = (
    "CODEOWNERS",
    *(f"{folder}/CODEOWNERS" for folder in (".github", ".gitlab", "docs", ".gitea", ".forgejo")),
)

_SECTION = re.compile(r"\^?\[([^\]]+)\](?:\[\d+\])?(.*)")
_WORDS = re.compile(r"(?:\\.|[^\s\\])+")
_NAME = re.compile(r"@?([A-Za-z0-9][\w.-]*(?:/[\w.-]+)*)")
_GLOB = re.compile(r"\*\*/|/\*\*|\*|\?|\\.|.", re.DOTALL)
_MEANING = {"**/": "(?:[^/]+/)*", "/**": "/.+", "*": "[^/]*", "?": "[^/]"}


class Reviewers(NamedTuple):
    """Names as forges know them, without the `@`; teams without their organisation."""

    users: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()


class _Line(NamedTuple):
    section: str
    pattern: re.Pattern[str]
    owners: tuple[str, ...]


def owners(text: str, path: str) -> Reviewers:
    """Whom the text of a CODEOWNERS file names for a path."""
    found: dict[str, tuple[str, ...]] = {}
    for line in _lines(text):
        if line.pattern.fullmatch(path):
            found[line.section] = line.owners
    return reviewers([name for names in found.values() for name in names])


def reviewers(names: Sequence[str]) -> Reviewers:
    """Names as people write them, `@ada` and `@models/platform`, as users and teams."""
    matches = dict.fromkeys(match[1] for name in names if (match := _NAME.fullmatch(name)))
    users = tuple(name for name in matches if "/" not in name)
    return Reviewers(users, tuple(name.rpartition("/")[2] for name in matches if "/" in name))


@lru_cache(maxsize=8)
def _lines(text: str) -> tuple[_Line, ...]:
    return tuple(_read(text))


def _read(text: str) -> Iterator[_Line]:
    section = ""
    default: tuple[str, ...] = ()
    for raw in text.splitlines():
        line = raw.strip()
        head = _SECTION.fullmatch(line)
        if head:
            section, default = head[1].casefold(), tuple(_words(head[2]))
        elif line and not line.startswith("#"):
            pattern, *names = _words(line)
            yield _Line(section, re.compile(_regex(pattern)), tuple(names) or default)


def _words(line: str) -> Iterator[str]:
    """Words up to a comment."""
    for word in _WORDS.findall(line):
        if word.startswith("#"):
            return
        yield word


def _regex(pattern: str) -> str:
    """A pattern as a regular expression; a directory stands for all below it."""
    body = pattern.strip("/")
    anchored = pattern.startswith("/") or "/" in pattern.rstrip("/")
    parts = [_MEANING.get(part) or re.escape(part[-1]) for part in _GLOB.findall(body)]
    # `docs/*` are the files of docs alone, `docs` and `docs/` all below it.
    below = "" if "/" in body and body.endswith("*") else "(?:/.*)?"
    end = "/.*" if pattern.endswith("/") else below
    return ("" if anchored else "(?:.*/)?") + "".join(parts) + end
