"""What a real Argo CD 3.5.7 said of applications in every state, and what is made of it.

Each file has the commit that was to be followed and the Application as the API server gave it, on
Kubernetes 1.34.4. Other versions leave out, or add, one field or the other.
"""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sluice.cluster.applications import read_application
from sluice.core.cluster import Source
from sluice.core.observation.argocd import Applications, sync_of
from sluice.core.observation.following import Hindrance, Wanted, hindrances

RECORDED = Path(__file__).parents[1] / "data" / "argocd"
STATES = sorted(path.stem for path in RECORDED.glob("*.json"))
ROUTES = "production.chat.routes"
DENIED = (
    'HTTPRoute/chat: httproutes.gateway.networking.k8s.io "chat" is forbidden: '
    "ValidatingAdmissionPolicy 'sluice-route-limit' with binding 'sluice-route-limit' denied "
    "request: the host denied.example.com is not ours"
)


def recorded(state: str) -> tuple[str, dict[str, Any]]:
    """The commit that counts, and the object."""
    data = json.loads((RECORDED / f"{state}.json").read_text())
    return data["head"], data["application"]


def found(head: str, item: dict[str, Any], seconds: int = 60) -> list[Hindrance]:
    """What is in the way, so many seconds after the last look at Git."""
    name, application = read_application(item)
    folder = "work" if name == "production.chat" else "routes"
    source = Source("https://git.example.com/models.git", "refs/heads/main", folder)
    now = (application.looked or 0) + seconds
    wanted = Wanted(name, source, lambda revision: revision == head, now - 2 * seconds, now)
    return list(hindrances(application, wanted))


@pytest.mark.parametrize(
    ("state", "kinds", "said"),
    [
        ("follows", [], ""),
        ("behind", ["behind"], "it sees a commit within 3m, or 6m at the latest"),
        (
            "hangs",
            ["hangs"],
            "older than the weight: waiting for healthy state of apps/Deployment/chat-v8",
        ),
        ("fails", ["fails"], f"71fb159622: {DENIED}"),
        ("refused", ["refused"], f"could not be applied at revision 71fb159622: {DENIED}"),
        ("broken", ["broken"], "mapping values are not allowed in this context"),
        ("window", ["window"], "is a sync window of project production closed?"),
        ("window-running", ["window"], f"a sync of {ROUTES} waits until a sync window opens"),
        ("paused", ["paused"], f"automated sync of {ROUTES} is off: somebody must sync it"),
        ("by-hand", ["by hand"], f"somebody synced {ROUTES} to revision a3cf2f5"),
        ("changed", ["changed"], "HTTPRoute/chat was changed in the cluster, and self-heal is off"),
    ],
)
def test_each_state_has_its_line(state: str, kinds: list[str], said: str) -> None:
    seen = found(*recorded(state))
    assert [each.kind for each in seen] == kinds
    assert said in " ".join(each.said for each in seen)
    assert not any("\n" in each.said or "/dev/shm" in each.said for each in seen)  # noqa: S108


def test_every_recording_is_looked_at() -> None:
    assert len(STATES) == 11


@pytest.mark.parametrize("state", STATES)
def test_only_what_follows_has_its_weight_in_force(state: str) -> None:
    head, item = recorded(state)
    _, application = read_application(item)
    applications = Applications(application, application, routed=True)
    times = (1_796_000_000, 1_797_000_000)
    seen = sync_of(applications, lambda revision: revision == head, times)
    in_force = seen is not None and seen.since is not None
    assert in_force is (state == "follows")


def test_the_branch_that_could_not_be_read_is_no_revision() -> None:
    """Argo CD names the branch where it found no commit, and here that leads to our own head."""
    _, item = recorded("broken")
    assert item["status"]["sync"]["revision"] == "refs/heads/main"
    assert read_application(item)[1].revision == ""


@pytest.mark.parametrize("state", [state for state in STATES if state != "follows"])
def test_a_field_that_another_version_lacks_makes_nothing_good(state: str) -> None:
    head, item = recorded(state)
    for path in _paths(item["status"], ("status",)):
        less = copy.deepcopy(item)
        holder: Any = less
        for step in path[:-1]:
            holder = holder[step]
        del holder[path[-1]]
        assert found(head, less, 600), path


def _paths(node: object, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """The way to everything that can be left out."""
    yield path
    if isinstance(node, dict):
        for name, below in node.items():
            yield from _paths(below, (*path, name))


@pytest.mark.parametrize("phase", ["Failed", "Error"])
def test_a_hook_that_fails_is_named(phase: str) -> None:
    """It was applied, so that its status is Synced (gitops-engine, sync_context.go of 3.5.7)."""
    head, item = recorded("refused")
    state = item["status"]["operationState"]
    state["message"] = "one or more synchronization tasks completed unsuccessfully"
    words = "Job has reached the specified backoff limit"
    hook = {"kind": "Job", "name": "check", "hookType": "PreSync", "status": "Synced"}
    state["syncResult"]["resources"] = [{**hook, "hookPhase": phase, "message": words}]
    (only,) = found(head, item)
    assert only.kind == "refused"
    assert f"Job/check: {words}" in only.said


@pytest.mark.parametrize("skip", ["true", "True", "1"])
def test_an_application_that_is_not_looked_at_is_paused(skip: str) -> None:
    head, item = recorded("behind")
    item["metadata"]["annotations"] = {"argocd.argoproj.io/skip-reconcile": skip}
    assert [each.kind for each in found(head, item)] == ["paused"]


@pytest.mark.parametrize("policy", [None, {}, {"automated": {"enabled": False, "selfHeal": True}}])
def test_automation_that_is_switched_off_is_paused(policy: dict[str, Any] | None) -> None:
    """By a switch of its own since Argo CD 3.1."""
    head, item = recorded("behind")
    item["spec"]["syncPolicy"] = policy
    assert [each.kind for each in found(head, item)] == ["paused"]


def test_an_empty_object_is_not_known() -> None:
    name, application = read_application({"metadata": {"name": ROUTES}})
    assert (name, application.revision, application.synced) == (ROUTES, "", False)
    assert not application.automated
