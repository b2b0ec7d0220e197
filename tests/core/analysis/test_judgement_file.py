"""`sluice judge`: the files that counts are committed in, and what follows from them."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from sluice.cli import cli
from sluice.commands import judge as command
from sluice.core.analysis import judgement_file
from sluice.core.analysis.judgement import judge
from sluice.core.finding import FindingsError, UsageError
from sluice.system import resources

SCHEMA = resources.read_schema(judgement_file.SCHEMA)


def evidence(**gate: object) -> dict[str, Any]:
    row = {"candidate": {"requests": 500, "bad": 20}, "stable": {"requests": 4500, "bad": 45}}
    return {"format": 1, "gates": [{"name": "errors", "batches": [{"at": 0, **row}], **gate}]}


def stored(folder: Path, data: object) -> str:
    path = folder / "counts.json"
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return str(path)


def test_the_schema_is_valid_and_describes_every_field() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)

    def described(schema: Mapping[str, Any]) -> None:
        for name, inner in schema.get("properties", {}).items():
            assert inner.get("description", "$ref" in inner), name
            described(inner)

    for schema in (SCHEMA, *SCHEMA["$defs"].values()):
        described(schema)


def test_judge_prints_four_numbers_of_each_gate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    absolute = {"p0": 0.01, "p1": 0.05}
    code = command.run(file=stored(tmp_path, evidence(absolute=absolute)), form="json")
    told = json.loads(capsys.readouterr().out)
    assert (code, told["verdict"]) == (0, "FAIL")
    assert set(told["gates"]["errors"]) == {"lnEBad", "eOk", "sprt", "verdict"}
    assert told["gates"]["errors"]["lnEBad"] == pytest.approx(9.350043, abs=5e-7)
    assert told["gates"]["errors"]["sprt"] == "reject"


def test_judge_prints_a_table_for_people(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.run(file=stored(tmp_path, evidence()), form="text") == 0
    out = capsys.readouterr().out
    assert out.startswith("FAIL: worse than allowed: errors\n")
    assert "20 of 500" in out


def batch_of(requests: float | list[int], bad: float | list[int]) -> dict[str, Any]:
    """A batch whose candidate has these counts, of each pod where they are lists."""
    arm: Any = {"requests": requests, "bad": bad}
    if isinstance(requests, list) and isinstance(bad, list):
        arm = [{"requests": n, "bad": x} for n, x in zip(requests, bad, strict=True)]
    return {"at": 0, "candidate": arm, "stable": {"requests": 90, "bad": 0}}


def told(folder: Path, capsys: pytest.CaptureFixture[str], **data: Any) -> dict[str, Any]:  # noqa: ANN401  # fields of a file
    """What the command says as JSON of a file with these fields."""
    assert command.run(file=stored(folder, {"format": 1, **data}), form="json") == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def gates(**fields: Any) -> list[dict[str, Any]]:  # noqa: ANN401  # fields of a gate
    return [{"name": "errors", **fields}]


@pytest.mark.parametrize(
    ("candidate", "stable", "e_bad"),
    [
        ((100, 1), (100, 0), 4 / 3),
        ((100, 0), (100, 1), 2 / 3),
        ((100, 1), (900, 0), 2 / 1.1),
        ((100, 0), (900, 1), 1 / 1.1),
    ],
)
def test_judge_takes_another_mixture(
    candidate: tuple[int, int],
    stable: tuple[int, int],
    e_bad: float,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arms = {"candidate": candidate, "stable": stable}
    batch = {name: dict(zip(("requests", "bad"), arm, strict=True)) for name, arm in arms.items()}
    found = told(tmp_path, capsys, gates=gates(batches=[batch]), parameters={"mixture": [2]})
    assert found["gates"]["errors"]["lnEBad"] == pytest.approx(math.log(e_bad))


@pytest.mark.parametrize(
    ("requests", "bad", "sprt", "verdict"),
    [
        (72, 0, "accept", "PASS"),
        (71, 0, "continue", "CONTINUE"),
        (100, 1, "continue", "CONTINUE"),
        (40, 3, "reject", "FAIL"),
    ],
)
def test_judge_needs_no_stable_version_for_the_absolute_test(
    requests: int,
    bad: int,
    sprt: str,
    verdict: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    batches = [{"candidate": {"requests": requests, "bad": bad}}]
    absolute = {"p0": 0.01, "p1": 0.05}
    one = gates(relative=False, absolute=absolute, batches=batches)
    found = told(tmp_path, capsys, gates=one)
    assert (found["gates"]["errors"]["sprt"], found["verdict"]) == (sprt, verdict)


def test_judge_compares_with_nobody_without_a_stable_version(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    only = gates(batches=[{"candidate": {"requests": 100, "bad": 90}}])
    found = told(tmp_path, capsys, gates=only)
    assert found["gates"]["errors"] == {
        "lnEBad": 0.0,
        "eOk": 1.0,
        "sprt": None,
        "verdict": "CONTINUE",
    }


def test_batches_follow_each_other_where_they_do_not_say_when() -> None:
    batch = {"candidate": {"requests": 1, "bad": 0}}
    data = {"format": 1, "gates": [{"name": "e", "batches": [{**batch, "at": 600}, batch]}]}
    document = judgement_file.read("x.json", json.dumps(data).encode(), SCHEMA)
    (counted,) = judgement_file.counts_of(document.data).gates
    assert [b.at for b in counted.batches] == [600, 660]


def test_the_format_that_help_shows_is_accepted() -> None:
    text = cli.commands["judge"].help or ""
    shown = text[text.index("{") : text.rindex("}") + 1]
    document = judgement_file.read("x.json", shown.encode(), SCHEMA)
    assert judgement_file.counts_of(document.data).gates


def test_an_unknown_key_is_found_where_it_stands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command.run(file=stored(tmp_path, {"format": 1, "gates": [], "exausted": True}), form="json")
    (found,) = json.loads(capsys.readouterr().out)["findings"]
    assert (found["message"], found["help"]) == (
        "unknown key 'exausted'",
        "did you mean 'exhausted'?",
    )
    assert found["column"] == 28


BROKEN = {
    "a number without end": ('{"format": 1e999, "gates": []}', "JDG001"),
    "a mixture of what is no worse": (
        {"format": 1, "gates": [], "parameters": {"mixture": [1]}},
        "JDG002",
    ),
    "not JSON": ("{", "JDG001"),
    "no number": ('{"format": 1, "gates": NaN}', "JDG001"),
    "twice the same key": ('{"format": 1, "format": 1, "gates": []}', "JDG001"),
    "deep": ("[" * 100_000, "JDG001"),
    "another format": ({"format": 2, "gates": []}, "JDG002"),
    "a list": ([], "JDG002"),
    "unknown key": ({**evidence(), "gatez": 1}, "JDG002"),
    "negative": (evidence(minRequests=-1), "JDG002"),
    "a ratio of 1 cannot be excluded": (evidence(excluded=1), "JDG002"),
    "p0 above p1": (evidence(absolute={"p0": 0.5, "p1": 0.1}), "JDG003"),
    "tolerated above excluded": (evidence(tolerated=3), "JDG003"),
    "no test at all": (evidence(relative=False), "JDG003"),
    "twice the same gate": ({"format": 1, "gates": evidence()["gates"] * 2}, "JDG003"),
    "more bad than all": (evidence(batches=[batch_of(10, 11)]), "JDG003"),
    "one pod with more bad than all": (evidence(batches=[batch_of([3, 0], [1, 1])]), "JDG003"),
    "half an event": (evidence(batches=[batch_of(10, 1.5)]), "JDG002"),
    "more than a number holds": (evidence(batches=[batch_of(10**400, 1)]), "JDG002"),
    "a ratio without end": (evidence(excluded=1e308), "JDG002"),
    "twice the same batch": (evidence(batches=evidence()["gates"][0]["batches"] * 2), "JDG003"),
}


@pytest.mark.parametrize(("data", "rule"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_a_finding(
    data: object, rule: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.run(file=stored(tmp_path, data), form="text") == 1
    assert f"[{rule}]" in capsys.readouterr().out


def test_a_wrong_count_is_one_finding_that_says_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command.run(file=stored(tmp_path, evidence(batches=[batch_of(10, -1)])), form="json")
    (found,) = json.loads(capsys.readouterr().out)["findings"]
    assert found["message"] == "-1 is less than the minimum of 0"


def test_bytes_that_are_no_text_are_a_finding() -> None:
    with pytest.raises(FindingsError):
        judgement_file.read("x.json", b'{"format": "\xff"}', SCHEMA)


def test_a_file_that_is_not_there_is_a_wrong_call(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        command.run(file=str(tmp_path / "absent.json"), form="json")


def written(data: Mapping[str, Any]) -> bytes:
    found = judgement_file.counts_of(data)
    return judgement_file.written(found, judge(found), {"release": "a/b/c", "candidate": "2"})


def test_what_is_written_is_read_back_and_judged_alike() -> None:
    raw = written(evidence(absolute={"p0": 0.01, "p1": 0.05}, query="q", matched=False))
    document = judgement_file.read("x.json", raw, SCHEMA)
    counts_ = judgement_file.counts_of(document.data)
    assert list(judgement_file.differences(document, judge(counts_))) == []
    assert (
        judgement_file.written(counts_, judge(counts_), {"release": "a/b/c", "candidate": "2"})
        == raw
    )


def test_a_verdict_that_does_not_follow_from_the_counts_is_a_finding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edited = written(evidence()).decode().replace('"bad": 20', '"bad": 2')
    assert command.run(file=stored(tmp_path, edited), form="json") == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out)["verdict"] == "PASS"
    assert "JDG004" in captured.err
