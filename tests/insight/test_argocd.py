"""What the doctor says of Argo CD: read from files, asked of a stand-in, told by a forge."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sluice.cluster.argocd import KubernetesCluster, open_cluster
from sluice.cluster.connection import ForbiddenError
from sluice.core.finding import UsageError
from sluice.core.forge import Forge, Hook
from sluice.core.model import RouteKind
from sluice.forges.answers import RefusedError
from sluice.forges.family import Family
from sluice.forges.gitea import Gitea
from sluice.forges.github import GitHub
from sluice.forges.gitlab import GitLab
from sluice.forges.plain import PlainForge
from sluice.insight import argocd
from sluice.insight.argocd import (
    diagnose_argocd,
    diagnose_refresh,
    diagnose_routes,
    diagnose_webhook,
)
from sluice.insight.diagnosis import Diagnosis
from sluice.reconciler.rollouts.observers import Observers
from sluice.workspace.workspace import Workspace
from support import reference

Change = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="module")
def workspace() -> Workspace:
    return reference.workspace({})


def nobody(*_: object) -> Sequence[Any]:
    raise AssertionError("Prometheus is not asked")


def diagnosed(
    workspace: Workspace, folder: Path, change: Change = bool, leave_out: str = ""
) -> Diagnosis:
    """What is said where Argo CD has what is rendered, with one change."""
    items = [
        json.loads(json.dumps(m.data))
        for m in workspace.render().values()
        if m.data["kind"] == "Application" and m.data["metadata"]["name"] != leave_out
    ]
    for item in items:
        if item["metadata"]["name"] == "production.chat":
            change(item)
    path = folder / "apps.json"
    path.write_text(json.dumps({"items": items}))
    return diagnose_argocd(workspace, Observers(open_cluster(f"file:{path}"), nobody))


def test_applications_that_are_as_they_are_rendered(workspace: Workspace, tmp_path: Path) -> None:
    said = diagnosed(workspace, tmp_path)
    assert said.ok
    assert said.said.endswith("and they follow this repository")


def test_health_that_argo_cd_keeps_to_itself(workspace: Workspace, tmp_path: Path) -> None:
    """Since 3.0 it does so unless told otherwise."""
    kept = {"resourceHealthSource": "appTree", "health": {"status": "Healthy"}}
    said = diagnosed(workspace, tmp_path, lambda item: item.update(status=kept))
    assert said.ok
    assert "does not tell how single objects are" in said.said
    assert "controller.resource.health.persist" in said.remedy


def test_an_application_that_is_not_there(workspace: Workspace, tmp_path: Path) -> None:
    said = diagnosed(workspace, tmp_path, leave_out="production.chat")
    assert not said.ok
    assert said.said == "Argo CD has no application production.chat"
    assert "manifests/_bootstrap" in said.remedy


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda item: item["spec"]["source"].update(path="elsewhere"),
            "production.chat follows elsewhere at refs/heads/main",
        ),
        (
            lambda item: item["spec"]["source"].update(targetRevision="v1"),
            "production.chat follows manifests/production/platform/chat at v1",
        ),
        (
            lambda item: item["spec"]["source"].update(repoURL="https://me:pw@b.example/x.git"),
            "of https://…@b.example/x.git",
        ),
        (lambda item: item["spec"].update(sources=[{}]), "follows several sources, or none"),
        (
            lambda item: item["spec"]["syncPolicy"].pop("automated"),
            "automated sync of production.chat is off",
        ),
        (
            lambda item: item["spec"]["syncPolicy"]["automated"].update(selfHeal=False),
            "self-heal of production.chat is off",
        ),
        (
            lambda item: item.update(
                status={"conditions": [{"type": "ComparisonError", "message": "no\nsuch path"}]}
            ),
            "production.chat: no such path",
        ),
    ],
)
def test_an_application_that_will_not_follow(
    workspace: Workspace, tmp_path: Path, change: Change, said: str
) -> None:
    told = diagnosed(workspace, tmp_path, change)
    assert not told.ok
    assert said in told.said
    assert "pw" not in told.said


def test_many_faults_are_counted(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "apps.json").write_text('{"items": []}')
    told = diagnose_argocd(workspace, Observers(open_cluster(f"file:{tmp_path}/apps.json"), nobody))
    assert not told.ok
    assert told.said.count("Argo CD has no application") == 5
    assert " more" in told.said


def test_an_argo_cd_that_nobody_named_or_that_refuses(workspace: Workspace, tmp_path: Path) -> None:
    unset = diagnose_argocd(workspace, Observers(None, nobody))
    assert (unset.ok, unset.said) == (
        True,
        "not asked: set SLUICE_ARGOCD, to kubernetes:CONTEXT for instance",
    )
    gone = diagnose_argocd(workspace, Observers(open_cluster(f"file:{tmp_path}/none.json"), nobody))
    assert not gone.ok
    assert gone.remedy.endswith("leads to it, and grant list on applications.argoproj.io")


@dataclass
class Told:
    """Routes that can be read, or the reason why not."""

    error: UsageError | None = None

    def routes(self, kind: RouteKind, namespace: str) -> Mapping[str, Mapping[str, Any]]:
        assert (bool(kind.plural), bool(namespace)) == (True, True)
        if self.error:
            raise self.error
        return {}


@pytest.mark.parametrize(
    ("where", "ok", "said"),
    [
        ({"": Told()}, True, "the live weights are read of lab, mesh, production, staging"),
        ({}, True, "SLUICE_ROUTES is not set"),
        (
            {"": Told(), "mesh": Told(ForbiddenError("cannot list: 403 Forbidden"))},
            True,
            "of mesh are told from what Argo CD applied: the routes of mesh are not read: cannot",
        ),
        ({"": Told(UsageError("the cluster does not answer"))}, False, "does not answer"),
    ],
)
def test_whether_routes_can_be_read(
    workspace: Workspace, where: dict[str, Told], *, ok: bool, said: str
) -> None:
    told = diagnose_routes(workspace, Observers(None, nobody, routes=where))
    assert told.ok is ok
    assert said in told.said


@pytest.mark.parametrize("allowed", [True, False])
def test_whether_a_refresh_may_be_asked_for(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, *, allowed: bool
) -> None:
    asked = []

    def review(*words: object) -> bool:
        asked.append(words)
        return allowed

    monkeypatch.setattr(argocd, "is_allowed", review)
    told = diagnose_refresh(workspace, Observers(KubernetesCluster("here"), nobody))
    assert asked == [("here", "patch", "applications.argoproj.io", "argocd")]
    assert told.ok
    assert ("may not be asked" in told.said) is not allowed
    assert ("grant patch" in told.remedy) is not allowed
    assert ("it sees a commit within 3m" in told.said) is not allowed


def test_what_is_read_of_a_file_is_not_asked_for_rights(workspace: Workspace) -> None:
    assert diagnose_refresh(workspace, Observers(None, nobody)).said.startswith("not looked at")


class Hooks:
    """A forge with webhooks."""

    def __init__(self, *hooks: Hook, error: UsageError | None = None) -> None:
        self._hooks, self._error = hooks, error

    def hooks(self) -> Sequence[Hook]:
        if self._error:
            raise self._error
        return self._hooks


ARGOCD = "https://argocd.example.com/api/webhook"


@pytest.mark.parametrize(
    ("forge", "ok", "said"),
    [
        (Hooks(Hook(ARGOCD, tells_pushes=True)), True, "tells argocd.example.com of each push"),
        (Hooks(Hook(f"{ARGOCD}/?token=s3cr3t", tells_pushes=True)), True, "of each push"),
        (Hooks(Hook(ARGOCD, tells_pushes=False)), False, "argocd.example.com is off"),
        (Hooks(Hook("https://ci.example.com/hook", tells_pushes=True)), True, "itself has none"),
        (Hooks(Hook("http://[", tells_pushes=True)), True, "itself has none"),
        (Hooks(), True, "Argo CD polls, and it sees a commit within 3m, or 6m"),
        (Hooks(error=UsageError("it is silent")), True, "not known, since the forge does not"),
        (
            Hooks(error=RefusedError("forbids this (403): grant", 403, "no admin")),
            True,
            "not known: the forge shows its webhooks to others only (it answers 403)",
        ),
        (PlainForge(), True, "this forge has none"),
    ],
)
def test_whether_the_forge_tells_argo_cd(forge: Forge, *, ok: bool, said: str) -> None:
    told = diagnose_webhook(forge)
    assert told.ok is ok
    assert said in told.said
    assert "s3cr3t" not in told.said


class Pages:
    """The transport of a forge that has one list."""

    def __init__(self, *items: dict[str, Any]) -> None:
        self.items, self.asked = items, ""

    def walk_pages(self, path: str, *_: object) -> Sequence[dict[str, Any]]:
        self.asked = path
        return self.items

    def reading(self) -> "Pages":
        return self

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("kind", [GitHub, Gitea])
@pytest.mark.parametrize(
    ("more", "tells"),
    [
        ({"active": True, "events": ["push"]}, True),
        ({"active": True, "events": ["*"]}, True),
        ({"active": False, "events": ["push"]}, False),
        ({"active": True, "events": ["issues"]}, False),
    ],
)
def test_the_webhooks_of_github_and_gitea(
    kind: type[Family], more: dict[str, Any], *, tells: bool
) -> None:
    http: Any = Pages({"id": 1, "config": {"url": ARGOCD, "content_type": "json"}, **more})
    assert list(kind(http, "team/models").list_hooks()) == [Hook(ARGOCD, tells)]
    assert http.asked == "/repos/team/models/hooks"


@pytest.mark.parametrize(
    ("more", "tells"),
    [
        ({"push_events": True}, True),
        ({"push_events": True, "alert_status": "executable"}, True),
        ({"push_events": True, "alert_status": "disabled"}, False),
        ({"push_events": False}, False),
    ],
)
def test_the_webhooks_of_gitlab(more: dict[str, Any], *, tells: bool) -> None:
    http: Any = Pages({"id": 1, "url": ARGOCD, **more})
    assert list(GitLab(http, "team/models").list_hooks()) == [Hook(ARGOCD, tells)]
    assert http.asked == "/projects/team%2Fmodels/hooks"
