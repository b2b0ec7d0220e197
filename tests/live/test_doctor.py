"""The doctor notices a real API server that decides by parameters of another day.

It has an API server of its own, which is of no use to anybody afterwards.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from live.cluster import Cluster, api_server
from live.parts import KUBERNETES, need
from live.policies import read_policy_file
from live.processes import Ports, wait_for
from sluice.commands import init
from sluice.insight.policies import diagnose_policies
from sluice.workspace.workspace import Workspace, open_workspace

POLICY = "policies/allowed-accelerators.yaml"
SEEN = 3.0
"""Seconds after which the server has ended its watch on ConfigMaps: it looks every second."""


@pytest.fixture
def own_cluster(tmp_path: Path, ports: Ports, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    need(KUBERNETES)
    with api_server(tmp_path / "cluster", ports) as cluster:
        monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
        yield cluster


def _apply(cluster: Cluster, workspace: Workspace, folder: Path) -> None:
    """Bring what an environment has beside its releases, and its policy, to the cluster."""
    manifests = [manifest.data for manifest in workspace.render().values()]
    for kind in ("Namespace", "ConfigMap"):
        cluster.apply(*(one for one in manifests if one["kind"] == kind))
    cluster.apply(*read_policy_file(folder / POLICY))


def test_parameters_of_another_day_are_noticed(own_cluster: Cluster, tmp_path: Path) -> None:
    folder, former = tmp_path / "models", tmp_path / "former"
    init.write(folder)
    _write_former(former)
    workspace, before = open_workspace(folder), open_workspace(former)
    _apply(own_cluster, before, former)
    wait_for(
        lambda: diagnose_policies(before).ok, "the policy is in force", told=lambda: _said(before)
    )
    own_cluster.kubectl("delete", f"--filename={folder / POLICY}")
    wait_for(lambda: "does not refuse" in _said(before), "nobody asks the policy any more")
    time.sleep(SEEN)
    _apply(own_cluster, workspace, folder)
    wait_for(
        lambda: "reads an older one" in _said(workspace),
        "it is noticed",
        told=lambda: _said(workspace),
    )
    assert "restart the API server" in diagnose_policies(workspace).remedy


def _write_former(folder: Path) -> None:
    """Write a repository that allows, and takes, another accelerator."""
    init.write(folder)
    for path in (folder / "environments").rglob("*.yaml"):
        text = path.read_text().replace("      - nvidia-l40s\n", "")
        path.write_text(text.replace("name: nvidia-l40s", "name: nvidia-l4"))


def _said(workspace: Workspace) -> str:
    return diagnose_policies(workspace).said
