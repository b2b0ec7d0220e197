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
    from sluice.core.cel.engine import engine_for  # noqa: PLC0415  # only here
    from sluice.core.cel.problems import CompileError  # noqa: PLC0415  # only here

    with pytest.raises(CompileError):
        engine_for((1, 34)).checker({}, params=False).check(expression)


def check_twice(text: str, first: str, second: str) -> tuple[str, str]:
    """The types of a text where the variable x comes from one expression, and from another."""
    from sluice.core.cel.engine import engine_for  # noqa: PLC0415  # only here

    engine = engine_for((1, 34))
    plain = engine.checker({}, params=False)
    types = [plain.check(one).type for one in (first, second)]
    checkers = [engine.checker({"x": kind}, params=False) for kind in types]
    return checkers[0].check(text).type_name, checkers[1].check(text).type_name


@pytest.mark.parametrize("text", ["variables.x", "variables. x", "variables // here\n.x"])
def test_what_is_remembered_of_an_expression_is_of_its_variables_types(text: str) -> None:
    assert check_twice(text, "1", "'one'") == ("INT", "STRING")


def test_an_expression_is_checked_once_where_nothing_differs_that_it_sees() -> None:
    from sluice.core.cel.engine import engine_for  # noqa: PLC0415  # only here

    text = "object.spec.replicas > 41"
    first = engine_for((1, 34)).checker({}, params=False).check(text)
    other = engine_for((1, 35)).checker({"y": first.type}, params=False).check(text)
    assert other is first
    assert engine_for((1, 29)).checker({}, params=False).check(text) is not first
    assert engine_for((1, 34)).checker({}, params=True).check(text) is not first


def test_an_engine_says_which_version_is_asked_though_others_share_what_it_knows() -> None:
    spec = {"validations": [{"expression": "[1].includes(1)"}]}
    messages = [plan_of(spec, version).problems[0].message for version in ((1, 35), (1, 36))]
    assert [one.rpartition(" ")[2] for one in messages] == ["1.35", "1.36"]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ('object.metadata.name in [object.data.model, "web"]', "elements of different types"),
        ('{"a": object.b, "c": "d"}.size() == 2', "values of different types"),
        ('int("many") > 1', "cannot"),
        ('double("many") > 1.0', "cannot"),
        ('bool("many")', "onver"),
    ],
)
def test_literals_that_the_server_refuses(expression: str, message: str) -> None:
    (problem,) = plan_of({"validations": [{"expression": expression}]}).problems
    assert message in problem.message
