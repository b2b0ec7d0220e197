"""Nights on call: who is away, what is edited meanwhile, and who gets the requests afterwards."""

from pathlib import Path

import pytest

from sluice import cli, git
from sluice.reconciler.promotions.cycle import cycle
from sluice.reconciler.rollouts import by_hand
from sluice.reconciler.runtime import Runtime
from sluice.workspace.identity import AUTHOR as ROBOT
from support.git_fixtures import MAIN, put, run_git
from support.stage import ENVIRONMENT, RELEASE, ROLLOUT, Stage

NAME = "production/chat"
BACK = ("1", ["2"])


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return begun(tmp_path)


def begun(folder: Path, *, automatic: bool = True) -> Stage:
    ready = Stage(folder, automatic=automatic)
    ready.begin()
    run_git(ready.loop.bare, "config", "user.name", "Grace")
    run_git(ready.loop.bare, "config", "user.email", "grace@example.com")
    return ready


def sluice(stage: Stage, *arguments: str) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(by_hand, "now", lambda: stage.now)
        return cli.main([*arguments, "--repository", str(stage.loop.bare)])


def outcome(stage: Stage) -> tuple[str, list[str]]:
    return stage.version(), stage.quarantine()


def pass_without_us(stage: Stage, hours: int) -> None:
    """Requests are served and Argo CD applies; the reconciler is away."""
    for _ in range(hours * 60):
        before, weight = stage.now, stage.applied_weight()
        stage.now += 60
        stage.metrics.pass_(before, stage.now, {"1": 1 - weight / 100, "2": weight / 100})
        stage.cluster.follow(stage.now)


@pytest.mark.parametrize("state", ["WARMING", "STEP", "PROMOTING", "FINALIZING", "ROLLING_BACK"])
def test_a_version_that_is_bad_while_the_reconciler_is_away_is_taken_back(
    stage: Stage, state: str
) -> None:
    """In FINALIZING too, as long as the stable version is there to go back to."""
    stage.metrics.errors["2"] = 0.1 if state == "ROLLING_BACK" else 0.001
    if state != "WARMING":
        stage.run(200, until=state)
    assert stage.state()[0] == state
    stage.metrics.errors["2"] = 0.1
    pass_without_us(stage, 3)
    stage.run(60, until="STABLE")
    assert outcome(stage) == BACK


@pytest.mark.parametrize("state", ["WARMING", "STEP", "PROMOTING", "FINALIZING"])
def test_a_good_version_goes_on_when_the_reconciler_comes_back(stage: Stage, state: str) -> None:
    if state != "WARMING":
        stage.run(200, until=state)
    pass_without_us(stage, 3)
    stage.run(60, until="STABLE")
    assert (stage.state(), *outcome(stage)) == (("STABLE", 100), "2", [])


def test_an_hour_that_was_bad_while_nobody_looked_is_not_forgotten(stage: Stage) -> None:
    stage.run(30, until="STEP")
    stage.metrics.errors["2"] = 0.2
    pass_without_us(stage, 1)
    stage.metrics.errors["2"] = 0.001
    pass_without_us(stage, 1)
    stage.run(20)
    assert stage.state()[1] == 0


def test_a_bad_version_loses_its_weight_while_argo_cd_is_down(stage: Stage) -> None:
    stage.run(30, until="STEP")
    stage.run(3)
    stage.cluster.down = True
    stage.metrics.errors["2"] = 0.1
    stage.run(20, until="ROLLING_BACK")
    assert stage.state() == ("ROLLING_BACK", 0)
    stage.run(10)
    assert stage.state() == ("ROLLING_BACK", 0)  # nobody says that the route follows
    stage.cluster.down = False
    stage.run(20, until="STABLE")
    assert outcome(stage) == BACK


def test_a_rollback_that_somebody_reverts_leads_back_all_the_same(stage: Stage) -> None:
    stage.run(30, until="STEP")
    before = git.resolve(stage.loop.repository, MAIN)
    assert sluice(stage, "rollback", NAME) == 0
    old = git.read_tree(stage.loop.repository, before, ["environments", "manifests"]).files
    new = git.read_tree(stage.loop.repository, MAIN, ["environments", "manifests"]).files
    reverted = {path: old.get(path) for path in {*old, *new} if old.get(path) != new.get(path)}
    put(stage.loop.repository, reverted, message='Revert "rollback"')
    assert stage.state() == ("STEP", 10)
    stage.run(30, until="STABLE")
    assert outcome(stage) == BACK


def test_a_step_that_is_merged_after_a_rollback_brings_nothing_back(tmp_path: Path) -> None:
    stage = begun(tmp_path, automatic=False)
    stage.run(10)
    stage.merge(stage.forge(ROBOT).list("open")[0].number)
    stage.run(25)
    (raised,) = stage.forge(ROBOT).list("open")
    assert "10 % -> 100 %" in raised.title
    assert sluice(stage, "rollback", NAME) == 0
    before = git.resolve(stage.loop.repository, MAIN)
    stage.merge(raised.number)
    assert git.resolve(stage.loop.repository, MAIN) == before
    stage.run(20, until="STABLE")
    assert outcome(stage) == BACK


def test_a_step_that_is_merged_while_the_version_turns_bad_is_taken_back(tmp_path: Path) -> None:
    stage = begun(tmp_path, automatic=False)
    stage.run(10)
    stage.merge(stage.forge(ROBOT).list("open")[0].number)
    stage.run(25)
    stage.metrics.errors["2"] = 0.3
    stage.merge(stage.forge(ROBOT).list("open")[0].number)
    stage.run(10, until="ROLLING_BACK")
    assert stage.state() == ("ROLLING_BACK", 0)


def test_gates_that_are_loosened_in_mid_rollout_let_nothing_pass(stage: Stage) -> None:
    stage.run(30, until="STEP")
    stage.metrics.errors["2"] = 0.05
    lax = "{signal: errors, excluded: 90, absolute: {p0: 0.5, p1: 0.9}}"
    gates = f"rollbackWindow: 20m\n    analysis:\n      gates:\n        - {lax}"
    text = stage.loop.file(RELEASE).replace("rollbackWindow: 20m", gates)
    stage.loop.commit({RELEASE: text.encode()})
    stage.run(30)
    assert stage.state()[0] in ("PAUSED", "ROLLING_BACK", "STABLE")
    assert stage.state()[1] <= 10


@pytest.mark.parametrize("state", ["PROMOTING", "FINALIZING"])
def test_a_weight_that_a_person_writes_by_hand_is_held_and_judged(stage: Stage, state: str) -> None:
    stage.run(30, until="STEP")
    text = stage.loop.file(ROLLOUT).replace("weight: 10", "weight: 100")
    text = text.replace("state: STEP", f"state: {state}")
    put(stage.loop.repository, {ROLLOUT: text.encode()}, message="all of it")
    stage.run(5)
    assert stage.state() == ("PAUSED", 100)
    stage.metrics.errors["2"] = 0.1
    stage.run(30, until="STABLE")
    assert outcome(stage) == BACK


def test_a_strategy_without_weights_in_mid_rollout_holds_and_says_why(stage: Stage) -> None:
    stage.run(30, until="STEP")
    stage.loop.edit(RELEASE, ("strategy: canary", "strategy: blue-green"))
    stage.run(2)
    assert stage.state() == ("PAUSED", 10)
    assert sluice(stage, "rollout", "resume", NAME) == 0
    stage.run(30)
    assert stage.state() == ("STEP", 10)
    assert "gives the new version no share of the requests before all of them" in stage.log[-1]


def test_what_an_abort_took_back_is_promoted_again_only_out_of_quarantine(stage: Stage) -> None:
    def propose() -> None:
        world = Runtime(
            git.Direct(stage.loop.repository),
            stage.loop.registry,
            stage.forge(ROBOT),
            lambda: stage.now,
        )
        list(cycle(world))

    stage.run(30, until="STEP")
    assert sluice(stage, "rollout", "abort", NAME) == 0
    stage.run(30, until="STABLE")
    propose()
    assert (stage.state(), *outcome(stage)) == (("STABLE", 0), *BACK)
    stage.loop.edit(RELEASE, ('    quarantine: ["2"]\n', ""))
    propose()
    assert stage.state() == ("WARMING", 0)
    stage.run(60, until="STABLE")
    assert outcome(stage) == ("2", [])


def test_a_version_that_a_person_brought_back_and_that_is_bad_calls_for_a_decision(
    stage: Stage,
) -> None:
    """Nobody takes it away from the person's word, and nobody is silent about it."""
    stage.run(90, until="STABLE")
    assert sluice(stage, "rollback", NAME) == 0
    stage.metrics.errors["1"] = 0.5
    stage.run(15)
    assert stage.state() == ("PROMOTING", 100)
    assert "the stable version is kept: worse than allowed: errors" in stage.log[-1]
    assert "a person is asked to decide" in stage.log[-1]


def test_a_version_that_a_person_promoted_is_judged_without_a_past(stage: Stage) -> None:
    """A verb asks no metrics, so that no earlier step tells what was usual."""
    stage.run(30, until="STEP")
    assert sluice(stage, "rollout", "promote", NAME, "--ready") == 0
    stage.run(15)
    assert stage.state() == ("PROMOTING", 100)
    stage.metrics.errors["2"] = 0.1
    stage.run(10, until="ROLLING_BACK")
    assert stage.state() == ("ROLLING_BACK", 0)


@pytest.mark.slow
@pytest.mark.parametrize("errors", [0.1, 0.5])
def test_what_turns_bad_after_an_hour_is_taken_back_within_minutes(
    tmp_path: Path, errors: float
) -> None:
    """While the next step waits for its merge; one bad minute is a burst, ten are none."""
    stage = begun(tmp_path, automatic=False)
    stage.run(10)
    stage.merge(stage.forge(ROBOT).list("open")[0].number)
    stage.run(60)
    assert stage.state() == ("STEP", 10)
    stage.metrics.errors["2"] = errors
    stage.run(12, until="ROLLING_BACK")
    assert stage.state() == ("ROLLING_BACK", 0)


def test_the_stable_version_is_kept_while_a_gate_looks_bad(stage: Stage) -> None:
    """At the very end of the rollback window nothing is proved yet."""
    stage.run(60, until="PROMOTING")
    stage.run(19)
    stage.metrics.errors["2"] = 0.1
    stage.run(4)
    assert stage.state() == ("PROMOTING", 100)
    assert "the stable version is kept: errors may have turned bad just now" in stage.log[-1]
    stage.run(10, until="ROLLING_BACK")
    assert stage.state() == ("ROLLING_BACK", 0)


@pytest.mark.parametrize(
    ("path", "old"),
    [(RELEASE, "strategy: canary"), (ENVIRONMENT, "namespace:")],
)
def test_a_rollback_takes_a_file_that_cannot_be_read_as_it_was(
    stage: Stage, path: str, old: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody merged it past the checks, and at night nobody wants to mend it first."""
    stage.run(30, until="STEP")
    readable = stage.loop.file(path)
    stage.loop.commit({path: readable.replace(old, f"nonsense: 1\n    {old}", 1).encode()})
    stage.run(3)
    assert "cannot be read" in stage.log[-1]
    assert sluice(stage, "rollback", NAME) == 0
    assert f"{path} cannot be read: it counts as it was in " in capsys.readouterr().err
    assert stage.state() == ("ROLLING_BACK", 0)
    assert stage.quarantine() == ["2"]
    if path == ENVIRONMENT:
        stage.loop.commit({path: readable.encode()})
    stage.run(20, until="STABLE")
    assert outcome(stage) == BACK
