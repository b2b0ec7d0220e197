"""What routes that are read from a cluster give a candidate, for each traffic provider."""

import math
from typing import Any

import pytest

from sluice.core.observation.live_routes import LiveRoutes, live_routes
from support import reference, trees

PROVIDERS = trees.tools().records.providers
CANDIDATE = "chat-v8"
STABLE = ("chat", "chat-v7")
RULE: dict[str, Any] = {"matches": [{"path": {"type": "PathPrefix", "value": "/v1"}}]}
BY_HEADER = {
    "matches": [{"headers": [{"name": "x-canary", "value": "always"}]}],
    "backendRefs": [{"name": CANDIDATE, "port": 80, "weight": 100}],
}


def weights(provider: str, *objects: dict[str, Any]) -> LiveRoutes:
    named = {each["metadata"]["name"]: each for each in objects}
    return live_routes(PROVIDERS[provider], named, "chat", CANDIDATE, STABLE)


def http_route(*rules: dict[str, Any], **more: Any) -> dict[str, Any]:  # noqa: ANN401  # fields
    return {"metadata": {"name": "chat"}, "spec": {"rules": list(rules)}, **more}


def split(stable: object, candidate: object, name: str = "chat-v7") -> dict[str, Any]:
    backends = [{"name": name, "weight": stable}, {"name": CANDIDATE, "weight": candidate}]
    return {**RULE, "backendRefs": backends}


def virtual_service(*routes: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": "chat"}, "spec": {"http": list(routes)}}


def to(host: str, **more: int) -> dict[str, Any]:
    return {"destination": {"host": host, "port": {"number": 80}}, **more}


def ingress(name: str, service: str, **notes: str) -> dict[str, Any]:
    prefix = "nginx.ingress.kubernetes.io/"
    backend = {"service": {"name": service, "port": {"name": "http"}}}
    return {
        "metadata": {
            "name": name,
            "annotations": {f"{prefix}{k.replace('_', '-')}": v for k, v in notes.items()},
        },
        "spec": {"rules": [{"http": {"paths": [{"path": "/v1", "backend": backend}]}}]},
    }


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([split(90, 10)], (10,)),
        ([split(90, 10, "chat")], (10,)),
        ([split(9, 1)], (10,)),
        ([split(100, 0)], (0,)),
        ([split(0, 100)], (100,)),
        ([split(0, 0)], ()),
        ([split("many", 10)], ()),
        ([{**RULE, "backendRefs": [{"name": CANDIDATE}]}], (100,)),
        ([{**RULE, "backendRefs": [{"name": "chat-v7"}]}], (0,)),
        ([{"backendRefs": [{"name": CANDIDATE}, {"name": "chat-v7"}]}], (50,)),
        ([BY_HEADER, split(100, 0)], (0,)),
        ([split(100, 0), split(90, 10)], (0, 10)),
    ],
)
def test_an_http_route(rules: list[dict[str, Any]], expected: tuple[int, ...]) -> None:
    assert weights("gateway", http_route(*rules)) == LiveRoutes(expected)


THIRD = {"name": "chat-v6", "weight": 60}


@pytest.mark.parametrize(
    ("provider", "objects", "expected"),
    [
        ("gateway", [http_route({"backendRefs": [*split(40, 0)["backendRefs"], THIRD]})], 0),
        ("gateway", [http_route({"backendRefs": [{"name": "chat-v6"}]})], 0),
        ("gateway", [http_route(split(90, 10, "chat-v6"))], 10),
        ("istio", [virtual_service({"route": [to("chat-v6.models.svc.cluster.local")]})], 0),
        ("nginx", [ingress("chat", "chat-v6")], 0),
        (
            "nginx",
            [
                ingress("chat", "chat-v7"),
                ingress("chat-canary", "chat-v6", canary="true", canary_weight="10"),
            ],
            0,
        ),
    ],
)
def test_requests_for_neither_version_are_told_beside_the_weight(
    provider: str, objects: list[dict[str, Any]], expected: int
) -> None:
    assert weights(provider, *objects) == LiveRoutes((expected,), astray=("chat-v6",))


def test_a_service_without_weight_gets_nothing() -> None:
    idle = http_route({"backendRefs": [*split(90, 10)["backendRefs"], {**THIRD, "weight": 0}]})
    assert weights("gateway", idle) == LiveRoutes((10,))
    off = ingress("chat-canary", "chat-v6", canary="true", canary_weight="0")
    assert weights("nginx", ingress("chat", "chat-v7"), off) == LiveRoutes((0,))


def test_a_pool_of_inference_replicas_is_a_backend_like_others() -> None:
    pool = {"group": "inference.networking.k8s.io", "kind": "InferencePool"}
    backends = [
        {**pool, "name": "chat-v7", "weight": 75},
        {**pool, "name": CANDIDATE, "weight": 25},
    ]
    assert weights("gateway", http_route({"backendRefs": backends})).weights == (25,)


@pytest.mark.parametrize("kind", ["Accepted", "ResolvedRefs"])
def test_a_route_that_no_gateway_takes_is_told(kind: str) -> None:
    said = {"type": kind, "status": "False", "reason": "NoMatchingParent", "message": "no listener"}
    good = {"type": "Accepted", "status": "True", "reason": "Accepted", "message": ""}
    parents = [{"conditions": [good]}, {"conditions": [said]}]
    seen = weights("gateway", http_route(split(90, 10), status={"parents": parents}))
    assert seen == LiveRoutes((10,), "the gateway does not take the route: no listener")
    taken = http_route(split(90, 10), status={"parents": parents[:1]})
    assert weights("gateway", taken) == LiveRoutes((10,))


@pytest.mark.parametrize(
    ("routes", "expected"),
    [
        ([[to("chat-v7", weight=90), to(CANDIDATE, weight=10)]], (10,)),
        ([[to("chat-v7", weight=100), to(CANDIDATE, weight=0)]], (0,)),
        ([[to("chat-v7", weight=100), to(CANDIDATE)]], (0,)),
        ([[to(f"{CANDIDATE}.ai-inference.svc.cluster.local")]], (100,)),
        ([[to("chat-v7")]], (0,)),
        ([[to("chat-v7", weight=90), to(CANDIDATE, weight=10)], [to("chat-v7")]], (0, 10)),
    ],
)
def test_a_virtual_service(routes: list[list[dict[str, Any]]], expected: tuple[int, ...]) -> None:
    chosen = {"match": [{"headers": {"x-canary": {"exact": "1"}}}], "route": [to(CANDIDATE)]}
    service = virtual_service(chosen, *({"route": route} for route in routes))
    assert weights("istio", service) == LiveRoutes(expected)


@pytest.mark.parametrize(
    ("main", "notes", "expected"),
    [
        ("chat-v7", {"canary": "true", "canary_weight": "10"}, (10,)),
        ("chat-v7", {"canary": "true", "canary_weight": "1", "canary_weight_total": "50"}, (2,)),
        ("chat-v7", {"canary": "true"}, (0,)),
        ("chat-v7", {"canary": "false", "canary_weight": "10"}, (0,)),
        ("chat-v7", {"canary": "true", "canary_weight": "much"}, ()),
        ("chat-v7", {"canary": "true", "canary_weight": "1", "canary_weight_total": "0"}, ()),
        ("chat-v7", {"canary": "true", "canary_weight": "200"}, (100,)),
        (CANDIDATE, {"canary": "true", "canary_weight": "10"}, (100,)),
        ("chat-v7", None, (0,)),
        (CANDIDATE, None, (100,)),
    ],
)
def test_ingresses(main: str, notes: dict[str, str] | None, expected: tuple[int, ...]) -> None:
    second = [] if notes is None else [ingress("chat-canary", CANDIDATE, **notes)]
    assert weights("nginx", ingress("chat", main), *second) == LiveRoutes(expected)


def test_a_second_ingress_to_the_stable_version_takes_from_the_candidate() -> None:
    second = ingress("chat-canary", "chat-v7", canary="true", canary_weight="30")
    assert weights("nginx", ingress("chat", CANDIDATE), second).weights == (70,)


@pytest.mark.parametrize("provider", ["gateway", "istio", "nginx"])
def test_a_route_that_is_not_there_is_told(provider: str) -> None:
    assert weights(provider) == LiveRoutes((), "the cluster has no route chat")


@pytest.mark.parametrize("provider", ["gateway", "istio"])
@pytest.mark.parametrize("spec", [None, {}, {"rules": None, "http": None}, {"rules": ["?"]}])
def test_a_route_without_rules_leads_nowhere(provider: str, spec: object) -> None:
    seen = weights(provider, {"metadata": {"name": "chat"}, "spec": spec})
    assert seen == LiveRoutes((), "the route chat leads nowhere")


ODD = [None, "x", 7, True, [], [None], {"a": 1}]
"""What a file may have where an object is to be."""


@pytest.mark.parametrize("odd", ODD)
def test_what_is_no_route_has_no_weight_and_ends_nothing(odd: Any) -> None:  # noqa: ANN401  # any
    destination = {"destination": odd, "weight": 10}
    assert weights("istio", virtual_service({"route": [destination, to("chat-v7", weight=90)]}))
    for backend in (odd, {"service": odd}):
        main = ingress("chat", "chat-v7")
        main["spec"]["rules"][0]["http"]["paths"][0]["backend"] = backend
        assert weights("nginx", main) == LiveRoutes((0,))
    second = ingress("chat-canary", CANDIDATE, canary="true")
    second["metadata"]["annotations"] = odd
    assert weights("nginx", ingress("chat", "chat-v7"), second) == LiveRoutes((0,))


@pytest.mark.parametrize("odd", [None, [], {}, math.inf])
def test_a_weight_that_is_no_number_is_not_known(odd: Any) -> None:  # noqa: ANN401  # any
    second = ingress("chat-canary", CANDIDATE, canary="true", canary_weight=odd)
    assert weights("nginx", ingress("chat", "chat-v7"), second) == LiveRoutes(())
    assert weights("gateway", http_route(split(odd, 10))) == LiveRoutes(())


def test_of_several_weights_the_one_counts_that_is_farthest_from_git() -> None:
    assert LiveRoutes((0, 10)).farthest(0) == 10
    assert LiveRoutes((50, 100)).farthest(100) == 50
    assert LiveRoutes(()).farthest(0) is None


KINDS = {"gateway": "HTTPRoute", "istio": "VirtualService", "nginx": "Ingress"}
STANDINGS = [
    ("WARMING", 0),
    ("STEP", 10),
    ("PAUSED", 10),
    ("PROMOTING", 100),
    ("FINALIZING", 100),
    ("ROLLING_BACK", 0),
    ("ROLLED_BACK", 0),
]


@pytest.mark.parametrize("provider", sorted(KINDS))
@pytest.mark.parametrize(("state", "weight"), STANDINGS)
@pytest.mark.parametrize("path", ["/v1", "/chat/v1"])
def test_what_is_rendered_is_read_as_what_git_says(
    provider: str, state: str, weight: int, path: str
) -> None:
    """Whatever routes look like, the weight that is read of them is the one they were made of."""
    named = "className: nginx" if provider == "nginx" else "gateway: {name: a, namespace: b}"
    changes = {
        reference.ENVIRONMENT: {
            "provider: nginx\n    className: nginx": f"provider: {provider}\n    {named}"
        },
        reference.RELEASE: {"path: /v1": f"path: {path}"},
        reference.ROLLOUT: {
            "state: STEP": f"state: {state}",
            "  step: 0\n  weight: 10": f"  step: 0\n  weight: {weight}",
        },
    }
    manifests = reference.workspace(changes).render()
    objects = {
        manifest.data["metadata"]["name"]: manifest.data
        for manifest in manifests.values()
        if manifest.data["kind"] == KINDS[provider]
        and manifest.data["metadata"]["namespace"] == "ai-inference"
    }
    stable = ("chat", "chat-v1")
    found = live_routes(PROVIDERS[provider], objects, "chat", "chat-v2", stable)
    assert found == LiveRoutes((weight,))
