"""Objects as a cluster stores them."""

from typing import Any

import pytest

from sluice.core.kubernetes.defaults import normalise
from support.policies import decide

V = (1, 34)


def _deployment(**pod: object) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "a"},
        "spec": {"template": {"spec": {"containers": [{"name": "c", "image": "x:1"}], **pod}}},
    }


def test_a_deployment_is_filled_in() -> None:
    spec = normalise(_deployment(), V)["spec"]
    assert spec["replicas"] == 1
    assert spec["revisionHistoryLimit"] == 10
    assert spec["progressDeadlineSeconds"] == 600
    assert spec["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"},
    }
    pod = spec["template"]["spec"]
    assert pod["restartPolicy"] == "Always"
    assert pod["dnsPolicy"] == "ClusterFirst"
    assert pod["terminationGracePeriodSeconds"] == 30
    assert pod["schedulerName"] == "default-scheduler"
    assert pod["securityContext"] == {}
    assert pod["containers"] == [
        {
            "name": "c",
            "image": "x:1",
            "imagePullPolicy": "IfNotPresent",
            "resources": {},
            "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "File",
        }
    ]


def test_recreate_has_no_rolling_update() -> None:
    obj = _deployment()
    obj["spec"]["strategy"] = {"type": "Recreate"}
    assert normalise(obj, V)["spec"]["strategy"] == {"type": "Recreate"}


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("x", "Always"),
        ("x:latest", "Always"),
        ("r:5000/x", "Always"),
        ("r:5000/x:1", "IfNotPresent"),
        ("x@sha256:0", "IfNotPresent"),
        ("x:latest@sha256:0", "Always"),
    ],
)
def test_the_pull_policy_follows_the_tag(image: str, policy: str) -> None:
    obj = _deployment(containers=[{"name": "c", "image": image}])
    container = normalise(obj, V)["spec"]["template"]["spec"]["containers"][0]
    assert container["imagePullPolicy"] == policy


def test_containers_ports_probes_and_quantities() -> None:
    container = {
        "name": "c",
        "image": "x:1",
        "ports": [{"containerPort": 80}],
        "livenessProbe": {"httpGet": {"port": 80}},
        "readinessProbe": {"grpc": {"port": 9}, "periodSeconds": 3},
        "env": [
            {"name": "a", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "b", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
        ],
        "resources": {"limits": {"cpu": 0.5, "memory": "1024Mi", "gpu": 1}, "requests": {}},
        "tty": False,
        "command": [],
    }
    pod = normalise(_deployment(containers=[container]), V)["spec"]["template"]["spec"]
    found = pod["containers"][0]
    assert found["ports"] == [{"containerPort": 80, "protocol": "TCP"}]
    timing = {
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    }
    assert found["livenessProbe"] == {
        "httpGet": {"port": 80, "scheme": "HTTP", "path": "/"},
        **timing,
    }
    assert found["readinessProbe"] == {
        "grpc": {"port": 9, "service": ""},
        **timing,
        "periodSeconds": 3,
    }
    assert found["env"][0]["valueFrom"]["fieldRef"]["apiVersion"] == "v1"
    assert found["env"][1]["valueFrom"]["resourceFieldRef"]["divisor"] == "0"
    assert found["resources"] == {"limits": {"cpu": "500m", "memory": "1Gi", "gpu": "1"}}
    assert "tty" not in found
    assert "command" not in found


def test_volumes() -> None:
    volumes = [
        {"name": "a"},
        {"name": "b", "configMap": {"name": "x"}},
        {"name": "c", "emptyDir": {"sizeLimit": "2048Mi"}},
        {"name": "d", "hostPath": {"path": "/x"}},
        {"name": "e", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}},
    ]
    found = normalise(_deployment(volumes=volumes), V)["spec"]["template"]["spec"]["volumes"]
    assert found[0]["emptyDir"] == {}
    assert found[1]["configMap"]["defaultMode"] == 0o644
    assert found[2]["emptyDir"]["sizeLimit"] == "2Gi"
    assert found[3]["hostPath"]["type"] == ""
    assert found[4]["projected"]["sources"][0]["serviceAccountToken"]["expirationSeconds"] == 3600


def test_a_pod_requests_what_it_is_limited_to() -> None:
    container = {
        "name": "c",
        "image": "x:1",
        "resources": {"limits": {"cpu": "1", "memory": "1Gi"}},
    }
    container["resources"]["requests"] = {"cpu": "500m"}  # type: ignore[index]  # a literal
    pod = {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [container]}}
    spec = normalise(pod, V)["spec"]
    assert spec["containers"][0]["resources"]["requests"] == {"cpu": "500m", "memory": "1Gi"}
    assert spec["enableServiceLinks"] is True


def test_the_other_kinds() -> None:
    def spec_of(api: str, kind: str, spec: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = normalise({"apiVersion": api, "kind": kind, "spec": spec}, V)[
            "spec"
        ]
        return found

    service = spec_of("v1", "Service", {"ports": [{"port": 80}]})
    assert service == {
        "type": "ClusterIP",
        "sessionAffinity": "None",
        "internalTrafficPolicy": "Cluster",
        "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}],
    }
    stateful = spec_of("apps/v1", "StatefulSet", {"template": {"spec": {"containers": []}}})
    assert stateful["updateStrategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"partition": 0},
    }
    assert stateful["persistentVolumeClaimRetentionPolicy"]["whenScaled"] == "Retain"
    daemon = spec_of("apps/v1", "DaemonSet", {})
    assert daemon["updateStrategy"]["rollingUpdate"] == {"maxUnavailable": 1, "maxSurge": 0}
    job = spec_of("batch/v1", "Job", {"template": {"spec": {"containers": []}}})
    assert (job["completions"], job["parallelism"], job["backoffLimit"]) == (1, 1, 6)
    cron = spec_of("batch/v1", "CronJob", {"schedule": "@daily"})
    assert cron["concurrencyPolicy"] == "Allow"
    quota = spec_of("v1", "ResourceQuota", {"hard": {"requests.cpu": 16, "memory": "1024Gi"}})
    assert quota == {"hard": {"requests.cpu": "16", "memory": "1Ti"}}
    policy = spec_of(
        "networking.k8s.io/v1", "NetworkPolicy", {"egress": [{"ports": [{"port": 1}]}]}
    )
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert policy["egress"][0]["ports"][0]["protocol"] == "TCP"
    claim = spec_of(
        "v1", "PersistentVolumeClaim", {"resources": {"requests": {"storage": "1024Gi"}}}
    )
    assert claim == {"volumeMode": "Filesystem", "resources": {"requests": {"storage": "1Ti"}}}


def test_an_autoscaler() -> None:
    spec = {
        "behavior": {"scaleUp": {"stabilizationWindowSeconds": 30}},
        "metrics": [{"type": "Pods", "pods": {"target": {"averageValue": "1000m"}}}],
    }
    obj = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "spec": spec}
    found = normalise(obj, V)["spec"]
    assert found["minReplicas"] == 1
    assert found["metrics"][0]["pods"]["target"]["averageValue"] == "1"
    assert found["behavior"]["scaleUp"]["stabilizationWindowSeconds"] == 30
    assert [one["type"] for one in found["behavior"]["scaleUp"]["policies"]] == ["Pods", "Percent"]
    assert found["behavior"]["scaleDown"]["selectPolicy"] == "Max"


def test_a_secret_stores_its_strings_as_data() -> None:
    obj = {"apiVersion": "v1", "kind": "Secret", "stringData": {"a": "hello"}}
    assert normalise(obj, V)["data"] == {"a": "aGVsbG8="}


def test_custom_resources_stay_as_they_are_but_for_nulls() -> None:
    obj = {
        "apiVersion": "example.com/v1",
        "kind": "Thing",
        "spec": {"a": None, "b": [], "c": False},
    }
    assert normalise(obj, V) == {**obj, "spec": {"b": [], "c": False}}


def test_normalising_twice_changes_nothing_and_the_input_never() -> None:
    obj = _deployment(volumes=[{"name": "a"}])
    before = repr(obj)
    once = normalise(obj, V)
    assert normalise(once, V) == once
    assert repr(obj) == before


@pytest.mark.parametrize(
    "spec", ["text", 1, [], {"template": 1}, {"template": {"spec": "x"}}, {"strategy": 3}]
)
@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
def test_an_object_of_the_wrong_shape_is_no_crash(kind: str, spec: object) -> None:
    assert normalise({"apiVersion": "apps/v1", "kind": kind, "spec": spec}, V)["kind"] == kind


def test_a_verdict_here_is_the_verdict_there() -> None:
    rule = "object.spec.template.spec.containers.all(c, c.ports.all(p, p.protocol == 'TCP'))"
    obj = _deployment(containers=[{"name": "c", "image": "x:1", "ports": [{"containerPort": 1}]}])
    spec = {"validations": [{"expression": rule}]}
    assert decide(spec, obj).decision == "deny"
    assert decide(spec, normalise(obj, V)).decision == "allow"
