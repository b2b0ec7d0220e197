"""Whole policies on whole objects: every entry of every file under cases/ is a test."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sluice.core.policy.admission import World, admit
from sluice.core.policy.evaluate import evaluate
from support.policies import binding_of, plan_of

CASES = Path(__file__).parent / "cases"


def _cases() -> Iterator[Any]:
    for path in sorted(CASES.glob("*.yaml")):
        for case in yaml.safe_load(path.read_bytes()):
            yield pytest.param(case, id=f"{path.stem}: {case['name']}")


@pytest.mark.parametrize("case", list(_cases()))
def test_decision(case: dict[str, Any]) -> None:
    namespaces = {one["metadata"]["name"]: one for one in case.get("namespaces", ())}
    world = World(tuple(case.get("params", ())), namespaces)
    request = admit(
        case.get("object"),
        case.get("old"),
        operation=case.get("operation", ""),
        namespace=case.get("namespace", ""),
        world=world,
        user=case.get("user"),
    )
    major, minor = map(int, case.get("version", "1.34").split("."))
    plan = plan_of(case["spec"], (major, minor))
    bindings = [binding_of(spec) for spec in case.get("bindings", ())]
    results = evaluate(plan, bindings, request, world)
    assert ", ".join(result.decision for result in results) == case["decision"], results
    messages = [message for result in results for message in result.messages]
    for text in case.get("messages", ()):
        assert any(text in message for message in messages), messages
    pointers = ["/".join(map(str, one.pointer)) for result in results for one in result.failures]
    if "pointers" in case:
        assert pointers == case["pointers"]
    if "annotations" in case:
        assert results[0].annotations == case["annotations"]
