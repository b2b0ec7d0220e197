"""What the tests of policies share: policies from a few lines, and decisions on objects."""

from collections.abc import Mapping, Sequence
from typing import Any

from sluice.core.cel.engine import engine_for
from sluice.core.documents.emit import emit
from sluice.core.documents.objects import Part, read_all
from sluice.core.finding import Finding
from sluice.core.policy.admission import World, admit
from sluice.core.policy.compiled import Compiled
from sluice.core.policy.evaluate import Result, evaluate
from sluice.core.policy.model import Binding, Expression, Policy
from sluice.core.policy.plan import Plan, compile_policy
from sluice.core.policy.reading import read_binding, read_policy

Version = tuple[int, int]

EVERYTHING = {
    "resourceRules": [
        {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]}
    ]
}


def part(path: str, data: Mapping[str, Any]) -> Part:
    return read_all(path, emit(data))[0]


def policy_of(spec: Mapping[str, Any]) -> Policy:
    findings: list[Finding] = []
    whole = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": "p"},
        "spec": {"matchConstraints": EVERYTHING, **spec},
    }
    policy = read_policy(part("policy.yaml", whole), findings)
    assert not findings, findings
    return policy


def binding_of(spec: Mapping[str, Any]) -> Binding:
    findings: list[Finding] = []
    whole = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": "b"},
        "spec": {"policyName": "p", "validationActions": ["Deny"], **spec},
    }
    binding = read_binding(part("binding.yaml", whole), findings)
    assert not findings, findings
    return binding


def plan_of(spec: Mapping[str, Any], version: Version = (1, 34)) -> Plan:
    return compile_policy(policy_of(spec), version)


def decide(
    spec: Mapping[str, Any],
    obj: Mapping[str, Any] | None,
    *,
    old: Mapping[str, Any] | None = None,
    bindings: Sequence[Mapping[str, Any]] = (),
    world: World | None = None,
    operation: str = "",
    namespace: str = "",
    version: Version = (1, 34),
) -> Result:
    request = admit(obj, old, operation=operation, namespace=namespace, world=world)
    results = evaluate(plan_of(spec, version), map(binding_of, bindings), request, world)
    assert len(results) == max(1, len(bindings))
    return results[0]


def value_of(expression: str, version: Version = (1, 37), **data: object) -> object:
    """The value of an expression alone; variables that are not given are null."""
    engine = engine_for(version)
    checked = engine.checker({}, params=True).check(expression)
    source = part("e.yaml", {"expression": expression})
    compiled = Compiled(Expression(expression, source, ("expression",)), checked, engine, {})
    names = ("object", "oldObject", "params", "namespaceObject")
    activation = engine.activation({**dict.fromkeys(names), "request": {}, **data})
    return compiled.program.run(activation)
