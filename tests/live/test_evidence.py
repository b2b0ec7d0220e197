"""Rollouts that go on by themselves: a real Prometheus tells what the reconciler judges by.

Clients follow the live routes, and look at them so often that a moment without anybody to answer
does not pass unseen. The tests of this file are steps of one story, as in test_rollouts.py.
"""

import json
import shutil
from collections.abc import Iterator, Sequence
from itertools import takewhile

import pytest
import yaml

from live import argocd
from live.chain import Chain
from live.clients import Clients, Sight, asking, counting
from live.cluster import Cluster
from live.estate import CANDIDATE, JUDGED, STABLE, Estate, Release
from live.gitea import BOT
from live.parts import PROMETHEUS, need
from live.processes import wait_for
from support.git_fixtures import run_git

PATIENCE = 600.0
"""Seconds for a whole rollout: its batches are of a minute each, and Argo CD looks every 15 s."""
LOOKS = 100
BACK = next(one for one in JUDGED if one.environment == "switched-back")
ONWARDS = [one for one in JUDGED if one is not BACK]
RETIRED = [one for one in JUDGED if one.environment.startswith("judged")]
COURSE = ("WARMING", "STEP", "PROMOTING", "FINALIZING")

each_release = pytest.mark.parametrize("release", JUDGED, ids=lambda one: one.environment)
each_onwards = pytest.mark.parametrize("release", ONWARDS, ids=lambda one: one.environment)
each_retired = pytest.mark.parametrize("release", RETIRED, ids=lambda one: one.environment)


@pytest.fixture(scope="module")
def clients(cluster: Cluster) -> Iterator[Clients]:
    with asking(cluster) as found:
        yield found


@pytest.fixture(scope="module")
def estate(clients: Clients, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    need(PROMETHEUS)
    with counting(clients, tmp_path_factory.mktemp("prometheus")) as address:
        yield Estate("judged", JUDGED, address)


@pytest.fixture(scope="module")
def served(chain: Chain, clients: Clients) -> Chain:
    """Bring up what a fresh repository serves; only from then on somebody has to answer."""
    chain.promote(STABLE)
    chain.publish()
    chain.prepare_cluster()
    argocd.add_repository(chain.cluster, chain.url, BOT, chain.gitea.bot)
    chain.bootstrap()
    wait_for(
        lambda: all(chain.share(one) == 0 and chain.ready_replicas(one, STABLE) for one in JUDGED),
        "every release is up",
        told=chain.report,
    )
    clients.problems.clear()
    return chain


@pytest.fixture(scope="module")
def over(served: Chain, clients: Clients) -> Chain:
    """Promote a version, and do what is left to people until every rollout is over.

    They let a blue-green candidate take over, and take the one back that is to be taken back.
    """
    served.promote(CANDIDATE)
    asked: set[Release] = set()
    back: list[str] = []

    def are_over() -> bool:
        for release in JUDGED:
            waits = served.rollout(release).get("state") in ("STEP", "GATED")
            if release.strategy == "blue-green" and waits and release not in asked:
                served.sluice("rollout", "promote", release.key)
                asked.add(release)
        if not back and served.share(BACK) == BACK.raised:
            back.append(served.sluice("rollback", BACK.key, "--reason=bad answers"))
        return all(_is_over(served, release) for release in JUDGED)

    with served.reconciling():
        wait_for(are_over, "every rollout is over", PATIENCE, lambda: _told(served, clients))
    return served


def _told(chain: Chain, clients: Clients) -> str:
    lines = [chain.report(), *(f"{one.key}: {chain.rollout(one)}" for one in JUDGED)]
    log = (chain.folder / "logs" / "reconcile.log").read_text(errors="replace")
    return "\n".join([*lines, *clients.problems, log[-5000:]])


def _serving(release: Release) -> str:
    """Return the version that serves in the end."""
    return STABLE if release is BACK else CANDIDATE


def _is_over(chain: Chain, release: Release) -> bool:
    left = STABLE if release is not BACK else CANDIDATE
    gone = not chain.cluster.get("deployment", f"{release.name}-v{left}", release.namespace)
    return gone and not chain.rollout(release) and chain.version(release) == _serving(release)


@each_release
def test_it_ends_with_one_version_that_has_everything(over: Chain, release: Release) -> None:
    assert over.version(release) == _serving(release)
    assert over.share(release) == (0 if release is BACK else 100)
    assert over.ready_replicas(release, _serving(release)) > 0


@each_onwards
def test_each_state_was_a_commit_of_its_own(over: Chain, release: Release) -> None:
    states = [state for state in _states(over, release) if state in COURSE]
    assert tuple(states) == COURSE


@each_onwards
def test_the_evidence_is_what_the_real_server_counted(over: Chain, release: Release) -> None:
    """The judgement on the time in which the candidate had everything is committed beside it."""
    path = f"environments/{release.key}/evidence/v{CANDIDATE}-step-1.json"
    gates = {gate["name"]: gate for gate in json.loads(over.file(path))["gates"]}
    cells = [cell for batch in gates["errors"]["batches"] for cell in batch["candidate"]]
    assert sum(cell["requests"] for cell in cells) >= gates["errors"]["minRequests"]


def _states(chain: Chain, release: Release) -> list[str]:
    """Return the states that the commits of main went through."""
    states: list[str] = []
    for commit in _commits(chain):
        text = chain.file(f"environments/{release.key}/rollout.yaml", commit)
        state = yaml.safe_load(text)["spec"]["state"] if text else ""
        if states[-1:] != [state]:
            states.append(state)
    return states


def _commits(chain: Chain) -> list[str]:
    return run_git(chain.clone, "rev-list", "--reverse", "--first-parent", "FETCH_HEAD").split()


def test_no_route_ever_named_a_service_without_ready_endpoints(
    over: Chain, clients: Clients, notes: list[str]
) -> None:
    notes.append(f"clients looked at the routes {clients.looks} times")
    assert clients.looks > LOOKS
    assert clients.problems == [], over.report()


@each_onwards
def test_the_stable_version_goes_only_after_the_route_has_left_it(
    over: Chain, clients: Clients, release: Release
) -> None:
    del over
    former, later = (f"{release.name}-v{number}" for number in (STABLE, CANDIDATE))
    both = [one for one in clients.sights[release.namespace] if {former, later} <= one.deployed]
    assert both, "both versions were never there together"
    assert {_version(name) for name in both[-1].named} == {CANDIDATE}
    assert dict(both[-1].shares) == {later: 100}


def _version(service: str) -> str:
    """Return the version that a Service of a rollout is of."""
    return service.rpartition("-v")[2]


@each_onwards
def test_the_candidate_gets_its_shares_in_order(
    over: Chain, clients: Clients, release: Release
) -> None:
    """Argo CD deletes before it applies: that nginx's second Ingress goes may be seen first.

    Then the stable version has everything for an instant, and is still there for it.
    """
    del over
    name = f"{release.name}-v{CANDIDATE}"
    shares = [dict(one.shares).get(name, 0) for one in clients.sights[release.namespace]]
    first = [release.raised] if release.strategy == "canary" else []
    wanted = [0, *first, 100]
    instant = [*wanted, 0, 100] if release.provider == "nginx" else wanted
    assert _changes(shares) in (wanted, instant)


def _changes(values: Sequence[int]) -> list[int]:
    """Return values without repetitions."""
    return [value for index, value in enumerate(values) if values[index - 1 : index] != [value]]


def test_a_switch_goes_back_at_once(over: Chain, clients: Clients) -> None:
    del over
    name = f"{BACK.name}-v{CANDIDATE}"
    shares = [dict(one.shares).get(name, 0) for one in clients.sights[BACK.namespace]]
    assert _changes(shares) == [0, 100, 0]


@pytest.mark.parametrize("environment", ["chosen", "chosen-mesh"])
def test_chosen_requests_go_to_the_candidate_alone(
    over: Chain, clients: Clients, environment: str
) -> None:
    del over
    (release,) = [one for one in JUDGED if one.environment == environment]
    sights = clients.sights[release.namespace]
    tested = [one for one in sights if one.chosen]
    assert {_version(name) for one in tested for name in one.chosen} == {CANDIDATE}
    wholes = {tuple(sorted(dict(one.shares).values())) for one in tested}
    assert wholes <= {(100,), (0, 100)}, "others are split between the versions"
    assert not sights[-1].chosen


@pytest.fixture(scope="module")
def retired(over: Chain, clients: Clients) -> Chain:
    """Delete the specs of some releases, and wait until nothing of them is left."""
    over.pull()
    for release in RETIRED:
        shutil.rmtree(over.clone / "environments" / release.key)
    over.sluice("render")
    over.commit("Retire what nobody asks any more")
    wait_for(
        lambda: not any(_left(over, release) for release in RETIRED),
        "nothing is left of what was retired",
        told=lambda: _told(over, clients),
    )
    return over


def _left(chain: Chain, release: Release) -> list[str]:
    """Return what there is of a release in the cluster, by kind and name."""
    kinds = "deployments,services,httproutes,ingresses,virtualservices,podmonitors,configmaps"
    selector = f"sluice.dev/release={release.name}"
    items = chain.cluster.list(kinds, release.namespace, selector)
    names = [f"{one['kind']}/{one['metadata']['name']}" for one in items]
    own = (f"{release.environment}.{release.name}", f"{release.environment}.{release.name}.routes")
    applications = [one["metadata"]["name"] for one in chain.applications()]
    return [*names, *(name for name in applications if name in own)]


@each_retired
def test_of_a_retired_release_the_route_goes_before_what_answers(
    retired: Chain, clients: Clients, release: Release
) -> None:
    del retired
    last = list(takewhile(_is_answered, clients.sights[release.namespace]))[-1]
    assert last.deployed
    own = [said for said in clients.problems if f" {release.namespace}/" in said]
    assert own == []


def _is_answered(sight: Sight) -> bool:
    return bool(sight.named)


def test_nothing_of_others_goes_with_it(retired: Chain) -> None:
    for release in JUDGED:
        if release not in RETIRED:
            assert retired.ready_replicas(release, _serving(release)) > 0, retired.report()
            assert retired.share(release) is not None, retired.report()
    assert all(retired.cluster.get("namespace", one.namespace, "") for one in RETIRED)
