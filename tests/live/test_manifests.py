"""Every manifest that we render, on a real API server with our policies in force."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from live.cluster import Cluster
from live.policies import in_force, read_policies
from live.processes import wait_for
from sluice.commands import init

TOP = Path(__file__).parents[2]
STRICT = ("apply", "--server-side", "--validate=strict", "--recursive")


@pytest.fixture(params=["the reference repository", "sluice init"])
def rendered(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Give a repository with its manifests."""
    if request.param == "sluice init":
        init.write(tmp_path / "models")
        return tmp_path / "models"
    return TOP


@pytest.fixture
def applied(
    cluster: Cluster, rendered: Path, notes: list[str]
) -> Iterator[Mapping[str, Sequence[str]]]:
    """Apply it all, Argo CD's own objects as a dry run; give what was refused, by folder."""
    manifests = rendered / "manifests"
    environments = [path for path in manifests.iterdir() if path.name != "_bootstrap"]
    argocd = [manifests / "_bootstrap", *(path / "_argocd" for path in environments)]
    first = [path / "_environment" for path in environments]
    namespaces = [path / "namespace.yaml" for path in first]  # Argo CD puts them first by itself
    teams = [team for path in environments for team in path.iterdir() if team.name[0] != "_"]
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "argocd"}})
    cluster.apply(*map(_priority, _named_priorities(manifests)))
    said = {}
    with in_force(cluster, read_policies(rendered / "policies")):
        for path in [*namespaces, *first, *teams, *argocd]:
            dry = ["--dry-run=server"] if path in argocd else []
            done = cluster.kubectl(*STRICT, *dry, f"--filename={path}", check=False)
            said[str(path.relative_to(manifests))] = _errors(done.stderr, notes)
        yield said
    names = [one["metadata"]["name"] for path in first for one in _objects(path, "Namespace")]
    cluster.kubectl("delete", "namespace", *names, "--timeout=120s")


def _named_priorities(folder: Path) -> set[str]:
    """Return the classes of priority that releases name, and that a cluster has by itself."""
    texts = [path.read_text() for path in folder.rglob("*.yaml")]
    return {name for text in texts for name in re.findall(r"priorityClassName: (\S+)", text)}


def _priority(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": name},
        "value": 1000,
    }


def _errors(said: str, notes: list[str]) -> list[str]:
    """Return the lines that are no warnings; those are noted, once each."""
    lines = said.splitlines()
    warnings = {line for line in lines if line.startswith("Warning:")}
    notes += sorted(warnings - set(notes))
    return [line for line in lines if line not in warnings]


def _objects(folder: Path, kind: str) -> list[dict[str, Any]]:
    documents = [yaml.safe_load(path.read_bytes()) for path in sorted(folder.rglob("*.yaml"))]
    return [one for one in documents if one["kind"] == kind]


def test_nothing_is_refused_and_no_pod_is(
    cluster: Cluster, rendered: Path, applied: Mapping[str, Sequence[str]]
) -> None:
    refused = [f"{path}: {line}" for path, lines in applied.items() for line in lines]
    assert not refused, "\n".join(refused)
    folders = (rendered / "manifests").glob("*/_environment")
    names = [one["metadata"]["name"] for path in folders for one in _objects(path, "Namespace")]
    for name in names:
        _wait_for_pods(cluster, name)


def _wait_for_pods(cluster: Cluster, namespace: str) -> None:
    """Return once the controllers could make the pods of each workload.

    A pod that came before its service account is tried again.
    """

    def refused() -> str:
        return "\n".join(_refused_pods(cluster, namespace))

    wait_for(lambda: _is_looked_at(cluster, namespace), f"{namespace} has conditions")
    wait_for(lambda: not refused(), f"no pod of {namespace} is refused", told=refused)


def _is_looked_at(cluster: Cluster, namespace: str) -> bool:
    """Whether the controllers have seen each workload, and so have tried to make its pods."""
    workloads = cluster.list("deployments", namespace)
    return all(
        one["metadata"]["generation"] == one.get("status", {}).get("observedGeneration")
        and one["status"].get("conditions")
        for one in workloads
    )


def _refused_pods(cluster: Cluster, namespace: str) -> list[str]:
    """Return why pods are refused: a condition tells the first reason, and events the others."""
    waiting = [
        one["metadata"]["name"]
        for one in cluster.list("replicasets", namespace)
        for condition in one["status"].get("conditions", ())
        if condition["type"] == "ReplicaFailure"
    ]
    events = cluster.list("events", namespace) if waiting else []
    reasons = {(one["involvedObject"]["name"], one["message"]) for one in events}
    return [f"{name}: {message}" for name, message in sorted(reasons) if name in waiting]
