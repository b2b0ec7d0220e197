"""Waivers: what somebody answers for until a date is no error; after it, it is one again."""

from datetime import date

import pytest

from sluice.core.finding import Finding, FindingsError, Place, Rendered, Severity, failed
from sluice.core.reports.waivers import PATH, Waiver, read_waivers, waive
from sluice.core.specs.schema import Schemas
from sluice.system import resources

SPEC = "environments/lab/engines/tgi/release.yaml"
MANIFEST = "manifests/lab/engines/tgi/deployment.yaml"
OBJECTS = {MANIFEST: "Deployment/tgi-v1"}
FOUND = Finding(Place(SPEC, 3), "POL010/root", "no", rendered=Rendered(MANIFEST))
TODAY = date(2026, 6, 1)


def waivers(*entries: str) -> list[Waiver]:
    text = "waivers:\n" + "".join(
        f"  - {{owner: a, reason: b, expires: 2026-06-01, {entry}}}\n" for entry in entries
    )
    return read_waivers({PATH: text.encode()}, Schemas(resources.read_schema))


def outcome(entry: str, found: Finding = FOUND, *, complete: bool = True) -> list[str]:
    result = waive([found], waivers(entry), OBJECTS, TODAY, complete=complete)
    return [one.rule + (" waived" if one.waived else "") for one in result]


@pytest.mark.parametrize(
    "scope",
    [
        "path: environments/lab",
        "path: environments/lab/",
        f"path: {SPEC}",
        f"path: {MANIFEST}",
        "release: lab/engines/tgi",
        "object: Deployment/tgi-v1",
        "release: lab/engines/tgi, object: Deployment/tgi-v1, path: manifests",
    ],
)
def test_a_scope_covers_what_is_below_it(scope: str) -> None:
    assert outcome(f"rule: POL010/root, {scope}") == ["POL010/root waived"]
    assert outcome(f"rule: POL010, {scope}") == ["POL010/root waived"]


@pytest.mark.parametrize(
    "entry",
    [
        "rule: POL010/roo, path: environments",
        "rule: SEM010, path: environments",
        "rule: POL010/root, path: environments/la",
        "rule: POL010/root, release: lab/engines/tg",
        "rule: POL010/root, object: Deployment/tgi",
        "rule: POL010/root, path: environments, object: Pod/tgi-v1",
    ],
)
def test_another_rule_or_scope_covers_nothing_and_is_of_no_use(entry: str) -> None:
    assert sorted(outcome(entry)) == ["POL010/root", "WAV003"]
    assert outcome(entry, complete=False) == ["POL010/root"]


def test_the_last_day_counts_and_the_next_is_an_error() -> None:
    entry = "rule: POL010/root, path: environments"
    late = waive([FOUND], waivers(entry), OBJECTS, date(2026, 6, 2), complete=True)
    assert [one.rule for one in late] == ["POL010/root", "WAV002"]
    assert all(not one.waived and one.severity is Severity.ERROR for one in late)
    assert "2026-06-01" in late[1].message


def test_waived_findings_do_not_fail_and_say_who_answers() -> None:
    (one,) = waive([FOUND], waivers("rule: POL010, path: manifests"), OBJECTS, TODAY, complete=True)
    assert one.waived == "until 2026-06-01, a: b"
    assert not failed([one])


def test_an_error_that_stops_the_rendering_cannot_be_waived() -> None:
    error = Finding(Place(SPEC), "SCH001", "no")
    assert outcome("rule: SCH001, path: environments", found=error) == ["SCH001", "WAV004"]
    warning = Finding(Place(SPEC), "ENG010", "old", severity=Severity.WARNING)
    assert outcome("rule: ENG010, path: environments", found=warning) == ["ENG010 waived"]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("waivers: [", "POL001"),
        ("waivers: [{rule: SEM001, path: a, owner: b, reason: c}]", "SCH002"),
        ("waivers: [{rule: SEM001, owner: b, reason: c, expires: 2026-01-01}]", "SCH008"),
        ("waivers: [{rule: SEM001, path: a, owner: b, reason: c, expires: never}]", "SCH005"),
        ("waivers: [{rule: SEM001, path: a, owner: b, reason: c, expires: 2026-02-30}]", "WAV001"),
        ("waivers: [{rule: all, path: a, owner: b, reason: c, expires: 2026-02-03}]", "SCH005"),
        ("waivers: []\nwavers: []", "SCH001"),
    ],
)
def test_a_waiver_without_its_parts_is_refused(text: str, rule: str) -> None:
    with pytest.raises(FindingsError) as raised:
        read_waivers({PATH: text.encode()}, Schemas(resources.read_schema))
    assert [finding.rule for finding in raised.value.findings] == [rule]


def test_no_file_is_no_waivers() -> None:
    assert read_waivers({}, Schemas(resources.read_schema)) == []
