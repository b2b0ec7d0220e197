"""The model of Argo CD in tests/support/argocd, held against what its source and a real one say.

It must never be kinder than the neighbour that it stands for: what a real Argo CD 3.5.7 was seen to
do with a route behind a sick candidate happens here, too.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
import yaml

from support.argocd.controller import ArgoCD
from support.argocd.health import Doctor
from support.argocd.objects import IN_CLUSTER, Cluster, Key, Live
from support.argocd.operating import NAMESPACE, Settings
from support.argocd.repository import Repository

APP = "chat"
SPACE = "models"
ANNOTATIONS = {"argocd.argoproj.io/manifest-generate-paths": "."}
REPLICAS = {"replicas": 1}
ALL_BY_ITSELF = {"automated": {"prune": True, "selfHeal": True}}


def thing(kind: str, name: str, spec: Any = None, wave: int | None = None) -> dict[str, Any]:  # noqa: ANN401  # of any kind
    groups = {"HTTPRoute": "gateway.networking.k8s.io/v1", "Deployment": "apps/v1"}
    groups |= {"HorizontalPodAutoscaler": "autoscaling/v2", "Namespace": "v1"}
    metadata: dict[str, Any] = {"name": name}
    if wave is not None:
        metadata["annotations"] = {"argocd.argoproj.io/sync-wave": str(wave)}
    return {
        "apiVersion": groups.get(kind, "v1"),
        "kind": kind,
        "metadata": metadata,
        "spec": spec or {},
    }


def tree(*objects: Mapping[str, Any], folder: str = "app") -> dict[str, bytes]:
    return {
        f"{folder}/{each['kind']}-{each['metadata']['name']}.yaml": yaml.safe_dump(each).encode()
        for each in objects
    }


def application(policy: Mapping[str, Any] = ALL_BY_ITSELF, **more: Any) -> dict[str, Any]:  # noqa: ANN401  # parts of it
    source = {"repoURL": "https://git/models.git", "targetRevision": "main", "path": "app"}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {
            "name": APP,
            "namespace": NAMESPACE,
            "annotations": ANNOTATIONS,
            "finalizers": ["resources-finalizer.argocd.argoproj.io"],
        },
        "spec": {
            "project": "default",
            "source": source,
            "destination": {"server": IN_CLUSTER, "namespace": SPACE},
            "syncPolicy": policy,
            **more,
        },
    }


def argo(policy: Mapping[str, Any] = ALL_BY_ITSELF, *objects: Mapping[str, Any]) -> ArgoCD:
    """An Argo CD with one Application, and some objects in Git."""
    made = ArgoCD(Repository())
    made.repository.commit(tree(thing("Namespace", SPACE), *objects))
    made.create(application(policy))
    return made


def push(made: ArgoCD, *objects: Mapping[str, Any]) -> str:
    return made.repository.commit(tree(thing("Namespace", SPACE), *objects))


def live(made: ArgoCD, kind: str, name: str) -> Any:  # noqa: ANN401  # of any kind
    """The spec of a live object, None when there is none."""
    key = _key(kind, name)
    return made.cluster.objects[key].data["spec"] if key in made.cluster.objects else None


def _key(kind: str, name: str) -> Key:
    group = thing(kind, name)["apiVersion"].rpartition("/")[0]
    return Key(IN_CLUSTER, group, kind, "" if kind == "Namespace" else SPACE, name)


def sick(*names: str, verdict: str = "Degraded") -> Doctor:
    """Some objects are unwell."""

    def doctor(key: Key, live: Live) -> str:
        del live
        return verdict if key.name in names else ""

    return doctor


def refuse_deployments(key: Key, data: Mapping[str, Any]) -> str:
    del data
    return "denied" if key.kind == "Deployment" else ""


def refuse_what_is_bad(key: Key, data: Mapping[str, Any]) -> str:
    del key
    return "denied" if data.get("spec") == "bad" else ""


def refuse_nothing(key: Key, data: Mapping[str, Any]) -> str:
    del key, data
    return ""


def message(made: ArgoCD) -> str:
    operation = made.states[APP].operation
    return operation.message if operation else ""


# --- waves


@pytest.mark.parametrize("verdict", ["Progressing", "Suspended", "Missing", "Unknown"])
def test_a_wave_waits_for_the_health_of_the_one_before_for_ever(verdict: str) -> None:
    """Seen on 3.5.7: nine minutes later the route still said 90/10."""
    made = argo(
        ALL_BY_ITSELF, thing("Deployment", "v2", wave=0), thing("HTTPRoute", "chat", 1, wave=2)
    )
    made.doctor = sick("v2", verdict=verdict)
    made.advance(2000)
    assert live(made, "Deployment", "v2") == {}
    assert live(made, "HTTPRoute", "chat") is None
    assert message(made) == "waiting for healthy state of apps/Deployment/v2"


def test_a_running_operation_stays_on_its_revision_whatever_is_pushed() -> None:
    made = argo(
        ALL_BY_ITSELF, thing("Deployment", "v2", wave=0), thing("HTTPRoute", "chat", 1, wave=2)
    )
    made.doctor = sick("v2", verdict="Progressing")
    made.advance(5)
    push(made, thing("HTTPRoute", "chat", 0, wave=2))
    made.refresh(APP)
    made.advance(1000)
    assert live(made, "HTTPRoute", "chat") is None
    assert made.states[APP].sync == "OutOfSync"
    assert made.states[APP].revision == made.repository.log[-1]


def test_a_degraded_object_of_an_early_wave_fails_the_operation_and_its_retries() -> None:
    made = argo(
        ALL_BY_ITSELF,
        thing("HorizontalPodAutoscaler", "v2", wave=1),
        thing("HTTPRoute", "chat", 1, wave=2),
    )
    made.doctor = sick("v2")
    made.advance(1000)
    assert live(made, "HTTPRoute", "chat") is None
    last = made.states[APP].last
    assert last is not None
    assert (last.phase, last.retries) == ("Failed", 5)
    assert "is degraded" in last.message


def test_one_wave_never_asks_for_health() -> None:
    """ "EVEN if those objects subsequently degrades" (sync_context.go)."""
    made = argo(ALL_BY_ITSELF, thing("Deployment", "v2"), thing("HTTPRoute", "chat", 1))
    made.doctor = sick("v2", "chat")
    made.advance(2)
    assert live(made, "HTTPRoute", "chat") == 1
    assert (made.states[APP].sync, made.health(APP)) == ("Synced", "Degraded")


def test_prune_last_makes_a_wave_of_its_own_which_waits_for_all_others() -> None:
    policy = {**ALL_BY_ITSELF, "syncOptions": ["PruneLast=true"]}
    made = argo(policy, thing("Deployment", "v1"), thing("HTTPRoute", "chat", 1))
    made.advance(2)
    made.doctor = sick("chat", verdict="Progressing")
    push(made, thing("HTTPRoute", "chat", 2))
    made.refresh(APP)
    made.advance(100)
    assert live(made, "Deployment", "v1") == {}
    assert message(made) == "waiting for healthy state of gateway.networking.k8s.io/HTTPRoute/chat"


def test_without_it_what_is_pruned_goes_first_and_nothing_is_waited_for() -> None:
    made = argo(ALL_BY_ITSELF, thing("Deployment", "v1"), thing("HTTPRoute", "chat", 1))
    made.advance(2)
    made.doctor = sick("chat", verdict="Progressing")
    push(made, thing("HTTPRoute", "chat", 2))
    made.refresh(APP)
    made.advance(1)
    assert made.cluster.objects[_key("Deployment", "v1")].deleting == made.now
    verbs = [(c.verb, c.key.kind) for c in made.cluster.log[-2:]]
    assert verbs == [("delete", "Deployment"), ("update", "HTTPRoute")]
    made.advance(31)
    assert live(made, "Deployment", "v1") is None


def test_waves_are_pruned_in_reverse_and_each_waits_until_the_one_before_is_gone() -> None:
    early, late = thing("Service", "early", wave=0), thing("Deployment", "late", wave=2)
    made = argo(ALL_BY_ITSELF, early, late)
    made.advance(10)
    push(made)
    made.refresh(APP)
    made.advance(10)
    assert made.cluster.objects[_key("Deployment", "late")].deleting is not None
    assert live(made, "Service", "early") == {}
    made.advance(40)
    assert live(made, "Service", "early") is None


# --- failures and retries


def test_a_refused_object_stops_no_other_of_its_wave() -> None:
    made = argo(ALL_BY_ITSELF, thing("Deployment", "v2"), thing("HTTPRoute", "chat", 1))
    made.cluster.refuse = refuse_deployments
    made.advance(2)
    assert live(made, "HTTPRoute", "chat") == 1
    said = "one or more objects failed to apply, reason: denied. Retrying attempt #1."
    assert message(made) == said


def test_a_kind_that_no_server_knows_stops_everything() -> None:
    made = argo(ALL_BY_ITSELF, thing("PodMonitor", "chat"), thing("HTTPRoute", "chat", 1))
    made.cluster.unserved = frozenset({"PodMonitor"})
    made.advance(500)
    assert live(made, "HTTPRoute", "chat") is None
    assert "could not find" in made.states[APP].conditions["SyncError"]


def test_an_operation_is_tried_again_after_10_20_40_80_and_160_seconds() -> None:
    """5 s times 2 to the number of retries, which is counted before."""
    made = argo(ALL_BY_ITSELF, thing("Deployment", "v2"))
    tries: list[int] = []

    def refuse(key: Key, data: Mapping[str, Any]) -> str:
        refused = refuse_deployments(key, data)
        tries.extend([made.now] if refused else [])
        return refused

    made.cluster.refuse = refuse
    made.advance(1000)
    assert [b - a for a, b in pairwise(tries)] == [10, 20, 40, 80, 160]
    assert made.states[APP].operations == 1


def test_what_failed_is_not_tried_at_the_same_revision_but_at_the_next() -> None:
    made = argo(ALL_BY_ITSELF, thing("Deployment", "v2"))
    made.cluster.refuse = refuse_deployments
    made.advance(1000)
    made.cluster.refuse = refuse_nothing
    made.advance(1000)
    assert live(made, "Deployment", "v2") is None
    push(made, thing("Deployment", "v2", 2))
    made.advance(made.longest_poll)
    assert live(made, "Deployment", "v2") == 2


def test_retries_that_say_no_limit_are_none() -> None:
    made = argo({**ALL_BY_ITSELF, "retry": {"refresh": True}}, thing("Deployment", "v2"))
    made.cluster.refuse = refuse_deployments
    made.advance(5)
    last = made.states[APP].last
    assert last is not None
    assert (last.phase, last.retries) == ("Failed", 0)


@pytest.mark.parametrize(("refresh", "arrives"), [(False, False), (True, True)])
def test_a_fix_reaches_retries_only_where_they_look_again(refresh: bool, arrives: bool) -> None:  # noqa: FBT001  # a case
    retry = {"limit": 5, "refresh": refresh}
    made = argo({**ALL_BY_ITSELF, "retry": retry}, thing("HTTPRoute", "chat", "bad"))
    made.cluster.refuse = refuse_what_is_bad
    made.advance(5)
    push(made, thing("HTTPRoute", "chat", "good"))
    made.refresh(APP)
    made.advance(200)
    assert (live(made, "HTTPRoute", "chat") == "good") is arrives


def test_a_fix_that_was_compared_while_retries_ran_is_never_synced() -> None:
    """argo-cd#27875, open at 3.5.7: with the annotation about paths it is seen as no change."""
    made = argo(ALL_BY_ITSELF, thing("HTTPRoute", "chat", "bad"))
    made.cluster.refuse = refuse_what_is_bad
    made.advance(5)
    push(made, thing("HTTPRoute", "chat", "good"))
    made.refresh(APP)  # or a webhook, or the poll of a minute later
    made.advance(5000)
    assert live(made, "HTTPRoute", "chat") is None
    assert "Failed last sync attempt" in made.states[APP].conditions["SyncError"]


def test_without_that_annotation_it_is_synced_when_the_retries_are_over() -> None:
    made = argo(ALL_BY_ITSELF, thing("HTTPRoute", "chat", "bad"))
    key = Key(IN_CLUSTER, "argoproj.io", "Application", NAMESPACE, APP)
    made.cluster.objects[key].data["metadata"].pop("annotations")
    made.cluster.refuse = refuse_what_is_bad
    made.advance(5)
    push(made, thing("HTTPRoute", "chat", "good"))
    made.refresh(APP)
    made.advance(400)
    assert live(made, "HTTPRoute", "chat") == "good"


def test_a_terminated_operation_is_not_tried_again() -> None:
    made = argo(
        ALL_BY_ITSELF, thing("Deployment", "v2", wave=0), thing("HTTPRoute", "chat", 1, wave=2)
    )
    made.doctor = sick("v2", verdict="Progressing")
    made.advance(5)
    made.terminate(APP)
    made.advance(500)
    assert made.states[APP].operations == 1
    assert made.states[APP].conditions["SyncError"].endswith("Operation terminated")


# --- when it looks


def test_a_push_is_seen_by_polling_in_the_end_and_a_refresh_sees_it_at_once() -> None:
    made = argo(ALL_BY_ITSELF, thing("HTTPRoute", "chat", 1))
    made.advance(200)
    push(made, thing("HTTPRoute", "chat", 2))
    made.advance(made.longest_poll)
    assert live(made, "HTTPRoute", "chat") == 2
    push(made, thing("HTTPRoute", "chat", 3))
    made.refresh(APP)
    made.advance(1)
    assert live(made, "HTTPRoute", "chat") == 3


def test_the_repo_server_remembers_where_a_branch_was() -> None:
    """Seen on 3.5.7: a second change took longer than 120 s."""
    made = argo(ALL_BY_ITSELF, thing("HTTPRoute", "chat", 1))
    made.settings = Settings(resync=10, jitter=0)
    made.advance(20)
    push(made, thing("HTTPRoute", "chat", 2))
    made.advance(150)
    assert live(made, "HTTPRoute", "chat") == 1
    made.advance(40)
    assert live(made, "HTTPRoute", "chat") == 2


def test_commits_elsewhere_bring_the_revision_on_and_sync_nothing() -> None:
    made = argo(ALL_BY_ITSELF, thing("HTTPRoute", "chat", 1))
    made.advance(5)
    other = {**made.repository.trees[made.repository.log[-1]], "other/file.yaml": b"a: 1\n"}
    made.repository.commit(other)
    made.refresh(APP)
    made.advance(5)
    assert made.states[APP].revision == made.repository.log[-1]
    assert made.states[APP].operations == 1


def test_closed_sync_windows_let_nothing_begin_and_hold_what_runs() -> None:
    made = argo(ALL_BY_ITSELF, thing("HTTPRoute", "chat", 1))
    windows = {APP: False}
    made.open = windows.__getitem__
    made.advance(500)
    assert live(made, "HTTPRoute", "chat") is None
    windows[APP] = True
    made.advance(300)
    assert live(made, "HTTPRoute", "chat") == 1


# --- drift


def test_what_a_person_changes_is_healed_at_once_unless_nobody_asked_for_it() -> None:
    for heals, left in ((True, 1), (False, 5)):
        policy = {"automated": {"prune": True, "selfHeal": heals}}
        made = argo(policy, thing("HTTPRoute", "chat", 1))
        made.advance(5)
        made.cluster.edit(_key("HTTPRoute", "chat"), thing("HTTPRoute", "chat", 5))
        made.advance(300)
        assert live(made, "HTTPRoute", "chat") == left


def test_what_cannot_be_healed_is_healed_for_ever_more_and_more_slowly() -> None:
    made = argo(ALL_BY_ITSELF, thing("HTTPRoute", "chat", 1))
    key, times = _key("HTTPRoute", "chat"), []

    def spoil(cluster: Cluster, change: Any) -> None:  # noqa: ANN401  # of an object
        if change.key == key and cluster.objects[key].data["spec"] == 1:
            times.append(cluster.now)
            cluster.objects[key].data["spec"] = 5

    made.cluster.watch = spoil
    made.advance(2000)
    gaps = [b - a for a, b in pairwise(times[1:])]
    assert gaps[:5] == [2, 6, 18, 54, 162]
    assert set(gaps[5:]) == {300}


def test_fields_that_nobody_applied_are_not_compared() -> None:
    made = argo(ALL_BY_ITSELF, thing("Deployment", "v1", {"strategy": {"type": "Recreate"}}))
    made.advance(5)
    data = made.cluster.objects[_key("Deployment", "v1")].data
    made.cluster.edit(_key("Deployment", "v1"), {**data, "spec": {**data["spec"], "replicas": 3}})
    made.advance(300)
    assert live(made, "Deployment", "v1")["replicas"] == 3
    assert made.states[APP].operations == 1


def test_ignored_differences_are_kept_where_that_is_respected() -> None:
    ignored = [{"group": "apps", "kind": "Deployment", "jsonPointers": ["/spec/replicas"]}]
    for options, left in ((["RespectIgnoreDifferences=true"], 3), ([], 1)):
        made = ArgoCD(Repository())
        made.repository.commit(tree(thing("Namespace", SPACE), thing("Deployment", "v1", REPLICAS)))
        policy = {**ALL_BY_ITSELF, "syncOptions": options}
        made.create(application(policy, ignoreDifferences=ignored))
        made.advance(5)
        made.cluster.edit(_key("Deployment", "v1"), thing("Deployment", "v1", {"replicas": 3}))
        made.advance(300)
        assert live(made, "Deployment", "v1") == {"replicas": 3}
        assert made.states[APP].sync == "Synced"
        push(made, thing("Deployment", "v1", {**REPLICAS, "paused": False}))
        made.refresh(APP)
        made.advance(5)
        assert live(made, "Deployment", "v1") == {"replicas": left, "paused": False}


# --- deleting


def test_an_application_takes_its_objects_along_the_last_wave_first() -> None:
    made = argo(
        ALL_BY_ITSELF, thing("Deployment", "v1", wave=0), thing("HTTPRoute", "c", 1, wave=2)
    )
    made.advance(20)
    made.cluster.delete(Key(IN_CLUSTER, "argoproj.io", "Application", NAMESPACE, APP))
    made.advance(100)
    gone = [c.key.kind for c in made.cluster.log if c.verb == "gone"]
    assert gone == ["HTTPRoute", "Namespace", "Deployment", "Application"]
    assert made.states == {}


def test_automated_syncs_never_delete_the_last_object() -> None:
    made = argo(ALL_BY_ITSELF, thing("HTTPRoute", "chat", 1))
    made.advance(5)
    made.repository.commit({"app/README.md": b"nothing\n"})
    made.refresh(APP)
    made.advance(5)
    assert live(made, "HTTPRoute", "chat") == 1
    assert "wipe out" in made.states[APP].conditions["SyncError"]


def test_an_object_belongs_to_the_application_that_applied_it_last() -> None:
    """One that moves to another Application is deleted, unless that one is first."""
    made = argo(ALL_BY_ITSELF, thing("HTTPRoute", "chat", 1), thing("Service", "chat"))
    made.advance(5)
    made.cluster.apply(_key("HTTPRoute", "chat"), thing("HTTPRoute", "chat", 1), owner="other")
    push(made, thing("Service", "chat"))
    made.refresh(APP)
    made.advance(5)
    assert live(made, "HTTPRoute", "chat") == 1
