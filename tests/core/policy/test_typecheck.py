"""Warnings about fields that built-in kinds do not have."""

import json
from pathlib import Path
from typing import Any

import pytest

from sluice.core.finding import Severity
from sluice.core.kubernetes.closure import merge
from sluice.core.policy.typecheck import KindTypes, type_warnings
from support.policies import plan_of

SCHEMAS = Path(__file__).parents[3] / "schemas" / "kubernetes"
RULES = {
    "resourceRules": [
        {
            "apiGroups": ["apps"],
            "apiVersions": ["v1"],
            "operations": ["*"],
            "resources": ["deployments"],
        }
    ]
}


@pytest.fixture(scope="module")
def schemas() -> dict[str, Any]:
    return merge(json.loads(path.read_bytes()) for path in sorted(SCHEMAS.glob("*.json")))


def _warnings(schemas: dict[str, Any], *expressions: str, **spec: object) -> list[str]:
    validations = [{"expression": expression} for expression in expressions]
    plan = plan_of({"matchConstraints": RULES, "validations": validations, **spec})
    found = type_warnings(plan, KindTypes(schemas))
    assert all(one.severity is Severity.WARNING and one.rule == "POL004" for one in found)
    return [one.message for one in found]


def test_a_wrong_field_is_a_warning(schemas: dict[str, Any]) -> None:
    (message,) = _warnings(schemas, "object.spec.replica <= 5")
    assert "undefined field 'replica'" in message
    assert "apps/v1 Deployment" in message


def test_a_wrong_field_of_a_variable_is_a_warning(schemas: dict[str, Any]) -> None:
    variables = [{"name": "pod", "expression": "object.spec.template.spec"}]
    rule = "variables.pod.containers.all(c, has(c.resource))"
    (message,) = _warnings(schemas, rule, variables=variables)
    assert "undefined field 'resource'" in message


def test_a_wrong_type_is_a_warning(schemas: dict[str, Any]) -> None:
    (message,) = _warnings(schemas, "object.spec.replicas == 'three'")
    assert "no matching overload" in message


def test_good_expressions_have_no_warning(schemas: dict[str, Any]) -> None:
    good = [
        "object == null || oldObject == null || object.spec.replicas == oldObject.spec.replicas",
        "object.spec.template.spec.containers.all(c, has(c.resources) && has(c.resources.limits))",
        "object.spec.template.spec.containers.all(c, 'cpu' in c.resources.limits)",
        "object.metadata.?labels['a'].orValue('') == 'b' && has(object.metadata.annotations)",
        "object.spec.?strategy.?rollingUpdate.?maxSurge.orValue(1) == 1",
        "request.operation == 'CREATE' && object.kind == 'Deployment'",
    ]
    assert _warnings(schemas, *good) == []


def test_wildcards_and_unknown_kinds_are_not_checked(schemas: dict[str, Any]) -> None:
    plan = plan_of({"validations": [{"expression": "object.nope == 1"}]})
    assert type_warnings(plan, KindTypes(schemas)) == []


def test_every_kind_of_the_schemas_can_be_checked(
    schemas: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    for known in schemas["kinds"]:
        api_version, _, _kind = known.rpartition("/")
        group = api_version.rpartition("/")[0]
        rule = {"apiGroups": [group], "apiVersions": [api_version.rpartition("/")[2]]}
        resources = sorted(_plurals(schemas, api_version))
        rules = [{**rule, "operations": ["*"], "resources": [one]} for one in resources]
        plan = plan_of(
            {
                "matchConstraints": {"resourceRules": rules},
                "validations": [{"expression": "has(object.metadata.name)"}],
            },
            (1, 37),
        )
        assert type_warnings(plan, KindTypes(schemas)) == []
    assert capfd.readouterr().err == ""


def _plurals(schemas: dict[str, Any], api_version: str) -> set[str]:
    from sluice.core.policy.resources import plural  # noqa: PLC0415  # only here

    kinds = (known.rpartition("/") for known in schemas["kinds"])
    return {plural(kind) for found, _, kind in kinds if found == api_version}
