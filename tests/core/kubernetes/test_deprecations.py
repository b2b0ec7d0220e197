import json
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from sluice.core.kubernetes.deprecations import RULES, deprecation_problems, deprecations
from sluice.core.kubernetes.rules.problem import Problem
from sluice.system import resources

DATA = yaml.safe_load(
    (resources.find_directory("catalog") / "deprecations.yaml").read_text("utf-8")
)
TABLE = deprecations(DATA)
ORACLE = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"
OLDEST, NEWEST = 25, 37


def problems(data: object, version: str) -> list[Problem]:
    return list(deprecation_problems([("a.yaml", data)], version, TABLE))


def cron_job(api: str) -> dict[str, object]:
    return {"apiVersion": api, "kind": "CronJob", "metadata": {"name": "a"}}


def served(api: str, kind: str, minor: int) -> bool:
    """Whether the published schemas of a version have this API."""
    group, _, version = api.rpartition("/")
    parts = [kind.lower(), *([group.partition(".")[0]] if group else []), version]
    return (ORACLE / f"v1.{minor}.0-local" / f"{'-'.join(parts)}.json").is_file()


REMOVALS = [(entry, kind) for entry in DATA["apis"] for kind in entry["kinds"]]


@pytest.mark.parametrize(("entry", "kind"), REMOVALS, ids=lambda part: str(part)[:40])
def test_the_table_agrees_with_the_published_schemas(entry: dict[str, str], kind: str) -> None:
    removed = int(entry.get("removed", "1.99").split(".")[1])
    for minor in range(OLDEST, NEWEST + 1):
        if minor >= removed:
            assert not served(entry["api"], kind, minor)
    if OLDEST < removed <= NEWEST:
        assert served(entry["api"], kind, removed - 1)
    elif removed > NEWEST:
        assert served(entry["api"], kind, NEWEST)


@pytest.mark.parametrize(("entry", "kind"), REMOVALS, ids=lambda part: str(part)[:40])
def test_the_successor_is_served_from_when_the_table_says(entry: dict[str, str], kind: str) -> None:
    successor, since = entry.get("successor", ""), entry.get("since", "1.0")
    minor = max(OLDEST, int(since.split(".")[1]))
    api, _, other = successor.partition(" ")
    if "/" in api:
        assert served(api, other or kind, minor)
        assert minor == OLDEST or not served(api, other or kind, minor - 1)


def test_every_api_that_went_since_the_oldest_schemas_is_in_the_table() -> None:
    known = {(entry["api"], kind) for entry, kind in REMOVALS}
    gone = set()
    for minor in range(OLDEST, NEWEST):
        for path in (ORACLE / f"v1.{minor}.0-local").glob("*.json"):
            after = ORACLE / f"v1.{minor + 1}.0-local" / path.name
            if not after.is_file() and not path.name.startswith("_"):
                gone |= kinds_of(path)
    assert ("autoscaling/v2beta2", "HorizontalPodAutoscaler") in gone
    assert {one for one in gone if "alpha" not in one[0]} - known == set()


def kinds_of(path: Path) -> set[tuple[str, str]]:
    schema = json.loads(path.read_bytes())
    marks = schema.get("x-kubernetes-group-version-kind", [])
    names = [(f"{m['group']}/{m['version']}".lstrip("/"), m["kind"]) for m in marks]
    return {(api, kind) for api, kind in names if not kind.endswith(("List", "Options", "Event"))}


@pytest.mark.parametrize(
    ("version", "rule", "severity"),
    [
        ("1.18", None, None),
        ("1.19", "DEP003", "note"),
        ("1.21", "DEP003", "warning"),
        ("1.22", "DEP003", "warning"),
        ("1.23", "DEP002", "warning"),
        ("1.24.7", "DEP002", "warning"),
        ("1.25", "DEP001", "error"),
        ("v1.34", "DEP001", "error"),
    ],
)
def test_an_api_on_its_way_out(version: str, rule: str | None, severity: str | None) -> None:
    found = problems(cron_job("batch/v1beta1"), version)
    assert [(p.rule, p.severity) for p in found] == ([(rule, severity)] if rule else [])
    assert all(p.pointer == ("apiVersion",) and "batch/v1" in p.help for p in found)


def test_the_successor_is_not_advised_before_it_is_there() -> None:
    data = {"apiVersion": "flowcontrol.apiserver.k8s.io/v1beta1", "kind": "FlowSchema"}
    [problem] = problems(data, "1.26")
    assert problem.help.endswith("from Kubernetes 1.29 on")


def test_fields_of_pods_are_found_in_every_controller() -> None:
    pod = {"volumes": [{"name": "a"}, {"name": "b", "rbd": {}}]}
    job = {"spec": {"template": {"spec": pod}}}
    data = {"apiVersion": "batch/v1", "kind": "CronJob", "spec": {"jobTemplate": job}}
    [soon] = problems(data, "1.30")
    [gone] = problems(data, "1.31")
    place = ("spec", "jobTemplate", "spec", "template", "spec", "volumes", 1, "rbd")
    assert soon.pointer == gone.pointer == place
    assert (soon.severity, gone.severity) == ("warning", "error")


def test_fields_belong_to_kinds() -> None:
    spec = {"spec": {"loadBalancerIP": "10.0.0.1"}}
    assert [p.rule for p in problems({"kind": "Service", **spec}, "1.34")] == ["DEP004"]
    assert problems({"kind": "Other", **spec}, "1.34") == []


def test_odd_objects_are_passed_over() -> None:
    odds: list[object] = [None, [], "x", {"apiVersion": 1, "kind": []}, {"kind": "Pod", "spec": 1}]
    for odd in odds:
        assert problems(odd, "1.34") == []


def test_every_rule_says_what_to_do() -> None:
    assert set(RULES) == {"DEP001", "DEP002", "DEP003", "DEP004"}
