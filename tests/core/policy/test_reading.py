"""What a cluster would refuse about a policy or a binding, with its place."""

from typing import Any

import pytest

from sluice.core.documents.load import load
from sluice.core.documents.objects import read_all
from sluice.core.documents.source import place_inside
from sluice.core.finding import Finding, FindingsError
from sluice.core.policy.layer import read_policies
from sluice.core.policy.reading import is_binding, is_policy, read_binding, read_policy
from support.policies import EVERYTHING as ALL
from support.policies import part

OK: dict[str, Any] = {"matchConstraints": ALL, "validations": [{"expression": "true"}]}
EVERYTHING: dict[str, Any] = dict(ALL)
RULE = {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]}


def _problems(kind: str, spec: object) -> list[str]:
    findings: list[Finding] = []
    whole = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": f"ValidatingAdmissionPolicy{kind}",
        "metadata": {"name": "p"},
        "spec": spec,
    }
    reader = read_binding if kind else read_policy
    reader(part("p.yaml", whole), findings)
    assert all(finding.rule == "POL002" for finding in findings)
    return [finding.message for finding in findings]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (None, "spec: is required"),
        ("text", "spec: is not a mapping"),
        ({**OK, "matchConstraints": {}}, "resourceRules must name"),
        ({**OK, "matchConstraints": {"resourceRules": [{}]}}, "apiGroups: is required"),
        ({**OK, "matchConstraints": {"resourceRules": ["x"]}}, "resourceRules.0: is not a mapping"),
        (
            {**OK, "matchConstraints": {"resourceRules": [{**RULE, "operations": ["PATCH"]}]}},
            "'PATCH' is not one of CREATE",
        ),
        (
            {**OK, "matchConstraints": {"resourceRules": [{**RULE, "scope": "All"}]}},
            "'All' is not one of",
        ),
        ({**OK, "matchConstraints": {**EVERYTHING, "matchPolicy": "Some"}}, "'Some' is not one of"),
        ({**OK, "failurePolicy": "Maybe"}, "'Maybe' is not one of Fail, Ignore"),
        ({"matchConstraints": EVERYTHING}, "validations or auditAnnotations"),
        ({**OK, "validations": [{"message": "x"}]}, "validations.0.expression: is required"),
        ({**OK, "validations": [{"expression": 1}]}, "expression: is not text"),
        ({**OK, "validations": [{"expression": "true", "message": "a\nb"}]}, "more than one line"),
        ({**OK, "validations": [{"expression": "true", "reason": "Why"}]}, "'Why' is not one of"),
        ({**OK, "validations": [{"expression": "true", "reason": "Unauthorized"}]}, "not one of"),
        ({**OK, "validations": [{"expression": "true", "message": " "}]}, "must say something"),
        (
            {**OK, "validations": [{"expression": "true", "messageExpression": " "}]},
            "must say something",
        ),
        (
            {**OK, "matchConstraints": {"resourceRules": [{**RULE, "apiGroups": ["", "*"]}]}},
            "apiGroups: where '*' stands",
        ),
        (
            {
                **OK,
                "matchConstraints": {"resourceRules": [{**RULE, "operations": ["*", "UPDATE"]}]},
            },
            "operations: where '*' stands",
        ),
        (
            {
                **OK,
                "auditAnnotations": [{"key": f"k{i}", "valueExpression": "''"} for i in range(21)],
            },
            "at most 20",
        ),
        ({**OK, "paramKind": {"apiVersion": "a/b/c", "kind": "K"}}, "'a/b/c' is not group/version"),
        ({**OK, "variables": [{"name": "a-b", "expression": "1"}]}, "not a CEL identifier"),
        (
            {**OK, "variables": [{"name": "a", "expression": "1"}] * 2},
            "variables.1.name: 'a' stands twice",
        ),
        (
            {
                **OK,
                "matchConditions": [{"name": f"c{i}", "expression": "true"} for i in range(65)],
            },
            "at most 64",
        ),
        ({**OK, "paramKind": {"kind": "ConfigMap"}}, "paramKind.apiVersion: is required"),
        (
            {
                **OK,
                "matchConstraints": {
                    **EVERYTHING,
                    "objectSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]},
                },
            },
            "needs an operator",
        ),
    ],
)
def test_wrong_policies(spec: object, message: str) -> None:
    assert any(message in problem for problem in _problems("", spec))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"validationActions": ["Deny"]}, "policyName: is required"),
        ({"policyName": "p"}, "validationActions: is required"),
        ({"policyName": "p", "validationActions": []}, "must have an entry"),
        ({"policyName": "p", "validationActions": ["Deny", "Warn"]}, "Deny excludes Warn"),
        ({"policyName": "p", "validationActions": ["Block"]}, "'Block' is not one of"),
        (
            {"policyName": "p", "validationActions": ["Deny"], "paramRef": {"name": "a"}},
            "parameterNotFoundAction: is required",
        ),
        (
            {
                "policyName": "p",
                "validationActions": ["Deny"],
                "paramRef": {
                    "name": "a",
                    "selector": {},
                    "parameterNotFoundAction": "Deny",
                },
            },
            "a name or a selector",
        ),
        (
            {
                "policyName": "p",
                "validationActions": ["Deny"],
                "paramRef": {"name": "a", "parameterNotFoundAction": "Warn"},
            },
            "is not one of Allow, Deny",
        ),
    ],
)
def test_wrong_bindings(spec: object, message: str) -> None:
    assert any(message in problem for problem in _problems("Binding", spec))


def test_a_good_policy_has_no_findings() -> None:
    assert _problems("", OK) == []


def test_kinds_are_told_apart() -> None:
    policy = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy"}
    assert is_policy(policy)
    assert not is_binding(policy)
    assert is_binding({**policy, "kind": "ValidatingAdmissionPolicyBinding"})
    assert not is_policy({**policy, "apiVersion": "v1"})


def test_a_specs_document_is_a_source_too() -> None:
    text = b"apiVersion: v1\nspec:\n  expression: >-\n    one two\n    three\n"
    document = load("d.yaml", text)
    assert (
        str(place_inside(document, ("spec", "expression"), "one two three", 1, 9)) == "d.yaml:5:5"
    )


def test_files_may_hold_many_documents_and_lists() -> None:
    text = b"""\
apiVersion: v1
kind: ConfigMapList
items:
- {kind: ConfigMap, metadata: {name: a}, data: {when: 2020-01-01}}
- {kind: ConfigMap, metadata: {name: b}}
---
---
kind: Secret
metadata: {name: c}
"""
    parts = read_all("f.yaml", text)
    assert [one.data["metadata"]["name"] for one in parts] == ["a", "b", "c"]
    assert parts[0].data["data"]["when"] == "2020-01-01"
    assert [str(one.place(("metadata", "name"))) for one in parts] == [
        "f.yaml:4:38",
        "f.yaml:5:38",
        "f.yaml:9:18",
    ]
    assert str(parts[1].place(("spec", "nope"))) == "f.yaml:5:3"
    assert str(parts[2].place(("metadata", "name"), key=True)) == "f.yaml:9:12"


def test_items_of_a_typed_list_are_of_its_kind() -> None:
    text = b'{"apiVersion": "apps/v1", "kind": "DeploymentList", "items": [{"metadata": {}}]}'
    (item,) = read_all("o.json", text)
    assert (item.data["apiVersion"], item.data["kind"]) == ("apps/v1", "Deployment")
    with pytest.raises(FindingsError) as caught:
        read_all("o.json", text.replace(b'{"metadata": {}}', b"1"))
    (finding,) = caught.value.findings
    assert str(finding.place) == "o.json:1:63"
    assert "expected a mapping" in finding.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "expected"),
        ("- a", "expected a mapping"),
        ("a: 1\na: 2\n", "stands twice"),
        ("{[1]: 2}", "not text"),
        ("a: " + "[" * 300 + "]" * 300, "levels deep"),
        ("a: !!python/object:os.system 1", "a value of the type python"),
        ("a: *nowhere", "undefined alias"),
        ("\x01", "control characters"),
    ],
)
def test_what_cannot_be_read_is_a_finding(text: str, message: str) -> None:
    with pytest.raises(FindingsError, match=message):
        read_all("f.yaml", text.encode())


def test_bytes_that_are_no_text_are_a_finding() -> None:
    with pytest.raises(FindingsError):
        read_all("f.yaml", b"a: \xff\xfe")


def _nested_aliases(first: str, layer: str, levels: int) -> bytes:
    lines = [f"l0: &l0 {first}"]
    for level in range(1, levels):
        again = ", ".join([f"*l{level - 1}"] * 10)
        lines.append(f"l{level}: &l{level} {layer.replace('ALIASES', again)}")
    return "\n".join(lines).encode()


@pytest.mark.parametrize("layer", ["[ALIASES]", "{<<: [ALIASES]}", "{a: [ALIASES]}"])
def test_aliases_that_multiply_beyond_measure_are_refused(layer: str) -> None:
    with pytest.raises(FindingsError, match="aliases make more than") as raised:
        read_all("p.yaml", _nested_aliases("{a: b}", layer, 9))
    assert raised.value.findings[0].help


def test_a_few_aliases_are_what_they_stand_for() -> None:
    (part,) = read_all("p.yaml", _nested_aliases("b", "[ALIASES]", 3))
    assert part.data["l2"] == [["b"] * 10] * 10


def test_a_policy_file_that_is_too_large_is_refused_and_not_cut() -> None:
    raw = b"kind: A\n" + b"#" * (1 << 20)
    with pytest.raises(FindingsError, match="more than 1,048,576 bytes"):
        read_policies({"policies/a.yaml": raw})


def test_a_message_expression_may_be_long_since_only_its_result_is_bounded() -> None:
    text = f"'short' + '{'x' * 6000}'"
    assert not _problems(
        "", {**OK, "validations": [{"expression": "1", "messageExpression": text}]}
    )
