"""`sluice policy eval` on files."""

import json
from pathlib import Path
from typing import Any

import pytest

from sluice.commands.policy_eval import run
from sluice.core.finding import FindingsError, UsageError
from sluice.workspace.policy_inputs import parse_version

POLICY = """\
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: limits}
spec:
  matchConstraints:
    resourceRules:
      - {apiGroups: [apps], apiVersions: [v1], operations: ["*"], resources: [deployments]}
  validations:
    - expression: object == null || object.spec.replicas <= 2
      message: too many
    - expression: >-
        oldObject == null || object == null ||
        object.spec.replicas >= oldObject.spec.replicas
"""
BINDING = """\
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: softly}
spec: {policyName: limits, validationActions: [Warn]}
"""
OBJECT = """\
apiVersion: v1
kind: Service
metadata: {name: a}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: a}
spec:
  replicas: 3
"""


class Files:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, name: str, text: str) -> list[str]:
        path = self._folder / name
        path.write_text(text, encoding="utf-8")
        return [str(path)]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def _run(
    capsys: pytest.CaptureFixture[str], form: str = "json", **options: object
) -> tuple[int, Any]:
    given: dict[str, Any] = {
        "bindings": [],
        "old": [],
        "params": [],
        "namespace": [],
        "operation": None,
        "kubernetes_version": "1.34",
        **options,
    }
    code = run(form=form, **given)
    out = capsys.readouterr().out
    return code, json.loads(out) if form == "json" else out


def test_a_denial(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    policies, objects = files("p.yaml", POLICY), files("o.yaml", OBJECT)
    code, found = _run(capsys, policies=policies, objects=objects)
    assert code == 1
    assert found["version"] == 1
    assert [one["decision"] for one in found["results"]] == ["skip", "deny"]
    denied = found["results"][1]
    assert denied["policy"] == "limits"
    assert denied["binding"] is None
    assert denied["messages"] == ["too many"]
    assert denied["object"]["kind"] == "Deployment"
    (failure,) = denied["failures"]
    assert failure["validation"] == 0
    assert failure["pointer"] == "/spec/replicas"
    assert failure["objectPlace"] == f"{objects[0]}:9:13"
    assert failure["place"] == f"{policies[0]}:9:19"


def test_text(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    policies, objects = files("p.yaml", POLICY), files("o.yaml", OBJECT)
    code, out = _run(capsys, "text", policies=policies, objects=objects)
    assert code == 1
    assert "skip  limits: Service default/a" in out
    assert f"{objects[0]}:9:13: too many [{policies[0]}:9:19]" in out


def test_a_binding_beside_the_policy(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    policies, objects = files("p.yaml", POLICY + BINDING), files("o.yaml", OBJECT)
    code, found = _run(capsys, policies=policies, objects=objects)
    assert code == 0
    assert [one["decision"] for one in found["results"]] == ["skip", "warn"]
    assert found["results"][1]["binding"] == "softly"


def test_a_binding_of_its_own(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    policies, objects = files("p.yaml", POLICY), files("o.yaml", OBJECT)
    bindings = files("b.yaml", BINDING)
    _, found = _run(capsys, policies=policies, objects=objects, bindings=bindings)
    assert found["results"][1]["decision"] == "warn"


def test_updates_and_deletions(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    policies = files("p.yaml", POLICY)
    old = files("old.yaml", OBJECT + "---\n" + OBJECT.replace("name: a", "name: gone"))
    objects = files("o.yaml", OBJECT.replace("replicas: 3", "replicas: 1"))
    code, found = _run(capsys, policies=policies, objects=objects, old=old)
    assert code == 1
    asked = [
        (r["object"]["name"], r["object"]["operation"], r["decision"]) for r in found["results"]
    ]
    assert asked == [
        ("a", "UPDATE", "skip"),
        ("a", "UPDATE", "deny"),
        ("gone", "DELETE", "skip"),
        ("gone", "DELETE", "allow"),
    ]


def test_params_and_namespaces(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    policy = """\
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: p}
spec:
  paramKind: {apiVersion: v1, kind: ConfigMap}
  matchConstraints:
    namespaceSelector: {matchLabels: {env: prod}}
    resourceRules: [{apiGroups: [apps], apiVersions: ["*"], operations: ["*"], resources: ["*"]}]
  validations:
    - expression: object.spec.replicas <= int(params.data.max)
"""
    params = files(
        "c.yaml", "{apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {max: '9'}}"
    )
    namespace = files(
        "n.yaml", "{apiVersion: v1, kind: Namespace, metadata: {name: 'n', labels: {env: prod}}}"
    )
    objects = files("o.yaml", OBJECT)
    given: dict[str, Any] = {
        "policies": files("p.yaml", policy),
        "objects": objects,
        "params": params,
    }
    code, found = _run(capsys, namespace=namespace, **given)
    assert code == 0
    assert [one["decision"] for one in found["results"]] == ["skip", "allow"]
    assert found["results"][1]["object"]["namespace"] == "n"
    _, found = _run(capsys, **given)
    assert [one["decision"] for one in found["results"]] == ["skip", "skip"]


def test_objects_are_seen_as_a_cluster_stores_them(
    files: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    objects = files("o.yaml", OBJECT.replace("  replicas: 3", "  paused: null"))
    code, _ = _run(capsys, policies=files("p.yaml", POLICY), objects=objects)
    assert code == 0  # replicas is 1 in the cluster


def test_a_policy_that_does_not_compile(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    policies = files("p.yaml", POLICY.replace("object.spec.replicas <= 2", "authorizer.x"))
    code, found = _run(capsys, policies=policies, objects=files("o.yaml", OBJECT))
    assert code == 1
    assert {one["decision"] for one in found["results"]} == {"error"}
    assert found["results"][0]["failures"][0]["place"] == f"{policies[0]}:9:47"


def test_versions_gate_functions(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    policies = files("p.yaml", POLICY.replace("object.spec.replicas <= 2", "isIP('::1')"))
    objects = files("o.yaml", OBJECT)
    assert _run(capsys, policies=policies, objects=objects)[0] == 0
    code, _ = _run(capsys, policies=policies, objects=objects, kubernetes_version="v1.29.3")
    assert code == 1


def test_wrong_use(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    policies, objects = files("p.yaml", POLICY), files("o.yaml", OBJECT)
    with pytest.raises(UsageError, match="nowhere"):
        _run(capsys, policies=["nowhere.yaml"], objects=objects)
    with pytest.raises(UsageError, match="no ValidatingAdmissionPolicy"):
        _run(capsys, policies=objects, objects=objects)
    with pytest.raises(UsageError, match="nothing to decide on"):
        _run(capsys, policies=policies, objects=files("none.yaml", "# nothing\n"))
    with pytest.raises(UsageError, match="'PATCH' is not one of"):
        _run(capsys, policies=policies, objects=objects, operation="PATCH")
    with pytest.raises(UsageError, match="not a Kubernetes version"):
        parse_version("latest")
    with pytest.raises(FindingsError, match="spec"):
        _run(capsys, policies=files("q.yaml", POLICY.partition("spec:")[0]), objects=objects)


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_is_skipped_for_want_of_a_namespace_says_so(
    files: Files, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    selector = "  matchResources: {namespaceSelector: {matchLabels: {tier: serving}}}\n"
    binding = BINDING.replace("[Warn]}\n", "[Deny]}\n").replace(
        "spec: {policyName: limits, validationActions: [Deny]}\n",
        f"spec:\n  policyName: limits\n  validationActions: [Deny]\n{selector}",
    )
    policies = files("p.yaml", POLICY + binding)
    objects = files("o.yaml", OBJECT.replace("{name: a}", "{name: a, namespace: models}"))
    labels = "{name: models, labels: {tier: serving}}"
    space = files("n.yaml", f"apiVersion: v1\nkind: Namespace\nmetadata: {labels}\n")
    asked = {"policies": policies, "bindings": [], "objects": objects, "old": [], "params": []}
    said = []
    for namespace, code in (([], 0), (space, 1)):
        given: dict[str, Any] = {**asked, "namespace": namespace, "form": form}
        assert run(**given, operation=None, kubernetes_version="1.34") == code
        said.append(capsys.readouterr().out)
    assert [text.count("--namespace") for text in said] == [1, 0]  # not of the Service
