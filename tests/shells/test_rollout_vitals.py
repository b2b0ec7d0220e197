"""Rollouts that are held or paused by what is seen beside their gates."""

from pathlib import Path

import pytest

from shells.stage import Stage


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    ready = Stage(tmp_path)
    ready.begin()
    ready.run(30, until="STEP")
    return ready


@pytest.mark.parametrize(
    ("metric", "value"), [("vllm:num_requests_waiting", 40.0), ("vllm:kv_cache_usage_perc", 0.99)]
)
def test_a_guard_that_stays_on_pauses_and_a_person_resumes(
    stage: Stage, metric: str, value: float
) -> None:
    stage.metrics.gauges[metric, "2"] = value
    stage.run(8)
    assert stage.state() == ("PAUSED", 10)
    before = stage.commits()
    stage.run(5)
    assert stage.commits() == before


@pytest.mark.parametrize("routed", [0, 60])
def test_requests_that_contradict_the_weight_hold_it(stage: Stage, routed: int) -> None:
    stage.routed = routed
    before = stage.commits()
    stage.run(30)
    assert (stage.state(), stage.commits()) == (("STEP", 10), before)
    assert f"the candidate got {routed}.0% of the last" in stage.log[-1]
    stage.routed = None
    stage.run(30, until="PROMOTING")
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
