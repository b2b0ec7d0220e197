"""Pods of every engine, as strict schemas of the cluster take them."""

from typing import Any

import pytest
import yaml

from sluice.core.catalog.entries import Engine
from support import engine_cases as cases
from support import trees

OPEN = {"allowed: [nvidia-l40s, nvidia-h100-80gb]": "allowed: [nvidia-l40s, amd-mi300x]"}
MONITORED = {"  monitoring:\n": "  monitoring:\n    podMonitor: true\n"}


def rendered(engine: Engine, /, **spec: dict[str, Any]) -> dict[str, Any]:
    """The objects of a release on this engine, by kind; the last of a kind counts."""
    release = cases.release(engine, **spec)
    files = {**trees.base(), trees.RELEASE: release.document.raw}
    for old, new in (OPEN | MONITORED).items():
        files = trees.replaced(files, trees.ENVIRONMENT, old, new)
    findings, manifests = trees.outcome(files)
    assert manifests, findings
    objects = [yaml.safe_load(content) for content in manifests.values()]
    return {each["kind"]: each for each in objects}


def pod(engine: Engine, /, **spec: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = rendered(engine, **spec)["Deployment"]["spec"]["template"]
    return found


def named(name: str) -> Engine:
    engine = cases.catalog().engine(name)
    assert engine is not None
    return engine


@pytest.mark.parametrize("engine", list(cases.engines()), ids=lambda engine: engine.name)
def test_a_pod_of_each_engine_is_accepted_by_a_strict_schema(engine: Engine) -> None:
    found = pod(engine)["spec"]
    (container,) = found["containers"]
    assert container["ports"][0]["containerPort"] == engine.port
    assert found["securityContext"]["runAsNonRoot"] is (engine.user > 0)
    assert found["securityContext"]["runAsUser"] == engine.user
    assert container["livenessProbe"]["httpGet"]["path"] == engine.health["liveness"]


def test_a_key_is_a_reference_and_never_an_argument() -> None:
    secret = {"apiKeySecret": {"name": "chat-key", "key": "token"}}
    (container,) = pod(named("vllm"), serving=secret)["spec"]["containers"]
    (variable,) = [each for each in container["env"] if each["name"] == "VLLM_API_KEY"]
    reference = {"secretKeyRef": {"name": "chat-key", "key": "token"}}
    assert variable == {"name": "VLLM_API_KEY", "valueFrom": reference}
    assert not any("key" in argument for argument in container["command"])


def test_the_configuration_file_is_an_annotation_of_the_pod() -> None:
    found = pod(named("tensorrt-llm"), serving={"memoryFraction": 0.8})
    note = "sluice.dev/engine-config"
    assert '"free_gpu_memory_fraction":0.8' in found["metadata"]["annotations"][note]
    (volume,) = [v for v in found["spec"]["volumes"] if v["name"] == "engine-config"]
    (item,) = volume["downwardAPI"]["items"]
    assert item["fieldRef"]["fieldPath"] == f"metadata.annotations['{note}']"
    mounts = found["spec"]["containers"][0]["volumeMounts"]
    assert "/etc/engine" in [mount["mountPath"] for mount in mounts]


def test_models_beside_the_main_one_are_mounted_and_noted() -> None:
    model = {"name": "support-de", "version": "2", "source": "pvc://adapters/support-de/2"}
    found = pod(named("vllm"), serving={"adapters": [{"name": "de", "model": model}]})
    volumes = {v["name"]: v for v in found["spec"]["volumes"]}
    assert volumes["models"]["persistentVolumeClaim"]["claimName"] == "models"
    assert volumes["models-adapters"]["persistentVolumeClaim"]["claimName"] == "adapters"
    mounts = {m["name"]: m for m in found["spec"]["containers"][0]["volumeMounts"]}
    own = {"name": "models-adapters", "mountPath": "/mounts/adapters", "readOnly": True}
    assert mounts["models-adapters"] == own
    assert '"version":"2"' in found["metadata"]["annotations"]["sluice.dev/companions"]


def test_a_field_of_the_pod_may_be_a_variable() -> None:
    transfer = {"kvTransfer": {"connector": "nixl", "role": "both"}}
    (container,) = pod(named("vllm"), serving=transfer)["spec"]["containers"]
    assert {
        "name": "VLLM_NIXL_SIDE_CHANNEL_HOST",
        "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}},
    } in container["env"]


@pytest.mark.parametrize(
    ("name", "count", "mounted"),
    [
        ("vllm", 1, False),
        ("vllm", 2, True),
        ("tensorrt-llm", 1, True),
        ("llama-cpp", 2, False),
        ("ollama", 2, False),
    ],
)
def test_shared_memory_is_there_for_those_that_use_it(
    name: str,
    count: int,
    mounted: bool,  # noqa: FBT001  # a row of the table
) -> None:
    found = pod(named(name), accelerator={"count": count})["spec"]
    assert ("shared-memory" in [volume["name"] for volume in found["volumes"]]) is mounted


def test_the_image_is_that_of_the_accelerator() -> None:
    found = pod(named("vllm"), accelerator={"name": "amd-mi300x"})["spec"]
    assert found["containers"][0]["image"] == "docker.io/vllm/vllm-openai-rocm:v0.33.0"
    own = {"image": "registry.example.com/sglang:1"}
    found = pod(named("sglang"), accelerator={"name": "amd-mi300x"}, engine=own)["spec"]
    assert found["containers"][0]["image"] == "registry.example.com/sglang:1"


def test_probes_ask_for_the_model_by_its_name() -> None:
    found = pod(named("ollama"), serving={"servedName": "support"})["spec"]
    (container,) = found["containers"]
    assert container["startupProbe"]["httpGet"]["path"] == "/v1/models/support"


def test_what_has_no_metrics_is_not_monitored() -> None:
    assert "PodMonitor" not in rendered(named("ollama"))
    monitor = rendered(named("tensorrt-llm"))["PodMonitor"]
    assert monitor["spec"]["podMetricsEndpoints"][0]["path"] == "/prometheus/metrics"


def test_an_override_is_to_be_read_on_the_pod() -> None:
    asked = {"memoryOverride": {"reason": "measured with 2 GiB to spare"}}
    found = pod(named("vllm"), model={"architecture": "llama-3.1-70b"}, serving={}, resources=asked)
    assert (
        found["metadata"]["annotations"]["sluice.dev/memory-override"]
        == asked["memoryOverride"]["reason"]
    )


def test_a_quantization_of_unknown_size_starts_with_the_budget_of_an_unknown_model() -> None:
    found = pod(named("vllm"), serving={"quantization": "quark"})["spec"]
    probe = found["containers"][0]["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] == 1800
