"""Sluice's own commits on a model of Argo CD: what reaches the routes, and when.

Promise 11: a weight in Git is in the route within one poll of Argo CD, whatever else is unwell. And
nothing is ever removed that a route still names, in whatever order Applications are synced.
"""

from collections.abc import Callable, Mapping
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sluice.core.rollout.model import State
from support.argocd.objects import Change, Cluster, Key, Live
from support.one_application import as_one_application
from support.play import Play
from support.rollouts import PAIRS, Commit, back, onwards
from support.traffic import backends, is_served

STABLE, CANDIDATE = {"chat-v1": 100}, {"chat-v2": 100}
AT_ONCE = 9
"""Seconds from a refresh to the route, at most: no retry and no second look."""
Trouble = Callable[[Play], None]


def unwell(verdict: str, *kinds: str, name: str = "") -> Trouble:
    """Objects of these kinds are unwell, all of them or one."""

    def doctor(key: Key, live: Live) -> str:
        del live
        chosen = (not kinds or key.kind in kinds) and name in ("", key.name)
        return verdict if chosen else ""

    def begin(play: Play) -> None:
        play.argo.doctor = doctor

    return begin


def refused(*kinds: str) -> Trouble:
    """An admission policy refuses every object of these kinds from now on."""

    def refuse(key: Key, data: Mapping[str, Any]) -> str:
        del data
        return "denied by a policy" if key.kind in kinds else ""

    def begin(play: Play) -> None:
        play.cluster.refuse = refuse

    return begin


def unserved(*kinds: str) -> Trouble:
    """The definitions of these kinds are gone from the cluster."""

    def begin(play: Play) -> None:
        play.cluster.unserved = frozenset(kinds)

    return begin


TROUBLES: Mapping[str, Trouble] = {
    "nothing is unwell": lambda play: None,  # noqa: ARG005  # nothing to do
    "the candidate exceeded its deadline": unwell("Degraded", "Deployment", name="chat-v2"),
    "the candidate is not ready": unwell("Progressing", "Deployment", name="chat-v2"),
    "both versions are not ready": unwell("Progressing", "Deployment"),
    "scalers have no metrics": unwell("Degraded", "HorizontalPodAutoscaler"),
    "no controller says anything of routes": unwell("Progressing", "HTTPRoute", "Ingress"),
    "everything is unwell": unwell("Degraded"),
    "nothing is known": unwell("Unknown"),
    "workloads are refused": refused("Deployment"),
    "scalers and monitors are refused": refused("HorizontalPodAutoscaler", "PodMonitor"),
    "the monitoring operator was removed": unserved("PodMonitor", "PrometheusRule"),
}
WEIGHTS = [("STEP", 0), ("PROMOTING", 0)]


def begun(commits: tuple[Commit, ...], *, polls: bool = False) -> Play:
    """A cluster on which the first commit is in force."""
    play = Play(polls=polls)
    play.begin(commits[0].tree)
    play.argo.advance(60)
    assert play.shares() == STABLE
    return play


def in_force(commits: tuple[Commit, ...], *, polls: bool = False) -> tuple[Play, Commit]:
    """A cluster that follows a rollout up to the commit that takes it back, which is not pushed."""
    play = begun(commits, polls=polls)
    for commit in commits[1:]:
        if commit.state == "ROLLING_BACK":
            return play, commit
        play.settle(commit.tree)
    raise AssertionError("nothing takes it back")


@cache
def _promoted(provider: str, strategy: str) -> tuple[Play, Commit]:
    return in_force(back(provider, strategy, "PROMOTING"))


def promoted(provider: str, strategy: str) -> tuple[Play, Commit]:
    """A cluster that gives the candidate everything, and the commit that takes it back."""
    play, rollback = _promoted(provider, strategy)
    return play.copy(), rollback


def leads_back(play: Play) -> bool:
    """Whether no request and no copy gets to the candidate."""
    named = [b for b in backends(play.cluster) if b.route.namespace == "ai-inference"]
    special = [b for b in named if not b.general and b.weight]
    return {n: w for n, w in play.shares().items() if w} == STABLE and not special


# --- coming up


def test_what_init_writes_comes_up_in_sync_and_is_not_healed_for_ever() -> None:
    play = Play()
    play.begin(onwards("gateway", "canary")[0].tree, ("production", "staging"))
    play.argo.advance(3600)
    states = play.argo.states
    assert {name: state.sync for name, state in states.items()} == dict.fromkeys(states, "Synced")
    assert {play.argo.health(name) for name in states} == {"Healthy"}
    begins = {name: state.operations for name, state in states.items()}
    assert max(begins.values()) <= 2, begins
    assert play.cluster.log[-1].time < 600


@pytest.mark.parametrize("version", ["3.2", "3.3", "3.4"])
def test_nor_is_it_on_the_versions_before(version: Any) -> None:  # noqa: ANN401  # a literal
    play = Play(version=version)
    play.begin(onwards("gateway", "canary")[0].tree, ("production", "staging"))
    play.argo.advance(1800)
    assert {state.sync for state in play.argo.states.values()} == {"Synced"}
    assert max(state.operations for state in play.argo.states.values()) <= 2


@pytest.mark.parametrize("trouble", [name for name in TROUBLES if "refused" not in name])
@pytest.mark.parametrize("provider", ["gateway", "istio", "nginx"])
def test_a_route_comes_up_beside_what_is_unwell(provider: str, trouble: str) -> None:
    play = Play()
    TROUBLES[trouble](play)
    play.begin(onwards(provider, "canary")[0].tree)
    play.argo.advance(60)
    routes = [b for b in backends(play.cluster) if b.weight]
    assert routes
    if "operator" not in trouble:
        assert play.shares() == STABLE


# --- going back


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize(("provider", "strategy"), PAIRS)
def test_a_rollback_is_in_the_route_at_once_whatever_is_unwell(
    provider: str, strategy: str, trouble: str
) -> None:
    play, rollback = promoted(provider, strategy)
    assert not leads_back(play)
    TROUBLES[trouble](play)
    play.push(rollback.tree)
    play.refresh()
    play.argo.advance(AT_ONCE)
    assert leads_back(play), play.shares()


@pytest.mark.parametrize(("provider", "strategy"), [p for p in PAIRS if p[1] != "blue-green"])
def test_nothing_that_is_chosen_stays_with_an_unwell_candidate(
    provider: str, strategy: str
) -> None:
    play, rollback = in_force(back(provider, strategy, "STEP"))
    unwell("Degraded")(play)
    play.push(rollback.tree)
    play.refresh()
    play.argo.advance(AT_ONCE)
    assert leads_back(play), play.shares()


@pytest.mark.parametrize("trouble", TROUBLES)
def test_without_a_refresh_it_takes_one_poll(trouble: str) -> None:
    play, rollback = in_force(back("gateway", "canary", "STEP"), polls=True)
    TROUBLES[trouble](play)
    play.push(rollback.tree)
    assert play.until(STABLE, play.argo.longest_poll) <= play.argo.longest_poll


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("provider", ["gateway", "istio", "nginx"])
def test_an_operation_on_an_old_revision_is_in_nobodys_way(provider: str, trouble: str) -> None:
    """The trouble is there first, and holds the commit that raised the weight; then comes ours."""
    commits = back(provider, "canary", "STEP")
    play = begun(commits)
    raised = [commit for commit in commits if commit.state == "STEP"]
    for commit in commits[1 : commits.index(raised[-1])]:
        play.settle(commit.tree)
    TROUBLES[trouble](play)
    play.push(raised[-1].tree)
    play.refresh()
    play.argo.advance(60)
    play.push(commits[commits.index(raised[-1]) + 1].tree)
    play.refresh()
    play.argo.advance(AT_ONCE)
    assert leads_back(play), play.shares()


@pytest.mark.parametrize("outage", [20, 100, 250, 400, 1000])
@pytest.mark.parametrize(("provider", "kind"), [("gateway", "HTTPRoute"), ("nginx", "Ingress")])
def test_a_route_that_was_refused_for_a_while_gets_what_git_says_and_not_what_it_said(
    provider: str, kind: str, outage: int
) -> None:
    """The webhook of a gateway's controller is away while 50 % comes, and then the way back.

    Argo CD tries again for about five minutes, then never at the same revision; with the annotation
    about paths not at the next one either, when that was compared in between (argo-cd#27875).
    """
    commits = back(provider, "canary", "STEP")
    play = begun(commits, polls=True)
    raised = [commit for commit in commits if commit.state == "STEP"]
    for commit in commits[1 : commits.index(raised[-1])]:
        play.settle(commit.tree)
    refused(kind)(play)
    play.push(raised[-1].tree)
    play.refresh()
    play.argo.advance(15)
    play.push(commits[commits.index(raised[-1]) + 1].tree)
    play.refresh()
    play.argo.advance(outage)
    refused()(play)
    most = 0
    for _ in range(play.argo.longest_poll):
        play.argo.advance(1)
        most = max(most, play.shares()["chat-v2"])
    assert play.shares()["chat-v2"] == 0
    assert most <= 10


# --- the order of commits


def routes_of(play: Play) -> list[str]:
    """The Applications that have the release's routes."""
    names = [name for name in play.argo.names if name.startswith("production.chat")]
    return [name for name in names if name.endswith(".routes")] or names


def draw_looks(data: st.DataObject, play: Play) -> None:
    """Some Applications look, in some order, with some time between."""
    names = st.sampled_from(sorted(play.argo.names))
    spent = st.sampled_from((0, 1, 35))
    for name, seconds in data.draw(st.lists(st.tuples(names, spent), max_size=4)):
        play.refresh(name)
        play.argo.advance(seconds)


def follow(data: st.DataObject, commits: tuple[Commit, ...]) -> Play:
    """Commits are followed by Applications as they like, but for what the reconciler waits for.

    Some commits it makes only when the route of the commit before is in force; and it shows a
    candidate to nobody before that one is there.
    """
    play = begun(commits)
    backwards = data.draw(st.booleans())
    play.argo.order = lambda names: sorted(names, reverse=backwards)
    play.watch()
    for before, commit in pairwise(commits):
        if commit.waits:
            waits_for = play.argo.names if before.state == "WARMING" else routes_of(play)
            play.refresh(*waits_for)
            play.argo.advance(3)
        play.push(commit.tree)
        draw_looks(data, play)
    for _ in range(3):
        play.refresh()
        play.argo.advance(40)
    return play


PLANS = [
    (*pair, state) for pair in PAIRS for state in ("WARMING", "STEP", "PROMOTING", "FINALIZING")
]
quick = settings(max_examples=60, suppress_health_check=list(HealthCheck))


@given(pair=st.sampled_from(PAIRS), data=st.data())
@quick
def test_on_the_way_on_nothing_is_removed_that_a_route_names(
    pair: tuple[str, str], data: st.DataObject
) -> None:
    play = follow(data, onwards(*pair))
    assert play.wrongs == []
    assert play.shares() == CANDIDATE


@given(plan=st.sampled_from(PLANS), data=st.data())
@quick
def test_on_the_way_back_nothing_is_removed_that_a_route_names(
    plan: tuple[str, str, State], data: st.DataObject
) -> None:
    play = follow(data, back(*plan))
    assert play.wrongs == []
    assert play.shares() == STABLE


@pytest.mark.parametrize(("provider", "strategy"), PAIRS)
def test_a_whole_rollout_ends_with_everything_in_sync_and_no_old_object(
    provider: str, strategy: str
) -> None:
    play = begun(onwards(provider, strategy))
    for commit in onwards(provider, strategy)[1:]:
        play.settle(commit.tree)
    assert {state.sync for state in play.argo.states.values()} == {"Synced"}
    assert not [key for key in play.cluster.objects if key.name == "chat-v1"]


@pytest.mark.parametrize("strategy", [strategy for name, strategy in PAIRS if name == "nginx"])
def test_where_argo_cd_deletes_first_the_stable_version_is_still_there(strategy: str) -> None:
    """Seen on Argo CD 3.5.7: nginx's second Ingress goes an instant before the main one moves."""
    commits = onwards("nginx", strategy)
    (last,) = [number for number, commit in enumerate(commits) if commit.state == "FINALIZING"]
    play = begun(commits)
    for commit in commits[1:last]:
        play.settle(commit.tree)
    seen: list[tuple[dict[str, int], bool]] = []

    def look(cluster: Cluster, change: Change) -> None:
        del change
        served = all(is_served(cluster, backend) for backend in backends(cluster))
        seen.append((play.shares(), served))

    play.cluster.watch = look
    play.settle(commits[last].tree)
    assert STABLE in [shares for shares, _ in seen]
    assert all(served for _, served in seen)
    assert play.shares() == CANDIDATE


# --- that these tests can fail


@pytest.mark.parametrize(("provider", "strategy"), PAIRS)
@pytest.mark.parametrize("trouble", ["the candidate is not ready", "workloads are refused"])
def test_in_one_application_with_waves_a_rollback_waits_for_the_candidate(
    provider: str, strategy: str, trouble: str
) -> None:
    """Seen on Argo CD 3.5.7: nine minutes after the rollback the route still gave 10 %."""
    commits = back(provider, strategy, "PROMOTING")
    old = tuple(commit._replace(tree=as_one_application(commit.tree)) for commit in commits)
    play, rollback = in_force(old)
    TROUBLES[trouble](play)
    before = play.shares()
    play.push(rollback.tree)
    play.refresh()
    play.argo.advance(540)
    assert play.shares() == before
    assert not leads_back(play)


@pytest.mark.parametrize(("provider", "strategy"), PAIRS)
def test_without_the_commit_between_a_version_goes_while_its_route_still_names_it(
    provider: str, strategy: str
) -> None:
    commits = [c for c in onwards(provider, strategy) if c.state != "FINALIZING"]
    play = begun(tuple(commits))
    for commit in commits[1:-1]:
        play.settle(commit.tree)
    play.watch()
    play.push(commits[-1].tree)
    play.refresh("production.chat")
    play.argo.advance(AT_ONCE)
    assert any("names chat-v1" in wrong for wrong in play.wrongs)
