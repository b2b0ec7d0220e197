"""The gates of a release as metrics of its engine."""

import pytest

from core import trees
from sluice.core.analysis import parameters, warm_up, watches
from sluice.core.counts import Absolute
from sluice.core.rollout_file import plan_of

ENGINE = trees.tools().catalog.engine("vllm", "0.33.0")
assert ENGINE is not None


def spec(*gates: dict[str, object], **more: object) -> dict[str, object]:
    return {"rollout": {"analysis": {"gates": list(gates), **more}}}


def test_without_a_word_the_failed_answers_are_judged() -> None:
    assert ENGINE
    (watch,) = watches({}, ENGINE)
    assert (watch.gate.name, watch.gate.absolute) == ("errors", Absolute(0.005, 0.02))
    assert watch.bad
    assert watch.bad.metric == "http_requests_total"
    assert "5xx" in watch.bad.labels["status"]


def test_an_engine_without_counters_has_nothing_to_pass() -> None:
    silent = trees.tools().catalog.engine("ollama", "")
    assert silent
    assert watches({}, silent) == ()


def test_a_latency_counts_only_under_matched_load() -> None:
    assert ENGINE
    (watch,) = watches(spec({"signal": "timeToFirstToken", "above": 2.5}), ENGINE)
    assert watch.gate.matched
    assert (watch.histogram, watch.above) == ("vllm:time_to_first_token_seconds", 2.5)


def test_a_length_may_drift_neither_way() -> None:
    assert ENGINE
    (watch,) = watches(spec({"signal": "length"}), ENGINE)
    assert watch.gate.two_sided


def test_own_counters_keep_their_labels_and_name() -> None:
    assert ENGINE
    own = {"metric": "app_total", "labels": {"refused": 'a"b'}}
    given = {"signal": "custom", "name": "refusals", "requests": {"metric": "app_total"}}
    (watch,) = watches(spec({**given, "bad": own, "mode": "observe"}), ENGINE)
    assert watch.bad
    assert (watch.gate.name, watch.gate.observe) == ("refusals", True)
    assert watch.bad.labels == {"refused": ('a"b',)}


@pytest.mark.parametrize(("steps", "expected"), [(1, 2), (3, 4)])
def test_all_of_the_traffic_is_a_step_of_its_own(steps: int, expected: int) -> None:
    given = {"rollout": {"steps": [{"weight": 10 + i, "soak": "1m"} for i in range(steps)]}}
    assert parameters(given).steps == expected


def test_a_weight_of_a_hundred_is_what_follows_anyway() -> None:
    weights = [{"weight": 10, "soak": "1m"}, {"weight": 100, "soak": "1m"}]
    assert [step.weight for step in plan_of({"rollout": {"steps": weights}}).steps] == [10]


def test_risks_and_warm_up_come_from_the_release() -> None:
    given = spec(alpha=0.01, beta=0.2, warmUp="5m")
    assert (parameters(given).alpha, parameters(given).beta, warm_up(given)) == (0.01, 0.2, 300)
    assert warm_up({}) == 120
