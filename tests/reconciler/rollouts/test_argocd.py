"""Rollouts by the reconciler on the model of Argo CD: promise 11 from the counts to the route."""

from pathlib import Path

import pytest

from support.argocd.objects import Key, Live
from support.argocd_stage import ModelledCluster, put_on, run, sick
from support.stage import Stage

MINUTE = 60


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


@pytest.fixture
def cluster(stage: Stage) -> ModelledCluster:
    made = put_on(stage)
    stage.begin()
    return made


def crashes(key: Key, live: Live) -> str:
    """The candidate's pods crash."""
    del live
    return "Degraded" if (key.kind, key.name) == ("Deployment", "chat-v2") else ""


def sees_no_metrics(key: Key, live: Live) -> str:
    """No autoscaler sees any metrics."""
    del live
    return "Degraded" if key.kind == "HorizontalPodAutoscaler" else ""


def until_lowered(stage: Stage, cluster: ModelledCluster) -> None:
    """Minutes pass until the candidate gets nothing, in Git and then in the route."""
    began = stage.now
    while stage.state()[1]:
        run(stage, cluster, 1)
        assert stage.now - began < 60 * MINUTE, stage.log[-3:]
    lowered = stage.now
    while cluster.share():
        run(stage, cluster, 1)
        assert stage.now - lowered <= cluster.play.argo.longest_poll


def test_a_healthy_candidate_gets_everything_and_no_route_is_ever_left_alone(
    stage: Stage, cluster: ModelledCluster
) -> None:
    run(stage, cluster, 120, until="STABLE")
    assert stage.state() == ("STABLE", 100)
    run(stage, cluster, 10)
    assert cluster.play.wrongs == []
    assert cluster.play.shares() == {"chat-v2": 100}
    assert not [key for key in cluster.play.cluster.objects if key.name == "chat-v1"]


def test_a_candidate_that_crashes_loses_its_requests_within_one_poll(
    stage: Stage, cluster: ModelledCluster
) -> None:
    run(stage, cluster, 30, until="STEP")
    run(stage, cluster, 10)
    assert cluster.share() == 10
    sick(cluster, crashes)
    until_lowered(stage, cluster)
    assert cluster.play.wrongs == []


def test_one_that_answers_badly_is_taken_back_whole_beside_a_sick_autoscaler(
    stage: Stage, cluster: ModelledCluster
) -> None:
    run(stage, cluster, 30, until="STEP")
    run(stage, cluster, 10)
    sick(cluster, sees_no_metrics)
    stage.metrics.errors["2"] = 0.05
    until_lowered(stage, cluster)
    run(stage, cluster, 60, until="STABLE")
    run(stage, cluster, 10)
    assert (stage.version(), stage.quarantine()) == ("1", ["2"])
    assert cluster.play.wrongs == []
    assert {n: w for n, w in cluster.play.shares().items() if w} == {"chat-v1": 100}
    assert not [key for key in cluster.play.cluster.objects if key.name == "chat-v2"]
