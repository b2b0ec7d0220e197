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


def shorten(text: str, longest: int) -> str:
    """Return a title or a label: one line, at most so many characters."""
    line = " ".join(clean(text).split())
    if len(line) > longest:
        return f"{line[: longest - 1]}…"
    return line


def is_same(left: str, right: str) -> bool:
    """Whether two bodies say the same; forges change line ends and trim."""
    return _normalise(left) == _normalise(right)


def join_part(current: str, ours: str, limit: int, changes: str = "") -> str:
    """Return a body with our part brought to `ours`; what people and their bots wrote stays.

    A box that was ticked stays so while the text is about the same versions. Where `ours` has no
    delimiters, it is the whole body.

    Args:
        current: the body as it is.
        ours: our part as it is to be.
        limit: characters that fit.
        changes: address where all changed files are shown, if there is one.
    """
    if not _BEGIN.search(ours):
        return fit(ours, limit, changes)
    begin, end = _find_part(current)
    before = clean(current[:begin])
    old = current[begin:end]
    after = clean(current[end:])
    if after.strip() and not after.startswith(("\n", "\r")):
        after = f"\n\n{after}"
    if _read_subject(old) == _read_subject(ours):
        ours = _keep_ticks(old, ours)
    room = max(limit - len(before) - len(after), 0)
    return f"{before}{fit(ours.rstrip(), room, changes)}{after}"


def _keep_ticks(old: str, new: str) -> str:
    """Tick the boxes of a text that people have ticked in an older one."""
    ticked = {box[3] for box in _BOX.finditer(old) if box[2] != " "}

    def tick(box: re.Match[str]) -> str:
        mark = "x" if box[3] in ticked else box[2]
        return f"{box[1]}{mark}{box[3]}"

    return _BOX.sub(tick, new)


def replace_part(current: str, other: str, limit: int) -> str:
    """Return a body with our part as it is in another version of that body.

    What people wrote meanwhile stays. Where the other one has no delimiters, it is the whole body.

    Args:
        current: the body as it is.
        other: the body whose part counts.
        limit: characters that fit.
    """
    begin, end = _find_part(other)
    if _BEGIN.search(other):
        other = other[begin:end]
    return join_part(current, other, limit)


def _find_part(text: str) -> tuple[int, int]:
    """Where our part begins and ends; before everything where there is none."""
    begins = [line.start() for line in _BEGIN.finditer(text)]
    if len(begins) > 1:
        outside = _find_outside_of_code(text)
        begins = [at for at in begins if at in outside] or begins
    for start, limit in reversed([*pairwise([*begins, len(text)])]):
        end = _END.search(text, start, limit)
        if end:
            return start, end.end()
    if begins:
        line = _BEGIN.match(text, begins[-1])
        return begins[-1], line.end() if line else begins[-1]
    # Somebody has removed the line at which our part begins: then all before its end is ours.
    ends = [marker.end() for marker in _END.finditer(text)]
    return 0, ends[-1] if ends else 0


def _find_outside_of_code(text: str) -> set[int]:
    """Where lines begin that are in no code block."""
    starts, at = set(), 0
    for line, inside in _walk_lines(text):
        if not inside:
            starts.add(at)
        at += len(line)
    return starts


def _read_subject(text: str) -> dict[str, object]:
    """The versions that a part of ours names in its marker."""
    markers = list(_END.finditer(text))
    if not markers:
        return {}
    try:
        fields = json_of(markers[-1][1])
    except ValueError:
        return {}
    if not isinstance(fields, dict):
        return {}
    return {name: fields[name] for name in _SUBJECT if name in fields}


def fit(text: str, limit: int, changes: str = "") -> str:
    """Return a body of at most `limit` characters.

    Whole sections are left out, the first ones stay as long as there is room; their headings
    and the marker at the end always stay, unless the limit is absurd. What is left out is told,
    with a link to `changes`, the address where all changed files are shown, if there is one.

    Args:
        text: the body.
        limit: characters that fit.
        changes: address where all changed files are shown, if there is one.
    """
    text = clean(text)
    if len(text) <= limit:
        return text
    words, marker = _split_marker(text)
    first, *sections = _split_sections(words)
    link = f"[changed files]({changes})" if changes else "changed files"
    notice = _LEFT_OUT.format(link)
    stubs = [f"{section.splitlines()[0]}\n\n{notice}\n\n" for section in sections]
    room = limit - len(marker) - sum(map(len, stubs))
    if room < 0:  # there are more headings than room
        return _cut(words, limit - len(marker), notice) + marker
    parts = [_cut(first, room, notice)]
    room -= len(parts[0])
    for section, stub in zip(sections, stubs, strict=True):
        more = len(section) - len(stub)  # the stub has its room already
        if more <= room:
            parts.append(section)
            room -= more
        else:
            parts.append(stub)
    return _cut("".join(parts).rstrip(), limit - len(marker), notice) + marker


def _normalise(text: str) -> str:
    return text.replace("\r\n", "\n").strip()


def _split_marker(text: str) -> tuple[str, str]:
    """Return a text without the marker in its last line, and the marker with the space around."""
    end = text.rstrip()
    at = end.find(_MARKER, end.rfind("\n") + 1) if end.endswith(_MARKER_END) else -1
    if at < 0:
        return text, ""
    words = text[:at].rstrip("\n")
    return words, text[len(words) :]


def _split_sections(text: str) -> list[str]:
    """Split before each heading that is not inside a code block."""
    starts, at = [0], 0
    for line, inside in _walk_lines(text):
        if line.startswith(_HEADING) and not inside:
            starts.append(at)
        at += len(line)
    return [text[start:end] for start, end in pairwise([*starts, at])]


def _cut(text: str, limit: int, notice: str) -> str:
    """Return the first lines, as many as fit, without a code block that does not end."""
    if len(text) <= limit:
        return text
    kept, length = 0, 0
    for line, inside in _walk_lines(text):
        length += len(line)
        if length + len(notice) + 2 > limit:
            break
        if not inside:
            kept = length
    return f"{text[:kept].rstrip()}\n\n{notice}"[: max(limit, 0)]


def _walk_lines(text: str) -> Iterator[tuple[str, bool]]:
    """Yield lines, and whether a code block is open after them."""
    fence = ""
    for line in text.splitlines(keepends=True):
        match = _FENCE.match(line)
        if match and not fence:
            fence = match[1]
        elif match and match[1].startswith(fence) and not line[match.end() :].strip():
            fence = ""
        yield line, bool(fence)
