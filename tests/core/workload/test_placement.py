"""Devices, shares of devices, pools, queues and spare quota: what they come to in manifests."""

from typing import Any

import pytest
import yaml

from sluice.core.plan import cost
from sluice.core.plan import text as plan_text
from sluice.core.plan.difference import Plan, plan
from support import trees

DEPLOYMENT = "manifests/production/platform/chat/deployment.yaml"
POOLS = """
  pools:
    serving: {nodeSelector: {node-pool: serving}}
    training: {nodeSelector: {node-pool: training}, serves: false}
"""
SECOND = "environments/production/platform/rank/release.yaml"


def tree_of(accelerator: str = "", *, quota: str = "8", more: str = "") -> dict[str, bytes]:
    """The base case with other lines under `accelerator` and more below spec."""
    files = trees.base()
    named = "name: nvidia-l40s"
    files = trees.replaced(files, trees.RELEASE, named, accelerator or named)
    files = trees.replaced(files, trees.ENVIRONMENT, "quota: 8", f"quota: {quota}")
    allowed = "allowed: [nvidia-l40s, nvidia-h100-80gb]"
    files = trees.replaced(files, trees.ENVIRONMENT, allowed, f"{allowed[:-1]}, nvidia-a100-80gb]")
    return {**files, trees.RELEASE: files[trees.RELEASE] + more.encode()}


def deployment(files: dict[str, bytes]) -> dict[str, Any]:
    findings, manifests = trees.outcome(files)
    assert findings == []
    loaded = yaml.safe_load(manifests[DEPLOYMENT])
    assert isinstance(loaded, dict)
    return loaded


def pod(files: dict[str, bytes]) -> dict[str, Any]:
    found: dict[str, Any] = deployment(files)["spec"]["template"]["spec"]
    return found


def asked(files: dict[str, bytes]) -> dict[str, str]:
    """What the container asks for of extended resources."""
    resources = pod(files)["containers"][0]["resources"]
    extended = {k: v for k, v in resources["requests"].items() if "/" in k}
    assert extended == {k: v for k, v in resources["limits"].items() if "/" in k}
    return extended


def case(name: str) -> dict[str, bytes]:
    return trees.case(trees.CASES / "valid" / name)


def test_a_slice_is_a_resource_of_its_own_on_nodes_of_its_device() -> None:
    files = case("share-mig")
    assert asked(files) == {"nvidia.com/mig-1g.20gb": "1"}
    assert pod(files)["nodeSelector"] == {"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB"}


def test_amounts_go_beside_the_device_and_bring_their_scheduler() -> None:
    files = case("share-hami")
    amounts = {"nvidia.com/gpumem": "20480", "nvidia.com/gpucores": "40"}
    assert asked(files) == {"nvidia.com/gpu": "2", **amounts}
    assert pod(files)["schedulerName"] == "hami-scheduler"


def test_equal_parts_are_found_by_label_and_perhaps_by_another_name() -> None:
    labels = pod(case("share-mps"))["nodeSelector"]
    assert labels["nvidia.com/gpu.product"].endswith("-SHARED")
    assert labels["nvidia.com/gpu.replicas"] == "2"
    renamed = case("share-time-slicing")
    assert asked(renamed) == {"nvidia.com/gpu.shared": "1"}
    assert not pod(renamed)["nodeSelector"]["nvidia.com/gpu.product"].endswith("-SHARED")


def test_hardware_that_needs_more_gets_it() -> None:
    gaudi = pod(case("accelerator-gaudi"))
    assert gaudi["runtimeClassName"] == "habana"
    engine = gaudi["containers"][0]
    assert engine["resources"]["limits"]["hugepages-2Mi"] == "9500Mi"
    assert engine["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": ["SYS_NICE"]}
    tpu = pod(case("accelerator-tpu"))
    assert tpu["nodeSelector"]["cloud.google.com/gke-tpu-topology"] == "2x2"
    ascend = pod(case("accelerator-ascend"))
    assert {"path": "/usr/local/Ascend/driver", "type": "Directory"} in [
        volume.get("hostPath") for volume in ascend["volumes"]
    ]
    own = pod(case("accelerator-of-the-repository"))
    assert (own["schedulerName"], own["hostIPC"]) == ("acme-scheduler", True)


def test_a_pool_and_a_queue_say_where_pods_wait_and_run() -> None:
    found = deployment(case("placed-in-a-pool-and-a-queue"))
    template = found["spec"]["template"]
    assert template["spec"]["nodeSelector"]["node-pool"] == "inference"
    assert {"key": "node-pool", "operator": "Equal", "value": "inference"}.items() <= template[
        "spec"
    ]["tolerations"][-1].items()
    assert template["spec"]["schedulerName"] == "volcano"
    assert template["metadata"]["annotations"]["scheduling.volcano.sh/queue-name"] == "inference"
    assert template["metadata"]["labels"]["volcano.sh/preemptable"] == "true"


def test_waiting_for_a_queue_counts_as_progress() -> None:
    queue = "  placement: {queue: {scheduler: kueue, name: q, wait: 1h}}\n"
    waiting, plain = deployment(tree_of(more=queue)), deployment(tree_of())
    deadlines = [d["spec"]["progressDeadlineSeconds"] for d in (waiting, plain)]
    assert deadlines[0] - deadlines[1] == 3600
    assert waiting["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "q"


@pytest.mark.parametrize(
    ("over", "expected"), [("preferred", "ScheduleAnyway"), ("required", "DoNotSchedule")]
)
def test_replicas_are_kept_apart_over_hosts_and_zones(over: str, expected: str) -> None:
    spread = (
        f"  scaling: {{replicas: 2}}\n  placement: {{spread: {{zones: {over}, hosts: none}}}}\n"
    )
    (constraint,) = pod(tree_of(more=spread))["topologySpreadConstraints"]
    assert constraint["topologyKey"] == "topology.kubernetes.io/zone"
    assert constraint["whenUnsatisfiable"] == expected


@pytest.mark.parametrize(
    ("quota", "surge"), [("2", 0), ("3", 1), ("{nvidia.com/gpu: 2}", 0), ("{nvidia.com/gpu: 3}", 1)]
)
def test_one_more_pod_comes_first_only_where_the_quota_has_room(quota: str, surge: int) -> None:
    files = tree_of(quota=quota, more="  scaling: {replicas: 2}\n")
    rolling = deployment(files)["spec"]["strategy"]["rollingUpdate"]
    assert rolling == {"maxSurge": surge, "maxUnavailable": 1 - surge}


@pytest.mark.parametrize(("spare", "surge"), [("0", 0), ("1", 1), ("{nvidia.com/gpu: 0}", 0)])
def test_what_is_said_to_be_spare_decides(spare: str, surge: int) -> None:
    quota = f"8\n    spare: {spare}"
    assert (
        deployment(tree_of(quota=quota))["spec"]["strategy"]["rollingUpdate"]["maxSurge"] == surge
    )


def test_the_plan_says_when_others_leave_no_room() -> None:
    before = tree_of(quota="2")
    second = before[trees.RELEASE].replace(b"name: chat", b"name: rank")
    before[SECOND] = second + b"  traffic: {path: /rank}\n"
    after = trees.replaced(before, trees.RELEASE, "maxModelLen: 8192", "maxModelLen: 4096")
    (notice,) = planned(before, after).notices
    assert "waits for devices" in notice


def planned(before: dict[str, bytes], after: dict[str, bytes]) -> Plan:
    old, new = trees.workspace_of(before), trees.workspace_of(after)
    return plan(old.specs, new.specs, old.render(), new.render(), new.tools.catalog)


@pytest.mark.parametrize(
    ("quota", "more", "said"),
    [
        ("1", "", "downtime: its only replica"),
        ("2", "  scaling: {replicas: 2}\n", "one replica fewer"),
        ("8", "  rollout: {strategy: recreate}\n", "downtime: its strategy"),
        ("8", "", ""),
    ],
)
def test_the_plan_says_what_an_update_means(quota: str, more: str, said: str) -> None:
    before = tree_of(quota=quota, more=more)
    after = trees.replaced(before, trees.RELEASE, "maxModelLen: 8192", "maxModelLen: 4096")
    found = planned(before, after)
    assert [said in notice for notice in found.notices] == ([True] if said else [])
    for text in (plan_text.as_text(found), plan_text.as_markdown(found)):
        assert said in text


def test_costs_are_those_of_the_share_and_of_both_versions_in_a_rollout() -> None:
    share = "name: nvidia-a100-80gb\n    share: {mode: mig, profile: 3g.40gb}"
    canary = "  rollout: {strategy: canary, steps: [{weight: 10, soak: 1m}]}\n"
    workspace = trees.workspace_of(tree_of(share, more=canary + "  scaling: {replicas: 2}\n"))
    (release,) = workspace.specs.releases.values()
    totals = cost.release_totals(release, workspace.tools.catalog)
    half = 3.43 * 40192 / 81039
    assert totals.most_cost == pytest.approx(2 * half)
    assert totals.rollout_cost == pytest.approx(4 * half)
    assert (totals.most_devices, totals.rollout_devices) == (2, 4)


def test_a_price_that_nobody_knows_is_not_zero() -> None:
    files = case("accelerator-tpu")
    found = planned({trees.ENVIRONMENT: files[trees.ENVIRONMENT]}, files)
    totals = found.totals["production"][1]
    assert (totals.most_cost, totals.unpriced) == (None, ("google-tpu-v6e",))
    assert "unknown" in plan_text.as_text(found)
    assert "accelerators.prices" in plan_text.as_text(found)


def test_totals_are_by_release_team_and_environment() -> None:
    found = planned({trees.ENVIRONMENT: tree_of()[trees.ENVIRONMENT]}, tree_of())
    scopes = ["production", "production/platform", "production/platform/chat"]
    assert list(found.totals) == scopes
    assert {found.totals[scope][1].most_devices for scope in scopes} == {1}


def test_a_mistake_in_an_entry_of_the_repository_is_found_where_it_is() -> None:
    files = case("accelerator-of-the-repository")
    path = "catalog/accelerators/acme-x1.yaml"
    findings, _ = trees.outcome(trees.replaced(files, path, "schedulerName", "schedulrName"))
    (finding,) = findings
    assert (finding.place.file, finding.place.line, finding.rule) == (path, 13, "SCH001")
    assert "schedulerName" in finding.help


def test_a_pool_is_needed_where_there_are_some() -> None:
    files = tree_of(more="  placement: {pool: serving}\n")
    pools = {**files, trees.ENVIRONMENT: files[trees.ENVIRONMENT] + POOLS.encode()}
    assert pod(pools)["nodeSelector"]["node-pool"] == "serving"


def test_the_plan_says_that_another_strategy_stops_what_runs() -> None:
    before = tree_of(quota="8", more="  rollout: {strategy: rolling}\n")
    canary = "{strategy: canary, steps: [{weight: 10, soak: 10m}]}"
    after = trees.replaced(before, trees.RELEASE, "{strategy: rolling}", canary)
    (notice,) = planned(before, after).notices
    assert "this means downtime: chat goes at once" in notice
    assert planned(after, after).notices == ()
