"""`--fix`: what takes no judgement is mended, one value at a time, and nothing else is touched."""

import pytest

from sluice.core.documents.edit import write_at
from sluice.core.finding import Finding, Fix
from sluice.core.names import meant
from sluice.core.reports.fixes import Fixed, fix_file, may_be_fixed
from sluice.core.specs.remedies import value_fix
from sluice.workspace.workspace import Workspace
from support import trees

BASE = trees.base()
RAW = BASE[trees.RELEASE]


def fixed(raw: bytes) -> tuple[bytes, list[Fixed]]:
    def check(text: bytes) -> list[Finding]:
        return Workspace({**BASE, trees.RELEASE: text}).check()

    return fix_file(trees.RELEASE, raw, check)


def changed(old: str, new: str) -> bytes:
    text = RAW.decode()
    assert text.count(old) == 1, text
    return text.replace(old, new).encode()


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("  accelerator:", "  acelerator:"),
        ('version: "7"', "version: 7"),
        ('version: "7"  # of the model', "version: 7  # of the model"),
        ("name: vllm", "name: vlm"),
    ],
)
def test_one_mistake_is_mended_and_no_other_byte(right: str, wrong: str) -> None:
    good = RAW if right.encode() in RAW else changed('version: "7"', right)
    bad = good.decode().replace(right, wrong, 1).encode()
    assert bad != good
    result, said = fixed(bad)
    assert result == good
    assert len(said) == 1


def test_several_mistakes_of_several_layers_in_one_file() -> None:
    bad = changed('version: "7"', "version: 7").replace(b"  accelerator:", b"  acelerator:")
    bad = bad.replace(b"name: vllm", b"name: vlm")
    result, said = fixed(bad)
    assert result == RAW
    assert {one.finding.rule for one in said} == {"SCH001", "SCH003", "REF003"}


@pytest.mark.parametrize(
    "wrong",
    ["  something: 1\n  accelerator:", "  acelerator: {}\n  accelerator:"],
)
def test_what_needs_judgement_is_left_alone(wrong: str) -> None:
    bad = changed("  accelerator:", wrong)
    assert fixed(bad) == (bad, [])


def test_what_is_right_is_left_alone() -> None:
    assert fixed(RAW) == (RAW, [])


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("environments/a/b/c/release.yaml", True),
        ("environments/a/environment.yaml", True),
        ("environments/a/b/c/rollout.yaml", False),
        ("environments/a/b/c/evidence/x.json", False),
        ("policies/a.yaml", False),
    ],
)
def test_only_what_people_write_is_touched(path: str, expected: bool) -> None:  # noqa: FBT001  # a table
    assert may_be_fixed(path) is expected


QUANTITY = "^[0-9]+(\\.[0-9]{1,3})?(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$"
DURATION = "^(?=[0-9])([0-9]{1,4}h)?([0-9]{1,5}m)?([0-9]{1,6}s)?$"


@pytest.mark.parametrize(
    ("rule", "value", "expected", "fix"),
    [
        ("type", 7, "string", Fix()),
        ("type", 7.1, "string", Fix()),
        ("type", "true", "boolean", Fix("true", literal=True)),
        ("type", "No", "boolean", Fix("false", literal=True)),
        ("type", "maybe", "boolean", None),
        ("type", "12", "integer", Fix("12", literal=True)),
        ("type", "012", "integer", None),
        ("type", "1.5", "number", Fix("1.5", literal=True)),
        ("type", "12", ["integer", "string"], None),
        ("type", [], "string", None),
        ("enum", "cannary", ["rolling", "canary"], Fix("canary")),
        ("enum", "bat", ["cat", "rat"], None),
        ("enum", 8, ["4", "8"], Fix()),
        ("pattern", "80GB", QUANTITY, Fix("80G")),
        ("pattern", "80 GiB", QUANTITY, Fix("80Gi")),
        ("pattern", "80Gb", QUANTITY, None),
        ("pattern", "lots", QUANTITY, None),
        ("pattern", "10 min", DURATION, Fix("10m")),
        ("pattern", "2 hours", DURATION, Fix("2h")),
        ("pattern", "10", DURATION, None),
        ("minimum", 1, 2, None),
    ],
)
def test_what_takes_no_judgement(
    rule: str, value: object, expected: object, fix: Fix | None
) -> None:
    assert value_fix(rule, value, expected) == fix


def test_a_word_is_meant_when_no_other_is_as_near() -> None:
    assert meant("cannary", ("canary", "rolling")) == "canary"
    assert meant("bat", ("cat", "rat")) is None
    assert meant("nothing", ("cat", "rat")) is None


@pytest.mark.parametrize(
    ("text", "at", "value", "expected"),
    [
        ("a: 7.10 # x\n", (1, 4), {}, 'a: "7.10" # x\n'),
        ("a: 'b'\n", (1, 4), {"value": "c"}, "a: 'c'\n"),
        ('a: "b"\n', (1, 4), {"value": "yes"}, 'a: "yes"\n'),
        ("a: yes\n", (1, 4), {"value": "true", "literal": True}, "a: true\n"),
        ("ä: {é: b, c: 1}\n", (1, 11), {"value": "d"}, "ä: {é: b, d: 1}\n"),
        ("\ufeffa: 1\r\nb: 2\r\n", (2, 1), {"value": "c"}, "\ufeffa: 1\r\nc: 2\r\n"),
    ],
)
def test_writing_at_a_place(
    text: str, at: tuple[int, int], value: dict[str, object], expected: str
) -> None:
    assert write_at(text.encode(), *at, **value) == expected.encode()  # type: ignore[arg-type]  # from the table


@pytest.mark.parametrize("at", [(1, 2), (1, 1000), (3, 4), (9, 1)])
def test_no_single_value_at_a_place_is_an_error(at: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="no single value"):
        write_at(b"a: 1\nb: [c]\nd: |\n  e\n", *at)
