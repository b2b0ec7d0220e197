"""Rollouts that are held or paused by what is seen beside their gates."""

from pathlib import Path

import pytest

from support.loop import KEY
from support.stage import ROLLOUT, Stage


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    ready = Stage(tmp_path)
    ready.begin()
    ready.run(30, until="STEP")
    return ready


@pytest.mark.parametrize(
    ("metric", "value"), [("vllm:num_requests_waiting", 40.0), ("vllm:kv_cache_usage_perc", 0.99)]
)
def test_a_guard_that_stays_on_takes_the_weight_away_until_a_person_resumes(
    stage: Stage, metric: str, value: float
) -> None:
    stage.metrics.gauges[metric, "2"] = value
    stage.run(8)
    assert stage.state() == ("PAUSED", 0)
    assert stage.quarantine() == []
    before = stage.commits()
    stage.run(5)
    assert stage.commits() == before


def test_requests_that_contradict_the_weight_hold_it(stage: Stage) -> None:
    stage.routed = 60
    before = stage.commits()
    stage.run(30)
    assert (stage.state(), stage.commits()) == (("STEP", 10), before)
    assert "the candidate got 60.0% of the last" in stage.log[-1]
    stage.routed = None
    stage.run(30, until="PROMOTING")
    assert stage.state() == ("PROMOTING", 100)


@pytest.mark.parametrize("known", [True, False])
def test_a_candidate_that_answers_nobody_loses_its_weight(stage: Stage, *, known: bool) -> None:
    """Whether its counters stand still, or were never there."""
    if not known:
        stage.metrics.hidden.add("2")
    stage.routed = 0
    stage.run(25, until="PAUSED")
    assert (stage.state(), stage.quarantine()) == (("PAUSED", 0), [])
    assert "the candidate answered 0 of the last" in str(stage.log[-1])


def test_a_sick_release_is_judged_all_the_same(stage: Stage) -> None:
    """An autoscaler that is unwell, or pods that crash, hide nothing."""
    stage.cluster.health = "Degraded"
    stage.cluster.resources = {"Deployment/chat-v2": "Healthy", "Deployment/chat-v1": "Healthy"}
    stage.metrics.errors["2"] = 0.03
    stage.run(40, until="ROLLING_BACK")
    assert stage.state() == ("ROLLING_BACK", 0)


def test_refusals_of_the_candidate_alone_lead_back(stage: Stage) -> None:
    stage.metrics.refused["2"] = 0.02
    stage.run(40, until="ROLLING_BACK")
    assert stage.state() == ("ROLLING_BACK", 0)
    assert "refusals: any" in str(stage.log)


def test_refusals_of_both_versions_lead_on(stage: Stage) -> None:
    stage.metrics.refused |= {"1": 0.02, "2": 0.02}
    stage.run(40, until="PROMOTING")
    assert stage.state() == ("PROMOTING", 100)


def test_refusals_that_begin_with_everything_are_given_to_both_versions_again(
    stage: Stage,
) -> None:
    """No step before had any, so that none were kept; then it is seen whose they are."""
    stage.run(60, until="PROMOTING")
    stage.metrics.refused["2"] = 0.2
    stage.run(40, until="PAUSED")
    assert stage.state()[0] == "PAUSED"
    assert stage.state()[1] < 100
    stage.run(40, until="ROLLING_BACK")
    assert stage.state() == ("ROLLING_BACK", 0)


def test_a_step_of_which_half_was_not_counted_takes_longer(stage: Stage) -> None:
    """Prometheus answers, but scraped nothing for a while; then the soak is not over."""
    stage.run(3)
    stage.metrics.scraping = False
    stage.run(20)
    assert stage.state() == ("STEP", 10)
    stage.metrics.scraping = True
    stage.run(2)
    assert stage.state() == ("STEP", 10)
    assert "was counted for" in stage.log[-1]
    stage.run(12, until="PROMOTING")
    assert stage.state() == ("PROMOTING", 100)


def test_a_candidate_is_scaled_before_it_gets_more(stage: Stage) -> None:
    """Four replicas serve; one of the candidate's is not enough for everything."""
    stage.metrics.ready |= {"chat-v1": 4, "chat-v2": 1}
    stage.run(20)
    said = stage.at(ROLLOUT)
    assert said
    assert (stage.state(), said["spec"]["replicas"]) == (("STEP", 10), 4)
    scalers = [
        stage.at(f"manifests/{KEY}/horizontalpodautoscaler-{version}.yaml")
        for version in ("v1", "v2")
    ]
    assert [scaler and scaler["spec"]["minReplicas"] for scaler in scalers] == [4, 4]
    assert "waits for replicas: 1 of the 4 that 100 % take are ready" in stage.log[-1]
    stage.metrics.ready["chat-v2"] = 4
    stage.run(3)
    assert stage.state() == ("PROMOTING", 100)


def test_a_candidate_that_is_worse_goes_back_though_its_share_is_wrong(stage: Stage) -> None:
    stage.routed = 60
    stage.metrics.errors["2"] = 0.05
    stage.run(40, until="ROLLING_BACK")
    assert stage.state() == ("ROLLING_BACK", 0)


def test_what_nobody_counted_is_said(stage: Stage) -> None:
    stage.metrics.silent = True
    stage.run(5)
    assert "errors (no requests of candidate and stable)" in stage.log[-1]
