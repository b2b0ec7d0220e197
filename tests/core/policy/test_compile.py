"""Where in the policy's file a mistake is, however the expression is written."""

import pytest

from sluice.core.documents.objects import read_all
from sluice.core.finding import Finding
from sluice.core.policy.plan import compile_policy
from sluice.core.policy.reading import read_policy
from support.policies import decide, plan_of

HEAD = """\
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: p}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: ["*"], apiVersions: ["*"], operations: ["*"], resources: ["*"]}]
  validations:
"""

STYLES = {
    "plain": "  - expression: object.a == nope\n",
    "plain over lines": "  - expression: object.a ==\n      1 && object.b ==\n      nope\n",
    "double": '  - expression: "object.a == \\"x\\" || object.a ==\\\n      nope"\n',
    "single": "  - expression: 'object.a == ''x'' || nope'\n",
    "literal": "  - expression: |\n      object.a == 1 &&\n        object.b == nope\n",
    "folded": "  - expression: >-\n      object.a == 1 &&\n      object.b == nope\n",
    "indented": "  - expression: |2-\n        object.a == nope\n",
    "after a comment line in CEL": "  - expression: |\n      // nop\n      object.a == nope\n",
    "not ASCII": "  - expression: \"object.a == 'é—' || nope\"\n",
}


@pytest.mark.parametrize("style", STYLES)
def test_a_mistake_has_its_line_and_column(style: str) -> None:
    text = HEAD + STYLES[style]
    findings: list[Finding] = []
    policy = read_policy(read_all("p.yaml", text.encode())[0], findings)
    assert not findings
    (problem,) = compile_policy(policy, (1, 34)).problems
    line = text.split("\n")[problem.place.line - 1]
    assert line[problem.place.column - 1 :].startswith("nope")
    assert problem.rule == "POL003"


def test_a_mistake_in_the_second_document_of_a_file() -> None:
    text = "---\nkind: Other\n---\n" + HEAD + "  - expression: nope\n"
    findings: list[Finding] = []
    policy = read_policy(read_all("p.yaml", text.encode())[1], findings)
    (problem,) = compile_policy(policy, (1, 34)).problems
    assert str(problem.place) == "p.yaml:11:17"


def test_all_mistakes_are_found_at_once() -> None:
    plan = plan_of(
        {
            "variables": [{"name": "a", "expression": "one"}],
            "matchConditions": [{"name": "b", "expression": "two"}],
            "validations": [
                {"expression": "three && four", "messageExpression": "five"},
                {"expression": "true", "messageExpression": "1"},
            ],
            "auditAnnotations": [{"key": "c", "valueExpression": "six"}],
        }
    )
    messages = " ".join(problem.message for problem in plan.problems)
    for name in ("one", "two", "three", "four", "five", "six"):
        assert f"'{name}'" in messages
    assert "must evaluate to string but got int" in messages


def test_what_uses_a_broken_variable_is_not_blamed_for_it() -> None:
    plan = plan_of(
        {
            "variables": [
                {"name": "a", "expression": "nope"},
                {"name": "b", "expression": "variables.a + 1"},
            ],
            "validations": [{"expression": "variables.b == 1"}],
        }
    )
    assert [problem.message for problem in plan.problems] == [
        "policy p: undeclared reference to 'nope'"
    ]


def test_variables_by_the_hundred() -> None:
    variables = [{"name": "v0", "expression": "1"}]
    variables += [{"name": f"v{i}", "expression": f"variables.v{i - 1} + 1"} for i in range(1, 100)]
    spec = {"variables": variables, "validations": [{"expression": "variables.v99 == 100"}]}
    assert decide(spec, {"apiVersion": "v1", "kind": "ConfigMap"}).decision == "allow"


@pytest.mark.parametrize(
    "expression",
    ["(" * 500 + "1" + ")" * 500, "\x00", "", "'", "object.\ud800", "[" * 5000, "a" * 200_000],
)
def test_hostile_text_is_a_mistake_like_any_other(expression: str) -> None:
    from sluice.core.cel.engine import CompileError, engine_for  # noqa: PLC0415  # only here

    with pytest.raises(CompileError):
        engine_for((1, 34)).checker({}, params=False).check(expression)
