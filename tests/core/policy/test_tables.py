"""`sluice policy test`: what a table says, and what it misses."""

import json
from pathlib import Path
from typing import Any

import pytest

from sluice.commands import policy_test
from sluice.core.finding import FindingsError, UsageError
from sluice.core.policy.mutants import mutants
from support.policies import plan_of

POLICY = """\
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: few}
spec:
  matchConstraints:
    resourceRules:
      - {apiGroups: [apps], apiVersions: [v1], operations: [CREATE], resources: [deployments]}
  validations:
    - expression: object.spec.replicas > 1 && object.spec.replicas < 5
      message: between 2 and 4
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: few}
spec: {policyName: few, validationActions: [Deny]}
"""
TABLE = """\
bases:
  d: {apiVersion: apps/v1, kind: Deployment, metadata: {name: d}, spec: {replicas: 2}}
cases:
  - {name: two, object: d, expect: allow}
"""
REST = """\
  - {name: four, object: d, set: {/spec/replicas: 4}, expect: allow}
  - {name: a, object: d, set: {/spec/replicas: 1}, expect: deny, message: bet}
  - {name: five, object: d, set: {/spec/replicas: 5}, expect: deny}
  - {name: words, object: d, set: {/spec/replicas: many}, expect: deny, message: error}
"""


def run(folder: Path, table: str, **options: object) -> int:
    (folder / "few.yaml").write_text(POLICY)
    (folder / "tests").mkdir(exist_ok=True)
    (folder / "tests" / "few.yaml").write_text(table)
    chosen: dict[str, Any] = {"mutation": True, "minimum_score": None, "form": "json", **options}
    return policy_test.run(paths=[str(folder / "tests")], **chosen)


def suite(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)["suites"][0]
    return found


def test_a_full_table_notices_every_change(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, TABLE + REST, minimum_score=1.0) == 0
    found = suite(capsys)
    assert found["passed"]
    assert found["mutation"]["survivors"] == []
    assert found["mutation"]["mutants"] > 10


def test_a_table_of_one_case_misses_changes_and_names_their_places(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, TABLE) == 0
    found = suite(capsys)
    survivors = {one["change"] for one in found["mutation"]["survivors"]}
    assert {"without this validation", "failurePolicy: Ignore", "< becomes <="} <= survivors
    assert found["mutation"]["score"] < 0.5
    places = {one["change"]: one["place"] for one in found["mutation"]["survivors"]}
    assert places["< becomes <="].endswith("few.yaml:9:68")
    assert run(tmp_path, TABLE, minimum_score=0.9) == 1


def test_a_case_that_fails_is_shown_with_what_was_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = TABLE + "  - {name: nine, object: d, set: {/spec/replicas: 9}, expect: allow}\n"
    assert run(tmp_path, wrong, form="text", mutation=False) == 1
    said = capsys.readouterr().out
    assert "1 of 2 cases pass" in said
    assert "FAIL" in said
    assert "nine" in said
    assert "expected allow" in said
    assert "got deny: between 2 and 4 at /spec/replicas" in said


@pytest.mark.parametrize("more", ["message: nonsense", "pointer: /metadata"])
def test_the_message_and_the_place_count(tmp_path: Path, more: str) -> None:
    row = f"  - {{name: one, object: d, set: {{/spec/replicas: 1}}, expect: deny, {more}}}\n"
    assert run(tmp_path, TABLE + row, mutation=False) == 1


def test_a_failing_case_notices_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = "cases: [{name: a, object: {apiVersion: v1, kind: Pod}, expect: deny}]\n"
    assert run(tmp_path, table) == 1
    assert suite(capsys)["mutation"]["killed"] == 0


def test_a_pod_template_is_tried_in_each_kind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = "cases: [{name: a, kinds: all, object: {spec: {containers: []}}, expect: skip}]\n"
    run(tmp_path, table, mutation=False)
    names = [case["name"] for case in suite(capsys)["cases"]]
    assert len(names) == 11
    assert {"a (Pod)", "a (CronJob)", "a (LeaderWorkerSet)"} <= set(names)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("cases: []\n", "SCH009"),
        ("cases: [{name: a, expect: maybe}]\n", "SCH004"),
        ("cases: [{name: a, object: nobody, expect: allow}]\n", "POL020"),
        ("cases: [{name: a, expect: allow}]\n", "POL020"),
        (TABLE + "  - {name: b, object: d, set: {spec: 1}, expect: allow}\n", "POL020"),
        (TABLE + "  - {name: b, object: d, set: {/metadata/name/0: 1}, expect: allow}\n", "POL020"),
    ],
)
def test_a_table_that_makes_no_sense_is_a_finding(tmp_path: Path, table: str, said: str) -> None:
    with pytest.raises(FindingsError) as raised:
        run(tmp_path, table)
    assert said in {finding.rule for finding in raised.value.findings}


def test_no_tables_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such"):
        policy_test.run(
            paths=[str(tmp_path / "a")], mutation=False, minimum_score=None, form="text"
        )


def changes(expression: str) -> set[str]:
    plan = plan_of({"validations": [{"expression": expression}], "failurePolicy": "Ignore"})
    assert not plan.problems
    return {mutant.change for mutant in mutants(plan, ())} - {
        "without this validation",
        "matchConstraints: without *",
    }


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("object.a == 1", "== becomes !=; 2 instead"),
        ("!has(object.a)", "without the negation; has() negated"),
        ("object.a in ['x', 'y']", "in negated; without 'x'; without 'y'"),
        ("object.a.startsWith('x')", "startsWith negated; 'x~' instead"),
        (
            "(object.a ? 1 : object.b) == object.c",
            "== becomes !=; always the first branch; always the second branch; 2 instead",
        ),
        ("object.l.all(x, x)", "exists instead"),
        ("object.l.exists(x, x)", "all instead"),
        ("object.l.filter(x, x).size() == 0", "== becomes !=; 1 instead; without the filter"),
        (
            "object.l.map(x, x + 1) == []",
            "== becomes !=; 2 instead; without what is left of +; without what is right of +",
        ),
    ],
)
def test_changes(expression: str, expected: str) -> None:
    assert changes(expression) == set(expected.split("; "))
