"""From the registry to the route, and back: what Git decides reaches a real cluster.

The tests of this file are steps of one story, and each fixture brings it one step further. What
does not come about in time for one release is told by the test of that release alone.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from live import argocd
from live.chain import Chain
from live.estate import AUTOSCALED, CANDIDATE, RELEASES, STABLE, Estate, Release
from live.gitea import BOT
from live.processes import POLL

UP = 150.0
"""Seconds in which something new is to be up; a machine that others use too is slow."""
IN_TIME = argocd.POLLS * argocd.RESYNC + 30.0
"""Seconds from a weight in Git to the route: two looks of Argo CD, and its work."""
CALM = 4 * argocd.RESYNC

each_release = pytest.mark.parametrize("release", RELEASES, ids=lambda one: one.environment)


@pytest.fixture(scope="module")
def estate() -> Estate:
    return Estate("models", RELEASES)


@pytest.fixture(scope="module")
def synced(chain: Chain) -> Chain:
    """Bring up what a fresh repository serves."""
    chain.promote(STABLE)
    chain.publish()
    chain.prepare_cluster()
    argocd.add_repository(chain.cluster, chain.url, BOT, chain.gitea.bot)
    chain.bootstrap()
    _wait(lambda: all(chain.share(one) is not None and _serves(chain, one) for one in RELEASES))
    return chain


def _wait(condition: Callable[[], bool], seconds: float = UP) -> bool:
    """Wait for a condition, at most so long: that it did not come to hold is told elsewhere."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(POLL)
    return True


def _serves(chain: Chain, release: Release) -> bool:
    return chain.ready_replicas(release, STABLE) > 0


@each_release
def test_a_fresh_repository_comes_up(synced: Chain, release: Release) -> None:
    assert _serves(synced, release), synced.report()
    assert synced.share(release) == 0, synced.report()


def test_everything_is_synced(synced: Chain) -> None:
    _wait(lambda: not _unsynced(synced))
    assert _unsynced(synced) == [], synced.report()


def _unsynced(chain: Chain) -> list[str]:
    return [
        one["metadata"]["name"]
        for one in chain.applications()
        if one.get("status", {}).get("sync", {}).get("status") != "Synced"
    ]


def test_nothing_heals_itself_again_and_again(synced: Chain) -> None:
    def operations() -> Mapping[str, str]:
        return {one["metadata"]["name"]: _operation(one) for one in synced.applications()}

    before = operations()
    _wait(lambda: operations() != before, CALM)
    assert operations() == before, synced.report()


def _operation(application: Mapping[str, Any]) -> str:
    """Return when the last sync of an Application began."""
    return str(application.get("status", {}).get("operationState", {}).get("startedAt"))


@pytest.fixture(scope="module")
def proposed(synced: Chain) -> Mapping[str, int]:
    """Promote a version in the registry, and let the reconciler look twice."""
    synced.promote(CANDIDATE)
    synced.reconcile()
    synced.reconcile()
    return {pull["title"]: pull["number"] for pull in synced.pulls()}


def test_a_promotion_is_proposed_once_for_each_release(proposed: Mapping[str, int]) -> None:
    assert len(proposed) == len(RELEASES), proposed


@pytest.fixture(scope="module")
def raised(synced: Chain, proposed: Mapping[str, int]) -> Chain:
    """Merge what is proposed until each candidate has its first share of the requests."""
    asked: set[Release] = set()

    def is_raised() -> bool:
        for pull in synced.pulls():
            synced.merge(pull["number"])
        synced.reconcile()
        for release in RELEASES:
            if release not in asked and _is_shown_to_nobody(synced, release):
                synced.sluice("rollout", "promote", release.key)
                asked.add(release)
        return all(synced.share(one) == one.raised for one in RELEASES)

    _wait(is_raised)
    return synced


def _is_shown_to_nobody(chain: Chain, release: Release) -> bool:
    """Whether a person must say that the candidate takes over."""
    state = chain.rollout(release).get("state")
    return release.strategy == "blue-green" and state == "STEP"


@each_release
def test_the_live_route_gives_the_candidate_its_first_share(
    raised: Chain, release: Release
) -> None:
    assert raised.share(release) == release.raised, f"{raised.rollout(release)}\n{raised.report()}"


def test_an_autoscaler_without_metrics_holds_nothing_up(raised: Chain) -> None:
    (release,) = [one for one in RELEASES if one.scaling is AUTOSCALED]
    autoscalers = raised.cluster.list("horizontalpodautoscalers", release.namespace)
    active = [
        condition["status"]
        for autoscaler in autoscalers
        for condition in autoscaler["status"]["conditions"]
        if condition["type"] == "ScalingActive"
    ]
    assert active, "no autoscaler was looked at, so this says nothing"
    assert set(active) == {"False"}
    assert raised.health(release) == "Healthy", raised.report(release)


@dataclass(frozen=True)
class Return:
    """A way back: after how many seconds the route had it, and whether the candidate was unwell."""

    seconds: float | None
    unwell: bool


@pytest.fixture(scope="module")
def returned(raised: Chain) -> Mapping[Release, Return]:
    """Make the candidates unwell, and take each out of service by hand."""
    chosen = [one for one in RELEASES if raised.share(one)]
    for release in chosen:
        raised.break_candidate(release)
    _wait(lambda: all(_is_unwell(raised, one) for one in chosen))
    began = {}
    for release in chosen:
        raised.sluice("rollback", release.key, "--reason=it answers nobody")
        began[release] = time.monotonic()
    seconds: dict[Release, float] = {}

    def are_back() -> bool:
        for release in set(chosen) - set(seconds):
            if raised.share(release) == 0:
                seconds[release] = time.monotonic() - began[release]
        return len(seconds) == len(chosen)

    _wait(are_back, IN_TIME + 30)
    return {
        release: Return(seconds.get(release), _is_unwell(raised, release)) for release in chosen
    }


def _is_unwell(chain: Chain, release: Release) -> bool:
    return chain.ready_replicas(release, CANDIDATE) == 0


@each_release
def test_a_rollback_reaches_the_route_while_the_candidate_is_unwell(
    raised: Chain, returned: Mapping[Release, Return], release: Release, notes: list[str]
) -> None:
    assert release in returned, "it never had a share"
    back = returned[release]
    assert back.unwell, "the candidate got well, so this says nothing"
    assert back.seconds is not None, raised.report(release)
    notes.append(f"{release.key}: the rollback was in the route after {back.seconds:.0f} s")
    assert back.seconds < IN_TIME


@pytest.fixture(scope="module")
def over(raised: Chain, returned: Mapping[Release, Return]) -> Chain:
    """Let the reconciler look until what was taken back is gone."""

    def is_over() -> bool:
        raised.reconcile()
        return all(_is_gone(raised, release) for release in returned) and not _unsynced(raised)

    _wait(is_over)
    return raised


@each_release
def test_what_was_taken_back_goes_in_the_end(
    over: Chain, returned: Mapping[Release, Return], release: Release
) -> None:
    assert release in returned, "it never had a share"
    assert _is_gone(over, release), over.report(release)
    assert over.share(release) == 0, over.report(release)
    assert _serves(over, release), over.report(release)


def test_everything_is_synced_again(over: Chain) -> None:
    assert _unsynced(over) == [], over.report()


def _is_gone(chain: Chain, release: Release) -> bool:
    """Whether Git and the cluster have nothing of the candidate any more."""
    name = f"{release.name}-v{CANDIDATE}"
    objects = (
        chain.cluster.get(kind, name, release.namespace) for kind in ("deployment", "service")
    )
    return not chain.rollout(release) and not any(objects)
