"""Findings as text for people and as the formats that machines read."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from sluice.core.finding import Finding, Rendered, Severity, dotted, in_order

Sources = Mapping[str, bytes]
"""The text of the files that findings are about, for the lines that are shown."""

SCHEMA_VERSION = 1

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def text(findings: Sequence[Finding], sources: Sources) -> str:
    """For a terminal: place, rule, message, the line with a caret, the remedy, a count."""
    blocks = [_block(finding, sources) for finding in findings]
    return "\n\n".join([*blocks, summary(findings)]) + "\n"


def summary(findings: Iterable[Finding]) -> str:
    """How many findings of each severity there are, in one line."""
    counts = dict.fromkeys(Severity, 0)
    for finding in findings:
        counts[finding.severity] += 1
    said = [f"{n} {s.value}{'s' if n != 1 else ''}" for s, n in counts.items() if n]
    return ", ".join(said) or "no findings"


def as_json(findings: Sequence[Finding], sources: Sources) -> str:
    """One JSON document; `version` changes when the shape does."""
    del sources
    return _dumps({"version": SCHEMA_VERSION, "findings": [record(f) for f in findings]})


def record(finding: Finding) -> dict[str, Any]:
    """A finding as JSON data."""
    rendered = {"rendered": _rendered(finding.rendered)} if finding.rendered else {}
    return _record(finding) | rendered


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


def github(findings: Sequence[Finding], sources: Sources) -> str:
    """Workflow commands that become annotations of the changed lines."""
    del sources
    levels = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}
    lines = []
    for finding in findings:
        place = finding.place
        properties = {"file": place.file, "line": place.line, "col": place.column}
        named = ",".join(
            f"{name}={_property(str(value))}"
            for name, value in {**properties, "title": finding.rule}.items()
        )
        said = _sentence(finding)
        lines.append(f"::{levels[finding.severity]} {named}::{_data(said)}\n")
    return "".join(lines)


def gitlab(findings: Sequence[Finding], sources: Sources) -> str:
    """GitLab's Code Quality report."""
    del sources
    levels = {Severity.ERROR: "major", Severity.WARNING: "minor", Severity.NOTE: "info"}
    return _dumps(
        [
            {
                "description": _sentence(f),
                "check_name": f.rule,
                "fingerprint": fingerprint(f),
                "severity": levels[f.severity],
                "location": {"path": f.place.file, "lines": {"begin": f.place.line}},
            }
            for f in findings
        ]
    )


def sarif(findings: Sequence[Finding], sources: Sources) -> str:
    """SARIF 2.1.0."""
    del sources
    rules = sorted({finding.rule for finding in findings})
    driver = {"name": "sluice", "rules": [{"id": rule} for rule in rules]}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_sarif_result(finding) for finding in findings],
    }
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return _dumps({"$schema": schema, "version": "2.1.0", "runs": [run]})


def junit(findings: Sequence[Finding], sources: Sources) -> str:
    """JUnit XML: one failed case a finding, or one passed case."""
    del sources
    from xml.etree import ElementTree as ET  # noqa: PLC0415  # only for this format

    suite = ET.Element("testsuite", name="sluice", tests=str(max(1, len(findings))))
    suite.set("failures", str(sum(f.severity is Severity.ERROR for f in findings)))
    if not findings:
        ET.SubElement(suite, "testcase", name="specs", classname="sluice")
    for finding in findings:
        place = _visible(str(finding.place))
        case = ET.SubElement(suite, "testcase", name=finding.rule, classname=place)
        if finding.severity is Severity.ERROR:
            failure = ET.SubElement(case, "failure", message=_visible(finding.message))
            failure.text = _visible(finding.help)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


FORMATS: dict[str, Callable[[Sequence[Finding], Sources], str]] = {
    "text": text,
    "json": as_json,
    "github": github,
    "gitlab": gitlab,
    "junit": junit,
    "sarif": sarif,
}


def report(findings: Iterable[Finding], form: str, sources: Sources) -> str:
    """All findings in one format, in order."""
    said = FORMATS[form](in_order(findings), sources)
    return said.encode(errors="backslashreplace").decode()  # names of files that are not UTF-8


def fingerprint(finding: Finding) -> str:
    """What stays the same while lines above move: file, rule and message."""
    import hashlib  # noqa: PLC0415  # only for the formats that ask for it

    said = f"{finding.place.file}\0{finding.rule}\0{finding.message}"
    return hashlib.sha256(said.encode(errors="backslashreplace")).hexdigest()[:32]


def _block(finding: Finding, sources: Sources) -> str:
    place = finding.place
    head = f"{place}: {finding.severity.value}[{finding.rule}] {finding.message}"
    lines = [_visible(head)]
    content = sources.get(place.file, b"").split(b"\n", place.line)
    if place.line <= len(content) and content[place.line - 1].strip():
        shown = _CONTROL.sub("�", content[place.line - 1].decode(errors="replace").rstrip()[:160])
        margin = " " * len(str(place.line))
        lines += [f"  {place.line} | {shown}", f"  {margin} | {' ' * (place.column - 1)}^"]
    if finding.rendered:
        lines.append(f"  = rendered: {_visible(str(finding.rendered))}")
    if finding.help:
        lines.append(f"  = help: {_visible(finding.help)}")
    return "\n".join(lines)


def _sarif_result(finding: Finding) -> dict[str, Any]:
    place = finding.place
    region = {"startLine": place.line, "startColumn": place.column}
    uri = quote(place.file, errors="surrogateescape")
    location = {"artifactLocation": {"uri": uri}, "region": region}
    result = {
        "ruleId": finding.rule,
        "level": finding.severity.value,
        "message": {"text": _sentence(finding)},
        "locations": [{"physicalLocation": location}],
        "partialFingerprints": {"sluice/v1": fingerprint(finding)},
    }
    return result | (
        {"relatedLocations": [_sarif_rendered(finding.rendered)]} if finding.rendered else {}
    )


def _sarif_rendered(rendered: Rendered) -> dict[str, Any]:
    region = {"startLine": rendered.line, "startColumn": rendered.column}
    uri = quote(rendered.file, errors="surrogateescape")
    location = {"artifactLocation": {"uri": uri}, "region": region}
    return {"id": 1, "physicalLocation": location, "message": {"text": dotted(rendered.pointer)}}


def _sentence(finding: Finding) -> str:
    """Message, rendered place and remedy, for formats with one text a finding."""
    shown = f" (rendered: {finding.rendered})" if finding.rendered else ""
    return f"{finding.message}{shown}" + (f". {finding.help}" if finding.help else "")


def _visible(said: str) -> str:
    """On one line, without what a terminal, a log or an XML reader would obey."""
    return _CONTROL.sub(lambda match: ascii(match[0])[1:-1], said)


def _dumps(data: object) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def _data(message: str) -> str:
    return message.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    return _data(value).replace(":", "%3A").replace(",", "%2C")
