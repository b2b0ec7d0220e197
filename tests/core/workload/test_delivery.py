"""A release that a controller in the cluster rolls out."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from support import trees


def objects(case: str) -> dict[str, Any]:
    findings, manifests = trees.outcome(trees.case(trees.CASES / "valid" / case))
    assert findings == []
    found = {Path(p).stem: yaml.safe_load(raw) for p, raw in manifests.items() if "/chat/" in p}
    for path in manifests:
        if path.endswith("application-chat.routes.yaml"):
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
    assert spec["dryRun"] == [{"metricName": "^timeToFirstToken$"}]  # an expression, or part of one
    assert errors["inconclusiveLimit"] == errors["consecutiveErrorLimit"] == 10
    assert not any("count" in metric for metric in spec["metrics"])


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


def strategy_of(case: str) -> dict[str, Any]:
    found: dict[str, Any] = objects(f"controller-in-the-cluster-{case}")
    canary: dict[str, Any] = found["rollout"]["spec"]["strategy"]["canary"]
    return canary


@pytest.mark.parametrize(
    ("case", "match"),
    [
        (
            "ab-by-header-of-the-gateway-api",
            {"headerName": "x-model-release", "headerValue": {"exact": "next"}},
        ),
        (
            "ab-by-cookie-of-istio",
            {
                "headerName": "cookie",
                "headerValue": {"regex": "^(.*; *)?model-release=always(;.*)?$"},
            },
        ),
    ],
)
def test_chosen_requests_get_a_rule_of_the_controllers_own(
    case: str, match: dict[str, Any]
) -> None:
    canary = strategy_of(case)
    assert canary["trafficRouting"]["managedRoutes"] == [{"name": "chat-candidate"}]
    scale, header, pause = canary["steps"]
    assert scale == {"setCanaryScale": {"replicas": 1}}  # before anything is sent to it
    assert header == {"setHeaderRoute": {"name": "chat-candidate", "match": [match]}}
    assert pause == {"pause": {"duration": 1800}}
    assert not any("setWeight" in step for step in canary["steps"])


def test_nginx_has_the_chosen_requests_in_its_second_ingress() -> None:
    canary = strategy_of("ab-by-cookie-of-nginx")
    nginx = canary["trafficRouting"]["nginx"]
    assert nginx["additionalIngressAnnotations"] == {"canary-by-cookie": "model-release"}
    assert [list(step) for step in canary["steps"]] == [["setCanaryScale"], ["pause"]]


def test_copies_have_a_rule_that_is_more_exact_than_the_one_for_everybody() -> None:
    scale, begin, pause, end = strategy_of("shadow-of-istio")["steps"]
    assert scale == {"setCanaryScale": {"weight": 25}}
    match = [
        {"method": {"exact": "POST"}, "path": {"exact": "/v1"}},
        {"method": {"exact": "POST"}, "path": {"prefix": "/v1/"}},
    ]
    mirror = {"name": "chat-candidate", "percentage": 25, "match": match}
    assert begin == {"setMirrorRoute": mirror}
    assert pause == {"pause": {"duration": 3600}}
    assert end == {"setMirrorRoute": {"name": "chat-candidate"}}


@pytest.mark.parametrize(
    ("case", "added"),
    [
        ("ab-by-header-of-the-gateway-api", '.spec.rules[] | select(.name == "chat-candidate")'),
        ("ab-by-cookie-of-istio", '.spec.http[] | select(.name == "chat-candidate")'),
        ("canary-that-testers-can-choose", '.spec.http[] | select(.name == "chat-candidate")'),
    ],
)
def test_argo_cd_leaves_the_added_rule_where_it_is(case: str, added: str) -> None:
    found = objects(f"controller-in-the-cluster-{case}")
    (ignored,) = found["application"]["spec"]["ignoreDifferences"]
    assert ignored["jqPathExpressions"][1:] == [added]


def test_a_canary_that_testers_can_choose_has_both() -> None:
    kinds = [next(iter(step)) for step in strategy_of("canary-that-testers-can-choose")["steps"]]
    assert kinds == ["setWeight", "setHeaderRoute", "pause"]


def test_blue_green_waits_for_a_person_unless_a_step_says_otherwise() -> None:
    strategy = objects("controller-in-the-cluster-blue-green")["rollout"]["spec"]["strategy"]
    assert strategy["blueGreen"]["autoPromotionEnabled"] is False
    assert strategy["blueGreen"]["previewService"] == "chat-canary"


def test_a_measurement_after_a_switch_ends_before_the_old_version_goes() -> None:
    found = objects("controller-in-the-cluster-blue-green")
    kept = found["rollout"]["spec"]["strategy"]["blueGreen"]["scaleDownDelaySeconds"]
    for metric in found["analysistemplate"]["spec"]["metrics"]:
        assert metric["interval"] == "1m"
        assert metric["count"] == (kept - 120) // 60
    assert "autoPromotionSeconds" not in found["rollout"]["spec"]["strategy"]["blueGreen"]


def test_a_soak_before_a_switch_is_waited_for() -> None:
    folder = trees.CASES / "valid" / "controller-in-the-cluster-blue-green"
    steps = "strategy: blue-green\n    steps: [{weight: 0, soak: 10m}]"
    files = trees.replaced(trees.case(folder), trees.RELEASE, "strategy: blue-green", steps)
    findings, manifests = trees.outcome(files)
    assert findings == []
    (path,) = (path for path in manifests if path.endswith("chat/rollout.yaml"))
    strategy = yaml.safe_load(manifests[path])["spec"]["strategy"]["blueGreen"]
    assert (strategy["autoPromotionEnabled"], strategy["autoPromotionSeconds"]) == (True, 600)


def test_without_a_prometheus_there_is_no_analysis() -> None:
    found = objects("controller-in-the-cluster-nginx")
    assert "analysistemplate" not in found
    assert "analysis" not in found["rollout"]["spec"]["strategy"]["canary"]


def test_the_same_release_renders_with_a_deployment_without_the_word() -> None:
    folder = trees.CASES / "valid" / "controller-in-the-cluster-canary"
    files = trees.replaced(trees.case(folder), trees.RELEASE, "    controller: argo-rollouts\n", "")
    _, manifests = trees.outcome(files)
    assert any(path.endswith("chat/deployment-v7.yaml") for path in manifests)


def canary(case: str) -> dict[str, Any]:
    spec: dict[str, Any] = objects(case)["canary"]["spec"]
    return spec


FLAGGER = [folder.name for folder in trees.cases("valid") if folder.name.startswith("flagger-")]
SERVED = [name for name in FLAGGER if not name.endswith(("nginx", "route"))]


@pytest.mark.parametrize("case", FLAGGER)
def test_a_canary_finds_its_deployment_by_one_label_and_counts_its_replicas_itself(
    case: str,
) -> None:
    found = objects(case)
    spec = found["deployment"]["spec"]
    assert found["canary"]["spec"]["targetRef"]["name"] == found["deployment"]["metadata"]["name"]
    assert spec["selector"]["matchLabels"] == {"app": "chat"}
    assert "replicas" not in spec
    labels = spec["template"]["metadata"]["labels"]
    assert labels.keys() >= {"app", "sluice.dev/release", "sluice.dev/version"}


@pytest.mark.parametrize("case", FLAGGER)
def test_what_the_controller_makes_is_not_in_git_where_argo_cd_would_undo_it(case: str) -> None:
    found = objects(case)
    assert not any(name.startswith("service-") or name == "service" for name in found)
    assert not {"httproute", "virtualservice", "destinationrule", "ingress-canary"} & found.keys()
    if "application" in found:
        ignored = found["application"]["spec"]["ignoreDifferences"]
        replicas = {"group": "apps", "kind": "Deployment", "jsonPointers": ["/spec/replicas"]}
        assert ignored == [replicas]
        options = found["application"]["spec"]["syncPolicy"]["syncOptions"]
        assert "RespectIgnoreDifferences=true" in options


def test_each_step_is_a_weight_and_the_time_at_it_the_interval() -> None:
    analysis = canary("flagger-canary-by-the-gateway-api")["analysis"]
    assert analysis["stepWeights"] == [10, 50]
    assert (analysis["interval"], analysis["threshold"]) == ("600s", 1)
    assert not {"iterations", "match", "mirror", "maxWeight", "stepWeight"} & analysis.keys()


def test_times_are_never_in_hours_which_the_definition_of_the_kind_refuses() -> None:
    assert canary("flagger-canary-by-nginx")["analysis"]["interval"] == "3600s"


@pytest.mark.parametrize(
    ("case", "header"),
    [
        ("ab-by-header-of-the-gateway-api", {"x-model-release": {"exact": "next"}}),
        ("ab-by-cookie-of-nginx", {"cookie": {"exact": "model-release"}}),
        (
            "ab-by-cookie-of-istio",
            {"cookie": {"regex": r"^(.*; *)?model-release=v1\.2(;.*)?$"}},
        ),
    ],
)
def test_chosen_requests_come_with_iterations_without_which_they_would_be_shared(
    case: str, header: dict[str, Any]
) -> None:
    analysis = canary(f"flagger-{case}")["analysis"]
    assert analysis["match"] == [{"headers": header}]
    seconds = int(analysis["interval"].removesuffix("s"))
    assert analysis["iterations"] * seconds >= 90
    assert "stepWeights" not in analysis


def test_copies_are_a_share_only_where_the_router_can() -> None:
    mesh = canary("flagger-shadow-of-istio")["analysis"]
    assert (mesh["mirror"], mesh["mirrorWeight"]) == (True, 25)
    gateway = canary("flagger-shadow-of-the-gateway-api")["analysis"]
    assert gateway["mirror"] is True
    assert "mirrorWeight" not in gateway


def test_too_little_counted_at_first_is_not_yet_a_failure_where_nothing_leads_on() -> None:
    analysis = canary("flagger-shadow-of-istio")["analysis"]
    assert (analysis["interval"], analysis["iterations"], analysis["threshold"]) == ("180s", 10, 5)


def test_blue_green_is_not_judged_where_nothing_could_be_counted() -> None:
    spec = canary("flagger-blue-green-without-a-route")
    assert spec["provider"] == "kubernetes"
    assert "metrics" not in spec["analysis"]
    assert "metrictemplate-errors" not in objects("flagger-blue-green-without-a-route")


@pytest.mark.parametrize("case", SERVED)
def test_the_route_that_the_controller_makes_is_the_one_that_we_would(case: str) -> None:
    service = canary(case)["service"]
    assert service["hosts"] == ["api.example.com"]
    if "gatewayRefs" in service:
        assert service["match"] == [{"uri": {"prefix": "/v1"}}]
    else:  # a prefix of Istio does not end where a segment does
        assert service["match"] == [{"uri": {"exact": "/v1"}}, {"uri": {"prefix": "/v1/"}}]
    assert service["timeout"] in ("2m", "10m")
    assert (service.get("gateways") or service["gatewayRefs"])[0] in (
        "gateways/public",
        {"name": "public", "namespace": "gateways", "sectionName": "https"},
    )


def test_the_ingress_is_ours_and_the_controller_copies_it() -> None:
    found = objects("flagger-canary-by-nginx")
    reference = found["canary"]["spec"]["ingressRef"]
    assert reference["name"] == found["ingress"]["metadata"]["name"]
    (rule,) = found["ingress"]["spec"]["rules"]
    assert rule["http"]["paths"][0]["backend"]["service"]["name"] == "chat"
    assert found["canary"]["spec"]["service"]["name"] == "chat"


def test_the_copy_of_a_scaler_has_queries_of_its_own_since_guessed_ones_may_be_wrong() -> None:
    found = objects("flagger-canary-by-istio")
    reference = found["canary"]["spec"]["autoscalerRef"]
    triggers = {
        t["name"]: t["metadata"]["query"] for t in found["scaledobject"]["spec"]["triggers"]
    }
    assert triggers.keys() == reference["primaryScalerQueries"].keys()
    for name, query in reference["primaryScalerQueries"].items():
        assert triggers[name].replace('app="chat"', 'app="chat-primary"') == query
    assert "app" in found["podmonitor"]["spec"]["podTargetLabels"]


def test_disruptions_and_spread_are_over_both_versions() -> None:
    found = objects("flagger-canary-by-the-gateway-api")
    both = {"sluice.dev/release": "chat"}
    assert found["poddisruptionbudget"]["spec"]["selector"]["matchLabels"] == both
    spread = found["deployment"]["spec"]["template"]["spec"]["topologySpreadConstraints"]
    assert [each["labelSelector"]["matchLabels"] for each in spread] == [both] * len(spread)


def test_a_query_gives_nothing_where_too_little_was_counted() -> None:
    found = objects("flagger-canary-by-the-gateway-api")
    errors = found["metrictemplate-errors"]["spec"]["query"]
    assert errors.endswith(">= 50)")
    assert 'app="chat"' in errors
    assert "[420s]" in errors  # the step without its warm-up
    assert found["metrictemplate-refusals"]["spec"]["query"].endswith("> 0)")
    metrics = {m["name"]: m for m in found["canary"]["spec"]["analysis"]["metrics"]}
    for name, metric in metrics.items():
        template = found[f"metrictemplate-{name.lower()}"]["metadata"]["name"]
        assert metric["templateRef"]["name"] == template == f"chat.{name.lower()}"
    assert metrics["errors"]["thresholdRange"] == {"max": 0.02}


@pytest.mark.parametrize("case", ["flagger-canary-by-the-gateway-api"])
def test_no_value_looks_like_a_placeholder_of_the_controller(case: str) -> None:
    for name, data in objects(case).items():
        if name.startswith("metrictemplate"):
            assert "{{" not in data["spec"]["query"]
            assert "  " not in data["spec"]["query"]


def test_only_the_placeholder_that_is_meant_is_one() -> None:
    folder = trees.CASES / "valid" / "flagger-canary-by-the-gateway-api"
    files = trees.replaced(trees.case(folder), trees.RELEASE, "flagger", "argo-rollouts")
    files = trees.replaced(files, trees.RELEASE, "{{ model }}", 'a=\\"{{args.candidate}}\\"')
    findings, manifests = trees.outcome(files)
    assert findings == []
    (path,) = (path for path in manifests if path.endswith("analysistemplate.yaml"))
    for metric in yaml.safe_load(manifests[path])["spec"]["metrics"]:
        query = metric["provider"]["prometheus"]["query"]
        left = query.replace('rollouts_pod_template_hash="{{args.candidate}}"', "")
        assert left != query
        assert "{{" not in left
