"""A release that a controller in the cluster rolls out."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from core import trees


def objects(case: str) -> dict[str, Any]:
    findings, manifests = trees.outcome(trees.case(trees.CASES / "valid" / case))
    assert findings == []
    found = {Path(p).stem: yaml.safe_load(raw) for p, raw in manifests.items() if "/chat/" in p}
    for path in manifests:
        if path.endswith("application-chat.yaml"):
            found["application"] = yaml.safe_load(manifests[path])
    return found


def test_a_rollout_takes_the_place_of_the_deployment_with_the_same_pods() -> None:
    found = objects("controller-in-the-cluster-canary")
    assert not any(name.startswith("deployment") for name in found)
    spec = found["rollout"]["spec"]
    assert spec["template"]["spec"]["containers"][0]["name"] == "engine"
    canary = spec["strategy"]["canary"]
    assert (canary["stableService"], canary["canaryService"]) == ("chat", "chat-canary")
    assert {"service", "service-canary", "analysistemplate"} <= found.keys()
    assert canary["steps"] == [
        {"setWeight": 10},
        {"pause": {"duration": 600}},
        {"setWeight": 50},
        {"pause": {}},
    ]
    assert spec["progressDeadlineSeconds"] == 1800


def test_no_data_is_neither_success_nor_failure() -> None:
    spec = objects("controller-in-the-cluster-canary")["analysistemplate"]["spec"]
    errors, slow = spec["metrics"]
    assert errors["successCondition"] == "len(result) > 0 && result[0] <= 0.02"
    assert errors["failureCondition"] == "len(result) > 0 && result[0] > 0.02"
    query = errors["provider"]["prometheus"]["query"]
    assert 'rollouts_pod_template_hash="{{args.candidate}}"' in query
    assert 'le="+Inf"' in slow["provider"]["prometheus"]["query"]
    assert spec["dryRun"] == [{"metricName": "timeToFirstToken"}]


def test_the_metrics_of_the_new_pods_can_be_told_apart() -> None:
    monitor = objects("controller-in-the-cluster-canary")["podmonitor"]
    assert "rollouts-pod-template-hash" in monitor["spec"]["podTargetLabels"]


@pytest.mark.parametrize(
    ("case", "kind", "routing"),
    [
        ("canary", "HTTPRoute", "plugins"),
        ("istio", "VirtualService", "istio"),
        ("nginx", "", "nginx"),
    ],
)
def test_argo_cd_leaves_the_weights_to_the_controller(case: str, kind: str, routing: str) -> None:
    found = objects(f"controller-in-the-cluster-{case}")
    assert set(found["rollout"]["spec"]["strategy"]["canary"]["trafficRouting"]) == {routing}
    ignored = found.get("application", {"spec": {}})["spec"].get("ignoreDifferences", [])
    assert [each["kind"] for each in ignored] == ([kind] if kind else [])
    route = found.get("httproute") or found.get("virtualservice")
    if route:
        rule = (route["spec"].get("rules") or route["spec"]["http"])[0]
        weights = [b["weight"] for b in rule.get("backendRefs") or rule["route"]]
        assert weights == [100, 0]


def test_blue_green_waits_for_a_person_unless_a_step_says_otherwise() -> None:
    strategy = objects("controller-in-the-cluster-blue-green")["rollout"]["spec"]["strategy"]
    assert strategy["blueGreen"]["autoPromotionEnabled"] is False
    assert strategy["blueGreen"]["previewService"] == "chat-canary"


def test_without_a_prometheus_there_is_no_analysis() -> None:
    found = objects("controller-in-the-cluster-nginx")
    assert "analysistemplate" not in found
    assert "analysis" not in found["rollout"]["spec"]["strategy"]["canary"]


def test_the_same_release_renders_with_a_deployment_without_the_word() -> None:
    folder = trees.CASES / "valid" / "controller-in-the-cluster-canary"
    files = trees.replaced(trees.case(folder), trees.RELEASE, "    controller: argo-rollouts\n", "")
    _, manifests = trees.outcome(files)
    assert any(path.endswith("chat/deployment-v7.yaml") for path in manifests)
