"""Texts as a forge can hold them: of bounded length, cut where a section begins."""

import re
from collections.abc import Iterator
from itertools import pairwise

from sluice.core.bounded import json_of

_HEADING = "### "
_MARKER, _MARKER_END = "<!-- sluice:", "-->"
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
# Our part of a text: from this line to our first marker after it, or, where somebody has removed
# the line, to our last marker. Of several that people have copied it is the last one outside of
# code: a quotation stands above what is said of it. `core.promotion.message` reads it likewise.
_BEGIN = re.compile(r"^<!-- sluice:begin -->[ \t\r]*$", re.MULTILINE)
_END = re.compile(r"^<!-- sluice:v1 (\{[^\n]*?\}) -->", re.MULTILINE)
_SUBJECT = ("version", "registered", "releases")
_BOX = re.compile(r"^([ \t]*[-*+] \[)([ xX])(\] [^\r\n]*)", re.MULTILINE)
_LEFT_OUT = "_Too long to be shown here: look at the {}._"


def clean(text: str) -> str:
    """Return a text that survives JSON, UTF-8 and a database: no NUL, no lone surrogates."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def one_line(text: str, longest: int) -> str:
    """Return a title or a label: one line, at most so many characters."""
    line = " ".join(clean(text).split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def same(left: str, right: str) -> bool:
    """Whether two bodies say the same; forges change line ends and trim."""
    return _plain(left) == _plain(right)


def joined(there: str, ours: str, limit: int, changes: str = "") -> str:
    """Return a body with our part brought to `ours`; what people and their bots wrote stays.

    A box that was ticked stays so while the text is about the same versions. Where `ours` has no
    delimiters, it is the whole body. `limit` and `changes` are those of `fit`.
    """
    if not _BEGIN.search(ours):
        return fit(ours, limit, changes)
    begin, end = _part(there)
    before, old, after = clean(there[:begin]), there[begin:end], clean(there[end:])
    if after.strip() and not after.startswith(("\n", "\r")):
        after = f"\n\n{after}"
    if _subject(old) == _subject(ours):
        ticked = {found[3] for found in _BOX.finditer(old) if found[2] != " "}
        ours = _BOX.sub(lambda box: box[1] + ("x" if box[3] in ticked else box[2]) + box[3], ours)
    room = max(limit - len(before) - len(after), 0)
    return f"{before}{fit(ours.rstrip(), room, changes)}{after}"


def replaced(there: str, other: str, limit: int) -> str:
    """Return a body with our part as it is in another version of that body.

    What people wrote meanwhile stays. Where the other one has no delimiters, it is the whole body.
    """
    begin, end = _part(other)
    return joined(there, other[begin:end] if _BEGIN.search(other) else other, limit)


def _part(text: str) -> tuple[int, int]:
    """Where our part begins and ends; before everything where there is none."""
    begins = [found.start() for found in _BEGIN.finditer(text)]
    if len(begins) > 1:
        outside = _outside_of_code(text)
        begins = [at for at in begins if at in outside] or begins
    for start, limit in reversed([*pairwise([*begins, len(text)])]):
        end = _END.search(text, start, limit)
        if end:
            return start, end.end()
    if begins:
        line = _BEGIN.match(text, begins[-1])
        return begins[-1], line.end() if line else begins[-1]
    ends = [found.end() for found in _END.finditer(text)]
    return 0, ends[-1] if ends else 0


def _outside_of_code(text: str) -> set[int]:
    """Where lines begin that are in no code block."""
    starts, at = set(), 0
    for line, inside in _lines(text):
        if not inside:
            starts.add(at)
        at += len(line)
    return starts


def _subject(text: str) -> dict[str, object]:
    """The versions that a part of ours names in its marker."""
    ends = list(_END.finditer(text))
    try:
        data = json_of(ends[-1][1]) if ends else {}
    except ValueError:
        return {}
    known = data if isinstance(data, dict) else {}
    return {name: known[name] for name in _SUBJECT if name in known}


def fit(text: str, limit: int, changes: str = "") -> str:
    """Return a body of at most `limit` characters.

    Whole sections are left out, the first ones stay as long as there is room; their headings
    and the marker at the end always stay, unless the limit is absurd. What is left out is told,
    with a link to `changes`, the address where all changed files are shown, if there is one.
    """
    text = clean(text)
    if len(text) <= limit:
        return text
    said, marker = _parted(text)
    first, *sections = _sections(said)
    told = _LEFT_OUT.format(f"[changed files]({changes})" if changes else "changed files")
    stubs = [f"{section.splitlines()[0]}\n\n{told}\n\n" for section in sections]
    room = limit - len(marker) - sum(map(len, stubs))
    if room < 0:  # there are more headings than room
        return _cut(said, limit - len(marker), told) + marker
    parts = [_cut(first, room, told)]
    room -= len(parts[0])
    for section, stub in zip(sections, stubs, strict=True):
        whole = len(section) - len(stub) <= room
        parts.append(section if whole else stub)
        room -= len(section) - len(stub) if whole else 0
    return _cut("".join(parts).rstrip(), limit - len(marker), told) + marker


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").strip()


def _parted(text: str) -> tuple[str, str]:
    """Return a text without the marker in its last line, and the marker with the space around."""
    end = text.rstrip()
    at = end.find(_MARKER, end.rfind("\n") + 1) if end.endswith(_MARKER_END) else -1
    if at < 0:
        return text, ""
    said = text[:at].rstrip("\n")
    return said, text[len(said) :]


def _sections(text: str) -> list[str]:
    """Split before each heading that is not inside a code block."""
    starts, at = [0], 0
    for line, inside in _lines(text):
        if line.startswith(_HEADING) and not inside:
            starts.append(at)
        at += len(line)
    return [text[start:end] for start, end in pairwise([*starts, at])]


def _cut(text: str, limit: int, told: str) -> str:
    """Return the first lines, as many as fit, without a code block that does not end."""
    if len(text) <= limit:
        return text
    kept, length = 0, 0
    for line, inside in _lines(text):
        length += len(line)
        if length + len(told) + 2 > limit:
            break
        if not inside:
            kept = length
    return f"{text[:kept].rstrip()}\n\n{told}"[: max(limit, 0)]


def _lines(text: str) -> Iterator[tuple[str, bool]]:
    """Yield lines, and whether a code block is open after them."""
    fence = ""
    for line in text.splitlines(keepends=True):
        found = _FENCE.match(line)
        if found and not fence:
            fence = found[1]
        elif found and found[1].startswith(fence) and not line[found.end() :].strip():
            fence = ""
        yield line, bool(fence)
