"""Objects as the API server stores them, which is how policies see them in a cluster.

It drops nulls and what is empty, fills in defaults and writes quantities in one way, before any
policy is asked. Custom resources are stored as they are, but for nulls.
"""

import base64
import copy
from collections.abc import Callable, Mapping
from typing import Any

from sluice.core.cel.versions import Version
from sluice.core.kubernetes.cleaning import clean
from sluice.core.kubernetes.pod_defaults import (
    claim_defaults,
    default,
    pod_defaults,
    port_protocols,
    quantities,
    template_defaults,
)

Data = dict[str, Any]

_KEPT_EMPTY = frozenset({"rules", "containers", "subjects"})
_MAPS = frozenset(
    {
        "annotations",
        "binaryData",
        "data",
        "hard",
        "labels",
        "limits",
        "matchLabels",
        "nodeSelector",
        "requests",
        "selector",
        "stringData",
    }
)
_FALSE = frozenset({"hostNetwork", "hostPID", "hostIPC", "stdin", "stdinOnce", "tty", "readOnly"})
_RETENTION: Version = (1, 27)
_REPLACEMENT: Version = (1, 29)


def normalise(obj: Mapping[str, Any], version: Version) -> Data:
    """A copy of an object as a cluster of this version would store it.

    Raises:
        UsageError: for data that is nested or repeated beyond what a cluster would take.
    """
    cleaned: Data = dict(clean(obj))
    fill = _KINDS.get((str(cleaned.get("apiVersion")), str(cleaned.get("kind"))))
    result = _without_empty(cleaned) if fill else copy.deepcopy(cleaned)
    try:
        (fill or _custom)(result, version)
    except (AttributeError, KeyError, TypeError, ValueError):
        # It is not of the shape of its kind: a cluster would refuse it, other rules say why.
        return cleaned
    return result


def _without_empty(data: Data) -> Data:
    """The object without what Go's encoder leaves out."""
    found: Data = {}
    for key, value in data.items():
        kept = value
        if type(value) is dict:
            kept = _without_empty(value)
            if not kept and key in _MAPS:
                continue
        elif type(value) is list:
            kept = [_without_empty(one) if type(one) is dict else one for one in value]
            if not kept and key not in _KEPT_EMPTY:
                continue
        elif value is False and key in _FALSE:
            continue
        found[key] = kept
    return found


def _spec(obj: Data) -> Data:
    spec = obj.get("spec")
    if not isinstance(spec, dict):
        spec = obj["spec"] = {}
    return spec


def _template(obj: Data, version: Version) -> Data:
    spec = _spec(obj)
    template_defaults(spec.get("template"), version)
    default(obj, status={})
    return spec


def _pod(obj: Data, version: Version) -> None:
    spec = _spec(obj)
    default(obj, status={})
    default(spec, enableServiceLinks=True)
    pod_defaults(spec, version)
    for name in ("containers", "initContainers"):
        for container in spec.get(name, ()):
            limits = container.get("resources", {}).get("limits", {})
            if limits:
                default(default(container["resources"], requests={})["requests"], **limits)


def _deployment(obj: Data, version: Version) -> None:
    spec = _template(obj, version)
    default(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600, strategy={})
    default(spec["strategy"], type="RollingUpdate")
    if spec["strategy"]["type"] == "RollingUpdate":
        default(spec["strategy"], rollingUpdate={})
        default(spec["strategy"]["rollingUpdate"], maxUnavailable="25%", maxSurge="25%")


def _stateful_set(obj: Data, version: Version) -> None:
    spec = _template(obj, version)
    default(spec, replicas=1, revisionHistoryLimit=10, podManagementPolicy="OrderedReady")
    strategy = default(spec, updateStrategy={})["updateStrategy"]
    if default(strategy, type="RollingUpdate")["type"] == "RollingUpdate":
        default(default(strategy, rollingUpdate={})["rollingUpdate"], partition=0)
    if version >= _RETENTION:
        policy = default(spec, persistentVolumeClaimRetentionPolicy={})
        kept = {"whenDeleted": "Retain", "whenScaled": "Retain"}
        default(policy["persistentVolumeClaimRetentionPolicy"], **kept)
    for claim in spec.get("volumeClaimTemplates", ()):
        default(claim, apiVersion="v1", kind="PersistentVolumeClaim")
        claim_defaults(claim.get("spec"))


def _daemon_set(obj: Data, version: Version) -> None:
    spec = _template(obj, version)
    strategy = default(spec, revisionHistoryLimit=10, updateStrategy={})["updateStrategy"]
    if default(strategy, type="RollingUpdate")["type"] == "RollingUpdate":
        default(default(strategy, rollingUpdate={})["rollingUpdate"], maxUnavailable=1, maxSurge=0)


def _job(obj: Data, version: Version) -> None:
    spec = _template(obj, version)
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    default(spec, parallelism=1, backoffLimit=6, completionMode="NonIndexed", suspend=False)
    if version >= _REPLACEMENT:
        failing = "Failed" if "podFailurePolicy" in spec else "TerminatingOrFailed"
        default(spec, podReplacementPolicy=failing)


def _cron_job(obj: Data, version: Version) -> None:
    spec = _spec(obj)
    default(spec, concurrencyPolicy="Allow", suspend=False)
    default(spec, successfulJobsHistoryLimit=3, failedJobsHistoryLimit=1)
    default(obj, status={})
    template_defaults(spec.get("jobTemplate", {}).get("spec", {}).get("template"), version)


def _service(obj: Data, _version: Version) -> None:
    spec = _spec(obj)
    default(obj, status={"loadBalancer": {}})
    default(spec, type="ClusterIP", sessionAffinity="None")
    if spec["sessionAffinity"] == "ClientIP":
        config = default(spec, sessionAffinityConfig={})["sessionAffinityConfig"]
        default(default(config, clientIP={})["clientIP"], timeoutSeconds=10800)
    if spec["type"] != "ExternalName":
        default(spec, internalTrafficPolicy="Cluster")
    if spec["type"] in ("NodePort", "LoadBalancer"):
        default(spec, externalTrafficPolicy="Cluster")
    if spec["type"] == "LoadBalancer":
        default(spec, allocateLoadBalancerNodePorts=True)
    for port in spec.get("ports", ()):
        default(port, protocol="TCP", targetPort=port.get("port"))


_WINDOW = 15
_SCALE_UP: Data = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [
        {"type": "Pods", "value": 4, "periodSeconds": _WINDOW},
        {"type": "Percent", "value": 100, "periodSeconds": _WINDOW},
    ],
}
_SCALE_DOWN: Data = {
    "selectPolicy": "Max",
    "policies": [{"type": "Percent", "value": 100, "periodSeconds": _WINDOW}],
}
_UTILIZATION: Data = {
    "type": "Resource",
    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
}


def _autoscaler(obj: Data, _version: Version) -> None:
    spec = _spec(obj)
    default(spec, minReplicas=1, metrics=[copy.deepcopy(_UTILIZATION)])
    for metric in spec["metrics"]:
        for source in metric.values():
            if isinstance(source, dict):
                quantities(source.get("target"), "value", "averageValue")
    if "behavior" in spec:
        default(spec["behavior"], scaleUp={}, scaleDown={})
        default(spec["behavior"]["scaleUp"], **copy.deepcopy(_SCALE_UP))
        default(spec["behavior"]["scaleDown"], **copy.deepcopy(_SCALE_DOWN))


def _quota(obj: Data, _version: Version) -> None:
    quantities(_spec(obj).get("hard"))
    default(obj, status={})


def _limit_range(obj: Data, _version: Version) -> None:
    for limit in _spec(obj).get("limits", ()):
        for part in ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio"):
            quantities(limit.get(part))
        if limit.get("type") == "Container":
            default(limit, **({"default": dict(limit["max"])} if "max" in limit else {}))
            given = limit.get("default") or limit.get("min")
            default(limit, **({"defaultRequest": dict(given)} if given else {}))


def _claim(obj: Data, _version: Version) -> None:
    claim_defaults(_spec(obj))
    default(obj, status={})


def _network_policy(obj: Data, _version: Version) -> None:
    spec = _spec(obj)
    types = ["Ingress", "Egress"] if "egress" in spec else ["Ingress"]
    default(spec, policyTypes=types, podSelector={})
    for rule in (*spec.get("ingress", ()), *spec.get("egress", ())):
        port_protocols(rule)


def _secret(obj: Data, _version: Version) -> None:
    default(obj, type="Opaque")
    for key, value in obj.pop("stringData", {}).items():
        default(obj, data={})["data"][key] = base64.b64encode(str(value).encode()).decode()


def _namespace(obj: Data, _version: Version) -> None:
    default(_spec(obj), finalizers=["kubernetes"])
    default(default(obj, status={})["status"], phase="Active")


def _role_binding(obj: Data, _version: Version) -> None:
    default(obj.get("roleRef", {}), apiGroup="rbac.authorization.k8s.io")
    for subject in obj.get("subjects", ()):
        if subject.get("kind") in ("User", "Group"):
            default(subject, apiGroup="rbac.authorization.k8s.io")


def _plain(_obj: Data, _version: Version) -> None:
    """Nothing but what every kind gets."""


def _status(obj: Data, _version: Version) -> None:
    default(obj, status={})


def _custom(obj: Data, _version: Version) -> None:
    """Schemas of custom resources default the protocol of a port, since it is a key of its list."""
    spec = obj.get("spec")
    template = spec.get("template") if isinstance(spec, dict) else None
    inner = template.get("spec") if isinstance(template, dict) else None
    for name in ("containers", "initContainers"):
        for container in inner.get(name, ()) if isinstance(inner, dict) else ():
            port_protocols(container)


_KINDS: Mapping[tuple[str, str], Callable[[Data, Version], None]] = {
    ("v1", "Pod"): _pod,
    ("apps/v1", "Deployment"): _deployment,
    ("apps/v1", "StatefulSet"): _stateful_set,
    ("apps/v1", "DaemonSet"): _daemon_set,
    ("batch/v1", "Job"): _job,
    ("batch/v1", "CronJob"): _cron_job,
    ("v1", "Service"): _service,
    ("autoscaling/v2", "HorizontalPodAutoscaler"): _autoscaler,
    ("v1", "ResourceQuota"): _quota,
    ("v1", "LimitRange"): _limit_range,
    ("v1", "PersistentVolumeClaim"): _claim,
    ("networking.k8s.io/v1", "NetworkPolicy"): _network_policy,
    ("networking.k8s.io/v1", "Ingress"): _status,
    ("policy/v1", "PodDisruptionBudget"): _status,
    ("v1", "Secret"): _secret,
    ("v1", "Namespace"): _namespace,
    ("v1", "ConfigMap"): _plain,
    ("v1", "ServiceAccount"): _plain,
    ("rbac.authorization.k8s.io/v1", "RoleBinding"): _role_binding,
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"): _role_binding,
}
