"""A replica on several nodes, and what is split over its devices."""

from typing import Any

import pytest

from sluice.core.capacity.parallel import parallel_of
from sluice.core.plan.inspect import facts
from sluice.core.specs.records import read_release
from sluice.core.workload.arguments import group, invocation
from sluice.core.workload.sources import parse
from sluice.workspace.workspace import Workspace
from support import engine_cases as cases
from support import trees

FOLDER = "manifests/lab/team"


def rendered(release: str) -> dict[str, Any]:
    manifests = Workspace(trees.case(trees.CASES / "valid" / "spread-over-nodes")).render()
    found = {
        path: m.data for path, m in manifests.items() if path.startswith(f"{FOLDER}/{release}/")
    }
    return {path.rpartition("/")[2].removesuffix(".yaml"): data for path, data in found.items()}


def engine(template: dict[str, Any]) -> dict[str, Any]:
    (container,) = template["spec"]["containers"]
    return dict(container)


@pytest.mark.parametrize(
    ("asked", "count", "tensor", "pipeline", "devices"),
    [
        ({}, 4, 4, 1, 4),
        ({"nodes": 1}, 8, 8, 1, 8),
        ({"nodes": 2}, 8, 8, 2, 16),
        ({"nodes": 2, "pipeline": 1}, 8, 16, 1, 16),
        ({"nodes": 2, "pipeline": 4}, 8, 4, 4, 16),
        ({"pipeline": 2}, 8, 4, 2, 8),
        ({"data": 4}, 8, 2, 1, 8),
        ({"pipeline": 3}, 8, 0, 3, 8),
    ],
)
def test_tensors_take_what_the_rest_leaves(
    asked: dict[str, int], count: int, tensor: int, pipeline: int, devices: int
) -> None:
    spread = parallel_of(read_release({"accelerator": {"count": count}, "parallel": asked}))
    assert (spread.tensor, spread.pipeline, spread.devices) == (tensor, pipeline, devices)


def test_only_the_leader_of_a_group_answers() -> None:
    objects = rendered("stages")
    template = objects["leaderworkerset"]["spec"]["leaderWorkerTemplate"]
    leader, worker = template["leaderTemplate"], template["workerTemplate"]
    assert {"startupProbe", "livenessProbe", "readinessProbe", "ports"} <= engine(leader).keys()
    assert not {"startupProbe", "livenessProbe", "readinessProbe"} & engine(worker).keys()
    selector = objects["service"]["spec"]["selector"]
    assert selector.items() <= leader["metadata"]["labels"].items()
    assert not selector.items() <= worker["metadata"]["labels"].items()


def test_the_nodes_find_each_other_without_ray() -> None:
    template = rendered("stages")["leaderworkerset"]["spec"]["leaderWorkerTemplate"]
    leader, worker = engine(template["leaderTemplate"]), engine(template["workerTemplate"])
    assert "--master-addr=$(LWS_LEADER_ADDRESS)" in leader["command"]
    assert "--distributed-executor-backend=mp" in worker["command"]
    assert set(worker["command"]) - set(leader["command"]) == {"--headless"}
    assert leader["resources"] == worker["resources"]
    assert "ray" not in str(template).lower()


def test_a_group_starts_at_once_and_restarts_as_a_whole() -> None:
    spec = rendered("stages")["leaderworkerset"]["spec"]
    assert spec["startupPolicy"] == "LeaderCreated"
    assert spec["leaderWorkerTemplate"]["restartPolicy"] == "RecreateGroupOnPodRestart"
    assert spec["replicas"] == 2
    update = rendered("tensors")["leaderworkerset"]["spec"]["rolloutStrategy"]
    assert update["rollingUpdateConfiguration"] == {"maxSurge": 0, "maxUnavailable": "100%"}


def test_the_pods_of_a_group_reach_each_other_on_any_port() -> None:
    (_, among) = rendered("stages")["networkpolicy"]["spec"]["ingress"]
    assert "ports" not in among
    assert len(rendered("within")["networkpolicy"]["spec"]["ingress"]) == 1


@pytest.mark.parametrize(
    ("release", "said"),
    [
        ("stages", {"--tensor-parallel-size=8", "--pipeline-parallel-size=2"}),
        ("tensors", {"--tp-size=16", "--dist-init-addr=$(LWS_LEADER_ADDRESS):20000"}),
        (
            "experts",
            {"--tensor-parallel-size=2", "--data-parallel-size=4", "--enable-expert-parallel"},
        ),
        ("within", {"--tp_size=4", "--pp_size=2"}),
    ],
)
def test_each_split_is_said_to_the_engine(release: str, said: set[str]) -> None:
    objects = rendered(release)
    spec = objects.get("leaderworkerset", {}).get("spec", {}).get("leaderWorkerTemplate")
    template = spec["leaderTemplate"] if spec else objects["deployment"]["spec"]["template"]
    assert said <= set(engine(template)["command"])


@pytest.mark.parametrize("served", list(cases.engines()), ids=lambda engine: engine.name)
def test_an_engine_runs_on_several_nodes_or_says_why_not(served: Any) -> None:  # noqa: ANN401
    release = cases.release(served, accelerator={"count": 2}, parallel={"nodes": 2})
    found = cases.errors(release)
    if served.leader:
        assert found == []
        called = invocation(served, release.spec, parse(cases.source(served)), "chat")
        assert all(group(served, release.spec, called))
    else:
        reasons = {f.rule: f.message for f in found}
        assert served.refused["parallel.nodes"] in reasons["ENG002"]


def test_memory_is_judged_as_it_is_split() -> None:
    vllm = next(e for e in cases.engines() if e.leader)
    whole: dict[str, Any] = {
        "model": {"architecture": "llama-3.1-70b"},
        "accelerator": {"count": 4},
    }
    one = facts(cases.release(vllm, **whole), cases.catalog())["memory"]
    two = facts(cases.release(vllm, **whole, parallel={"nodes": 2}), cases.catalog())["memory"]
    assert two["deviceWeightBytes"] * 2 == pytest.approx(one["deviceWeightBytes"], rel=0.01)
    assert two["kvBytesPerToken"] * 2 == one["kvBytesPerToken"]
    assert two["weightBytes"] == one["weightBytes"]


def test_a_spec_cannot_reach_what_kubernetes_expands() -> None:
    vllm = next(e for e in cases.engines() if e.leader)
    release = cases.release(vllm, parallel={"nodes": 2}, accelerator={"count": 2})
    called = invocation(
        vllm,
        read_release({**release.spec.document, "engine": {"args": {"x": "$(POD)"}}}),
        parse(cases.CLAIM),
        "chat",
    )
    leader, _ = group(vllm, release.spec, called)
    assert "--x=$$(POD)" in leader
    assert "--nnodes=$(LWS_GROUP_SIZE)" in leader
