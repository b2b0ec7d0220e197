"""What a release renders: the traps of each traffic provider and scaler, and what guards a pod."""

import pytest
import yaml

from support.reference import ENVIRONMENT, RELEASE, ROLLOUT, Changes, findings, rendered

NGINX = "provider: nginx\n    className: nginx"
GATEWAY = {NGINX: "provider: gateway\n    gateway:\n      name: public\n      namespace: gateways"}
ISTIO = {NGINX: "provider: istio\n    gateway:\n      name: public\n      namespace: gateways"}
SCALING = "  autoscaling:\n    provider: keda\n    prometheus: http://prometheus:9090\n"
KEDA = {"  argocd:": SCALING + "  argocd:"}
NETWORK = {"  argocd:": "  network:\n    allowFrom:\n      - edge\n  argocd:"}
SHARE = "  weight: 10\n  stable"


def _weights(backends: list[dict[str, int]]) -> list[int]:
    return [backend["weight"] for backend in backends]


def test_a_canary_is_a_second_ingress_on_the_same_rule_with_nothing_but_its_weight() -> None:
    objects = rendered({})
    stable, canary = objects["ingress"], objects["ingress-canary"]
    rule = stable["spec"]["rules"][0]["http"]["paths"][0]
    other = canary["spec"]["rules"][0]["http"]["paths"][0]
    assert (rule["path"], rule["pathType"]) == (other["path"], other["pathType"])
    assert stable["spec"]["rules"][0]["host"] == canary["spec"]["rules"][0]["host"]
    assert rule["backend"]["service"]["name"] == "chat-v1"
    assert other["backend"]["service"]["name"] == "chat-v2"
    prefix = "nginx.ingress.kubernetes.io/"
    told = {k: v for k, v in canary["metadata"]["annotations"].items() if k.startswith(prefix)}
    assert told == {f"{prefix}canary": "true", f"{prefix}canary-weight": "10"}


def test_streamed_tokens_are_neither_buffered_nor_cut_off() -> None:
    annotations = rendered({})["ingress"]["metadata"]["annotations"]
    assert annotations["nginx.ingress.kubernetes.io/proxy-buffering"] == "off"
    assert annotations["nginx.ingress.kubernetes.io/proxy-read-timeout"] == "600"


@pytest.mark.parametrize("weight", [0, 1, 10, 99, 100])
@pytest.mark.parametrize(("provider", "kind"), [(0, "httproute"), (1, "virtualservice")])
def test_both_weights_are_written_and_sum_to_a_hundred(
    weight: int, provider: int, kind: str
) -> None:
    traffic = (GATEWAY, ISTIO)[provider]
    # A rollout that is about another spec may have any weight.
    share = f"  weight: {weight}\n  specHash: {'ab' * 8}\n  stable"
    route = rendered({ENVIRONMENT: traffic, ROLLOUT: {SHARE: share}})[kind]
    rule = (route["spec"].get("rules") or route["spec"]["http"])[0]
    assert _weights(rule.get("backendRefs") or rule["route"]) == [100 - weight, weight]


def test_without_a_rollout_everything_goes_to_the_one_version() -> None:
    for traffic, kind in ((GATEWAY, "httproute"), (ISTIO, "virtualservice")):
        route = rendered({ENVIRONMENT: traffic, ROLLOUT: {}})[kind]
        rule = (route["spec"].get("rules") or route["spec"]["http"])[0]
        assert _weights(rule.get("backendRefs") or rule["route"]) == [100]
    assert "ingress-canary" not in rendered({ROLLOUT: {}})


def test_a_pool_of_each_version_stands_behind_the_route() -> None:
    pool = {**GATEWAY, "host: api": "pool: {failureMode: FailClose}\n    host: api"}
    objects = rendered({ENVIRONMENT: pool})
    (rule,) = objects["httproute"]["spec"]["rules"]
    kinds = [(ref["kind"], ref["name"], ref["weight"]) for ref in rule["backendRefs"]]
    assert kinds == [("InferencePool", "chat-v1", 90), ("InferencePool", "chat-v2", 10)]
    for suffix in ("-v1", "-v2"):
        spec = objects[f"inferencepool{suffix}"]["spec"]
        assert spec["selector"]["matchLabels"] == objects[f"service{suffix}"]["spec"]["selector"]
        assert spec["targetPorts"] == [{"number": 8000}]
        picker = {"name": f"chat{suffix}-epp", "port": {"number": 9002}, "failureMode": "FailClose"}
        assert spec["endpointPickerRef"] == picker


@pytest.mark.parametrize(
    ("environment", "release", "said"),
    [
        ({NGINX: "provider: gateway"}, {}, "routes of gateway need gateway"),
        ({NGINX: NGINX + "\n    gateway:\n      name: a"}, {}, "nginx has nothing that gateway"),
        (
            GATEWAY,
            {"path: /v1": "path: /v1\n    tlsSecret: a"},
            "gateway has nothing that tlsSecret",
        ),
        ({"provider: nginx": "provider: istio\n    gateway:\n      name: a"}, {}, "className"),
        ({**KEDA, "podMonitor: true": "podMonitor: false"}, {}, "PodMonitor"),
    ],
)
def test_what_a_provider_would_ignore_is_refused(
    environment: dict[str, str], release: dict[str, str], said: str
) -> None:
    changes: Changes = {ENVIRONMENT: environment, RELEASE: release or {"max: 8": "max: 8"}}
    assert any(said in finding.message for finding in findings(changes))


def test_the_scaler_owns_the_replicas() -> None:
    objects = rendered({})
    assert "replicas" not in objects["deployment-v2"]["spec"]
    scaler = objects["horizontalpodautoscaler-v2"]["spec"]
    assert scaler["scaleTargetRef"]["name"] == "chat-v2"
    assert scaler["metrics"][0]["pods"]["metric"]["name"] == "vllm_num_requests_running"
    assert scaler["behavior"]["scaleUp"]["stabilizationWindowSeconds"] == 30
    assert scaler["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 300


def test_the_adapter_is_told_the_name_without_the_colon() -> None:
    rules = yaml.safe_load(rendered({})["configmap-adapter-rules"]["data"]["rules.yaml"])
    (rule,) = rules["rules"]
    assert rule["name"]["as"] == "vllm_num_requests_running"
    assert rule["seriesQuery"].startswith("vllm:num_requests_running{")


def test_keda_asks_one_aggregated_question_about_one_version_and_has_a_fallback() -> None:
    objects = rendered({ENVIRONMENT: KEDA})
    scaler = objects["scaledobject-v2"]["spec"]
    (trigger,) = scaler["triggers"]
    assert trigger["metadata"]["query"] == (
        'sum(vllm:num_requests_running{namespace="ai-inference",'
        'sluice_dev_release="chat",sluice_dev_version="2"})'
    )
    assert trigger["metadata"]["ignoreNullValues"] == "false"
    assert scaler["fallback"] == {"failureThreshold": 4, "replicas": 1}
    assert "configmap-adapter-rules" not in objects
    assert "replicas" not in objects["deployment-v2"]["spec"]


def test_a_disruption_budget_is_rendered_only_where_it_helps() -> None:
    staging = rendered({}, "manifests/staging/platform/chat")
    assert staging["poddisruptionbudget"]["spec"]["maxUnavailable"] == 1
    assert not [name for name in rendered({}) if name.startswith("poddisruptionbudget")]


def test_the_network_policy_lets_in_who_is_named() -> None:
    policy = rendered(
        {ENVIRONMENT: {"  argocd:": "  network:\n    allowFrom:\n      - edge\n  argocd:"}}
    )
    (rule,) = policy["networkpolicy"]["spec"]["ingress"]
    label = "kubernetes.io/metadata.name"
    assert rule["from"][1] == {"namespaceSelector": {"matchLabels": {label: "edge"}}}
    assert "networkpolicy" not in rendered({})


def test_a_service_reaches_exactly_the_pods_of_its_version() -> None:
    objects = rendered({})
    for service, deployment in (("service", "deployment-v1"), ("service-v2", "deployment-v2")):
        selector = objects[service]["spec"]["selector"]
        template = objects[deployment]["spec"]["template"]["metadata"]["labels"]
        assert selector.items() <= template.items()
        assert selector == objects[deployment]["spec"]["selector"]["matchLabels"]


def test_the_seed_case_is_what_a_platform_engineer_writes_by_hand() -> None:
    pod = rendered({})["deployment-v2"]["spec"]["template"]["spec"]
    (engine,) = pod["containers"]
    assert engine["resources"]["requests"]["memory"] == "24Gi"
    assert engine["resources"]["limits"] == {"memory": "32Gi", "nvidia.com/gpu": "1"}
    assert {
        "--quantization=awq",
        "--gpu-memory-utilization=0.85",
        "--enable-prefix-caching",
    } <= set(engine["command"])
    assert pod["tolerations"] == [
        {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    ]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes["models"]["persistentVolumeClaim"]["claimName"] == "model-pvc"
    assert {"name": "models", "mountPath": "/models", "readOnly": True} in engine["volumeMounts"]
    (preference,) = pod["affinity"]["nodeAffinity"][
        "preferredDuringSchedulingIgnoredDuringExecution"
    ]
    assert preference["weight"] == 80
    assert pod["terminationGracePeriodSeconds"] == 120
    assert {"startupProbe", "livenessProbe", "readinessProbe"} <= engine.keys()


def test_the_startup_budget_grows_with_the_model() -> None:
    def budget(architecture: str, quantization: str) -> int:
        pod = rendered(
            {
                RELEASE: {
                    "architecture: qwen2.5-7b": f"architecture: {architecture}",
                    "quantization: awq": f"quantization: {quantization}",
                }
            }
        )["deployment-v2"]["spec"]["template"]["spec"]
        probe = pod["containers"][0]["startupProbe"]
        return int(probe["failureThreshold"] * probe["periodSeconds"])

    assert (
        budget("qwen2.5-0.5b", "awq") < budget("qwen2.5-7b", "awq") < budget("qwen2.5-14b", "fp8")
    )
