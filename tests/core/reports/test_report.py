"""Findings for people and for machines; nothing in a finding can speak to a terminal or a CI."""

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from urllib.parse import unquote

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.core.finding import Finding, Place, Severity, failed
from sluice.core.reports.report import FORMATS, report, summary
from sluice.core.reports.report_formats import fingerprint
from support import hostile, trees

TEXT = {"type": "string", "minLength": 1}
COUNT = {"type": "integer", "minimum": 1}


def closed(**properties: object) -> dict[str, object]:
    """A mapping with exactly these keys."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def items(schema: object) -> dict[str, object]:
    return {"type": "array", "items": schema}


JSON = json.loads((trees.ROOT / "schemas" / "findings.schema.json").read_text("utf-8"))
SARIF = closed(
    **{"$schema": TEXT},
    version={"const": "2.1.0"},
    runs=items(
        closed(
            tool=closed(driver=closed(name=TEXT, rules=items(closed(id=TEXT)))),
            columnKind={"const": "unicodeCodePoints"},
            results=items(
                closed(
                    ruleId=TEXT,
                    level={"enum": ["none", "note", "warning", "error"]},
                    message=closed(text=TEXT),
                    locations=items(
                        closed(
                            physicalLocation=closed(
                                artifactLocation=closed(uri={"pattern": "^[!-~]+$"}),
                                region=closed(startLine=COUNT, startColumn=COUNT),
                            )
                        )
                    ),
                    partialFingerprints={"type": "object"},
                    ruleIndex={"type": "integer", "minimum": 0},
                )
            ),
        )
    ),
)
"""The part of SARIF 2.1.0 that is written, each property as the standard has it."""
GITLAB = items(
    closed(
        description=TEXT,
        check_name=TEXT,
        fingerprint=TEXT,
        severity={"enum": ["info", "minor", "major", "critical", "blocker"]},
        location=closed(path=TEXT, lines=closed(begin=COUNT)),
    )
)

SHAPES = {
    "json": jsonschema_rs.validator_for(JSON),
    "sarif": jsonschema_rs.validator_for(SARIF),
    "gitlab": jsonschema_rs.validator_for(GITLAB),
}

WORDS = st.sampled_from([text for text in hostile.TEXTS if text]) | st.text(min_size=1, max_size=9)
FINDINGS = st.lists(
    st.builds(
        Finding,
        st.builds(Place, WORDS, st.integers(1, 4), st.integers(1, 300)),
        st.sampled_from(["YAML003", "REF001"]),
        WORDS,
        st.just("") | WORDS,
        st.sampled_from(Severity),
    ),
    max_size=4,
)
ONE = Finding(Place("a/release.yaml", 2, 5), "REF003", "unknown engine 'vlm'", "did you mean it?")
SOURCES = {"a/release.yaml": b"a: 1\n    b: vlm\n"}


def test_for_people_a_finding_shows_its_line_and_what_to_do() -> None:
    assert report([ONE], "text", SOURCES) == (
        "a/release.yaml:2:5: error[REF003] unknown engine 'vlm'\n"
        "  2 |     b: vlm\n"
        "    |     ^\n"
        "  = help: did you mean it?\n"
        "  = docs: sluice explain REF003\n\n"
        "1 error\n"
    )


WAIVED = replace(ONE, waived="until 2027-01-01, team-a: soon gone")


def test_what_is_waived_is_said_and_counted_but_no_error() -> None:
    said = report([WAIVED], "text", SOURCES)
    assert "waived[REF003]" in said
    assert "  = waived: until 2027-01-01, team-a: soon gone\n" in said
    assert said.endswith("\n\n1 waived\n")
    assert not failed([WAIVED])
    (one,) = json.loads(report([WAIVED], "json", {}))["findings"]
    assert (one["waived"], one["severity"]) == (WAIVED.waived, "error")
    jsonschema_rs.validator_for(JSON).validate({"version": 1, "findings": [one]})


def test_what_is_waived_is_suppressed_in_the_formats_that_can_say_so() -> None:
    (run,) = json.loads(report([WAIVED], "sarif", {}))["runs"]
    (suppression,) = run["results"][0]["suppressions"]
    assert suppression["justification"] == WAIVED.waived
    suite = ET.fromstring(report([WAIVED], "junit", {}))  # noqa: S314  # ours
    assert [(suite.get("failures"), suite.get("skipped"))] == [("0", "1")]
    assert len(suite.findall("testcase/skipped")) == 1
    assert report([WAIVED], "github", {}).startswith("::notice file=")
    assert json.loads(report([WAIVED], "gitlab", {})) == []


def test_annotations_come_to_changed_lines_first_and_what_is_cut_is_counted() -> None:
    found = [Finding(Place("a.yaml", n), "REF001", f"said {n}") for n in range(1, 31)]
    lines = report(found, "github", {}, changed={"a.yaml": frozenset({20, 25})}).splitlines()
    shown = [re.findall("line=([0-9]+)", line)[0] for line in lines if line.startswith("::error")]
    assert shown == ["20", "25", *map(str, range(1, 9))]
    assert "::notice title=sluice::20 more findings are in the log of this step only" in lines
    assert "a.yaml:30:1: error[REF001] said 30" in lines
    assert len(lines) == 31


def test_a_sarif_rule_carries_its_page() -> None:
    pages = {"REF003": {"title": "t", "text": "x", "remedy": "r"}}
    named = replace(ONE, rule="REF003/of-a-policy")
    (run,) = json.loads(report([ONE, named, replace(ONE, rule="X")], "sarif", {}, pages=pages))[
        "runs"
    ]
    first, second, third = run["tool"]["driver"]["rules"]
    assert (first["shortDescription"], second["id"]) == ({"text": "t"}, "REF003/of-a-policy")
    assert "sluice explain REF003/of-a-policy" in second["help"]["text"]
    assert third == {"id": "X"}
    assert [result["ruleIndex"] for result in run["results"]] == [0, 1, 2]


def test_a_finding_about_a_file_that_is_not_there_shows_no_line() -> None:
    assert " | " not in report([ONE], "text", {})


def test_the_summary_counts_by_severity() -> None:
    kinds = [Severity.ERROR, Severity.ERROR, Severity.WARNING]
    found = [Finding(Place("a"), "REF001", str(n), "", kind) for n, kind in enumerate(kinds)]
    assert summary(found) == "2 errors, 1 warning"
    assert summary([]) == "no findings"


@pytest.mark.parametrize("form", FORMATS)
@settings(max_examples=60)
@given(findings=FINDINGS, line=st.binary(max_size=20))
def test_any_finding_can_be_written_in_any_format(
    form: str, findings: list[Finding], line: bytes
) -> None:
    written = report(findings, form, {finding.place.file: line for finding in findings})
    assert written.encode().decode() == written
    assert written == report(reversed(findings), form, {f.place.file: line for f in findings})


@settings(max_examples=100)
@given(FINDINGS)
def test_the_machine_formats_have_their_shape(findings: list[Finding]) -> None:
    for form, shape in SHAPES.items():
        shape.validate(json.loads(report(findings, form, {})))


@settings(max_examples=100)
@given(FINDINGS)
def test_json_says_exactly_what_the_findings_say(findings: list[Finding]) -> None:
    data = json.loads(report(findings, "json", {}))["findings"]
    said = {(f["file"], f["line"], f["message"], f["help"], f["severity"]) for f in data}
    assert said == {
        (f.place.file, f.place.line, f.message, f.help, f.severity.value) for f in findings
    }


@settings(max_examples=100)
@given(FINDINGS)
def test_sarif_encodes_paths_as_uris(findings: list[Finding]) -> None:
    (run,) = json.loads(report(findings, "sarif", {}))["runs"]
    locations = [result["locations"][0]["physicalLocation"] for result in run["results"]]
    uris = {unquote(location["artifactLocation"]["uri"]) for location in locations}
    assert uris == {finding.place.file for finding in findings}
    assert {rule["id"] for rule in run["tool"]["driver"]["rules"]} == {f.rule for f in findings}


@settings(max_examples=100)
@given(FINDINGS)
def test_junit_is_xml_with_a_case_for_each_finding(findings: list[Finding]) -> None:
    suite = ET.fromstring(report(findings, "junit", {}))  # noqa: S314  # written by us a line above
    cases = suite.findall("testcase")
    errors = {finding for finding in findings if finding.severity is Severity.ERROR}
    assert len(cases) == max(1, len(set(findings))) == int(suite.get("tests", ""))
    assert len(suite.findall("testcase/failure")) == len(errors) == int(suite.get("failures", ""))


@settings(max_examples=150)
@given(FINDINGS)
def test_no_finding_adds_a_command_to_a_workflow_log(findings: list[Finding]) -> None:
    lines = report(findings, "github", {}).split("\n")
    assert lines.pop() == ""
    assert len(lines) == len(set(findings))
    for line in lines:
        head, _, message = line[2:].partition("::")
        assert line.startswith(("::error ", "::warning ", "::notice "))
        properties = [part.partition("=")[0] for part in head.partition(" ")[2].split(",")]
        assert properties == ["file", "line", "col", "title"]
        assert not {"\r", "\n"} & set(message)


@pytest.mark.parametrize("form", FORMATS)
def test_a_message_has_an_end(form: str) -> None:
    secret = f"{'x' * 990} postgres://u:{'s3cr3t' * 9}@h"
    found = Finding(Place("a.yaml"), "SCH001", f"{secret} {'y' * 20_000}", "z" * 20_000)
    said = report([found], form, {})
    assert len(said) < 5_000
    assert "s3cr3t" not in said


@settings(max_examples=150)
@given(FINDINGS, st.binary(max_size=30) | st.just(b"\x1b[31m::error::x\r"))
def test_no_finding_and_no_line_of_a_file_controls_a_terminal(
    findings: list[Finding], line: bytes
) -> None:
    written = report(findings, "text", {finding.place.file: line for finding in findings})
    assert not {c for c in written if ord(c) < 32 or 127 <= ord(c) < 160 or c in "\u2028\u202e"} - {
        "\n"
    }
    starts = [text for text in written.split("\n") if text and not text.startswith("  ")]
    assert len(starts) == len(set(findings)) + 1


def test_a_file_name_that_is_not_utf_8_can_be_reported() -> None:
    found = Finding(Place(b"\xff.yaml".decode(errors="surrogateescape")), "REF015", "stray", "go")
    for form in FORMATS:
        assert report([found], form, {}).encode()


def test_the_fingerprint_stays_when_lines_move_and_changes_with_the_message() -> None:
    moved = Finding(Place("a/release.yaml", 9, 9), ONE.rule, ONE.message)
    other = Finding(ONE.place, ONE.rule, "another")
    assert fingerprint(moved) == fingerprint(ONE) != fingerprint(other)
