"""Rollouts by the reconciler on the model of Argo CD: promise 11 from the counts to the route."""

from pathlib import Path

import pytest

from shells.argocd_stage import ModelledCluster, put_on, run, sick
from shells.stage import Stage
from support.argocd.objects import Key, Live

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
    """The candidate's pods crash, and scalers see no metrics of it."""
    del live
    return {"chat-v2": "Degraded"}.get(key.name, "")


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
    stage.metrics.errors["2"] = 0.05
    before = stage.now
    while stage.state()[1]:
        run(stage, cluster, 1)
        assert stage.now - before < 60 * MINUTE, stage.log[-3:]
    lowered = stage.now
    while cluster.share():
        run(stage, cluster, 1)
        assert stage.now - lowered <= cluster.play.argo.longest_poll
    run(stage, cluster, 60, until="STABLE")
    run(stage, cluster, 10)
    assert (stage.version(), stage.quarantine()) == ("1", ["2"])
    assert cluster.play.wrongs == []
    assert cluster.play.shares() == {"chat-v1": 100}
