"""Every rule by example: a file below cases/<rule>/ is a test by lying there.

pass*.yaml has no problem; fail*.yaml has exactly those that its leading comments name:

    # expect: SEM034 /spec/template/spec/containers/0/resources/requests/memory
    # expect: SEM170 /spec/scaleTargetRef/name in document 1

Documents count from 0. More comments set the scene: `version: 1.33`, `closed: true`, `zones: A B`,
`old: 1` (the last document is how an object was before), `fill: /data 600000` (each text below
this pointer is that long).
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sluice.core.kubernetes.rules import Problem, semantic_problems
from sluice.workspace.semantic_texts import read_semantic_rules

RULES = read_semantic_rules()
CASES = Path(__file__).parent / "cases"
FILES = sorted(CASES.rglob("*.yaml"))
EXPECTATION = re.compile(r"# expect: (\S+)(?: (/\S*))?(?: in document (\d+))?")
Expected = tuple[str, str, int]


def pointer_text(problem: Problem) -> str:
    parts = (str(part).replace("~", "~0").replace("/", "~1") for part in problem.pointer)
    return "".join(f"/{part}" for part in parts)


def expectations(text: str) -> Iterator[Expected]:
    for line in text.splitlines():
        if match := EXPECTATION.fullmatch(line):
            yield match[1], match[2] or "", int(match[3] or 0)


def settings(text: str) -> dict[str, str]:
    found = re.findall(r"^# (version|closed|zones|old|fill): (.+)$", text, re.MULTILINE)
    return dict(found)


def fill(data: dict[str, Any], pointer: str, size: int) -> None:
    for part in pointer.strip("/").split("/"):
        data = data[part]
    for key in data:
        data[key] = "x" * size


def problems(text: str) -> list[Problem]:
    given = settings(text)
    documents = list(yaml.safe_load_all(text))
    if "fill" in given:
        pointer, size = given["fill"].split()
        fill(documents[0], pointer, int(size))
    pairs = [("case.yaml", document) for document in documents]
    now = len(pairs) - int(given.get("old", 0))
    return list(
        semantic_problems(
            pairs[:now],
            given.get("version", "1.34"),
            RULES,
            closed=given.get("closed") == "true",
            old=pairs[now:],
            zones=frozenset(given.get("zones", "").split()),
        )
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_case(path: Path) -> None:
    text = path.read_text("utf-8")
    expected = sorted(expectations(text))
    found = [problem for problem in problems(text) if problem.severity != "note"]
    said = {(p.rule, pointer_text(p), p.position): p.message for p in found}
    assert bool(expected) is path.stem.startswith("fail"), (
        "a fail file expects, a pass file does not"
    )
    assert all(rule == path.parent.name for rule, _, _ in expected)
    assert sorted(said) == expected, said
    assert all(p.message and p.help and p.path == "case.yaml" for p in found)


def test_every_rule_has_an_example_of_both_kinds() -> None:
    kinds = {(path.parent.name, path.stem[:4]) for path in FILES}
    assert kinds == {(rule, kind) for rule in RULES.by_id for kind in ("pass", "fail")}
