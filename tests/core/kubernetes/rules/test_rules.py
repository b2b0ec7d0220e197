import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.core.finding import Severity
from sluice.core.kubernetes.closure import merge, schema_for
from sluice.core.kubernetes.rules import Rule, Rules, semantic_problems
from sluice.core.kubernetes.rules.cron import schedule
from sluice.core.kubernetes.rules.kinds import _COMPLETE
from sluice.core.kubernetes.rules.quantities import parsed, quantity
from sluice.system import resources
from sluice.workspace.semantic_texts import read_semantic_rules

RULES = read_semantic_rules()
ROOT = Path(__file__).parents[4]
MANIFESTS = sorted((ROOT / "manifests").rglob("*.yaml"))
OBJECTS = [(path.as_posix(), yaml.safe_load(path.read_text("utf-8"))) for path in MANIFESTS]
EXAMPLES = [
    data
    for path in sorted((Path(__file__).parent / "cases").rglob("pass*.yaml"))
    for data in yaml.safe_load_all(path.read_text("utf-8"))
]
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: chat}
spec:
  replicas: 1
  selector: {matchLabels: {app: chat}}
  template:
    metadata: {labels: {app: chat}}
    spec:
      containers:
        - name: main
          image: example.com/main:1
          imagePullPolicy: Always
          ports: [{containerPort: 8000}]
          resources: {requests: {memory: 1Gi}, limits: {memory: 1Gi}}
"""
CONTAINER = "spec template spec containers 0"

# What strict schemas were measured to accept, and each time where and how we refuse it.
ACCEPTED_BY_SCHEMAS = {
    "memory 80Gb": (f"{CONTAINER} resources limits memory", "80Gb", "SEM030"),
    "pull policy Allways": (f"{CONTAINER} imagePullPolicy", "Allways", "SEM014"),
    "name LLM_X": ("metadata name", "LLM_X", "SEM001"),
    "duplicate container names": (
        "spec template spec containers 1",
        {"name": "main", "image": "example.com/side:1"},
        "SEM011",
    ),
    "selector against template": ("spec template metadata labels app", "other", "SEM060"),
    "containerPort 99999": (f"{CONTAINER} ports 0 containerPort", 99999, "SEM018"),
    "mount without volume": (
        f"{CONTAINER} volumeMounts",
        [{"name": "cache", "mountPath": "/cache"}],
        "SEM039",
    ),
    "replicas -1": ("spec replicas", -1, "SEM064"),
    "requests above limits": (f"{CONTAINER} resources requests memory", "2Gi", "SEM034"),
}


def parts_of(path: str) -> list[Any]:
    return [int(part) if part.isdigit() else part for part in path.split()]


def changed(path: str, value: object) -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load(DEPLOYMENT)
    *above, last = parts_of(path)
    node: Any = data
    for part in above:
        node = node[part]
    if isinstance(node, list) and last == len(node):
        node.append(value)
    else:
        node[last] = value
    return data


def rules_of(data: object, version: str = "1.34") -> list[str]:
    return [
        p.rule
        for p in semantic_problems([("a.yaml", data)], version, RULES)
        if p.severity != "note"
    ]


def test_what_we_render_has_no_problem() -> None:
    assert len(OBJECTS) >= 26
    found = list(semantic_problems(OBJECTS, "1.34", RULES))
    assert [problem for problem in found if problem.severity != "note"] == []
    assert {problem.rule for problem in found} <= {"SEM166", "SEM168"}


@pytest.mark.parametrize("case", ACCEPTED_BY_SCHEMAS)
def test_what_strict_schemas_accept_is_refused(case: str) -> None:
    path, value, rule = ACCEPTED_BY_SCHEMAS[case]
    data = changed(path, value)
    folder = resources.find_directory("schemas") / "kubernetes"
    merged = merge(json.loads(file.read_bytes()) for file in sorted(folder.glob("*.json")))
    schema = schema_for(merged, "1.34", "apps/v1", "Deployment")
    assert schema is not None
    import jsonschema_rs  # noqa: PLC0415  # only here

    assert jsonschema_rs.validator_for(schema).is_valid(data), "else no rule would be needed"
    assert rules_of(yaml.safe_load(DEPLOYMENT)) == []
    assert rules_of(data) == [rule]


def test_outside_the_set_is_a_note_unless_the_set_is_closed() -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "chat"},
        "spec": {"selector": {"app": "chat"}, "ports": [{"port": 80}]},
    }
    pairs: Sequence[tuple[str, object]] = [("a.yaml", service)]
    [open_set] = semantic_problems(pairs, "1.34", RULES)
    [closed_set] = semantic_problems(pairs, "1.34", RULES, closed=True)
    assert (open_set.rule, open_set.severity) == ("SEM160", "note")
    assert (closed_set.rule, closed_set.severity) == ("SEM160", "warning")


def test_a_missing_claim_is_a_warning_at_most_where_the_set_has_no_claims() -> None:
    pod = {"claimName": "models"}
    data = changed("spec template spec volumes", [{"name": "m", "persistentVolumeClaim": pod}])
    data["spec"]["template"]["spec"]["containers"][0]["volumeMounts"] = [
        {"name": "m", "mountPath": "/m"}
    ]
    other = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "other"},
        "spec": {
            "accessModes": ["ReadWriteMany"],
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }
    for others, closed, severity in (
        ([], False, "note"),
        ([], True, "warning"),
        ([other], True, "error"),
    ):
        pairs = [("a.yaml", item) for item in (data, *others)]
        [problem] = semantic_problems(pairs, "1.34", RULES, closed=closed)
        assert (problem.rule, problem.severity) == ("SEM168", severity)


def test_objects_of_one_file_are_told_apart() -> None:
    bad = changed("spec replicas", -1)
    good = yaml.safe_load(DEPLOYMENT)
    good["metadata"]["name"] = "other"
    good["spec"]["selector"]["matchLabels"]["app"] = "other"
    good["spec"]["template"]["metadata"]["labels"]["app"] = "other"
    [problem] = semantic_problems([("a.yaml", good), ("a.yaml", bad)], "1.34", RULES)
    assert (problem.position, problem.pointer) == (1, ("spec", "replicas"))


def test_secrets_are_never_shown() -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "token"},
        "type": "kubernetes.io/dockerconfigjson",
        "data": {"a": "hunter2!"},
        "stringData": {".dockerconfigjson": "hunter2"},
    }
    found = list(semantic_problems([("a.yaml", secret)], "1.34", RULES))
    assert {problem.rule for problem in found} == {"SEM123", "SEM124"}
    assert not any("hunter2" in f"{problem}" for problem in found)


@pytest.mark.parametrize(
    ("text", "worth"),
    [
        ("1", 1),
        ("1Ki", 1024),
        ("1500m", 1.5),
        ("1e3", 1000),
        ("1E", 10**18),
        (".5", 0.5),
        ("5.", 5),
    ],
)
def test_quantities_are_worth_what_the_server_says(text: str, worth: float) -> None:
    assert parsed(text) == worth


@pytest.mark.parametrize(
    "text", ["", "1 Gi", "1KI", "1gb", "1e", "--1", "1.2.3", "Gi", "0x10", "٣"]
)
def test_what_is_no_quantity(text: str) -> None:
    assert parsed(text) is None
    assert quantity(text)


@given(st.text(max_size=40))
def test_any_text_is_or_is_not_a_schedule_and_a_quantity(text: str) -> None:
    assert schedule(text) is None or schedule(text)
    assert quantity(text) is None or quantity(text)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.just(10**4000),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)


def pointers(data: object, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = (
        data.items()
        if isinstance(data, dict)
        else enumerate(data)
        if isinstance(data, list)
        else ()
    )
    return [above, *(found for key, value in items for found in pointers(value, (*above, key)))]


PLACES = [(index, place) for index, data in enumerate(EXAMPLES) for place in pointers(data)[1:]]


def replaced(data: Any, place: tuple[Any, ...], value: object) -> Any:  # noqa: ANN401  # JSON
    if not place:
        return value
    first, rest = place[0], place[1:]
    if isinstance(data, dict):
        return {**data, first: replaced(data[first], rest, value)}
    return [replaced(item, rest, value) if at == first else item for at, item in enumerate(data)]


@settings(max_examples=400)
@given(st.lists(st.tuples(st.sampled_from(PLACES), JSON), min_size=1, max_size=4))
def test_no_mutation_of_any_example_crashes_a_rule(
    mutations: list[tuple[tuple[int, tuple[Any, ...]], object]],
) -> None:
    objects = [
        ("a.yaml", replaced(EXAMPLES[index], place, value)) for (index, place), value in mutations
    ]
    before = [("a.yaml", EXAMPLES[index]) for (index, _), _ in mutations]
    list(semantic_problems(objects, "1.34", RULES, closed=True, old=before))
    list(semantic_problems(before, "1.30", RULES, old=objects))


@settings(max_examples=200)
@given(st.sampled_from(sorted(_COMPLETE)), st.dictionaries(st.text(max_size=6), JSON, max_size=4))
def test_no_json_crashes_a_rule(kind: tuple[str, str], data: dict[str, Any]) -> None:
    named = {**data, "apiVersion": kind[0], "kind": kind[1]}
    everything: list[tuple[str, object]] = [("a", named), ("b", data), ("c", [data]), ("d", None)]
    list(semantic_problems(everything, "1.34", RULES))


def test_every_single_value_of_every_example_may_be_anything() -> None:
    odd: list[Any] = [
        None,
        True,
        -1,
        0.5,
        "",
        "x",
        10**5000,
        [],
        [None, 1],
        {},
        {"a": None},
        {1: 2},
    ]
    for index, place in PLACES:
        value = odd[(index + len(place)) % len(odd)]
        pairs = [("a.yaml", replaced(EXAMPLES[index], place, value))]
        assert isinstance(list(semantic_problems(pairs, "1.34", RULES, old=pairs)), list)


def test_every_rule_says_what_to_do() -> None:
    assert len(RULES.by_id) >= 45
    assert all(rule.title and rule.help for rule in RULES.by_id.values())


def test_the_texts_are_read_when_the_first_problem_is_found() -> None:
    calls: list[str] = []

    def read() -> dict[str, dict[str, str]]:
        calls.append("read")
        return {"SEM001": {"title": "no name", "help": "rename it", "severity": "warning"}}

    rules = Rules(read)
    named = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
    assert list(semantic_problems([("a.yaml", named)], "1.34", rules)) == []
    assert calls == []
    nameless = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}}
    found = list(semantic_problems([("a.yaml", nameless)] * 2, "1.34", rules))
    assert {(p.rule, p.help, p.severity) for p in found} == {("SEM001", "rename it", "warning")}
    assert calls == ["read"]


def test_a_rule_without_a_severity_is_an_error() -> None:
    rules = Rules(lambda: {"SEM001": {"title": "no name", "help": "rename it"}})
    assert rules["SEM001"] == Rule("no name", "rename it", Severity.ERROR)


def test_the_order_of_the_texts_is_that_of_the_ids() -> None:
    assert list(RULES.by_id) == sorted(RULES.by_id)
