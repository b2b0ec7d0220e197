"""Texts of others on their way out: shown as they are, obeyed by nobody.

A model's name, a tag of a registry, a branch or a spec may hold what a terminal, a log, a CI
system or an XML reader obeys. Every text that Sluice prints, commits or sends passes here.
"""

import re
from collections.abc import Callable, Iterable

from sluice.core.confidential import redacted

_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_PARTS = re.compile(r"[^\n\t]+")
# A CI system takes a line that begins so for an order; of the second one the place is all the same.
_ORDER = re.compile(r"^([^\S\n]*+)::|##(?=\[|vso\[|teamcity\[)", re.MULTILINE)
_LARGEST_UNIT = 0xFFFF


def visible(text: str) -> str:
    """On one line, with an escape in the place of whatever a reader would obey."""
    return _replaced(text, _escape)


def in_place(text: str) -> str:
    """As `visible`, with one mark for each such character: what stands below it stays below it."""
    return _replaced(text, lambda _: "\N{REPLACEMENT CHARACTER}")


def one_line(text: str) -> str:
    """On one line, for prose: without secrets, breaks as blanks, and nothing that is not seen."""
    return _replaced(_BREAKS.sub(" ", redacted(text)), lambda _: "").strip()


def printable(text: str, *, orders: bool = False) -> str:
    """Lines as they may be printed: without secrets, and without what a terminal or a log obeys.

    The escapes are those of JSON, so that a JSON document stays the same document.

    Args:
        text: any number of lines, the breaks of which are meant.
        orders: whether lines that a CI system obeys are meant as well.
    """
    shown = _PARTS.sub(lambda part: visible(part[0]), redacted(text))
    return shown if orders else _ORDER.sub(_disarmed, shown)


def lines_of(lines: Iterable[str]) -> str:
    """Lines for a terminal, each of which stays one whatever stands in it."""
    return "".join(f"{visible(line)}\n" for line in lines)


def _replaced(text: str, by: Callable[[str], str]) -> str:
    """The text with something else for each character that is not seen as itself."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else by(each) for each in text)


def _escape(character: str) -> str:
    code = ord(character)
    if code <= _LARGEST_UNIT:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"


def _disarmed(match: re.Match[str]) -> str:
    return f"{match[1]}\\u003a:" if match[1] is not None else "\\u0023#"
