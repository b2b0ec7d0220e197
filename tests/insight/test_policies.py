"""What the doctor says of a cluster's policies: by what it was told, and how it asks."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from sluice.cluster import admission
from sluice.cluster.connection import ForbiddenError
from sluice.core.finding import UsageError
from sluice.insight.policies import ALLOWED, Eyes, Tried, diagnose_policies, judge
from support import reference
from support.cluster_api import Api, server

__all__ = ["server"]

CONFIG = {"resources": "nvidia.com/gpu", "nodeLabels": ""}
DENIED = f"ValidatingAdmissionPolicy '{ALLOWED}' with binding '{ALLOWED}' denied request: no"
OTHER = "ValidatingAdmissionPolicy 'owner' with binding 'owner' denied request: no"
DEPLOYMENTS = "/apis/apps/v1/namespaces/ai/deployments"
WORKLOAD = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": "ai"}}


@pytest.mark.parametrize(
    ("tried", "said", "remedy"),
    [
        (Tried(CONFIG, CONFIG, "", DENIED), "", ""),
        (Tried(CONFIG, None, "", ""), "is not in the cluster", "let Argo CD sync"),
        (Tried(CONFIG, {}, DENIED, DENIED), "is not that of Git", "let Argo CD sync"),
        (Tried(CONFIG, CONFIG, DENIED, DENIED), "reads an older one", "restart the API server"),
        (Tried(CONFIG, CONFIG, "", ""), "does not refuse a device", "restart the API server"),
        (Tried(CONFIG, CONFIG, "", OTHER), "does not refuse a device", "kubectl get vap"),
        (Tried(CONFIG, CONFIG, OTHER, OTHER), "", ""),
    ],
)
def test_what_a_cluster_said_is_judged(tried: Tried, said: str, remedy: str) -> None:
    found = judge(tried)
    assert said in found[0]
    assert remedy in found[1]
    assert bool(said) is bool(found[0])


class Cluster:
    """A cluster that follows Git, and whose policy refuses what nobody allows."""

    def __init__(self, error: UsageError | None = None) -> None:
        self.error = error
        self.tried: list[str] = []

    def parameters(self, context: str | None, namespace: str, name: str) -> Mapping[str, str]:
        assert (context, name) == (None, ALLOWED)
        if self.error:
            raise self.error
        (found,) = [
            manifest.data["data"]
            for manifest in reference.workspace({}).render().values()
            if manifest.data["metadata"].get("namespace") == namespace
            and manifest.data["metadata"]["name"] == ALLOWED
        ]
        data: Mapping[str, str] = found
        return data

    def refusal(self, context: str | None, plural: str, workload: Mapping[str, Any]) -> str:
        assert (context, plural) == (None, "deployments")
        self.tried.append(workload["metadata"]["name"])
        return DENIED if "of-nobody" in json.dumps(workload) else ""

    @property
    def eyes(self) -> Eyes:
        return Eyes(self.parameters, self.refusal)


def test_every_environment_with_policies_is_tried() -> None:
    cluster = Cluster()
    told = diagnose_policies(reference.workspace({}), cluster.eyes)
    assert told.ok, told
    assert "production" in told.said
    assert set(cluster.tried) == {"sluice-doctor"}


@pytest.mark.parametrize(
    ("error", "remedy"),
    [(ForbiddenError("no"), "grant create on deployments"), (UsageError("no cluster"), "")],
)
def test_a_cluster_that_cannot_be_asked_is_no_fault(error: UsageError, remedy: str) -> None:
    told = diagnose_policies(reference.workspace({}), Cluster(error).eyes)
    assert (told.ok, remedy in told.remedy) == (True, True)
    assert told.said == f"not looked at: {error}"


def test_a_workload_is_tried_without_storing_it(server: type[Api]) -> None:
    assert admission.try_workload(None, "deployments", WORKLOAD) == ""
    assert [(method, path) for method, path, _, _ in server.seen] == [("POST", DEPLOYMENTS)]
    assert server.queries == ["dryRun=All"]


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [(403, DENIED, None), (422, DENIED, None), (403, "no rights", ForbiddenError)],
)
def test_a_policys_no_is_told_from_a_missing_right(
    server: type[Api], status: int, message: str, kind: type[Exception] | None
) -> None:
    server.status = status
    server.answers[DEPLOYMENTS] = [{"message": message}]
    if kind is None:
        assert ALLOWED in admission.try_workload(None, "deployments", WORKLOAD)
        return
    with pytest.raises(kind):
        admission.try_workload(None, "deployments", WORKLOAD)


def test_parameters_are_read_or_are_not_there(server: type[Api]) -> None:
    path = f"/api/v1/namespaces/ai/configmaps/{ALLOWED}"
    server.answers[path] = [{"data": CONFIG}]
    assert admission.read_parameters(None, "ai", ALLOWED) == CONFIG
    server.status = 404
    assert admission.read_parameters(None, "ai", ALLOWED) is None
