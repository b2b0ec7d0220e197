"""The checklist of a production-grade deployment, over everything that the reference renders.

`RULES` are those that a manifest shows, `ELSEWHERE` says where the others are tested, and
`NOT_HERE` which are deliberately not kept, and why.
"""

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest

from sluice.core.units import amount
from support import trees

Check = Callable[[dict[str, Any]], object]

ELSEWHERE = {
    "weights and code are of one commit": "test_sources.py; offline when staged: test_fetching.py",
    "heads and layers divide by the devices": "FIT003, tests/core/capacity/test_fit_memory.py",
    "a runtime class is named only where one is asked for": "none is rendered here at all",
    "the startup budget grows with the model": "test_objects.py",
    "remote code needs a commit": "ENG015, cases/invalid/serving-remote-code-without-a-commit",
    "a route gives shares and waits long enough": "test_objects.py",
    "autoscalers name metrics that exist": "test_scaling.py",
    "queries select by labels of our own": "test_objects.py",
    "weights are fetched in each way": "test_fetching.py",
    "sources have a scheme that is known": "REF004; digests are checked: test_fetching.py",
}
NOT_HERE = {
    "roots are read-only": "device hooks of the container runtime write to them (pod.yaml.j2)",
    "a dashboard comes with it": "which panels a team looks at is for whoever runs the monitoring",
}


@cache
def objects() -> list[dict[str, Any]]:
    return [dict(manifest.data) for manifest in trees.reference().render().values()]


def of(*kinds: str) -> list[dict[str, Any]]:
    return [data for data in objects() if data["kind"] in kinds]


def templates() -> Iterator[dict[str, Any]]:
    """Every pod template of a workload, those of a group's workers included."""
    for data in of("Deployment"):
        yield data["spec"]["template"]
    for data in of("LeaderWorkerSet"):
        group = data["spec"]["leaderWorkerTemplate"]
        yield from (group["leaderTemplate"], group["workerTemplate"])


def pods() -> list[dict[str, Any]]:
    return [template["spec"] for template in templates()]


def engines() -> list[dict[str, Any]]:
    return [pod["containers"][0] for pod in pods()]


def answering() -> list[dict[str, Any]]:
    return [engine for engine in engines() if "ports" in engine]


def containers() -> list[dict[str, Any]]:
    return [c for pod in pods() for c in (*pod["containers"], *pod.get("initContainers", ()))]


def devices(container: dict[str, Any]) -> dict[str, str]:
    limits = container["resources"]["limits"]
    return {name: count for name, count in limits.items() if "/" in name}


def volume(pod: dict[str, Any], name: str) -> dict[str, Any]:
    return next((v for v in pod["volumes"] if v["name"] == name), {})


def is_pinned(container: dict[str, Any]) -> bool:
    tag = container["image"].rpartition("/")[2].partition(":")[2]
    return "@sha256:" in container["image"] or bool(re.search(r"[0-9]", tag) and tag != "latest")


def requests_all(container: dict[str, Any]) -> bool:
    return bool({"cpu", "memory", "ephemeral-storage"} <= container["resources"]["requests"].keys())


def devices_are_whole_and_requested(container: dict[str, Any]) -> bool:
    requests = container["resources"]["requests"]
    return all(
        count.isdecimal() and requests[name] == count for name, count in devices(container).items()
    )


def shares_memory(pod: dict[str, Any]) -> bool:
    counts = [int(count) for count in devices(pod["containers"][0]).values()]
    several = min(counts) > 1  # of a share there is one, whatever its memory is
    by_layers = "--split-mode" in pod["containers"][0]["command"]
    shared = volume(pod, "shared-memory").get("emptyDir", {})
    in_memory = bool(shared.get("medium") == "Memory" and shared.get("sizeLimit"))
    return not several or by_layers or in_memory


def memory_is_beyond_what_is_shared(pod: dict[str, Any]) -> bool:
    shared = volume(pod, "shared-memory").get("emptyDir", {}).get("sizeLimit", "0")
    resources = pod["containers"][0]["resources"]
    memory = resources["limits"].get("memory", resources["requests"].get("memory", "0"))
    return amount(memory) > amount(shared)


def outlasts_its_start(data: dict[str, Any]) -> bool:
    probe = data["spec"]["template"]["spec"]["containers"][0]["startupProbe"]
    budget = probe["failureThreshold"] * probe["periodSeconds"]
    return bool(data["spec"]["progressDeadlineSeconds"] > budget)


def drains(pod: dict[str, Any]) -> bool:
    _, wait = pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]
    return bool(pod["terminationGracePeriodSeconds"] > int(wait) > 0)


def is_confined(container: dict[str, Any]) -> bool:
    security = container["securityContext"]
    return not security["allowPrivilegeEscalation"] and security["capabilities"]["drop"] == ["ALL"]


def caches_are_writable(pod: dict[str, Any]) -> bool:
    engine = pod["containers"][0]
    homes = [v["value"] for v in engine["env"] if v["name"] in ("HOME", "XDG_CACHE_HOME")]
    writable = {m["mountPath"] for m in engine["volumeMounts"] if not m.get("readOnly")}
    return all(home.startswith(tuple(writable)) for home in homes) and bool(homes)


def has_no_secret(container: dict[str, Any]) -> bool:
    named = [v for v in container["env"] if re.search("TOKEN|KEY|SECRET|PASSWORD", v["name"])]
    return all("valueFrom" in variable for variable in named)


def account_is_its_own(pod: dict[str, Any]) -> bool:
    accounts = {data["metadata"]["name"]: data for data in of("ServiceAccount")}
    account = accounts[pod["serviceAccountName"]]
    return not (account["automountServiceAccountToken"] or pod["automountServiceAccountToken"])


def strategy_is_explicit(data: dict[str, Any]) -> bool:
    strategy = data["spec"]["strategy"]
    update = strategy.get("rollingUpdate", {})
    return strategy["type"] == "Recreate" or set(update.values()) == {0, 1}


def scaled() -> set[str]:
    return {
        data["spec"]["scaleTargetRef"]["name"] + data["metadata"]["namespace"]
        for data in of("HorizontalPodAutoscaler", "ScaledObject")
    }


def replicas_have_one_owner(data: dict[str, Any]) -> bool:
    owned = data["metadata"]["name"] + data["metadata"]["namespace"] in scaled()
    return ("replicas" in data["spec"]) != owned


def budget_helps(data: dict[str, Any]) -> bool:
    name, namespace = data["metadata"]["name"], data["metadata"]["namespace"]
    same = {"name": name, "namespace": namespace}
    workload = next(
        w for w in of("Deployment", "LeaderWorkerSet") if same.items() <= w["metadata"].items()
    )
    return bool(data["spec"].get("maxUnavailable") == 1 and workload["spec"].get("replicas", 2) > 1)


def spreads(pod: dict[str, Any]) -> bool:
    """No constraint holds a pod back unless the release says so, and each is about one release."""
    spread = pod.get("topologySpreadConstraints", ())
    anyway = [each for each in spread if each["whenUnsatisfiable"] == "ScheduleAnyway"]
    alone = all("sluice.dev/release" in each["labelSelector"]["matchLabels"] for each in spread)
    return alone and (not spread or bool(anyway))


def policy_opens_little(data: dict[str, Any]) -> bool:
    spec = data["spec"]
    answers = spec["ingress"][0]["ports"] == [{"protocol": "TCP", "port": "http"}]
    both = set(spec["policyTypes"]) == {"Ingress", "Egress"}
    return bool(answers and both and spec["egress"])


def is_called_by_its_program(container: dict[str, Any]) -> bool:
    return bool(container["command"]) and "api_server" not in container["command"][:2]


def placed(pod: dict[str, Any]) -> bool:
    return bool(pod.get("nodeSelector")) and bool(pod.get("tolerations"))


def service_is_plain(data: dict[str, Any]) -> bool:
    return [port["name"] for port in data["spec"]["ports"]] == ["http"]


def probes_are_patient(container: dict[str, Any]) -> bool:
    liveness, readiness = container["livenessProbe"], container["readinessProbe"]
    slower = liveness["periodSeconds"] > readiness["periodSeconds"]
    return bool(slower and liveness["timeoutSeconds"] >= 5)


def monitored(data: dict[str, Any]) -> bool:
    (endpoint,) = data["spec"]["podMetricsEndpoints"]
    labels = {"sluice.dev/release", "sluice.dev/version"} <= set(data["spec"]["podTargetLabels"])
    return bool(endpoint["port"] == "http" and endpoint["path"].startswith("/") and labels)


def alerts_are_patient(data: dict[str, Any]) -> bool:
    (group,) = data["spec"]["groups"]
    return all({"alert", "expr", "for", "labels"} <= rule.keys() for rule in group["rules"])


def names_its_model(template: dict[str, Any]) -> bool:
    return {f"sluice.dev/{k}" for k in ("model", "model-version", "model-source")} <= set(
        template["metadata"]["annotations"]
    )


RULES: dict[str, tuple[Callable[[], list[dict[str, Any]]], Check]] = {
    "images are pinned": (containers, is_pinned),
    "an engine is called by its program": (engines, is_called_by_its_program),
    "both versions are told apart by their labels": (lambda: of("PodMonitor"), monitored),
    "a pod names its model": (lambda: list(templates()), names_its_model),
    "devices are whole, requested and limited alike": (engines, devices_are_whole_and_requested),
    "cpu, memory and disk are requested": (containers, requests_all),
    "shared memory is sized, and within the memory": (
        pods,
        lambda pod: shares_memory(pod) and memory_is_beyond_what_is_shared(pod),
    ),
    "a pod goes only to nodes with its device": (pods, placed),
    "liveness is slower than readiness": (answering, probes_are_patient),
    "a rollout outlasts the start of a pod": (lambda: of("Deployment"), outlasts_its_start),
    "a pod drains before it ends": (pods, drains),
    "the update strategy is explicit": (lambda: of("Deployment"), strategy_is_explicit),
    "a disruption budget lets a node drain": (lambda: of("PodDisruptionBudget"), budget_helps),
    "replicas spread, and none is held back by it": (pods, spreads),
    "replicas have one owner": (
        lambda: of("Deployment", "LeaderWorkerSet"),
        replicas_have_one_owner,
    ),
    "containers are confined": (containers, is_confined),
    "caches are writable": (pods, caches_are_writable),
    "a service account is of its own, without a token": (pods, account_is_its_own),
    "no secret stands in Git": (containers, has_no_secret),
    "a network policy opens little": (lambda: of("NetworkPolicy"), policy_opens_little),
    "no service links are in the environment": (
        pods,
        lambda pod: pod["enableServiceLinks"] is False,
    ),
    "a Service has one port, named http": (lambda: of("Service"), service_is_plain),
    "metrics are scraped with the labels of a version": (lambda: of("PodMonitor"), monitored),
    "alerts are patient": (lambda: of("PrometheusRule"), alerts_are_patient),
}


@pytest.mark.parametrize("name", RULES)
def test_a_rule_holds_for_everything_that_is_rendered(name: str) -> None:
    subjects, check = RULES[name]
    found = subjects()
    assert found
    assert [subject for subject in found if not check(subject)] == []


def test_no_rule_is_forgotten() -> None:
    assert len({*RULES, *ELSEWHERE, *NOT_HERE}) == len(RULES) + len(ELSEWHERE) + len(NOT_HERE) == 36
