"""What is asked of an API server, and how: a stand-in that writes down each request."""

import json
from pathlib import Path
from typing import Any

import pytest

from sluice.cluster.argocd import KubernetesCluster, open_cluster
from sluice.cluster.connection import AbsentError, ForbiddenError
from sluice.cluster.rights import is_allowed
from sluice.cluster.routes import FileRoutes, KubernetesRoutes, open_routes
from sluice.core.finding import UsageError
from support.cluster_api import Api, server
from support.trees import route_kind

__all__ = ["server"]

LIST = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications"
ONE = f"{LIST}/production.chat.routes"
REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
INGRESSES = "/apis/networking.k8s.io/v1/namespaces/ai/ingresses"


def page(*names: str, following: str = "") -> dict[str, Any]:
    items = [{"metadata": {"name": name, "namespace": "argocd"}} for name in names]
    return {"metadata": {"continue": following}, "items": items}


def test_applications_are_read_page_by_page(server: type[Api]) -> None:
    server.answers[LIST] = [page("a", "b", following="next"), page("c")]
    assert list(KubernetesCluster().applications("argocd")) == ["a", "b", "c"]
    assert [(method, path) for method, path, _, _ in server.seen] == [("GET", LIST)] * 2


def test_a_refresh_changes_one_annotation_and_nothing_else(server: type[Api]) -> None:
    KubernetesCluster().refresh("argocd", "production.chat.routes")
    ((method, path, kind, body),) = server.seen
    assert (method, path, kind) == ("PATCH", ONE, "application/merge-patch+json")
    assert body == {"metadata": {"annotations": {"argocd.argoproj.io/refresh": "normal"}}}


def running(revision: str, phase: str = "Running") -> dict[str, Any]:
    """An application that is busy with a commit."""
    state = {"phase": phase, "syncResult": {"revision": revision}}
    metadata = {"name": "production.chat.routes", "resourceVersion": "41"}
    return {"metadata": metadata, "status": {"operationState": state}}


def test_the_sync_that_was_seen_is_ended_and_no_later_one(server: type[Api]) -> None:
    """By its version, as Argo CD 3.5.7 takes it: a sync in a backoff of 30 minutes ended in 2 s."""
    server.answers[ONE] = [running("abc1234")]
    KubernetesCluster().end("argocd", "production.chat.routes", "abc1234")
    (_, (method, path, kind, body)) = server.seen
    assert (method, path, kind) == ("PATCH", ONE, "application/merge-patch+json")
    assert body == {
        "metadata": {"resourceVersion": "41"},
        "status": {"operationState": {"phase": "Terminating"}},
    }


@pytest.mark.parametrize(
    "found",
    [
        running("def5678"),
        running("abc1234", "Succeeded"),
        running("abc1234", "Terminating"),
        {"metadata": {"name": "production.chat.routes"}},
    ],
)
def test_a_sync_that_is_another_one_by_now_is_left_alone(
    server: type[Api], found: dict[str, Any]
) -> None:
    server.answers[ONE] = [found]
    with pytest.raises(UsageError, match="is another one by now"):
        KubernetesCluster().end("argocd", "production.chat.routes", "abc1234")
    assert [method for method, *_ in server.seen] == ["GET"]


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        (403, ForbiddenError, "403 Forbidden"),
        (404, AbsentError, "404 Not Found"),
        (500, UsageError, "500"),
    ],
)
def test_a_refusal_says_what_was_refused(
    server: type[Api],
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    kind: type[UsageError],
    said: str,
) -> None:
    monkeypatch.setattr(server, "status", status)
    with pytest.raises(kind, match=f"cannot ask for a refresh of x: .*{said}") as raised:
        KubernetesCluster().refresh("argocd", "x")
    assert "s3cr3t" not in str(raised.value)
    with pytest.raises(kind, match="cannot list Argo CD's applications"):
        KubernetesCluster().applications("argocd")


def test_routes_are_read_by_their_provider(server: type[Api], monkeypatch: Any) -> None:  # noqa: ANN401  # pytest's
    server.answers[INGRESSES] = [page("chat", following="x"), page("chat-canary")]
    assert list(KubernetesRoutes().routes(route_kind("nginx"), "ai")) == ["chat", "chat-canary"]
    monkeypatch.setattr(server, "status", 404)
    with pytest.raises(AbsentError, match=r"the cluster has no httproutes\.gateway\.networking"):
        KubernetesRoutes().routes(route_kind("gateway"), "ai")
    monkeypatch.setattr(server, "status", 403)
    with pytest.raises(ForbiddenError, match="cannot list virtualservices in ai"):
        KubernetesRoutes().routes(route_kind("istio"), "ai")


@pytest.mark.parametrize("allowed", [True, False])
def test_what_is_allowed_is_asked_of_the_cluster(server: type[Api], *, allowed: bool) -> None:
    server.answers[REVIEW] = [{"spec": {}, "status": {"allowed": allowed}}]
    assert is_allowed(None, "patch", "applications.argoproj.io", "argocd") is allowed
    ((method, path, _, body),) = server.seen
    assert (method, path) == ("POST", REVIEW)
    assert body["spec"]["resourceAttributes"] == {
        "verb": "patch",
        "resource": "applications",
        "group": "argoproj.io",
        "namespace": "argocd",
    }


def test_where_routes_are_is_said_for_each_environment(tmp_path: Path) -> None:
    found = open_routes(f"production=kubernetes:prod file:{tmp_path}/routes.json")
    assert {name: type(each) for name, each in found.items()} == {
        "production": KubernetesRoutes,
        "": FileRoutes,
    }
    assert open_routes("") == {}


@pytest.mark.parametrize("word", ["file:", "production=", "ssh:host", "a=b=c"])
def test_where_routes_are_must_be_an_address(word: str) -> None:
    with pytest.raises(UsageError, match="SLUICE_ROUTES must be words of"):
        open_routes(word)


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "cannot read"), ("{", "no list of routes"), ('{"items": [{}]}', "no list of routes")],
)
def test_a_file_of_routes_that_cannot_be_read(
    tmp_path: Path, content: str | None, said: str
) -> None:
    path = tmp_path / "routes.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UsageError, match=said):
        FileRoutes(str(path)).routes(route_kind("nginx"), "ai")


def test_a_file_has_routes_of_many_kinds_and_namespaces(tmp_path: Path) -> None:
    path = tmp_path / "routes.json"
    items = [
        {"kind": "Ingress", "metadata": {"name": "a", "namespace": "ai"}},
        {"kind": "Ingress", "metadata": {"name": "b", "namespace": "other"}},
        {"kind": "HTTPRoute", "metadata": {"name": "c", "namespace": "ai"}},
    ]
    path.write_text(json.dumps({"items": items}))
    assert list(FileRoutes(str(path)).routes(route_kind("nginx"), "ai")) == ["a"]


def test_what_is_in_a_file_cannot_be_refreshed(tmp_path: Path) -> None:
    cluster = open_cluster(f"file:{tmp_path}/apps.json")
    assert cluster is not None
    with pytest.raises(UsageError, match="is read from a file"):
        cluster.refresh("argocd", "production.chat.routes")
    with pytest.raises(UsageError, match="is read from a file"):
        cluster.end("argocd", "production.chat.routes", "abc1234")
