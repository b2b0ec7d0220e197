"""Scalers: several metrics at once, from no replica at all, and where metrics are missing."""

from typing import Any

import pytest
import yaml

from sluice.core.workload.scaling import targets
from sluice.workspace.workspace import Workspace
from support import trees

FOLDER = "manifests/production/platform/chat"
WAKE = ", namespaceLabel: exported_namespace"


def rendered(*replaced: tuple[str, str, str]) -> dict[str, Any]:
    files = trees.case(trees.CASES / "valid" / "scaled-from-zero")
    for path, old, new in replaced:
        files = trees.replaced(files, path, old, new)
    manifests = Workspace(files).render()
    return {
        path.rpartition("/")[2].removesuffix(".yaml"): manifest.data
        for path, manifest in manifests.items()
        if path.startswith(FOLDER)
    }


def test_a_release_that_sleeps_is_woken_by_what_arrives_at_the_gateway() -> None:
    scaler = rendered()["scaledobject"]["spec"]
    assert (scaler["minReplicaCount"], scaler["cooldownPeriod"]) == (0, 1800)
    *engine, wake = scaler["triggers"]
    assert wake["metadata"]["query"] == (
        "sum(rate(nginx_ingress_controller_requests"
        '{exported_namespace="models",ingress="chat"}[2m]))'
    )
    assert wake["metadata"]["activationThreshold"] == "0"
    assert float(wake["metadata"]["threshold"]) >= 1_000_000  # it wakes one and asks for no second
    assert {trigger["metadata"]["ignoreNullValues"] for trigger in engine} == {"true"}
    assert all(trigger["metadata"]["query"].startswith("sum(") for trigger in engine)


def test_one_label_may_hold_namespace_and_name() -> None:
    *_, wake = rendered((trees.ENVIRONMENT, WAKE, ""))["scaledobject"]["spec"]["triggers"]
    assert '{ingress=~"(.*/)?models/chat(/.*)?"}' in wake["metadata"]["query"]


def test_what_arrives_for_a_version_of_its_own_wakes_it_too() -> None:
    steps = "rollout: {strategy: canary, steps: [{weight: 10, soak: 10m}]}\n  scaling:"
    release = trees.RELEASE
    *_, wake = rendered((release, "scaling:", steps))["scaledobject-v7"]["spec"]["triggers"]
    assert 'ingress=~"chat|chat-v7"}' in wake["metadata"]["query"]


def test_awake_a_missing_series_is_a_failure() -> None:
    objects = rendered(
        (trees.RELEASE, "min: 0", "min: 1"), (trees.RELEASE, "    idleAfter: 30m\n", "")
    )
    scaler = objects["scaledobject"]["spec"]
    assert {t["metadata"]["ignoreNullValues"] for t in scaler["triggers"]} == {"false"}
    assert len(scaler["triggers"]) == 2


def test_a_share_is_held_as_a_share() -> None:
    running, cache, _ = rendered()["scaledobject"]["spec"]["triggers"]
    assert (running["metadata"]["threshold"], cache["metadata"]["threshold"]) == ("8", "0.8")


@pytest.mark.parametrize("side", ["scaleUp", "scaleDown"])
def test_a_scaler_changes_by_a_step_at_a_time(side: str) -> None:
    advanced = rendered()["scaledobject"]["spec"]["advanced"]
    policies = advanced["horizontalPodAutoscalerConfig"]["behavior"][side]["policies"]
    step = {"scaleUp": (2, 60), "scaleDown": (1, 300)}[side]
    assert [(p["type"], p["value"], p["periodSeconds"]) for p in policies] == [("Pods", *step)]


def test_the_scaler_owns_the_replicas_of_what_sleeps() -> None:
    objects = rendered()
    assert "replicas" not in objects["deployment"]["spec"]
    assert objects["scaledobject"]["spec"]["fallback"]["replicas"] == 2


def test_an_hpa_holds_all_metrics_and_the_adapter_knows_each() -> None:
    files = trees.case(trees.CASES / "valid" / "scaled-by-a-metrics-adapter")
    raw = files[trees.RELEASE].decode()
    spec = yaml.safe_load(raw)
    spec["spec"]["scaling"] = {"max": 3, "target": {"queuedRequests": 2, "kvCacheUsage": 80}}
    manifests = Workspace({**files, trees.RELEASE: yaml.safe_dump(spec).encode()}).render()
    (hpa,) = [m.data for m in manifests.values() if m.data["kind"] == "HorizontalPodAutoscaler"]
    held = {m["pods"]["metric"]["name"]: m["pods"]["target"] for m in hpa["spec"]["metrics"]}
    assert {target["averageValue"] for target in held.values()} == {"2", "800m"}
    (rules,) = [
        m.data["data"] for m in manifests.values() if "rules.yaml" in m.data.get("data", {})
    ]
    known = {rule["name"]["as"] for rule in yaml.safe_load(rules["rules.yaml"])["rules"]}
    assert known == held.keys()


def test_copies_in_one_pod_add_up_requests_and_not_shares() -> None:
    """Two copies whose caches are half full are a pod that is half full."""
    engine = trees.tools().catalog.engine("vllm", "0.33.0")
    assert engine
    asked = {"kvCacheUsage": 80, "runningRequests": 3}
    shares, requests = targets(engine, asked, {"sluice.dev/release": "chat"})
    pods = 'vllm:kv_cache_usage_perc{sluice_dev_release="chat"}'
    assert shares["query"] == f"sum(avg by (pod) ({pods}))"
    assert shares["adapter_query"].startswith("avg(")
    assert requests["query"] == 'sum(vllm:num_requests_running{sluice_dev_release="chat"})'
    assert requests["adapter_query"].startswith("sum(")
