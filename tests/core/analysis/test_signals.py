"""The gates of a release as metrics of its engine."""

from collections.abc import Mapping

import pytest

from sluice.core.analysis.counts import Absolute
from sluice.core.analysis.queries import Question, chosen, combined, promql
from sluice.core.analysis.samples import Series
from sluice.core.analysis.signals import CACHE, LOAD, caches, parameters, warm_up, watches
from sluice.core.observation.batches import counts_of, questions
from sluice.core.observation.subject import Earlier, Subject, subject_of
from sluice.core.rollout.file import rollout_of
from sluice.core.specs.records import read_release
from sluice.core.specs.rollout_plan import Step, plan_of
from support import trees

ENGINE = trees.tools().catalog.engine("vllm", "0.33.0")
assert ENGINE is not None


def spec(*gates: dict[str, object], **more: object) -> dict[str, object]:
    return {"rollout": {"analysis": {"gates": list(gates), **more}}}


def test_without_a_word_the_failed_answers_are_judged() -> None:
    assert ENGINE
    (watch,) = watches(read_release({}), ENGINE)
    assert (watch.gate.name, watch.gate.absolute) == ("errors", Absolute(0.005, 0.02))
    assert watch.bad
    assert watch.bad.metric == "http_requests_total"
    assert "5xx" in watch.bad.labels["status"]


def test_an_engine_without_counters_has_nothing_to_pass() -> None:
    silent = trees.tools().catalog.engine("ollama", "")
    assert silent
    assert watches(read_release({}), silent) == ()


def test_a_latency_counts_only_under_matched_load() -> None:
    assert ENGINE
    (watch,) = watches(read_release(spec({"signal": "timeToFirstToken", "above": 2.5})), ENGINE)
    assert watch.gate.matched
    assert (watch.histogram, watch.above) == ("vllm:time_to_first_token_seconds", 2.5)


def test_a_length_may_drift_neither_way() -> None:
    assert ENGINE
    (watch,) = watches(read_release(spec({"signal": "length"})), ENGINE)
    assert watch.gate.two_sided


def test_own_counters_keep_their_labels_and_name() -> None:
    assert ENGINE
    own = {"metric": "app_total", "labels": {"refused": 'a"b'}}
    given = {"signal": "custom", "name": "refusals", "requests": {"metric": "app_total"}}
    (watch,) = watches(read_release(spec({**given, "bad": own, "mode": "observe"})), ENGINE)
    assert watch.bad
    assert (watch.gate.name, watch.gate.observe) == ("refusals", True)
    assert watch.bad.labels == {"refused": ('a"b',)}


@pytest.mark.parametrize(("steps", "expected"), [(1, 2), (3, 4)])
def test_all_of_the_traffic_is_a_step_of_its_own(steps: int, expected: int) -> None:
    given = {"rollout": {"steps": [{"weight": 10 + i, "soak": "1m"} for i in range(steps)]}}
    assert parameters(read_release(given)).steps == expected


def test_a_weight_of_a_hundred_is_what_follows_anyway() -> None:
    """What such a step says counts all the same: the longer time, and that a person ends it."""
    whole = {"weight": 100, "soak": "2h", "maxSoak": "3h", "approval": "manual"}
    steps = [{"weight": 10, "soak": "1m"}, whole]
    plan = plan_of(read_release({"rollout": {"steps": steps, "rollbackWindow": "30m"}}))
    assert [step.weight for step in plan.steps] == [10]
    assert (plan.rollback_window, plan.whole) == (7200, Step(100, 7200, 10800, manual=True))
    longer = plan_of(read_release({"rollout": {"steps": steps, "rollbackWindow": "6h"}}))
    assert longer.rollback_window == 6 * 3600
    assert plan_of(read_release({"rollout": {"steps": steps[:1]}})).whole == Step(100, 0, 24 * 3600)


def test_risks_and_warm_up_come_from_the_release() -> None:
    given = read_release(spec(alpha=0.01, beta=0.2, warmUp="5m"))
    assert (parameters(given).alpha, parameters(given).beta, warm_up(given)) == (0.01, 0.2, 300)
    assert warm_up(read_release({})) == 120


BEGIN, NOW = 1_795_200_000, 1_795_201_000


def on_an_engine(files: Mapping[str, bytes], engine: str, version: str) -> dict[str, bytes]:
    """The same files with both versions on another engine."""
    words = {b"name: vllm": f"name: {engine}", b"version: 0.33.0": f"version: {version}"}
    for old, new in words.items():
        files = {path: raw.replace(old, new.encode()) for path, raw in files.items()}
    return dict(files)


def behind_a_gateway_that_counts(engine: str, version: str) -> Subject:
    """A rollout whose route is of a provider that counts requests too."""
    files = trees.case(trees.CASES / "valid" / "strategy-ab-by-cookie-of-istio")
    files = on_an_engine(files, engine, version)
    workspace = trees.workspace_of(files)
    assert workspace.check() == []
    (release,) = workspace.specs.releases.values()
    assert release.rollout
    rollout = rollout_of(release.spec, release.rollout.data["spec"])
    found = subject_of(release, rollout, trees.tools().catalog, (BEGIN, NOW), Earlier())
    assert found
    return found


def test_what_the_engine_does_not_count_the_gateway_does() -> None:
    every = list(questions(behind_a_gateway_that_counts("sglang", "0.5.23")))
    asked = [q for q in every if not q.metric.startswith("sglang:e2e_request_latency")]
    assert {question.metric for question in asked} == {"istio_requests_total"}
    services = {question.labels["destination_service_name"] for question in asked}
    assert services == {("chat-v6",), ("chat-v7",)}
    for question in asked:
        assert question.labels["destination_service_namespace"] == ("models",)
        assert question.labels["reporter"] == ("source",)
        assert "sluice_dev_release" not in question.labels


def asked_at(case: str, *changes: tuple[str, str, str]) -> dict[str, dict[str, tuple[str, ...]]]:
    """The labels of the bad answers that are asked for, of each version."""
    files = on_an_engine(trees.case(trees.CASES / "valid" / case), "sglang", "0.5.23")
    for path, old, new in changes:
        files = trees.replaced(files, path, old, new)
    (release,) = trees.workspace_of(files).specs.releases.values()
    assert trees.workspace_of(files).check() == []
    assert release.rollout
    rollout = rollout_of(release.spec, release.rollout.data["spec"])
    found = subject_of(release, rollout, trees.tools().catalog, (BEGIN, NOW), Earlier())
    assert found
    asked = {}
    for name, arm in (("candidate", found.candidate), ("stable", found.stable)):
        (watch,) = arm.watches.values()
        assert watch.bad
        asked[name] = {**watch.bad.labels, **arm.counted(watch), "__name__": (watch.bad.metric,)}
    return asked


def test_nginx_only_the_name_of_the_other_upstream_tells_versions_apart() -> None:
    asked = asked_at("strategy-ab-by-cookie-of-nginx")
    for labels in asked.values():
        assert labels["__name__"] == ("nginx_ingress_controller_requests",)
        assert (labels["ingress"], labels["host"]) == (("chat",), ("api.example.com",))
        assert "service" not in labels  # it is the main Ingress's for both
        assert {"5xx", "500", "503"} <= set(labels["status"])
    assert asked["stable"]["canary"] == ("",)
    assert asked["candidate"]["canary"] == ("models-chat-v7-http",)


@pytest.mark.parametrize(
    ("gateway", "stable", "candidate"),
    [
        ("kgateway", "kube_models_chat-v6_80", "kube_models_chat-v7_80"),
        ("contour", "models_chat-v6_80", "models_chat-v7_80"),
        ("istio", "chat-v6", "chat-v7"),
    ],
)
def test_whoever_implements_the_gateway_api_counts_by_service(
    gateway: str, stable: str, candidate: str
) -> None:
    named = f"  monitoring:\n    gateway: {gateway}\n"
    change = (trees.ENVIRONMENT, "  monitoring:\n", named)
    asked = asked_at("strategy-ab-by-header-of-the-gateway-api", change)
    for role, service in (("stable", stable), ("candidate", candidate)):
        told = asked[role].get("envoy_cluster_name") or asked[role]["destination_service_name"]
        assert told == (service,)


def test_a_combined_query_of_both_versions_gives_each_its_own_series() -> None:
    watched = behind_a_gateway_that_counts("sglang", "0.5.23")
    asked = [q.metric for q in combined(questions(watched))]
    assert asked.count("istio_requests_total") == 2  # all of them, and by the code of the answer
    one = Question("requests", {"canary": ("",)})
    other = Question("requests", {"canary": ("models-chat-v7-http",)})
    (both,) = combined([one, other])
    assert promql(both, 60) == 'requests{canary=~"|models-chat-v7-http"}[60s]'
    series: list[Series] = [({"__name__": "requests"}, []), ({"canary": "models-chat-v7-http"}, [])]
    assert chosen(one, series) == series[:1]
    assert chosen(other, series) == series[1:]


def test_an_engine_that_counts_failures_is_asked_itself() -> None:
    asked = list(questions(behind_a_gateway_that_counts("vllm", "0.33.0")))
    engine = [q for q in asked if q.metric == "http_requests_total"]
    assert any("5xx" in q.labels.get("status", ()) for q in engine)
    assert {q.metric for q in asked} == {"http_requests_total", "istio_requests_total"}


def test_a_gateway_that_begins_anew_is_no_restart_of_the_candidate() -> None:
    subject = behind_a_gateway_that_counts("sglang", "0.5.23")
    times = range(BEGIN, NOW, 15)
    values = [float(i % 20) for i, _ in enumerate(times)]

    def answers(question: Question) -> list[Series]:
        labels = {name: each[0] for name, each in question.labels.items()}
        named = {"__name__": question.metric, "pod": "gateway-0", **labels}
        named.setdefault("response_code", "200")
        if not question.metric.startswith("istio_"):
            return []
        return [(named, list(zip(map(float, times), values, strict=True)))]

    counts = counts_of(subject, answers, NOW)
    errors = counts.gates[0]
    assert counts.restarts == 0
    assert errors.batches
    assert all(0 <= c.bad <= c.requests for b in errors.batches for c in b.candidate)


def test_where_no_prefix_is_kept_the_hits_of_the_cache_need_no_comparison() -> None:
    kept = {"serving": {"prefixCaching": True}}
    assert [
        caches(read_release(given)) for given in ({}, kept, {"serving": {"prefixCaching": False}})
    ] == [
        True,
        True,
        False,
    ]


def test_engines_that_tell_load_and_hits_can_have_their_latency_judged() -> None:
    for name, version in (("vllm", "0.33.0"), ("sglang", "0.5.23")):
        engine = trees.tools().catalog.engine(name, version)
        assert engine
        assert {LOAD, *CACHE} <= engine.metrics.keys()
