"""Texts of others forge no line and order nobody about, whichever verb prints them."""

from pathlib import Path

import pytest

from sluice.cli import main
from support.loop import Loop
from support.verb_calls import arguments, verbs

FORGED = "FORGED"
HOSTILE = f"x\n::error::{FORGED}\r\n{FORGED}: ok\x1b[2J\x9b\u202e\u2028{FORGED}##[error]{FORGED}"
ASKING = [
    "reconcile",
    "doctor",
    "evals import",
    "pulls merge",
    "pulls close",
    "policy test",
    "check",
]
"""Those that need what is not there, or change what the others print."""


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Loop:
    made = Loop(tmp_path_factory.mktemp("hostile"))
    made.register(1)
    texts = {HOSTILE: HOSTILE}
    metrics = {"mmlu/acc": 0.7, HOSTILE: {"value": 1, "dataset": HOSTILE}}
    made.register(2, metrics=metrics, runId=HOSTILE, tags=texts, parameters=texts)
    assert made.chat().what == "proposed"
    return made


def assert_harmless(said: str) -> None:
    assert not [c for c in said if not c.isprintable() and c not in "\n\t"]
    assert not [line for line in said.split("\n") if line.lstrip().startswith(("::", FORGED))]
    assert "##[" not in said


@pytest.mark.parametrize("verb", [verb for verb in verbs() if verb not in ASKING])
def test_no_verb_prints_a_line_of_others(
    loop: Loop, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    given = arguments(verb)
    place = ["--repository", str(loop.bare)] if verb.startswith(PLACED) else []
    monkeypatch.chdir(loop.folder)
    (loop.folder / "counted.json").write_text(HOSTILE)
    main([*given, *place])
    said = capfd.readouterr()
    assert_harmless(said.out + said.err)


PLACED = ("pulls", "status", "board", "history", "rollout status", "rollback")


def test_the_log_and_the_pull_request_have_no_line_of_others(
    loop: Loop, capfd: pytest.CaptureFixture[str]
) -> None:
    registry = f"file:{loop.folder / 'registry.json'}"
    for form in ("text", "json"):
        here = ["--repository", str(loop.bare), "--format", form]
        main(["reconcile", "--once", "--registry", registry, *here])
        said = capfd.readouterr()
        assert_harmless(said.out + said.err)
    (pull,) = loop.pulls()
    assert_harmless(f"{pull.title}\n{pull.body}".replace("##[", ""))  # no order in Markdown


@pytest.mark.parametrize("form", ["text", "json", "gitlab", "junit", "sarif", "github"])
def test_a_report_has_no_line_of_others(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], form: str
) -> None:
    folder = tmp_path / "environments" / f"a\u202e\x1b{FORGED}"
    folder.mkdir(parents=True)
    (folder / "x\n::error::y.yaml").write_text("a: b\n")
    (tmp_path / "environments" / "::error::x").write_text("a: b\n")
    assert main(["validate", "--root", str(tmp_path), "--format", form]) == 1
    said = capfd.readouterr()
    told = said.out.replace("::error file=", "") if form == "github" else said.out
    assert_harmless(told + said.err)
