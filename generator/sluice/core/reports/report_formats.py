"""Findings in the formats that continuous integration reads."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from sluice.core.finding import Finding, Rendered, Severity, dotted
from sluice.core.outgoing import visible

Sources = Mapping[str, bytes]
"""The text of the files that findings are about, for the lines that are shown."""

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}
_ANNOTATIONS = 10
"""How many of one level a step may have; what is beyond is not shown."""


@dataclass(frozen=True)
class Shown:
    """What a report knows besides its findings.

    `changed` holds the lines that a change touches, by file; `pages` the documentation of rules, by
    id, as title, text and remedy.
    """

    sources: Sources
    changed: Mapping[str, frozenset[int]] = field(default_factory=dict)
    pages: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def github(findings: Sequence[Finding], shown: Shown) -> str:
    """Workflow commands that become annotations, those of changed lines first.

    What a step has no annotations for is said in the log, and counted in the last annotation.
    """
    left = dict.fromkeys(_LEVELS.values(), _ANNOTATIONS)
    left["notice"] -= 1
    lines: list[str] = []
    cut: list[Finding] = []
    for finding in sorted(findings, key=lambda one: not _changed(one, shown)):
        level = "notice" if finding.waived else _LEVELS[finding.severity]
        if left[level]:
            left[level] -= 1
            lines.append(_annotation(finding, level))
        else:
            cut.append(finding)
    return "".join([*lines, *_beyond(cut)])


def _changed(finding: Finding, shown: Shown) -> bool:
    return finding.place.line in shown.changed.get(finding.place.file, ())


def _annotation(finding: Finding, level: str) -> str:
    place = finding.place
    title = f"{finding.rule} (waived)" if finding.waived else finding.rule
    properties = {"file": place.file, "line": place.line, "col": place.column, "title": title}
    named = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items())
    return f"::{level} {named}::{_data(sentence(finding))}\n"


def _beyond(cut: Sequence[Finding]) -> Iterator[str]:
    if cut:
        yield f"::notice title=sluice::{len(cut)} more findings are in the log of this step only\n"
    for finding in cut:
        said = f"{finding.place}: {finding.severity.value}[{finding.rule}] {sentence(finding)}"
        yield f"{visible(said)}\n"


def gitlab(findings: Sequence[Finding], shown: Shown) -> str:
    """GitLab's Code Quality report, which has no word for what is waived."""
    del shown
    levels = {Severity.ERROR: "major", Severity.WARNING: "minor", Severity.NOTE: "info"}
    return dumps(
        [
            {
                "description": sentence(f),
                "check_name": f.rule,
                "fingerprint": fingerprint(f),
                "severity": levels[f.severity],
                "location": {"path": f.place.file, "lines": {"begin": f.place.line}},
            }
            for f in findings
            if not f.waived
        ]
    )


def sarif(findings: Sequence[Finding], shown: Shown) -> str:
    """SARIF 2.1.0."""
    rules = sorted({finding.rule for finding in findings})
    driver = {"name": "sluice", "rules": [_sarif_rule(rule, shown) for rule in rules]}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_sarif_result(finding, rules) for finding in findings],
    }
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return dumps({"$schema": schema, "version": "2.1.0", "runs": [run]})


def _sarif_rule(rule: str, shown: Shown) -> dict[str, Any]:
    page = shown.pages.get(rule) or shown.pages.get(rule.partition("/")[0])
    if page is None:
        return {"id": rule}
    return {
        "id": rule,
        "shortDescription": {"text": page["title"]},
        "fullDescription": {"text": page["text"]},
        "help": {"text": f"{page['remedy']}\n\nsluice explain {rule} shows an example."},
    }


def junit(findings: Sequence[Finding], shown: Shown) -> str:
    """JUnit XML: a case for each finding, failed when it is an error, or one passed case."""
    del shown
    from xml.etree import ElementTree as ET  # noqa: PLC0415  # only for this format

    failures = [f for f in findings if f.severity is Severity.ERROR and not f.waived]
    suite = ET.Element("testsuite", name="sluice", tests=str(max(1, len(findings))))
    suite.set("failures", str(len(failures)))
    suite.set("skipped", str(sum(bool(f.waived) for f in findings)))
    if not findings:
        ET.SubElement(suite, "testcase", name="specs", classname="sluice")
    for finding in findings:
        place = visible(str(finding.place))
        case = ET.SubElement(suite, "testcase", name=finding.rule, classname=place)
        if finding.waived:
            ET.SubElement(case, "skipped", message=visible(finding.waived))
        elif finding.severity is Severity.ERROR:
            failure = ET.SubElement(case, "failure", message=visible(finding.message))
            failure.text = visible(finding.help)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def fingerprint(finding: Finding) -> str:
    """What stays the same while lines above move: file, rule and message."""
    import hashlib  # noqa: PLC0415  # only for the formats that ask for it

    said = f"{finding.place.file}\0{finding.rule}\0{finding.message}"
    return hashlib.sha256(said.encode(errors="backslashreplace")).hexdigest()[:32]


def _sarif_result(finding: Finding, rules: Sequence[str]) -> dict[str, Any]:
    place = finding.place
    region = {"startLine": place.line, "startColumn": place.column}
    uri = quote(place.file, errors="surrogateescape")
    location = {"artifactLocation": {"uri": uri}, "region": region}
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": rules.index(finding.rule),
        "level": finding.severity.value,
        "message": {"text": sentence(finding)},
        "locations": [{"physicalLocation": location}],
        "partialFingerprints": {"sluice/v1": fingerprint(finding)},
    }
    if finding.rendered:
        result["relatedLocations"] = [_sarif_rendered(finding.rendered)]
    if finding.waived:
        said = {"kind": "external", "status": "accepted", "justification": finding.waived}
        result["suppressions"] = [said]
    return result


def _sarif_rendered(rendered: Rendered) -> dict[str, Any]:
    region = {"startLine": rendered.line, "startColumn": rendered.column}
    uri = quote(rendered.file, errors="surrogateescape")
    location = {"artifactLocation": {"uri": uri}, "region": region}
    return {"id": 1, "physicalLocation": location, "message": {"text": dotted(rendered.pointer)}}


def sentence(finding: Finding) -> str:
    """Message, rendered place and remedy, for formats with one text a finding."""
    shown = f" (rendered: {finding.rendered})" if finding.rendered else ""
    return f"{finding.message}{shown}" + (f". {finding.help}" if finding.help else "")


def dumps(data: object) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def _data(message: str) -> str:
    return message.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    return _data(value).replace(":", "%3A").replace(",", "%2C")
