"""What a client asks for arrives at the right version, as the engine serves it: by each router."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sluice.core.finding import Finding
from sluice.core.paths import canonical
from support import trees
from support.routers import ROUTERS, Objects, Passed, Request, made_by_flagger, of_kind

CHAT = "/chat/completions"
MATCH = {
    "nginx": {"cookie": {"name": "cohort", "value": "always"}},
    "gateway": {"header": {"name": "x-cohort", "value": "next"}},
    "istio": {"cookie": {"name": "cohort", "value": "next"}},
}
CHOSEN = {
    "nginx": {"cookie": "cohort=always"},
    "gateway": {"x-cohort": "next"},
    "istio": {"cookie": "a=b; cohort=next"},
}
STEPPED: Mapping[str, Mapping[str, Any]] = {
    "canary": {"strategy": "canary", "steps": [{"weight": 20, "soak": "10m"}]},
    "ab": {"strategy": "ab"},
    "shadow": {"strategy": "shadow", "mirror": 25},
    "blue-green": {"strategy": "blue-green"},
}
SEGMENTS = st.text("aZ1.~_-", min_size=1, max_size=3).filter(lambda word: word.strip("."))
PATHS = st.builds(
    lambda *parts: "/" + "".join(parts),
    st.sampled_from(["", "/"]),
    st.lists(SEGMENTS, max_size=3).map("/".join),
    st.sampled_from(["", "/", "/v1", "/v1/", "//v1"]),
)


class Case(NamedTuple):
    """Releases of one gateway, each with its path, at some moment of a rollout."""

    provider: str
    paths: Mapping[str, str]
    rollout: Mapping[str, Any]
    state: str = "STABLE"
    weight: int = 0


def spec(version: str, path: str, rollout: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "model": {
            "name": "support-chat",
            "version": version,
            "source": "pvc://models/support-chat/7",
            "architecture": "qwen2.5-7b",
        },
        "engine": {"name": "vllm", "version": "0.33.0"},
        "serving": {"quantization": "awq", "maxModelLen": 8192},
        "accelerator": {"name": "nvidia-l40s"},
        "traffic": {"path": path},
        "rollout": rollout,
    }


def files(case: Case) -> dict[str, bytes]:
    environment = yaml.safe_load(trees.base()[trees.ENVIRONMENT])
    environment["spec"]["accelerators"]["quota"] = 64
    environment["spec"]["monitoring"] = {
        "podMonitor": True,
        "prometheus": {"address": "http://prometheus.monitoring:9090"},
    }
    environment["spec"]["traffic"] = {
        "provider": case.provider,
        "host": "api.example.com",
        **({} if case.provider == "nginx" else {"gateway": {"name": "g", "namespace": "edge"}}),
    }
    found: dict[str, Any] = {trees.ENVIRONMENT: environment}
    for name, path in case.paths.items():
        folder = f"environments/production/platform/{name}"
        head = {"apiVersion": "sluice.dev/v1alpha1", "metadata": {"name": name}}
        new = spec("8", path, case.rollout)
        found[f"{folder}/release.yaml"] = {**head, "kind": "ModelRelease", "spec": new}
        if case.state != "STABLE":
            rollout = {
                "state": case.state,
                "candidate": "8",
                "step": 0,
                "weight": case.weight,
                "stable": {"spec": spec("7", path, case.rollout)},
            }
            found[f"{folder}/rollout.yaml"] = {**head, "kind": "Rollout", "spec": rollout}
    return {path: yaml.safe_dump(data).encode() for path, data in found.items()}


def rendered(case: Case) -> tuple[list[Finding], list[Any]]:
    findings, manifests = trees.outcome(files(case))
    return findings, [yaml.safe_load(raw) for raw in manifests.values()]


def versions_of(objects: Objects) -> dict[str, str]:
    """The release and version that answers behind each Service, by the Service's name."""
    selectors = {}
    for one in of_kind(objects, "Service"):
        wanted = one["spec"]["selector"]
        release, version = wanted["sluice.dev/release"], wanted.get("sluice.dev/version", "8")
        selectors[one["metadata"]["name"]] = f"{release} {version}"
    return selectors


def arrived(objects: Objects, passed: Sequence[Passed]) -> dict[tuple[str, bool], int]:
    """The share that each version gets, by its name and whether it gets copies."""
    names, shares = versions_of(objects), dict[tuple[str, bool], int]()
    for one in passed:
        key = (names[one.backend], one.is_copy)
        shares[key] = shares.get(key, 0) + one.share
    return {key: share for key, share in shares.items() if share}


def asked_for(path: str) -> tuple[str, str]:
    """What a client of a base URL asks for, and as what it must arrive."""
    path = canonical(path)
    return (f"/v1{CHAT}" if path == "/" else path + CHAT), f"/v1{CHAT}"


def moments(provider: str, strategy: str, path: str) -> Iterator[Case]:
    rollout = dict(STEPPED[strategy])
    if strategy == "ab":
        rollout["match"] = MATCH[provider]
    weight = 20 if strategy == "canary" else 0
    yield Case(provider, {"chat": path}, rollout)
    yield Case(provider, {"chat": path}, rollout, "WARMING", 0)
    yield Case(provider, {"chat": path}, rollout, "STEP", weight)
    yield Case(provider, {"chat": path}, rollout, "PROMOTING", 100)
    yield Case(provider, {"chat": path}, rollout, "ROLLING_BACK", 0)


POSSIBLE = [pair for pair in product(ROUTERS, STEPPED) if pair != ("nginx", "shadow")]


@pytest.mark.parametrize(("provider", "strategy"), POSSIBLE)
@settings(max_examples=5)
@given(path=PATHS)
@example("/v1")
@example("/")
@example("//v1/")
@example("/chat/v1")
@example("/Chat.v1~x")
@example("/v1x/v1")
def test_what_a_client_asks_for_arrives_as_the_engine_serves_it(
    provider: str, strategy: str, path: str
) -> None:
    asked, served = asked_for(path)
    for case in moments(provider, strategy, path):
        findings, objects = rendered(case)
        if canonical(path).startswith("/v1/"):
            assert {finding.rule for finding in findings} == {"REF090"}
            return
        assert findings == []
        passed = ROUTERS[provider](objects, Request(asked))
        assert {one.path for one in passed if one.share} == {served}
        expected = {("chat 7", False): 100 - case.weight, ("chat 8", False): case.weight}
        if case.state == "STABLE":
            expected = {("chat 8", False): 100}
        if case.state == "STEP" and strategy == "shadow":
            expected["chat 8", True] = 25
        assert arrived(objects, passed) == {key: n for key, n in expected.items() if n}
        if case.state == "STEP" and strategy == "ab":
            chosen = ROUTERS[provider](objects, Request(asked, CHOSEN[provider]))
            assert {one.path for one in chosen} == {served}
            assert arrived(objects, chosen) == {("chat 8", False): 100}


@pytest.mark.parametrize("provider", ROUTERS)
@settings(max_examples=10)
@given(path=PATHS, more=st.sampled_from("ax1."))
@example("/v1", "x")
@example("/chat/v1", "x")
def test_what_begins_alike_is_another_path(provider: str, path: str, more: str) -> None:
    findings, objects = rendered(
        Case(provider, {"chat": path}, {"strategy": "canary", **STEPPED["canary"]})
    )
    if findings or canonical(path) == "/":
        return
    for other in (canonical(path) + more + CHAT, canonical(path)[:-1] + CHAT):
        assert ROUTERS[provider](objects, Request(other)) == []


@pytest.mark.parametrize("provider", ROUTERS)
@settings(max_examples=25)
@given(st.lists(PATHS, min_size=2, max_size=3), st.randoms(use_true_random=False))
@example(["/chat/v1", "/v1"], None)
@example(["/v1", "/V1"], None)
@example(["/chat", "/chat/v1"], None)
@example(["/chat/v1", "/Chat/v1", "/"], None)
@example(["/a.b", "/a-b", "/a.b/v1"], None)
def test_releases_of_one_host_get_their_own_requests_or_are_refused(
    provider: str,
    paths: list[str],
    order: Any,  # noqa: ANN401  # a source of chance, or none
) -> None:
    names = dict(zip("abc", paths, strict=False))
    findings, objects = rendered(Case(provider, names, STEPPED["canary"]))
    spelled = [canonical(path) for path in paths]
    rules = {finding.rule for finding in findings}
    assert ("REF014" in rules) >= (len(set(spelled)) < len(spelled))
    if findings:
        assert rules <= {"REF014", "REF090"}
        assert rules == {"REF090"} or provider == "istio" or len(set(spelled)) < len(spelled)
        return
    if order:  # which of them were made first
        order.shuffle(objects)
    else:
        objects.reverse()
    for name, path in names.items():
        if canonical(path) == "/" and "/v1" in spelled:
            continue  # what is left for it is no API: the most exact path wins
        asked, served = asked_for(path)
        passed = ROUTERS[provider](objects, Request(asked))
        assert {one.path for one in passed if one.share} == {served}
        assert arrived(objects, passed) == {(f"{name} 8", False): 100}


FLAGGER = list(product(("gateway", "istio"), ("canary", "ab", "shadow")))


@pytest.mark.parametrize(("provider", "strategy"), FLAGGER)
@pytest.mark.parametrize("path", ["/v1", "/chat/v1", "/"])
def test_flagger_makes_routes_that_replace_the_path_too(
    provider: str, strategy: str, path: str
) -> None:
    rollout: dict[str, Any] = {"controller": "flagger", **STEPPED[strategy]}
    rollout.pop("mirror", None)
    rollout["steps"] = [{"weight": 20 if strategy == "canary" else 0, "soak": "20m"}]
    if strategy == "ab":
        rollout["match"] = {"header": {"name": "x-cohort", "value": "next"}}
    findings, objects = rendered(Case(provider, {"chat": path}, rollout))
    assert findings == []
    (canary,) = of_kind(objects, "Canary")
    route = made_by_flagger(canary, 20)
    asked, served = asked_for(path)
    headers = {"x-cohort": "next"} if strategy == "ab" else {}
    passed = ROUTERS[provider]([route], Request(asked, headers))
    assert [(one.backend, one.share, one.path) for one in passed] == [
        ("chat-primary", 80, served),
        ("chat-canary", 20, served),
    ]
    rest = ROUTERS[provider]([route], Request(asked))
    assert rest[0].path == served
    assert ROUTERS[provider]([route], Request("/v1x")) == [] or path == "/"


ADDED = {("gateway", "shadow"), ("istio", "ab"), ("istio", "shadow")}
"""Where Argo Rollouts 1.10 adds a rule that is no copy of ours."""


@pytest.mark.parametrize(("provider", "strategy"), POSSIBLE)
def test_a_controller_that_adds_rules_must_keep_what_replaces_the_path(
    provider: str, strategy: str
) -> None:
    is_copied = (provider, strategy) != ("gateway", "shadow")
    is_kept = (provider, strategy) not in ADDED
    rollout: dict[str, Any] = {"controller": "argo-rollouts", **STEPPED[strategy]}
    rollout["steps"] = [{"weight": 20 if strategy == "canary" else 0, "soak": "20m"}]
    if strategy == "ab":
        rollout["match"] = MATCH[provider]
    for path, is_same in (("/v1", True), ("/chat/v1", False)):
        findings, objects = rendered(Case(provider, {"chat": path}, rollout))
        rules = [] if is_copied else ["REF073"]
        rules += [] if is_same or is_kept else ["REF090"]
        assert sorted(one.rule for one in findings) == rules
        if not findings:
            asked, served = asked_for(path)
            first, *_ = ROUTERS[provider](objects, Request(asked))
            assert (first.backend, first.share, first.path) == ("chat", 100, served)


@pytest.mark.parametrize("provider", ROUTERS)
def test_streams_and_times_stay_where_a_path_is_replaced(provider: str) -> None:
    def without_paths(path: str) -> Any:  # noqa: ANN401  # any YAML
        _, objects = rendered(Case(provider, {"chat": path}, STEPPED["canary"]))
        kinds = {"Ingress", "HTTPRoute", "VirtualService"}
        return [yaml.safe_dump(one).splitlines() for one in objects if one["kind"] in kinds]

    for plain, replaced in zip(without_paths("/v1"), without_paths("/chat/v1"), strict=True):
        gone = {line.strip(" -") for line in plain} - {line.strip(" -") for line in replaced}
        assert all("/v1" in line or "pathType" in line for line in gone), gone
        assert gone


def test_two_engines_that_answer_at_different_paths_have_no_common_route() -> None:
    case = Case("nginx", {"chat": "/chat/v1"}, STEPPED["canary"], "STEP", 20)
    entry = (trees.ROOT / "generator/sluice/catalog/engines/vllm.yaml").read_text("utf-8")
    for old, new in (("name: vllm", "name: other"), ("base: /v1", "base: /api/v1/")):
        assert old in entry
        entry = entry.replace(old, new, 1)
    path = "environments/production/platform/chat/release.yaml"
    tree = {**files(case), "catalog/engines/other.yaml": entry.encode()}
    tree = trees.replaced(tree, path, "name: vllm", "name: other")
    findings, _ = trees.outcome(tree)
    assert [(one.rule, one.place.file) for one in findings] == [("REF090", path)]
    assert "/v1 and at /api/v1" in findings[0].message
    del tree[path.replace("release", "rollout")]
    findings, manifests = trees.outcome(tree)
    assert findings == []
    objects = [yaml.safe_load(raw) for raw in manifests.values()]
    (passed,) = ROUTERS["nginx"](objects, Request(f"/chat/v1{CHAT}"))
    assert passed.path == f"/api/v1{CHAT}"


@pytest.mark.parametrize(
    ("asked", "seen"),
    [
        ("/chat/v1", ("a", "/v1/")),
        ("/chat/v1/", ("a", "/v1/")),
        ("/chat//v1//models", ("a", "/v1/models")),
        ("/chat/v1/chat/v1/x", ("a", "/v1/chat/v1/x")),
        ("/chat/v1x", None),
        ("/Chat/v1/x", None),
        ("/a.b/models", ("b", "/v1/models")),
        ("/axb/models", None),
        ("/v1//models", ("c", "/v1//models")),
        ("/v1x", ("c", "/v1x")),  # a plain path beside expressions is the beginning of one
    ],
)
def test_a_real_nginx_did_the_same(asked: str, seen: tuple[str, str] | None) -> None:
    """Seen on nginx 1.22.1 with the locations that ingress-nginx writes of these Ingresses."""
    paths = {"a": "/chat/v1", "b": "/a.b", "c": "/v1"}
    _, objects = rendered(Case("nginx", paths, STEPPED["canary"]))
    passed = ROUTERS["nginx"](objects, Request(asked))
    names = versions_of(objects)
    got = [(names[one.backend].partition(" ")[0], one.path) for one in passed]
    assert got == ([seen] if seen else [])


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/embeddings"])
def test_what_an_engine_serves_may_be_a_path_of_its_own(path: str) -> None:
    for provider, router in ROUTERS.items():
        findings, objects = rendered(Case(provider, {"chat": path}, STEPPED["canary"]))
        assert findings == []
        (passed, *_) = router(objects, Request(path))
        assert passed.path == path
        assert router(objects, Request("/v1/models")) == []
