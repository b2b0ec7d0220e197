import copy
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import jsonschema_rs
import kubernetes_validate
import pytest
import yaml

from sluice.core.kubernetes.closure import merge, schema_for

ROOT = Path(__file__).parents[3]
DATA = ROOT / "schemas" / "kubernetes"
SCHEMAS = merge(json.loads(path.read_text("utf-8")) for path in sorted(DATA.glob("*.json")))
OLDEST, NEWEST = "1.29", "1.37"
SIZE_LIMIT = 300_000

# kind: accepted object without identity; then a field to misspell, one to give a wrong type, one
# that is required. A field is a path; a number is an index.
POD = "{containers: [{name: m, image: i, args: [a], resources: {limits: {cpu: 1, memory: 1Gi}}}]}"
TEMPLATE = f"{{metadata: {{labels: {{a: b}}}}, spec: {POD}}}"
RULES = "{rules: [{apiGroups: [''], resources: [pods], verbs: [get]}]}"
BINDING = (
    "{roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: r}, "
    "subjects: [{kind: User, name: u}]}"
)
JOB = f"{{backoffLimit: 1, template: {TEMPLATE}}}"
TABLE = f"""
v1/Namespace | {{metadata: {{name: n}}, spec: {{finalizers: [f]}}}} | spec finalizers | metadata name | kind
v1/ResourceQuota | {{spec: {{hard: {{pods: '3', x/gpu: 1}}}}}} | spec hard | spec hard pods | kind
v1/LimitRange | {{spec: {{limits: [{{type: Pod, max: {{cpu: 1}}}}]}}}} | spec limits 0 max | spec limits 0 max cpu | spec limits 0 type
v1/Service | {{spec: {{selector: {{a: b}}, ports: [{{port: 80, targetPort: http}}]}}}} | spec selector | spec ports 0 targetPort | spec ports 0 port
v1/ConfigMap | {{data: {{a: b}}}} | data | data a | kind
v1/Secret | {{stringData: {{a: b}}, type: Opaque}} | stringData | type | kind
v1/ServiceAccount | {{automountServiceAccountToken: false}} | automountServiceAccountToken | automountServiceAccountToken | kind
v1/PersistentVolumeClaim | {{spec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 1Gi}}}}}}}} | spec accessModes | spec accessModes 0 | kind
v1/Pod | {{spec: {POD}}} | spec containers 0 args | spec containers 0 image | spec containers 0 name
apps/v1/Deployment | {{spec: {{replicas: 1, selector: {{matchLabels: {{a: b}}}}, template: {TEMPLATE}}}}} | spec replicas | spec replicas | spec selector
apps/v1/StatefulSet | {{spec: {{serviceName: s, replicas: 1, selector: {{}}, template: {TEMPLATE}}}}} | spec replicas | spec serviceName | spec template
apps/v1/DaemonSet | {{spec: {{minReadySeconds: 1, selector: {{}}, template: {TEMPLATE}}}}} | spec minReadySeconds | spec minReadySeconds | spec template
batch/v1/Job | {{spec: {JOB}}} | spec backoffLimit | spec backoffLimit | spec template
batch/v1/CronJob | {{spec: {{schedule: '* * * * *', jobTemplate: {{spec: {JOB}}}}}}} | spec jobTemplate spec backoffLimit | spec schedule | spec schedule
autoscaling/v2/HorizontalPodAutoscaler | {{spec: {{maxReplicas: 2, minReplicas: 1, scaleTargetRef: {{kind: D, name: n}}, metrics: [{{type: Pods, pods: {{metric: {{name: m}}, target: {{type: AverageValue, averageValue: '3'}}}}}}]}}}} | spec metrics 0 pods | spec minReplicas | spec maxReplicas
networking.k8s.io/v1/Ingress | {{spec: {{ingressClassName: c, rules: [{{host: h, http: {{paths: [{{path: /, pathType: Prefix, backend: {{service: {{name: s, port: {{number: 80}}}}}}}}]}}}}]}}}} | spec rules 0 host | spec ingressClassName | spec rules 0 http paths 0 pathType
networking.k8s.io/v1/NetworkPolicy | {{spec: {{podSelector: {{}}, policyTypes: [Ingress], ingress: [{{ports: [{{port: http}}], from: [{{podSelector: {{}}}}]}}]}}}} | spec ingress 0 from | spec ingress 0 ports 0 port | kind
policy/v1/PodDisruptionBudget | {{spec: {{minAvailable: 50%, selector: {{matchLabels: {{a: b}}}}}}}} | spec minAvailable | spec minAvailable | kind
rbac.authorization.k8s.io/v1/Role | {RULES} | rules | rules 0 resources | rules 0 verbs
rbac.authorization.k8s.io/v1/ClusterRole | {RULES} | rules | rules 0 resources | rules 0 verbs
rbac.authorization.k8s.io/v1/RoleBinding | {BINDING} | subjects | subjects 0 name | roleRef
rbac.authorization.k8s.io/v1/ClusterRoleBinding | {BINDING} | subjects | subjects 0 name | roleRef
scheduling.k8s.io/v1/PriorityClass | {{value: 1, globalDefault: false}} | globalDefault | globalDefault | kind
admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy | {{spec: {{failurePolicy: Fail, validations: [{{expression: 'true', message: m}}]}}}} | spec validations 0 message | spec failurePolicy | spec validations 0 expression
admissionregistration.k8s.io/v1/ValidatingAdmissionPolicyBinding | {{spec: {{policyName: p, validationActions: [Deny]}}}} | spec policyName | spec validationActions 0 | kind
argoproj.io/v1alpha1/Application | {{spec: {{project: p, destination: {{name: in, namespace: n}}, source: {{repoURL: r, path: m, targetRevision: HEAD, helm: {{valuesObject: {{any: 1}}}}}}, syncPolicy: {{automated: {{prune: true}}, syncOptions: [a=b]}}}}}} | spec source path | spec syncPolicy automated prune | spec project
argoproj.io/v1alpha1/AppProject | {{spec: {{sourceRepos: ['*'], destinations: [{{server: s, namespace: n}}]}}}} | spec sourceRepos | spec sourceRepos 0 | spec
argoproj.io/v1alpha1/Rollout | {{spec: {{replicas: 1, selector: {{matchLabels: {{a: b}}}}, template: {TEMPLATE}, strategy: {{canary: {{maxSurge: 1, steps: [{{setWeight: 10}}, {{pause: {{duration: 10m}}}}]}}}}}}}} | spec template spec containers 0 args | spec strategy canary steps 0 setWeight | spec template spec containers 0 name
argoproj.io/v1alpha1/AnalysisTemplate | {{spec: {{args: [{{name: a}}], metrics: [{{name: m, interval: 1m, failureLimit: 1, provider: {{prometheus: {{address: a, query: q}}}}}}]}}}} | spec metrics 0 interval | spec metrics 0 failureLimit | spec metrics 0 provider
monitoring.coreos.com/v1/PodMonitor | {{spec: {{selector: {{}}, podMetricsEndpoints: [{{port: http, path: /metrics, interval: 15s}}]}}}} | spec podMetricsEndpoints 0 path | spec podMetricsEndpoints 0 port | spec selector
monitoring.coreos.com/v1/ServiceMonitor | {{spec: {{selector: {{}}, endpoints: [{{port: http, path: /metrics}}]}}}} | spec endpoints 0 path | spec endpoints 0 port | spec endpoints
monitoring.coreos.com/v1/PrometheusRule | {{spec: {{groups: [{{name: g, rules: [{{alert: a, expr: up == 0, for: 5m, labels: {{s: c}}}}]}}]}}}} | spec groups 0 rules 0 alert | spec groups 0 rules 0 labels s | spec groups 0 rules 0 expr
gateway.networking.k8s.io/v1/HTTPRoute | {{spec: {{parentRefs: [{{name: g}}], hostnames: [h], rules: [{{matches: [{{path: {{type: PathPrefix, value: /}}, headers: [{{name: a, value: b}}]}}], backendRefs: [{{name: a, port: 80, weight: 90}}]}}]}}}} | spec rules 0 backendRefs 0 weight | spec rules 0 backendRefs 0 weight | spec rules 0 backendRefs 0 name
gateway.networking.k8s.io/v1/Gateway | {{spec: {{gatewayClassName: c, listeners: [{{name: http, port: 80, protocol: HTTP}}]}}}} | spec listeners 0 port | spec gatewayClassName | spec listeners 0 protocol
networking.istio.io/v1/VirtualService | {{spec: {{hosts: [h], http: [{{match: [{{headers: {{x: {{exact: y}}}}}}], timeout: 60s, route: [{{weight: 100, destination: {{host: s, subset: v1}}}}]}}]}}}} | spec http 0 timeout | spec http 0 route 0 weight | spec http 0 route 0 destination host
networking.istio.io/v1/DestinationRule | {{spec: {{host: h, subsets: [{{name: v1, labels: {{a: b}}}}]}}}} | spec subsets 0 labels | spec subsets 0 labels a | spec subsets 0 name
keda.sh/v1alpha1/ScaledObject | {{spec: {{scaleTargetRef: {{name: n}}, minReplicaCount: 0, triggers: [{{type: prometheus, metadata: {{query: q}}}}]}}}} | spec minReplicaCount | spec minReplicaCount | spec triggers 0 metadata
keda.sh/v1alpha1/TriggerAuthentication | {{spec: {{secretTargetRef: [{{parameter: p, name: n, key: k}}]}}}} | spec secretTargetRef | spec secretTargetRef 0 name | spec secretTargetRef 0 key
leaderworkerset.x-k8s.io/v1/LeaderWorkerSet | {{spec: {{replicas: 1, leaderWorkerTemplate: {{size: 2, leaderTemplate: {TEMPLATE}, workerTemplate: {TEMPLATE}}}, rolloutStrategy: {{rollingUpdateConfiguration: {{maxSurge: 50%}}}}}}}} | spec leaderWorkerTemplate workerTemplate spec containers 0 args | spec leaderWorkerTemplate size | spec leaderWorkerTemplate workerTemplate
inference.networking.k8s.io/v1/InferencePool | {{spec: {{selector: {{matchLabels: {{a: b}}}}, targetPorts: [{{number: 8000}}], endpointPickerRef: {{name: e, port: {{number: 9002}}, failureMode: FailClose}}}}}} | spec endpointPickerRef port | spec targetPorts 0 number | spec endpointPickerRef
flagger.app/v1beta1/Canary | {{spec: {{targetRef: {{apiVersion: apps/v1, kind: Deployment, name: n}}, service: {{port: 80}}, analysis: {{interval: 1m, threshold: 5, maxWeight: 50, stepWeight: 10, metrics: [{{name: m, thresholdRange: {{min: 99}}}}]}}}}}} | spec analysis maxWeight | spec analysis stepWeight | spec targetRef
flagger.app/v1beta1/MetricTemplate | {{spec: {{query: q, provider: {{type: prometheus, address: a}}}}}} | spec provider address | spec query | spec provider
"""  # noqa: E501 - a table: one kind a line

Object = dict[str, Any]
Change = Callable[[Any, str | int], None]
CASES = [tuple(cell.strip() for cell in row.split(" | ")) for row in TABLE.strip().splitlines()]


def schema(name: str, version: str) -> Object | None:
    return schema_for(SCHEMAS, version, *name.rsplit("/", 1))


def good(name: str) -> Object:
    text = next(case[1] for case in CASES if case[0] == name)
    api_version, kind = name.rsplit("/", 1)
    content: Object = yaml.safe_load(text)
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "n"}} | content


def misspell(holder: Any, key: str | int) -> None:  # noqa: ANN401 - any JSON container
    holder[f"{key}x"] = holder.pop(key)


def mistype(holder: Any, key: str | int) -> None:  # noqa: ANN401 - any JSON container
    holder[key] = [[]]


def remove(holder: Any, key: str | int) -> None:  # noqa: ANN401 - any JSON container
    del holder[key]


def nullify(holder: Any, key: str | int) -> None:  # noqa: ANN401 - any JSON container
    holder[key] = None


def changed(original: Object, path: list[str | int], change: Change) -> Object:
    result = copy.deepcopy(original)
    holder: Any = result
    for step in path[:-1]:
        holder = holder[step]
    change(holder, path[-1])
    return result


def path_of(cell: str) -> list[str | int]:
    return [int(step) if step.isdigit() else step for step in cell.split()]


def verdicts(content: Object, against: Object) -> set[bool]:
    return {
        jsonschema_rs.validator_for(against).is_valid(content),
        jsonschema.Draft202012Validator(against).is_valid(content),
    }


def test_every_stored_kind_is_in_the_table() -> None:
    assert {case[0] for case in CASES} == set(SCHEMAS["kinds"])


def existing(name: str, version: str) -> Object:
    found = schema(name, version)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("version", "name", "misspelt", "mistyped", "required"),
    [
        (version, name, *bad)
        for version in (OLDEST, NEWEST)
        for name, _, *bad in CASES
        if not (version == OLDEST and "ValidatingAdmissionPolicy" in name)
    ],
)
def test_good_is_accepted_and_bad_refused(
    version: str, name: str, misspelt: str, mistyped: str, required: str
) -> None:
    found = existing(name, version)
    jsonschema.Draft202012Validator.check_schema(found)
    content = good(name)
    assert verdicts(content, found) == {True}
    assert verdicts(changed(content, path_of(misspelt), misspell), found) == {False}
    assert verdicts(changed(content, path_of(mistyped), mistype), found) == {False}
    assert verdicts(changed(content, path_of(required), remove), found) == {False}
    assert verdicts(content | {"apiVersion": "other/v1"}, found) == {False}


def test_only_admission_policies_are_missing_and_only_in_the_oldest_version() -> None:
    missing = {
        (name.rsplit("/", 1)[1], version)
        for name in SCHEMAS["kinds"]
        for version in SCHEMAS["versions"]
        if schema(name, version) is None
    }
    assert missing == {
        ("ValidatingAdmissionPolicy", "1.29"),
        ("ValidatingAdmissionPolicyBinding", "1.29"),
    }


def test_versions_outside_the_stored_ones() -> None:
    assert SCHEMAS["versions"] == [f"1.{minor}" for minor in range(29, 38)]
    assert schema("apps/v1/Deployment", "1.28") is None
    assert schema("apps/v1/Deployment", "1.99") == schema("apps/v1/Deployment", NEWEST)
    assert schema("apps/v1/Deployment", "v1.33.4") == schema("apps/v1/Deployment", "1.33")
    assert schema("apps/v1/Nothing", NEWEST) is None


def test_a_field_is_known_from_the_version_that_brought_it() -> None:
    content = good("v1/Pod")
    content["spec"]["resources"] = {"limits": {"cpu": 1}}
    verdict = {v: verdicts(content, existing("v1/Pod", v)) for v in SCHEMAS["versions"]}
    assert verdict["1.31"] == {False}
    assert verdict["1.32"] == {True}


def test_a_custom_resource_takes_its_pod_template_from_the_cluster_version() -> None:
    name = "leaderworkerset.x-k8s.io/v1/LeaderWorkerSet"
    content = good(name)
    content["spec"]["leaderWorkerTemplate"]["workerTemplate"]["spec"]["resources"] = {}
    assert verdicts(content, existing(name, "1.31")) == {False}
    assert verdicts(content, existing(name, "1.32")) == {True}


def test_status_is_not_looked_into() -> None:
    content = good("apps/v1/Deployment") | {"status": {"anything": 1}}
    assert verdicts(content, existing("apps/v1/Deployment", NEWEST)) == {True}


def paths(node: Any, prefix: list[str | int]) -> Iterator[list[str | int]]:  # noqa: ANN401 - any JSON value
    keys: list[str | int] = []
    if isinstance(node, dict | list):
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
    for key in keys:
        yield [*prefix, key]
        yield from paths(node[key], [*prefix, key])


def mutants(name: str) -> list[Object]:
    original = good(name)
    places = [path for path in paths(original, []) if path[0] not in {"apiVersion", "kind"}]
    changes = [misspell, mistype, remove, nullify]
    pairs = [(path, change) for path in places for change in changes]
    named = [pair for pair in pairs if pair[1] is not misspell or isinstance(pair[0][-1], str)]
    return [changed(original, path, change) for path, change in named]


@pytest.mark.parametrize(
    "name",
    [
        "apps/v1/Deployment",
        "v1/Service",
        "autoscaling/v2/HorizontalPodAutoscaler",
        "networking.k8s.io/v1/Ingress",
    ],
)
@pytest.mark.parametrize(("version", "start"), [(OLDEST, 0), (NEWEST, 1)])
def test_verdicts_equal_those_of_the_unpruned_schema(name: str, version: str, start: int) -> None:
    pruned = jsonschema_rs.validator_for(existing(name, version))
    sample = [good(name), *mutants(name)[start::3]]
    expected = [accepted_by_oracle(content, version) for content in sample]
    assert [pruned.is_valid(content) for content in sample] == expected
    assert set(expected) == {True, False}


def accepted_by_oracle(content: Object, version: str) -> bool:
    try:
        kubernetes_validate.validate(content, version, strict=True)
    except kubernetes_validate.ValidationError:
        return False
    return True


def run_check(root: Path) -> subprocess.CompletedProcess[str]:
    script = root / "generator" / "tools" / "kubernetes_schemas.py"
    command = [sys.executable, str(script), "--check"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_stored_data_is_what_the_generator_writes() -> None:
    result = run_check(ROOT)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_check_finds_an_edited_file(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "generator" / "tools", tmp_path / "generator" / "tools")
    shutil.copytree(DATA, tmp_path / "schemas" / "kubernetes")
    edited = tmp_path / "schemas" / "kubernetes" / "core.json"
    edited.write_text(edited.read_text("utf-8").replace('"replicas"', '"replica"', 1), "utf-8")
    result = run_check(tmp_path)
    assert (result.returncode, result.stdout) == (1, "core.json: differs\n")


def test_the_data_weighs_little() -> None:
    assert sum(path.stat().st_size for path in DATA.iterdir()) < SIZE_LIMIT
