"""What the applications of a release say of its weight: in force since when, and how healthy."""

from dataclasses import replace

import pytest

from sluice.core.cluster import Application, Operation
from sluice.core.layout import Key
from sluice.core.observation.argocd import (
    Applications,
    application_name,
    ready_of,
    routes_name,
    sync_of,
)
from sluice.core.rollout.model import Sync
from sluice.core.specs.resolve import Release
from support import reference

COMMITTED, NOW = 1000, 5000
TIMES = (COMMITTED, NOW)
OLD, NEW, LATER = "old", "new", "later"
ROUTES = Application(NEW, synced=True, health="Healthy", deployed=((OLD, 500), (NEW, 1030)))
WORKLOAD = replace(ROUTES, deployed=((OLD, 500), (NEW, 1040)))
IN_FORCE = Sync(contains=True, synced=True, healthy=True, deployed=1030, since=1030)


def contains(revision: str) -> bool:
    """The committed weight is in what came after the old revision."""
    return revision in (NEW, LATER)


def both(
    workload: Application | None = WORKLOAD, routes: Application | None = ROUTES
) -> Applications:
    return Applications(workload, routes, routed=True)


def chat(changes: reference.Changes | None = None, environment: str = "production") -> Release:
    key = Key(environment, "platform", "chat")
    return reference.workspace(changes or {}).specs.releases[key]


def test_a_weight_is_in_force_when_its_routes_are_applied() -> None:
    assert sync_of(both(), contains, TIMES) == IN_FORCE


@pytest.mark.parametrize("health", ["Degraded", "Progressing", "Missing", "Unknown", ""])
def test_the_health_of_the_workloads_moves_no_clock(health: str) -> None:
    sick = replace(WORKLOAD, health=health, health_since=4900)
    expected = replace(IN_FORCE, healthy=False, unhealthy=4900)
    assert sync_of(both(sick), contains, TIMES) == expected


def test_a_health_that_came_back_moves_no_clock() -> None:
    assert sync_of(both(replace(WORKLOAD, health_since=4900)), contains, TIMES) == IN_FORCE


def test_workloads_that_wait_or_fail_do_not_keep_a_weight_from_being_in_force() -> None:
    waiting = Operation("Running", "waiting for healthy state of apps/Deployment/chat-v2", OLD, 900)
    stuck = replace(WORKLOAD, revision=OLD, synced=False, operation=waiting)
    assert sync_of(both(stuck), contains, TIMES) == IN_FORCE


def test_workloads_that_nobody_knows_are_not_healthy() -> None:
    assert sync_of(both(None), contains, TIMES) == replace(IN_FORCE, healthy=False)


@pytest.mark.parametrize("routes", [None, Application("", synced=True, health="Healthy")])
def test_routes_that_nobody_knows_are_not_known(routes: Application | None) -> None:
    assert sync_of(both(routes=routes), contains, TIMES) is None


def test_routes_that_are_out_of_sync_have_no_weight_in_force() -> None:
    seen = sync_of(both(routes=replace(ROUTES, synced=False)), contains, TIMES)
    assert seen == replace(IN_FORCE, synced=False, since=None)


def test_routes_at_an_older_revision_have_another_weight() -> None:
    seen = sync_of(both(routes=replace(ROUTES, revision=OLD)), contains, TIMES)
    assert seen == replace(IN_FORCE, contains=False, deployed=None, since=None)


@pytest.mark.parametrize(
    ("history", "since"),
    [
        ((), COMMITTED),
        (((OLD, 500),), COMMITTED),
        (((NEW, 1030), (LATER, 2000)), 1030),
        (((NEW, 1030), (OLD, 2000)), COMMITTED),
        (((NEW, 1030), (OLD, 2000), (NEW, 3000)), 3000),
        (((NEW, 1030), ("", 2000), (LATER, 3000)), 3000),
        (((NEW, 900),), COMMITTED),
    ],
)
def test_since_when_tells_the_newest_run_of_revisions_with_the_weight(
    history: tuple[tuple[str, int], ...], since: int
) -> None:
    """One that was applied by hand in between ends it; nothing is in force before its commit."""
    seen = sync_of(both(routes=replace(ROUTES, deployed=history)), contains, TIMES)
    assert seen is not None
    assert seen.since == since


def test_a_commit_from_the_future_tells_no_time() -> None:
    seen = sync_of(both(), contains, (NOW + 3600, NOW))
    assert seen is not None
    assert seen.since == 1030


def test_what_was_compared_but_never_applied_is_not_deployed() -> None:
    """Argo CD that is paused, or whose sync is refused, says nothing against the candidate."""
    refused = replace(WORKLOAD, synced=False, deployed=((OLD, 500),))
    for operation in (
        None,
        Operation("Failed", "denied", NEW, 1040),
        Operation("Running", "", OLD),
    ):
        seen = sync_of(both(replace(refused, operation=operation)), contains, TIMES, warming=True)
        assert seen == Sync(contains=True, synced=False, healthy=True)


def test_a_sync_that_waits_for_the_candidate_has_applied_it() -> None:
    waiting = Operation("Running", "waiting for healthy state", NEW, started=1020)
    begun = replace(WORKLOAD, synced=False, deployed=((OLD, 500),), operation=waiting)
    seen = sync_of(both(begun), contains, TIMES, warming=True)
    assert seen == Sync(contains=True, synced=False, healthy=True, deployed=1020)


def test_a_candidate_is_applied_by_the_application_of_the_workloads() -> None:
    behind = replace(WORKLOAD, revision=OLD, deployed=((OLD, 500),))
    seen = sync_of(both(behind), contains, TIMES, warming=True)
    assert seen == Sync(contains=False, synced=True, healthy=True)
    seen = sync_of(both(routes=None), contains, TIMES, warming=True)
    assert seen == replace(IN_FORCE, deployed=1040, since=1040)


def test_a_release_without_a_route_has_one_application() -> None:
    alone = Applications(WORKLOAD)
    assert sync_of(alone, contains, TIMES) == replace(IN_FORCE, deployed=1040, since=1040)


def test_the_names_of_both_applications() -> None:
    assert application_name(chat()) == "production.chat"
    assert routes_name(chat()) == "production.chat.routes"
    assert routes_name(chat(environment="mesh")) == "mesh.chat.routes"


def test_routes_that_a_controller_makes_have_no_application() -> None:
    changes = {
        reference.ROLLOUT: {},
        reference.ENVIRONMENT: {"provider: nginx": "provider: istio"},
        reference.RELEASE: {"strategy: canary": "strategy: canary\n    controller: flagger"},
    }
    assert routes_name(chat(changes)) is None


@pytest.mark.parametrize(
    ("told", "ready"),
    [
        ({"Deployment/chat-v2": "Healthy"}, True),
        ({"Deployment/chat-v2": "Degraded"}, False),
        ({"Deployment/chat-v2": "Missing"}, False),
        ({"Deployment/chat-v2": "Progressing"}, None),
        ({"Deployment/chat-v1": "Degraded"}, None),
        ({}, None),
    ],
)
def test_readiness_is_the_candidates_own_where_it_is_told(
    told: dict[str, str], *, ready: bool | None
) -> None:
    sick = replace(WORKLOAD, health="Degraded", resources=told)
    assert ready_of(sick, chat(), stable=False) is ready
