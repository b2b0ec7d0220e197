"""Every manifest that we render, on a real API server with our policies in force."""

from collections.abc import Iterator, Mapping
from functools import partial
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
def applied(cluster: Cluster, rendered: Path, tmp_path: Path) -> Iterator[Mapping[str, str]]:
    """Apply it all, Argo CD's own objects as a dry run; give what was refused, by folder."""
    manifests = rendered / "manifests"
    environments = [path for path in manifests.iterdir() if path.name != "_bootstrap"]
    argocd = [manifests / "_bootstrap", *(path / "_argocd" for path in environments)]
    first = [path / "_environment" for path in environments]
    teams = [team for path in environments for team in path.iterdir() if team.name[0] != "_"]
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "argocd"}})
    said = {}
    with in_force(cluster, read_policies(rendered / "policies")):
        for path in [*first, *teams, *argocd]:
            dry = ["--dry-run=server"] if path in argocd else []
            done = cluster.kubectl(*STRICT, *dry, f"--filename={path}", check=False)
            said[str(path.relative_to(manifests))] = done.stderr
        yield said
    names = [one["metadata"]["name"] for path in first for one in _objects(path, "Namespace")]
    cluster.kubectl("delete", "namespace", *names, "--timeout=120s")


def _objects(folder: Path, kind: str) -> list[dict[str, Any]]:
    documents = [yaml.safe_load(path.read_bytes()) for path in sorted(folder.rglob("*.yaml"))]
    return [one for one in documents if one["kind"] == kind]


def test_nothing_is_refused_and_no_pod_is(
    cluster: Cluster, rendered: Path, applied: Mapping[str, str]
) -> None:
    assert {path: text for path, text in applied.items() if text} == {}
    folders = (rendered / "manifests").glob("*/_environment")
    names = [one["metadata"]["name"] for path in folders for one in _objects(path, "Namespace")]
    for name in names:
        wait_for(partial(_is_looked_at, cluster, name), f"the workloads of {name} are looked at")
        assert _refused_pods(cluster, name) == []


def _is_looked_at(cluster: Cluster, namespace: str) -> bool:
    """Whether the controllers have seen each workload, and so have tried to make its pods."""
    workloads = cluster.list("deployments", namespace)
    return all(
        one["metadata"]["generation"] == one.get("status", {}).get("observedGeneration")
        and one["status"].get("conditions")
        for one in workloads
    )


def _refused_pods(cluster: Cluster, namespace: str) -> list[str]:
    return [
        f"{one['metadata']['name']}: {condition['message']}"
        for one in cluster.list("deployments", namespace)
        for condition in one["status"].get("conditions", ())
        if condition["type"] == "ReplicaFailure"
    ]
