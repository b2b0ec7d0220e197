"""What keeps a real cluster from following Git is said, and decided, whatever it is.

Each release has 10 % of a candidate when somebody or something gets in its way; then it is taken
back by hand, and Git and the cluster differ.
"""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from live import argocd
from live.chain import APPLICATIONS, Chain
from live.cluster import MERGE
from live.estate import CANDIDATE, HINDERED, STABLE, Estate, Release
from live.gitea import BOT
from live.processes import wait_for

BY_NAME = {release.environment: release for release in HINDERED}
PROJECTS = APPLICATIONS.replace("applications", "appprojects")
DENIED = "routes stay as they are"


@pytest.fixture(scope="module")
def estate() -> Estate:
    return Estate("hindered", HINDERED)


@pytest.fixture(scope="module")
def raised(chain: Chain) -> Chain:
    """Bring the candidates to their first share."""
    chain.promote(STABLE)
    chain.publish()
    chain.prepare_cluster()
    argocd.add_repository(chain.cluster, chain.url, BOT, chain.gitea.bot)
    chain.bootstrap()
    wait_for(
        lambda: all(chain.ready_replicas(one, STABLE) for one in HINDERED),
        "every release is up",
        told=chain.report,
    )
    chain.promote(CANDIDATE)

    def is_raised() -> bool:
        chain.reconcile()
        for pull in chain.pulls():
            chain.merge(pull["number"])
        return all(chain.share(one) == one.raised for one in HINDERED)

    wait_for(is_raised, "every candidate has its share", 300.0, chain.report)
    return chain


@pytest.fixture(scope="module")
def hindered(raised: Chain) -> Chain:
    """Get in the way of each, and take each back."""
    window = {"kind": "deny", "schedule": "* * * * *", "duration": "1h", "applications": ["*"]}
    _patch(raised, f"{PROJECTS}/closed", {"spec": {"syncWindows": [window]}})
    # The application of applications first, which would set the other right.
    for name in ("paused", "paused.chat.routes"):
        _patch(raised, f"{APPLICATIONS}/{name}", {"spec": {"syncPolicy": {"automated": None}}})
    raised.cluster.apply(*_policy(BY_NAME["refused"].namespace))
    wait_for(lambda: _is_refused(raised), "the policy is in force")
    for release in HINDERED:
        raised.sluice("rollback", release.key, "--reason=bad answers")
    return raised


def _patch(chain: Chain, path: str, change: Mapping[str, Any]) -> None:
    answer = chain.cluster.ask("PATCH", path, change, kind=MERGE)
    assert answer.is_success, answer.text


def _route(release: Release) -> str:
    api = "/apis/gateway.networking.k8s.io/v1"
    return f"{api}/namespaces/{release.namespace}/httproutes/{release.name}"


def _policy(namespace: str) -> list[dict[str, Any]]:
    """Return a policy that refuses every change of a route in a namespace, and its binding."""
    rule = {
        "apiGroups": ["gateway.networking.k8s.io"],
        "apiVersions": ["v1"],
        "operations": ["UPDATE"],
        "resources": ["httproutes"],
    }
    chosen = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
    kind = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": "no-routes"}}
    return [
        {
            **kind,
            "kind": "ValidatingAdmissionPolicy",
            "spec": {
                "matchConstraints": {"resourceRules": [rule]},
                "validations": [{"expression": "false", "message": DENIED}],
            },
        },
        {
            **kind,
            "kind": "ValidatingAdmissionPolicyBinding",
            "spec": {
                "policyName": "no-routes",
                "validationActions": ["Deny"],
                "matchResources": chosen,
            },
        },
    ]


def _is_refused(chain: Chain) -> bool:
    change = {"metadata": {"annotations": {"example.com/tried": "true"}}}
    path = _route(BY_NAME["refused"])
    return DENIED in chain.cluster.ask("PATCH", path, change, kind=MERGE, dryRun="All").text


@pytest.mark.parametrize(
    ("name", "kinds", "words", "weights"),
    [
        ("closed", {"window"}, "sync window", (0, 10)),
        ("paused", {"paused"}, "automated sync of paused.chat.routes is off", (0, 10)),
        ("refused", {"fails", "refused"}, DENIED, (0, 10)),
    ],
)
def test_what_is_in_the_way_is_said_and_the_weights_with_it(
    hindered: Chain, name: str, kinds: set[str], words: str, weights: tuple[int, int]
) -> None:
    def told() -> str:
        return json.dumps(_status(hindered, BY_NAME[name]), indent=1)

    def is_said() -> bool:
        following = _status(hindered, BY_NAME[name])["following"]
        found = {one["kind"]: one["said"] for one in following["hindrances"]}
        said = any(words in found[kind] for kind in kinds & found.keys())
        return said and (following["git"], following["live"]) == weights

    wait_for(is_said, f"{name} is told", told=told)


def test_nothing_goes_on_where_the_cluster_does_not_follow(hindered: Chain) -> None:
    before = {one: hindered.rollout(one)["weight"] for one in HINDERED}
    hindered.reconcile()
    after = {one: hindered.rollout(one) for one in HINDERED}
    assert {one: spec["weight"] for one, spec in after.items()} == before
    assert {spec["state"] for spec in after.values()} == {"ROLLING_BACK"}


def _status(chain: Chain, release: Release) -> dict[str, Any]:
    rows = json.loads(chain.sluice("rollout", "status", "--format=json"))["rollouts"]
    (row,) = [row for row in rows if row["release"] == release.key]
    found: dict[str, Any] = row
    return found
