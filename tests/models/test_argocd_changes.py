"""Other changes on a model of Argo CD than a rollout's: releases that come, go and change."""

from collections.abc import Mapping

import pytest

from sluice.core import layout
from support.argocd.objects import Change, Cluster, Key, Live
from support.one_application import as_one_application
from support.play import Play
from support.rollouts import PAIRS, onwards
from support.story import ENVIRONMENT, KEY, NAMESPACE, RELEASE, Story, Tree, changed, starter
from support.traffic import backends, is_served

ORDERS = {"forwards": False, "backwards": True}


def play_of(tree: Mapping[str, bytes], order: str = "forwards") -> Play:
    """A cluster on which a commit is in force, and how Applications take turns on it."""
    play = Play(polls=False)
    play.argo.order = lambda names: sorted(names, reverse=ORDERS[order])
    play.begin(tree)
    play.argo.advance(60)
    return play


def routes(play: Play) -> list[Key]:
    return [b.route for b in backends(play.cluster) if b.route.namespace == NAMESPACE]


def deployed_version(play: Play) -> str:
    (live,) = [live for key, live in play.cluster.of_kind("Deployment") if key.name == "chat"]
    return str(live.data["metadata"]["annotations"]["sluice.dev/model-version"])


@pytest.mark.parametrize("verdict", ["Progressing", "Degraded", "Unknown"])
def test_a_version_that_kubernetes_rolls_out_is_taken_back_at_once_however_unwell(
    verdict: str,
) -> None:
    story = Story(changed(starter(), RELEASE, {"rollout": {"strategy": "rolling"}}))
    play = play_of(story.head)

    def doctor(key: Key, live: Live) -> str:
        del key, live
        return verdict

    play.argo.doctor = doctor
    for version in ("2", "1"):
        play.push(story.promote(version))
        play.refresh()
        play.argo.advance(3)
        assert deployed_version(play) == version
        assert play.shares() == {"chat": 100}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("provider", ["gateway", "istio", "nginx"])
def test_a_release_that_is_retired_answers_until_no_route_leads_to_it(
    provider: str, order: str
) -> None:
    """Its applications are deleted together; its pods take longer to go than its routes."""
    tree = onwards(provider, "canary")[0].tree
    story = Story(tree, [dict(tree)])
    play = play_of(story.head, order)
    lost: list[str] = []

    def look(cluster: Cluster, change: Change) -> None:
        if change.verb == "gone" and change.key.kind == "Deployment":
            lost.extend(b.name for b in backends(cluster) if b.route.namespace == NAMESPACE)

    play.cluster.watch = look
    play.settle(story.commit({RELEASE: None}))
    assert lost == []
    left = [key for key in play.cluster.objects if key.name.startswith("chat")]
    assert [key for key in left if key.namespace == NAMESPACE] == []
    assert not [name for name in play.argo.names if name.startswith("production.chat")]


def test_an_environment_that_loses_its_gateway_loses_its_routes_and_nothing_else() -> None:
    files = changed(starter(), RELEASE, {"rollout": {"strategy": "rolling"}})
    story = Story(files)
    play = play_of(story.head)
    assert routes(play)
    bare = changed(changed(story.head, ENVIRONMENT, {"traffic": None}), RELEASE, {"traffic": None})
    play.settle(story.commit(bare))
    assert routes(play) == []
    assert [key.name for key, _ in play.cluster.of_kind("Deployment")] == ["chat"]
    assert {state.sync for state in play.argo.states.values()} == {"Synced"}


def test_a_release_that_comes_later_is_reached_as_soon_as_it_is_there() -> None:
    tree = onwards("gateway", "canary")[0].tree
    story = Story(tree, [dict(tree)])
    play = play_of(story.head)
    other = layout.Key(KEY.environment, "search", "assistant")
    raw = story.head[RELEASE].replace(b"name: chat", b"name: assistant", 1)
    raw = raw.replace(b"path: /v1", b"path: /assistant").replace(b"max: 4", b"max: 1")
    raw = raw.replace(b"team: platform", b"team: search")
    play.settle(story.commit({layout.release_path(other): raw}))
    assert play.shares() == {"chat-v1": 100, "assistant-v1": 100}


# --- repositories from before routes had an application of their own


def upgraded(provider: str, strategy: str, order: str, *, pruned: bool, prunes: bool) -> list[str]:
    """The routes that went while a repository came to be rendered anew.

    Args:
        provider: of its routes.
        strategy: of its release.
        order: in which Applications take turns.
        pruned: whether Argo CD prunes by itself before the new rendering comes.
        prunes: whether the new rendering lets it prune.
    """
    tree = onwards(provider, strategy)[0].tree
    old, story = (Story(_pruning(tree, prunes=which)) for which in (pruned, prunes))
    play = play_of(as_one_application(old.head), order)
    gone: list[str] = []

    def look(cluster: Cluster, change: Change) -> None:
        if change.verb == "delete" and change.key.kind in (
            "HTTPRoute",
            "Ingress",
            "VirtualService",
        ):
            gone.append(str(change.key))
        gone.extend(b.name for b in backends(cluster) if not is_served(cluster, b))

    play.cluster.watch = look
    play.settle(story.head)
    play.settle(story.commit(_pruning(story.head, prunes=True)))
    assert {state.sync for state in play.argo.states.values()} == {"Synced"}
    return gone


def _pruning(tree: Tree, *, prunes: bool) -> Tree:
    """A tree whose environment has Argo CD prune, or not."""
    argocd = {**ARGOCD, "automated": {"prune": prunes, "selfHeal": True}}
    return changed(tree, ENVIRONMENT, {"argocd": argocd})


ARGOCD = {"repoURL": "https://git.example.com/platform/models.git", "policies": True}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("provider", "strategy"), PAIRS)
def test_an_upgrade_that_does_not_prune_at_first_keeps_every_route(
    provider: str, strategy: str, order: str
) -> None:
    assert upgraded(provider, strategy, order, pruned=False, prunes=False) == []


def test_one_that_prunes_may_lose_a_route_until_its_new_application_is_there() -> None:
    """The application that had it finds it gone from Git, before or after the new one takes it."""
    losses = [upgraded("gateway", "canary", o, pruned=True, prunes=True) for o in ORDERS]
    assert any(losses)


@pytest.mark.parametrize("order", ORDERS)
def test_to_switch_pruning_off_in_the_same_commit_is_too_late(order: str) -> None:
    """The application that had the route syncs that commit as it still is: it prunes."""
    assert upgraded("gateway", "canary", order, pruned=True, prunes=False)
