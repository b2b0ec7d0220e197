"""What a real API server says to the cases of a policy's table."""

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, cast

import httpx

from live.cluster import Cluster
from live.processes import wait_for
from sluice.core.policy.table import WORKLOADS, Case

Object = Mapping[str, Any]

REFUSED_BY_POLICY = "ValidatingAdmissionPolicy"
DECIDED = (REFUSED_BY_POLICY, "exceeded quota")
"""In what the server says, the signs that policies were asked: quotas are looked at after them."""
LABEL = "sluice.dev/live"


@dataclass(frozen=True)
class Answer:
    """What the server said to one request."""

    status: int
    message: str

    @property
    def decided(self) -> bool:
        """Whether policies were asked: an object that is invalid in itself does not come so far."""
        return 0 < self.status < 300 or any(word in self.message for word in DECIDED)

    @property
    def refused(self) -> bool:
        """Whether a policy refused it; a quota, say, is asked later."""
        return REFUSED_BY_POLICY in self.message and self.status >= 400


@dataclass
class Courtroom:
    """Namespaces with parameters, and old objects, made for the cases of one table."""

    cluster: Cluster
    name: str
    namespaces: dict[str, str] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    resources: dict[tuple[str, str], tuple[str, bool]] = field(default_factory=dict)

    def prepare(self, cases: Sequence[Case]) -> None:
        """Make what the cases need, before a policy is in force."""
        for case in cases:
            self._namespace(case)
        for number, case in enumerate(cases):
            if case.request.old is not None:
                self._create_old(number, case)

    def ask(self, number: int, case: Case) -> Answer:
        """Return the server's answer to a case, of which nothing is stored."""
        namespace = self._namespace(case)
        problem = self.problems.get(namespace) or self.problems.get(f"{namespace}/{number}")
        if problem:
            return Answer(0, problem)
        new = case.request.object
        obj = complete(new if new is not None else case.request.old or {}, namespace, number)
        path = self._path(obj, namespace)
        one = f"{path}/{obj['metadata']['name']}"
        if new is None:
            return _answer(self.cluster.ask("DELETE", one, dryRun="All"))
        if case.request.old is None:
            return _answer(self.cluster.ask("POST", path, obj, dryRun="All"))
        stored = self.cluster.ask("GET", one).json()
        obj["metadata"]["resourceVersion"] = stored["metadata"]["resourceVersion"]
        if obj["kind"] == "Job":  # whose selector the server makes
            obj["spec"]["selector"] = stored["spec"]["selector"]
            obj["spec"]["template"]["metadata"] = stored["spec"]["template"]["metadata"]
        return _answer(self.cluster.ask("PUT", one, obj, dryRun="All"))

    def close(self) -> None:
        """Remove the namespaces with all that is in them."""
        if self.namespaces:
            names = list(self.namespaces.values())
            self.cluster.kubectl("delete", "namespace", *names, "--wait=false")

    def _namespace(self, case: Case) -> str:
        (given,) = case.world.namespaces.values()
        key = json.dumps([given, case.world.params], sort_keys=True, default=str)
        if key not in self.namespaces:
            name = f"{self.name}-{len(self.namespaces)}"
            self.namespaces[key] = name
            labels = given["metadata"].get("labels", {})
            self.cluster.apply(
                {
                    "apiVersion": "v1",
                    "kind": "Namespace",
                    "metadata": {"name": name, "labels": labels},
                }
            )
            account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
            wait_for(lambda: self.cluster.ask("GET", account).is_success, f"{account} is there")
            self._create_params(name, case.world.params)
        return self.namespaces[key]

    def _create_params(self, namespace: str, params: Sequence[Object]) -> None:
        for given in params:
            param = deepcopy(dict(given))
            param["metadata"] = {**param["metadata"], "namespace": namespace}
            answer = _answer(self.cluster.ask("POST", self._path(param, namespace), param))
            if answer.status >= 300:
                self.problems[namespace] = f"a parameter is refused: {answer.message}"

    def _create_old(self, number: int, case: Case) -> None:
        namespace = self._namespace(case)
        obj = complete(case.request.old or {}, namespace, number)
        answer = _answer(self.cluster.ask("POST", self._path(obj, namespace), obj))
        if answer.status >= 300:
            self.problems[f"{namespace}/{number}"] = f"the old object is refused: {answer.message}"

    def _path(self, obj: Object, namespace: str) -> str:
        api = str(obj["apiVersion"])
        root = f"/apis/{api}" if "/" in api else f"/api/{api}"
        key = (root, str(obj["kind"]))
        if key not in self.resources:
            for one in self.cluster.ask("GET", root).json().get("resources", ()):
                if "/" not in one["name"]:
                    self.resources[root, one["kind"]] = (one["name"], one["namespaced"])
        plural, namespaced = self.resources[key]
        return f"{root}/namespaces/{namespace}/{plural}" if namespaced else f"{root}/{plural}"


def _answer(response: httpx.Response) -> Answer:
    said = response.json()
    message = str(said.get("message", "")) if response.status_code >= 300 else ""
    return Answer(response.status_code, message)


def complete(obj: Object, namespace: str, number: int) -> dict[str, Any]:
    """Return an object with what a case does not care for, and the server asks for.

    Args:
        obj: of a case.
        namespace: where it is to be.
        number: of the case; it makes the name its own.
    """
    whole: dict[str, Any] = deepcopy(dict(obj))
    metadata = {**whole.get("metadata", {}), "name": f"case-{number}"}
    metadata.pop("namespace", None)
    whole["metadata"] = {**metadata, "namespace": namespace}
    kind = str(whole["kind"])
    whole = _merged(COMPLETIONS.get(kind, {}), whole)
    _, path = WORKLOADS.get(kind, ("", ()))
    if kind.endswith("Route"):
        _complete_route(whole)
    if path:
        _complete_workload(whole, kind, path)
    return whole


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mapping with what another one has besides, mappings in it as well."""
    found = {**below, **above}
    for key in below.keys() & above.keys():
        if isinstance(below[key], Mapping) and isinstance(above[key], Mapping):
            found[key] = _merged(below[key], above[key])
    return found


def _complete_route(route: Object) -> None:
    for rule in route.get("spec", {}).get("rules") or ():
        for reference in rule.get("backendRefs") or ():
            reference.setdefault("port", 80)


def _complete_workload(workload: Object, kind: str, path: Sequence[str]) -> None:
    template = cast("dict[str, Any]", workload)
    for step in path:
        template = template.setdefault(step, {})
    spec = workload.get("spec", {})
    if kind in SELECTING:
        metadata = template.setdefault("metadata", {})
        labels = metadata.setdefault("labels", {}) if isinstance(metadata, dict) else None
        if isinstance(labels, dict):  # there are cases of nonsense
            labels.update(_LABELS)
        spec["selector"] = SELECTING[kind]
    if kind in ("Job", "CronJob"):
        template.setdefault("spec", {})["restartPolicy"] = "Never"
    if kind == "CronJob":
        spec.setdefault("schedule", "@yearly")


_LABELS = {LABEL: "case"}
SELECTING: Mapping[str, Mapping[str, Any]] = {
    "ReplicationController": _LABELS,
    "Deployment": {"matchLabels": _LABELS},
    "StatefulSet": {"matchLabels": _LABELS},
    "DaemonSet": {"matchLabels": _LABELS},
    "ReplicaSet": {"matchLabels": _LABELS},
    "Rollout": {"matchLabels": _LABELS},
}
"""Kinds that select their pods, and how they are to do so here."""

COMPLETIONS: Mapping[str, Mapping[str, Any]] = {
    "HorizontalPodAutoscaler": {
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}}
    },
    "ScaledObject": {
        "spec": {
            "scaleTargetRef": {"name": "d"},
            "triggers": [{"type": "cpu", "metadata": {"value": "50"}}],
        }
    },
    "Ingress": {"spec": {"defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}}},
    "Service": {"spec": {"ports": [{"port": 80}]}},
}
"""What else these kinds must have."""
