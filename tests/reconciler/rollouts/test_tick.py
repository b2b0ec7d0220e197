"""Rollouts through Git: a real repository and forge, decided by counts, one write a tick."""

import json
import time
from pathlib import Path

import pytest

from sluice import git
from sluice.core.analysis.judgement import judge
from sluice.core.analysis.judgement_file import counts_of
from sluice.workspace.revisions import read_workspace
from support.git_fixtures import MAIN, put
from support.loop import KEY
from support.rollout_commands import assert_rendered
from support.stage import ENVIRONMENT, RELEASE, ROLLOUT, Stage

EVIDENCE = f"environments/{KEY}/evidence/v2-step-0.json"


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    ready = Stage(tmp_path)
    ready.begin()
    return ready


def test_seed_a_healthy_candidate_gets_everything_and_the_old_version_is_kept_warm(
    stage: Stage,
) -> None:
    stage.run(30, until="PROMOTING")
    assert stage.state() == ("PROMOTING", 100)
    old = f"manifests/{KEY}/deployment-v1.yaml"
    promoted = stage.now
    while stage.state()[0] != "STABLE":
        stage.tick()
        assert_rendered(stage)
        if stage.state()[0] == "PROMOTING":
            assert stage.at(old)
    assert stage.now - promoted >= 20 * 60
    assert (stage.state(), stage.version(), stage.quarantine()) == (("STABLE", 100), "2", [])
    assert stage.at(old) is None


def test_seed_an_error_rate_above_one_percent_goes_back_and_is_not_proposed_again(
    stage: Stage,
) -> None:
    stage.metrics.errors["2"] = 0.03
    stage.run(60, until="ROLLED_BACK")
    assert stage.state() == ("ROLLED_BACK", 0)
    assert_rendered(stage)
    stage.run(10, until="STABLE")
    assert (stage.version(), stage.quarantine()) == ("1", ["2"])
    assert_rendered(stage)
    assert read_workspace(stage.loop.repository, MAIN).check() == []
    assert stage.loop.chat().what == "nothing to do"


def test_the_evidence_of_a_step_replays_and_its_pull_request_shows_it(stage: Stage) -> None:
    stage.run(30, until="PROMOTING")
    data = json.loads(stage.loop.file(EVIDENCE))
    assert judge(counts_of(data)).verdict == data["judgement"]["verdict"] == "PASS"
    assert data["gates"][0]["query"].startswith("http_requests_total{")
    body = stage.loop.pulls()[0].body
    assert EVIDENCE in body
    assert "candidate |" in body
    commit = git.commit_of(
        stage.loop.repository, git.commit_of(stage.loop.repository, MAIN).parents[1]
    )
    assert commit.trailers["Rollout-State"] == "PROMOTING"
    assert len(commit.trailers["Evidence-Sha256"]) == 64


def test_the_clock_of_a_step_begins_when_argo_cd_has_applied_it(stage: Stage) -> None:
    stage.cluster.lag = 1200
    stage.run(30, until="STEP")
    begun = stage.now
    stage.run(60, until="PROMOTING")
    assert stage.now - begun >= 1200 + 600


@pytest.mark.parametrize(
    "fault", ["down", "out of sync", "degraded", "another revision", "no prometheus", "no series"]
)
def test_what_is_not_known_keeps_traffic_where_it_is(stage: Stage, fault: str) -> None:
    stage.run(30, until="STEP")
    stage.tick()
    head = stage.cluster.revision
    if fault == "down":
        stage.cluster.down = True
    elif fault == "out of sync":
        stage.cluster.synced = False
    elif fault == "degraded":
        stage.cluster.health = "Degraded"
    elif fault == "another revision":
        stage.cluster.revision = git.commit_of(stage.loop.repository, head).parents[0]
        stage.cluster.down, stage.cluster.lag = False, 10**9
    elif fault == "no prometheus":
        stage.metrics.problem = "Prometheus does not answer"
    else:
        stage.metrics.silent = True
    before = stage.commits()
    stage.run(40)
    assert (stage.state(), stage.commits()) == (("STEP", 10), before)


def test_no_first_weight_is_given_while_prometheus_does_not_answer(stage: Stage) -> None:
    stage.metrics.problem = "Prometheus does not answer"
    stage.run(40)
    assert stage.state() == ("WARMING", 0)
    stage.metrics.problem = ""
    stage.run(5, until="STEP")


@pytest.mark.parametrize("fault", ["down", "out of sync"])
def test_a_failing_candidate_goes_back_whatever_argo_cd_says(stage: Stage, fault: str) -> None:
    stage.run(30, until="STEP")
    stage.tick()
    stage.tick()
    stage.cluster.down = fault == "down"
    stage.cluster.synced = fault != "out of sync"
    stage.metrics.errors["2"] = 0.2
    stage.run(60, until="ROLLING_BACK")
    assert stage.state() == ("ROLLING_BACK", 0)


def test_a_step_without_a_verdict_waits_for_a_person_and_is_never_promoted_by_time(
    tmp_path: Path,
) -> None:
    steps = """  rollout:
    strategy: canary
    steps:
      - {weight: 10, soak: 10m, maxSoak: 20m}
"""
    stage = Stage(tmp_path, rollout=steps)
    stage.begin()
    stage.metrics.silent = True
    stage.run(40, until="INCONCLUSIVE")
    assert stage.state() == ("INCONCLUSIVE", 10)
    stage.run(15)
    assert stage.state() == ("INCONCLUSIVE", 10)
    stage.run(60)
    assert (stage.state(), stage.quarantine()) == (("PAUSED", 0), [])


def test_a_candidate_that_keeps_restarting_goes_back_at_once(stage: Stage) -> None:
    stage.run(30, until="STEP")
    stage.run(3)
    for _ in range(2):
        stage.metrics.restart("2")
        stage.run(1)
    stage.tick()
    assert stage.state() in (("ROLLING_BACK", 0), ("ROLLED_BACK", 0))
    assert "restarted" in str(stage.log)


def test_a_candidate_without_a_ready_replica_gets_no_requests(stage: Stage) -> None:
    stage.run(30, until="STEP")
    stage.cluster.resources = {"Deployment/chat-v2": "Degraded", "Deployment/chat-v1": "Healthy"}
    stage.tick()
    assert stage.state() == ("WARMING", 0)
    stage.run(5)
    assert stage.state() == ("WARMING", 0)


def test_an_environment_with_review_waits_for_the_merge_of_each_step(tmp_path: Path) -> None:
    stage = Stage(tmp_path, automatic=False)
    stage.begin()
    stage.run(5)
    assert stage.state() == ("WARMING", 0)
    (open_,) = [p for p in stage.loop.pulls() if p.state == "open"]
    stage.run(3)
    assert [p.head for p in stage.loop.pulls() if p.state == "open"] == [open_.head]
    stage.merge(open_.number)
    stage.tick()
    assert stage.state() == ("STEP", 10)


def test_closing_the_pull_request_of_a_step_pauses_and_it_is_not_opened_again(
    tmp_path: Path,
) -> None:
    stage = Stage(tmp_path, automatic=False)
    stage.begin()
    stage.run(2)
    (open_,) = [p for p in stage.loop.pulls() if p.state == "open"]
    stage.loop.reviewer.close(open_.number, "not today")
    stage.run(3)
    assert stage.state() == ("PAUSED", 0)
    assert [p for p in stage.loop.pulls() if p.state == "open"] == []


def revert(stage: Stage, commit: str) -> None:
    """What `git revert` of the newest commit does."""
    parent = git.commit_of(stage.loop.repository, commit).parents[0]
    paths = git.changed_paths(stage.loop.repository, parent, commit)
    files = git.read_tree(stage.loop.repository, parent, paths).files
    put(stage.loop.repository, {p: files.get(p) for p in paths}, message="Revert a step")


def test_a_revert_of_a_step_is_an_abort(stage: Stage) -> None:
    stage.run(30, until="STEP")
    revert(stage, git.resolve(stage.loop.repository, MAIN))
    assert stage.state() == ("WARMING", 0)
    stage.tick()
    assert stage.state() == ("ROLLING_BACK", 0)
    stage.run(20, until="STABLE")
    assert (stage.version(), stage.quarantine()) == ("1", ["2"])


@pytest.mark.parametrize(
    ("old", "new"),
    [("weight: 10", "weight: 60"), ("step: 0", "step: 3"), ("specHash: ", "specHash: 0000")],
)
def test_an_edit_of_the_rollout_by_hand_pauses_it(stage: Stage, old: str, new: str) -> None:
    stage.run(30, until="STEP")
    text = stage.loop.file(ROLLOUT)
    changed = text.replace(old, new)
    if old == "specHash: ":
        changed = changed.replace("specHash: 0000", "specHash: ", 1)
        at = changed.index("specHash: ") + len("specHash: ")
        changed = changed[:at].rstrip('"') + "0" * 16 + "\n" + changed[at:].split("\n", 1)[1]
        changed = changed.replace("specHash: " + "0" * 16, 'specHash: "' + "0" * 16 + '"')
    put(stage.loop.repository, {ROLLOUT: changed.encode()}, message="by hand")
    stage.tick()
    assert stage.state()[0] == "PAUSED"
    before = stage.commits()
    stage.run(5)
    assert stage.commits() == before


def test_an_edit_of_the_release_in_mid_rollout_pauses_it(stage: Stage) -> None:
    stage.run(30, until="STEP")
    stage.loop.edit(RELEASE, ("maxModelLen: 8192", "maxModelLen: 4096"))
    stage.tick()
    assert stage.state() == ("PAUSED", 10)


def test_a_rollout_that_was_deleted_gives_nothing_to_the_candidate(stage: Stage) -> None:
    stage.run(30, until="STEP")
    stage.loop.commit({ROLLOUT: None})
    stage.tick()
    assert stage.state() == ("ROLLING_BACK", 0)
    assert_rendered(stage)
    stage.run(20, until="STABLE")
    assert (stage.version(), stage.quarantine()) == ("1", ["2"])


@pytest.mark.parametrize(
    ("old", "new"),
    [("sluice.dev/v1alpha1", "sluice.dev/v9"), ("state: STEP", "state: DANCING"), ("kind:", "}")],
)
def test_a_rollout_that_cannot_be_read_holds_and_says_so(stage: Stage, old: str, new: str) -> None:
    stage.run(30, until="STEP")
    stage.loop.edit(ROLLOUT, (old, new))
    before = stage.commits()
    outcome = stage.tick()
    assert outcome
    assert outcome.refused
    assert outcome.reasons[0] == "traffic stays where it is"
    assert stage.commits() == before


def test_another_broken_release_does_not_keep_a_bad_candidate_serving(stage: Stage) -> None:
    stage.run(30, until="STEP")
    stage.loop.commit({"environments/staging/platform/chat/release.yaml": b"kind: [\n"})
    stage.metrics.errors["2"] = 0.2
    stage.run(20, until="ROLLING_BACK")
    assert stage.state() == ("ROLLING_BACK", 0)


def test_all_rollouts_are_asked_about_in_one_query_for_each_metric(stage: Stage) -> None:
    stage.run(30, until="STEP")
    stage.run(3)
    stage.metrics.queries.clear()
    stage.tick()
    metrics = [query.partition("{")[0] for query in stage.metrics.queries]
    assert metrics.count("http_requests_total") <= 2  # all of them, and the failed ones
    edge = "nginx_ingress_controller_requests"
    assert metrics.count(edge) <= 2
    gauges = [metric for metric in metrics if metric not in ("http_requests_total", edge)]
    assert len(gauges) == len(set(gauges))


FROZEN = """  promotion:
    freezes:
      - {from: "2026-11-20T00:00:00Z", to: "2026-12-31T00:00:00Z", reason: fair}
"""


def frozen(stage: Stage) -> None:
    """From now on a freeze is in force."""
    stage.loop.edit(ENVIRONMENT, ("  promotion:\n", FROZEN))


def test_in_a_freeze_no_weight_is_raised_and_the_reason_is_said(stage: Stage) -> None:
    stage.run(30, until="STEP")
    frozen(stage)
    before = stage.commits()
    stage.run(20)
    assert (stage.state(), stage.commits()) == (("STEP", 10), before)
    assert [p for p in stage.loop.pulls() if p.state == "open"] == []
    assert "but a freeze (fair) ends at 2026-12-31 00:00 UTC" in stage.log[-1]


def test_in_a_freeze_a_bad_candidate_goes_back_all_the_same(stage: Stage) -> None:
    stage.run(30, until="STEP")
    frozen(stage)
    stage.metrics.errors["2"] = 0.2
    stage.run(40, until="STABLE")
    assert (stage.version(), stage.quarantine()) == ("1", ["2"])


def test_a_rollout_goes_on_when_its_window_opens(stage: Stage) -> None:
    stage.run(30, until="STEP")
    opens = time.gmtime(stage.now + 3600)
    daily = f'schedule: "{opens.tm_min} {opens.tm_hour} * * *", duration: 2h'
    windows = f"  promotion:\n    windows:\n      - {{{daily}}}\n"
    stage.loop.edit(ENVIRONMENT, ("  promotion:\n", windows))
    stage.run(55)
    assert stage.state() == ("STEP", 10)
    stage.run(15, until="PROMOTING")
    assert stage.state() == ("PROMOTING", 100)


def test_a_second_tick_with_nothing_new_writes_nothing(stage: Stage) -> None:
    stage.run(30, until="STEP")
    stage.run(2)
    refs = stage.loop.refs()
    stage.now -= 60
    stage.tick()
    assert stage.loop.refs() == refs
