"""Random rollouts through all states, of every strategy on every provider: what routes promise."""

import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise, product
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import pytest
import yaml

from sluice.core.takeover.strategy import STRATEGIES
from support import trees

ROUTED = ("canary", "ab", "shadow", "blue-green")
PROVIDERS = ("nginx", "gateway", "istio")
HIDDEN = ("WARMING", "ROLLING_BACK", "ROLLED_BACK")
NGINX = "nginx.ingress.kubernetes.io/"
PATHS = {"httproute", "virtualservice", "ingress"}
ONE_VERSION = ("WARMING", "FINALIZING", "ROLLED_BACK")
"""States in which the other version comes, or is about to go."""
STEPPING = ("STEP", "GATED", "INCONCLUSIVE", "FROZEN", "PAUSED")


class Rule(NamedTuple):
    """What a route does with requests, in the order in which the router looks."""

    chosen: str
    shares: Mapping[str, int]
    copied: str


class Shape(NamedTuple):
    """A release with its rollout, as a person may write it."""

    provider: str
    strategy: str
    name: str
    versions: tuple[str, str]
    match: Mapping[str, Any]
    pool: bool
    weights: tuple[int, ...]


def shape(provider: str, strategy: str, source: random.Random) -> Shape:
    kind = source.choice(("header", "cookie"))
    value = source.choice(("always", "next", "v1.2"))
    asked = {kind: {"name": source.choice(("x-model-release", "X-Cohort")), "value": value}}
    wants = strategy == "ab" or (strategy == "canary" and source.random() < 0.5)
    versions = source.sample(("7", "8", "2026-11-20", "A_long." + "b" * 40, "V2.Final", "1.0.0"), 2)
    weights = sorted(source.sample(range(1, 100), source.randint(1, 3)))
    return Shape(
        provider,
        strategy,
        source.choice(("chat", "c", "c" + "h" * 46 + "t")),
        (versions[0], versions[1]),
        asked if wants else {},
        provider == "gateway" and source.random() < 0.3,
        tuple(weights) if strategy == "canary" else (0,),
    )


def plain(provider: str, strategy: str) -> Shape:
    weights = (10, 50) if strategy == "canary" else (0,)
    return Shape(provider, strategy, "chat", ("7", "8"), {}, False, weights)


def step_of(weight: int) -> dict[str, Any]:
    """Where no request reaches the candidate only a person can say that it is good."""
    return {"weight": weight, "soak": "10m", **({} if weight else {"approval": "manual"})}


def spec(made: Shape, version: str) -> dict[str, Any]:
    steps = [step_of(weight) for weight in made.weights]
    rollout = {"strategy": made.strategy, "steps": steps}
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
        "rollout": rollout | ({"match": made.match} if made.match else {}),
        **({"traffic": {"pool": {}}} if made.pool else {}),
    }


def environment(made: Shape) -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load(trees.base()[trees.ENVIRONMENT])
    gateway = {"gateway": {"name": "public", "namespace": "gateways"}}
    data["spec"]["traffic"] = {
        "provider": made.provider,
        "host": "api.example.com",
        **(gateway if made.provider != "nginx" else {}),
    }
    return data


def tree(made: Shape, state: str, weight: int, step: int = 0) -> dict[str, bytes]:
    old, new = made.versions
    head = {"apiVersion": "sluice.dev/v1alpha1", "metadata": {"name": made.name}}
    release = {**head, "kind": "ModelRelease", "spec": spec(made, new)}
    rollout = {
        **head,
        "kind": "Rollout",
        "spec": {
            "state": state,
            "candidate": new,
            "step": step,
            "weight": weight,
            "stable": {"spec": spec(made, old)},
        },
    }
    folder = f"environments/production/platform/{made.name}"
    files = {
        trees.ENVIRONMENT: environment(made),
        f"{folder}/release.yaml": release,
        **({f"{folder}/rollout.yaml": rollout} if state != "STABLE" else {}),
    }
    return {path: yaml.safe_dump(data).encode() for path, data in files.items()}


def rendered(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Manifests of the release itself, by the name of their file."""
    findings, manifests = trees.outcome(files)
    assert findings == []
    own = {p: raw for p, raw in manifests.items() if "/platform/" in p and "_argocd" not in p}
    return {PurePosixPath(path).stem: raw for path, raw in own.items()}


def ingress_rules(objects: Mapping[str, Any]) -> Iterator[Rule]:
    def backend(data: Mapping[str, Any]) -> str:
        (rule,) = data["spec"]["rules"]
        (path,) = rule["http"]["paths"]
        return str(path["backend"]["service"]["name"])

    main, other = objects["ingress"], objects.get("ingress-canary")
    assert not any("canary" in key for key in main["metadata"]["annotations"])
    if other is None:
        yield Rule("", {backend(main): 100}, "")
        return
    assert main["spec"]["rules"][0]["host"] == other["spec"]["rules"][0]["host"]
    paths = [each["spec"]["rules"][0]["http"]["paths"][0] for each in (main, other)]
    assert paths[0]["path"] == paths[1]["path"]
    told = {k.removeprefix(NGINX): v for k, v in other["metadata"]["annotations"].items()}
    assert told["canary"] == "true"
    assert isinstance(told["canary-weight"], str)
    assert "canary-weight-total" not in told  # below 100 it would be passed over in silence
    if "canary-by-header" in told:
        assert told["canary-by-header-value"]
        yield Rule(told["canary-by-header"], {backend(other): 100}, "")
    if "canary-by-cookie" in told:
        yield Rule("cookie", {backend(other): 100}, "")
    weight = int(told["canary-weight"])
    yield Rule("", {backend(main): 100 - weight, backend(other): weight}, "")


def gateway_rules(objects: Mapping[str, Any]) -> Iterator[Rule]:
    for rule in objects["httproute"]["spec"]["rules"]:
        (match,) = rule["matches"]
        assert match["path"] == {"type": "PathPrefix", "value": "/v1"}
        (header,) = match.get("headers", [{"name": "", "type": "Exact"}])
        assert header["type"] == "Exact"
        shares = {b["name"]: b["weight"] for b in rule["backendRefs"]}
        assert len(shares) == len(rule["backendRefs"])
        copies = [f["requestMirror"]["backendRef"]["name"] for f in rule.get("filters", ())]
        yield Rule(header["name"], shares, "".join(copies))


def mesh_rules(objects: Mapping[str, Any]) -> Iterator[Rule]:
    rules = objects["virtualservice"]["spec"]["http"]
    chosen = ["headers" in rule["match"][0] for rule in rules]
    assert chosen == sorted(chosen, reverse=True), "the first rule that matches wins"
    for rule in rules:
        matches = rule["match"]
        assert [match["uri"] for match in matches] == [{"exact": "/v1"}, {"prefix": "/v1/"}]
        ((header,),) = {tuple(match.get("headers", {"": {}})) for match in matches}
        assert header == header.lower()
        shares = {r["destination"]["host"]: r["weight"] for r in rule["route"]}
        assert ("mirror" in rule) == ("mirrorPercentage" in rule)
        yield Rule(header, shares, rule.get("mirror", {}).get("host", ""))


RULES = {"nginx": ingress_rules, "gateway": gateway_rules, "istio": mesh_rules}


def states(made: Shape, stepping: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """A rollout from its beginning to its end, with everything that may come in between."""
    yield "WARMING", 0, 0
    for step, weight in enumerate(made.weights):
        for state in stepping:
            yield state, weight, step
    yield "PROMOTING", 100, len(made.weights) - 1
    yield "FINALIZING", 100, len(made.weights) - 1
    yield "ROLLING_BACK", 0, 0
    yield "ROLLED_BACK", 0, 0


def service_of(made: Shape, objects: Mapping[str, Any], version: str) -> str:
    """The Service of one version: the one beside its Deployment."""
    (name,) = {
        data["metadata"]["name"]
        for data in objects.values()
        if data["kind"] == "Deployment"
        and data["metadata"]["annotations"]["sluice.dev/model-version"] == version
    }
    assert name != made.name
    return str(name)


def check_routes(made: Shape, state: str, weight: int, manifests: Mapping[str, bytes]) -> None:
    objects = {name: yaml.safe_load(raw) for name, raw in manifests.items()}
    services = {o["metadata"]["name"]: o for o in objects.values() if o["kind"] == "Service"}
    pools = {o["metadata"]["name"] for o in objects.values() if o["kind"] == "InferencePool"}
    stable, candidate = (service_of(made, objects, version) for version in made.versions)
    assert services.keys() == {made.name, stable, candidate}
    leads = services[candidate if state == "FINALIZING" else stable]["spec"]["selector"]
    assert services[made.name]["spec"]["selector"] == leads
    rules = list(RULES[made.provider](objects))
    for rule in rules:
        assert sum(rule.shares.values()) == 100
        assert rule.shares.keys() <= (pools if made.pool else services.keys())
        if rule.chosen:
            assert rule.shares == {candidate: 100}
    everyone = rules[-1]
    if state in ONE_VERSION:
        assert everyone.shares == {candidate if weight else stable: 100}
    else:
        assert everyone.shares == {stable: 100 - weight, candidate: weight}
    shown = state in ("STEP", "GATED", "INCONCLUSIVE", "FROZEN")
    assert bool(everyone.copied) == (shown and made.strategy == "shadow")
    assert (len(rules) > 1) == (shown and bool(made.match))
    if state in HIDDEN:
        assert weight == 0


def check_arms(made: Shape, manifests: Mapping[str, bytes]) -> None:
    objects = [yaml.safe_load(raw) for raw in manifests.values()]
    assert all(len(each["metadata"]["name"]) <= 63 for each in objects)
    pods = {
        each["metadata"]["name"]: each["spec"]["template"]["metadata"]["labels"]
        for each in objects
        if each["kind"] == "Deployment"
    }
    assert len(pods) == 2
    selectors = [each["spec"]["selector"] for each in objects if each["kind"] == "Service"]
    selectors += [e["spec"]["selector"]["matchLabels"] for e in objects if "Pool" in e["kind"]]
    for selector in selectors:
        assert "sluice.dev/version" in selector
        assert sum(selector.items() <= labels.items() for labels in pods.values()) == 1


EVERY = pytest.mark.parametrize(("provider", "strategy"), list(product(PROVIDERS, ROUTED)))


@EVERY
def test_a_rollout_only_moves_routes_and_never_to_what_is_not_ready(
    provider: str, strategy: str
) -> None:
    source = random.Random(f"{provider} {strategy}")  # noqa: S311  # the same every time
    check(shape(provider, strategy, source), source.sample(STEPPING, 2))


@pytest.mark.slow
@EVERY
def test_so_do_many(provider: str, strategy: str) -> None:
    source = random.Random(f"many {provider} {strategy}")  # noqa: S311  # the same every time
    for _ in range(15):
        check(shape(provider, strategy, source), STEPPING)


def check(made: Shape, stepping: Sequence[str]) -> None:
    if not is_possible(made):
        findings, _ = trees.outcome(tree(made, "STABLE", 0))
        assert {finding.rule for finding in findings} == {"REF071"}
        assert all(finding.help for finding in findings)
        return
    history = [(at, rendered(tree(made, *at))) for at in states(made, stepping)]
    for (state, weight, _), manifests in history:
        check_routes(made, state, weight, manifests)
        check_arms(made, manifests)
    for (_, old), (_, new) in pairwise(history):
        changed = {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}
        others = {name for name in changed if name.split("-")[0] not in PATHS}
        assert others <= {"service"}, "but for the name by which clients in the cluster ask"
    for name, raw in rendered(tree(made, "STABLE", 0)).items():
        if name.startswith("deployment"):
            assert history[0][1][name] == raw  # the end of a rollout reloads no weights


def is_possible(made: Shape) -> bool:
    refused = trees.tools().records.providers[made.provider].refuses
    if any(word in refused for word in (STRATEGIES[made.strategy].shown, *made.match)):
        return False
    cookie = made.match.get("cookie", {"value": "always"})
    return made.provider != "nginx" or cookie["value"] == "always"


@pytest.mark.parametrize("state", ["WARMING", "ROLLING_BACK", "ROLLED_BACK"])
def test_a_share_before_readiness_is_refused_even_by_hand(state: str) -> None:
    made = plain("gateway", "canary")
    findings, _ = trees.outcome(tree(made, state, 30))
    assert [finding.rule for finding in findings] == ["REF008"]
    assert "30 %" in findings[0].message


def test_all_or_nothing_is_never_a_part() -> None:
    made = plain("istio", "blue-green")
    findings, _ = trees.outcome(tree(made, "STEP", 30))
    assert [finding.rule for finding in findings] == ["REF008"]
