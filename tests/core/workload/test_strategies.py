"""What each strategy renders on each traffic provider, and when the candidate gets anything."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from support import trees

CASES = trees.CASES / "valid"
HIDDEN = ("WARMING", "PAUSED", "ROLLING_BACK", "ROLLED_BACK")
SHOWN = ("STEP", "GATED", "INCONCLUSIVE", "FROZEN")
NGINX = "nginx.ingress.kubernetes.io/"


def objects(case: str, state: str = "STEP", weight: int | None = None) -> dict[str, Any]:
    """The manifests of a case by their file name, with its rollout in another state."""
    files = trees.case(Path(CASES / case))
    path = trees.SHORT["rollout.yaml"]
    before = yaml.safe_load(files[path])["spec"]
    files = trees.replaced(files, path, f"state: {before['state']}", f"state: {state}")
    if weight is not None:
        old = f"weight: {before['weight']}\n"
        files = trees.replaced(files, path, old, f"weight: {weight}\n")
    findings, manifests = trees.outcome(files)
    assert findings == []
    return {Path(p).stem: yaml.safe_load(raw) for p, raw in manifests.items() if "/chat/" in p}


def canary(case: str, state: str = "STEP", weight: int | None = None) -> dict[str, str]:
    told = objects(case, state, weight)["ingress-canary"]["metadata"]["annotations"]
    return {k.removeprefix(NGINX): v for k, v in told.items() if k.startswith(NGINX)}


@pytest.mark.parametrize("state", SHOWN)
def test_gateway_api_a_header_has_a_rule_of_its_own_on_the_same_path(state: str) -> None:
    case = "strategy-ab-by-header-of-the-gateway-api"
    chosen, everyone = objects(case, state)["httproute"]["spec"]["rules"]
    assert chosen["matches"][0]["path"] == everyone["matches"][0]["path"]
    header = {"type": "Exact", "name": "x-model-release", "value": "next"}
    assert chosen["matches"][0]["headers"] == [header]
    assert chosen["backendRefs"] == [{"name": "chat-v7", "port": 80, "weight": 100}]
    assert [b["weight"] for b in everyone["backendRefs"]] == [100, 0]
    assert chosen["timeouts"] == everyone["timeouts"]


def test_istio_the_first_rule_that_matches_wins_so_the_chosen_requests_come_first() -> None:
    chosen, everyone = objects("strategy-ab-by-cookie-of-istio")["virtualservice"]["spec"]["http"]
    assert chosen["match"][0]["uri"] == everyone["match"][0]["uri"]
    pattern = chosen["match"][0]["headers"]["cookie"]["regex"]
    assert pattern == r"^(.*; *)?model-release=v1\.2(;.*)?$"
    assert [r["weight"] for r in chosen["route"]] == [100]
    assert [r["weight"] for r in everyone["route"]] == [100, 0]


def test_nginx_a_cookie_stands_beside_a_weight_of_zero() -> None:
    told = canary("strategy-ab-by-cookie-of-nginx")
    assert told == {"canary": "true", "canary-weight": "0", "canary-by-cookie": "model-release"}


def test_nginx_a_header_never_comes_without_its_value() -> None:
    told = canary("strategy-canary-that-testers-can-choose")
    assert told["canary-by-header"] == "x-model-release"
    assert told["canary-by-header-value"] == "next"
    assert told["canary-weight"] == "10"


def test_gateway_api_copies_go_to_the_candidate_and_no_answer_comes_from_it() -> None:
    (rule,) = objects("strategy-shadow-of-the-gateway-api")["httproute"]["spec"]["rules"]
    (copied,) = rule["filters"]
    backend = {"name": "chat-v7", "port": 80}
    mirror = {"backendRef": backend, "percent": 20}
    assert copied == {"type": "RequestMirror", "requestMirror": mirror}
    assert [b["weight"] for b in rule["backendRefs"]] == [100, 0]


def test_istio_copies_all_requests_unless_told_a_share() -> None:
    (rule,) = objects("strategy-shadow-of-istio")["virtualservice"]["spec"]["http"]
    assert rule["mirror"] == {"host": "chat-v7", "port": {"number": 80}}
    assert rule["mirrorPercentage"] == {"value": 100}


@pytest.mark.parametrize("state", HIDDEN)
@pytest.mark.parametrize(
    "case",
    [
        "strategy-ab-by-header-of-the-gateway-api",
        "strategy-ab-by-cookie-of-istio",
        "strategy-ab-by-cookie-of-nginx",
        "strategy-shadow-of-the-gateway-api",
        "strategy-shadow-of-istio",
    ],
)
def test_nothing_is_chosen_for_a_candidate_that_may_not_be_ready(case: str, state: str) -> None:
    found = objects(case, state)
    text = yaml.safe_dump(found)
    assert not any(word in text for word in ("RequestMirror", "mirror:", "cookie", "x-model-r"))


@pytest.mark.parametrize(("state", "weight"), [("STEP", 0), ("PROMOTING", 100)])
def test_blue_green_is_all_or_nothing(state: str, weight: int) -> None:
    assert canary("strategy-blue-green", state, weight) == {
        "canary": "true",
        "canary-weight": str(weight),
    }


@pytest.mark.parametrize("state", ["WARMING", "ROLLED_BACK"])
def test_no_route_names_a_version_that_may_not_be_there(state: str) -> None:
    found = objects("strategy-blue-green", state, 0)
    assert "ingress-canary" not in found
    assert backend_of(found["ingress"]) == "chat-v6"


def test_at_the_end_the_route_names_the_new_version_while_the_old_one_still_runs() -> None:
    found = objects("strategy-blue-green", "FINALIZING", 100)
    assert "ingress-canary" not in found
    assert backend_of(found["ingress"]) == "chat-v7"
    assert {"deployment-v6", "service-v6"} <= found.keys()
    inside = found["service"]["spec"]["selector"]
    assert inside == found["service-v7"]["spec"]["selector"]


def backend_of(ingress: dict[str, Any]) -> str:
    (path,) = ingress["spec"]["rules"][0]["http"]["paths"]
    name: str = path["backend"]["service"]["name"]
    return name


@pytest.mark.parametrize("case", [c.name for c in trees.cases("valid") if "strategy" in c.name])
def test_the_workload_of_each_version_is_its_own_and_no_promotion_touches_it(case: str) -> None:
    before, after = objects(case, "STEP"), objects(case, "PROMOTING", 100)
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert {name.split("-")[0] for name in changed} <= {"ingress", "httproute", "virtualservice"}
