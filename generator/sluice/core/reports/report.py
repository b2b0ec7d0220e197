"""Findings as text for people and as the formats that machines read."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sluice.core.confidential import quotable, redacted
from sluice.core.finding import Finding, Place, Rendered, Severity, dotted, in_order
from sluice.core.outgoing import in_place, visible
from sluice.core.reports.report_formats import (
    Shown,
    Sources,
    dumps,
    fingerprint,
    github,
    gitlab,
    junit,
    sarif,
)
from sluice.core.specs.remedies import fixable_by

__all__ = ["FORMATS", "Sources", "as_json", "fingerprint", "record", "report", "summary", "text"]

SCHEMA_VERSION = 1
_LONGEST = 1000
"""Characters of a message or a remedy."""

_TOKEN = re.compile(r"""["'][^"']*["']|[^\s:,\]}]+""")


def text(findings: Sequence[Finding], shown: Shown) -> str:
    """For a terminal: place, rule, message, the line with a caret, the remedy, a count."""
    blocks = [_block(finding, shown) for finding in findings]
    return "\n\n".join([*blocks, summary(findings)]) + "\n"


def summary(findings: Iterable[Finding]) -> str:
    """How many findings of each severity there are, and how many are waived, in one line."""
    counts = dict.fromkeys(Severity, 0)
    waived = 0
    for finding in findings:
        waived += bool(finding.waived)
        counts[finding.severity] += not finding.waived
    said = [f"{n} {s.value}{'s' if n != 1 else ''}" for s, n in counts.items() if n]
    return ", ".join([*said, *([f"{waived} waived"] if waived else [])]) or "no findings"


def as_json(findings: Sequence[Finding], shown: Shown) -> str:
    """One JSON document; `version` changes when the shape does."""
    del shown
    return dumps({"version": SCHEMA_VERSION, "findings": [record(f) for f in findings]})


def record(finding: Finding) -> dict[str, Any]:
    """A finding as JSON data; schemas/findings.schema.json describes it."""
    more: dict[str, Any] = {"rendered": _rendered(finding.rendered)} if finding.rendered else {}
    more |= {"waived": finding.waived} if finding.waived else {}
    more |= {"fixable": True} if fixable_by(finding) else {}
    return _record(finding) | more


def _rendered(where: Rendered) -> dict[str, Any]:
    return {**where._asdict(), "pointer": dotted(where.pointer)}


def _record(finding: Finding) -> dict[str, Any]:
    return {
        "file": finding.place.file,
        "line": finding.place.line,
        "column": finding.place.column,
        "rule": finding.rule,
        "severity": finding.severity.value,
        "message": finding.message,
        "help": finding.help,
    }


FORMATS: dict[str, Callable[[Sequence[Finding], Shown], str]] = {
    "text": text,
    "json": as_json,
    "github": github,
    "gitlab": gitlab,
    "junit": junit,
    "sarif": sarif,
}


def report(
    findings: Iterable[Finding],
    form: str,
    sources: Sources,
    *,
    changed: Mapping[str, frozenset[int]] | None = None,
    pages: Mapping[str, Mapping[str, str]] | None = None,
) -> str:
    """All findings in one format, in order.

    Args:
        findings: what was found.
        form: one of FORMATS.
        sources: the files that they are about.
        changed: the lines that a change touches, which annotations come to first.
        pages: title, text and remedy of rules, by id, for formats that carry them.
    """
    bounded = [_bounded(finding) for finding in in_order(findings)]
    said = FORMATS[form](bounded, Shown(sources, changed or {}, pages or {}))
    return said.encode(errors="backslashreplace").decode()  # names of files that are not UTF-8


def _bounded(finding: Finding) -> Finding:
    """A finding that nobody has to scroll past: what it quotes may be as long as a file."""
    message, remedy = _short(finding.message), _short(finding.help)
    if (message, remedy) == (finding.message, finding.help):
        return finding
    return replace(finding, message=message, help=remedy)


def _short(text: str) -> str:
    text = redacted(text)  # before it is cut, for half a secret looks like none
    left = len(text) - _LONGEST
    return text if left <= 0 else f"{text[:_LONGEST]}… and {left:,} more characters"


def _block(finding: Finding, shown: Shown) -> str:
    place = finding.place
    level = "waived" if finding.waived else finding.severity.value
    lines = [visible(f"{place}: {level}[{finding.rule}] {finding.message}"), *_quoted(place, shown)]
    if finding.rendered:
        lines.append(f"  = rendered: {visible(str(finding.rendered))}")
    if finding.help:
        fixable = " [fixable]" if fixable_by(finding) else ""
        lines.append(f"  = help: {visible(finding.help)}{fixable}")
    lines.append(f"  = docs: sluice explain {visible(finding.rule)}")
    if finding.waived:
        lines.append(f"  = waived: {visible(finding.waived)}")
    return "\n".join(lines)


def _quoted(place: Place, shown: Shown) -> list[str]:
    content = shown.sources.get(place.file, b"").split(b"\n", place.line)
    if place.line > len(content) or not content[place.line - 1].strip():
        return []
    line = quotable(content[place.line - 1].decode(errors="replace").rstrip())[:160]
    token = _TOKEN.match(line, place.column - 1)
    width = min(len(token[0]), 40) if token else 1
    margin = " " * len(str(place.line))
    return [
        f"  {place.line} | {in_place(line)}",
        f"  {margin} | {' ' * (place.column - 1)}{'^' * width}",
    ]
