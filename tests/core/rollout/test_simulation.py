"""Rollouts played through: the seed case, and what goes wrong in the middle."""

import json
import textwrap
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from sluice.cli import cli
from sluice.commands import simulate as command
from sluice.core.finding import FindingsError
from sluice.core.rollout.scenario import SCHEMA, read, scenario_of
from sluice.core.rollout.simulation import Tick, simulate
from sluice.system import resources

FOLDER = Path(__file__).parents[2] / "scenarios"
SCENARIOS = sorted(FOLDER.glob("*.yaml"))
HEALTHY = FOLDER / "seed-healthy.yaml"
MINUTE = 60


def spec(path: Path = HEALTHY, **changes: Any) -> dict[str, Any]:  # noqa: ANN401  # parts of it
    found: dict[str, Any] = yaml.safe_load(path.read_text())["spec"]
    return {**found, **changes}


def play(**changes: Any) -> list[Tick]:  # noqa: ANN401  # parts of a scenario
    return list(simulate(scenario_of(spec(**changes))))


def events(*listed: tuple[str, str]) -> list[dict[str, str]]:
    return [{"at": at, "what": what} for at, what in listed]


def states(ticks: list[Tick]) -> list[str]:
    """The states it went through, each once."""
    found = [tick.rollout.state for tick in ticks]
    return [s for i, s in enumerate(found) if i == 0 or found[i - 1] != s]


def first(ticks: list[Tick], state: str) -> Tick:
    return next(tick for tick in ticks if tick.rollout.state == state)


BACK = ["ROLLING_BACK", "ROLLED_BACK", "STABLE"]
ON = ["PROMOTING", "FINALIZING", "STABLE"]


def test_the_seed_case_with_a_healthy_candidate() -> None:
    """10 % for 10 minutes, then all of it, with the old version warm for the rollback window."""
    ticks = play()
    assert states(ticks) == ["WARMING", "STEP", *ON]
    assert (ticks[-1].rollout.candidate, ticks[-1].rollout.weight) == ("2", 100)
    step, promoted = first(ticks, "STEP"), first(ticks, "PROMOTING")
    assert (step.rollout.weight, promoted.rollout.weight) == (10, 100)
    assert promoted.time - step.time >= 10 * MINUTE
    assert first(ticks, "FINALIZING").time - promoted.time >= 60 * MINUTE


def test_the_seed_case_with_more_than_one_percent_of_errors() -> None:
    ticks = play(**spec(FOLDER / "seed-errors.yaml"))
    assert states(ticks) == ["WARMING", "STEP", *BACK]
    assert first(ticks, "ROLLING_BACK").time - first(ticks, "STEP").time <= 10 * MINUTE
    assert ticks[-1].rollout.candidate == "1"
    writes = [tick.decision.write for tick in ticks if tick.decision.write]
    assert [w.quarantine for w in writes if w.quarantine] == ["2", "2"]
    assert all(tick.rollout.weight in (0, 10) for tick in ticks)


def test_errors_that_begin_after_the_promotion_roll_back() -> None:
    late = {"at": "30m", "candidate": {"errors": 0.05}}
    ticks = play(rates=[*spec()["rates"], late])
    assert states(ticks) == ["WARMING", "STEP", "PROMOTING", *BACK]


def test_errors_of_both_versions_freeze_and_a_person_resumes() -> None:
    outage = {"at": "8m", "candidate": {"errors": 0.3}, "stable": {"errors": 0.3}}
    over = {"at": "20m", "candidate": {"errors": 0.001}, "stable": {"errors": 0.001}}
    rates = [*spec()["rates"], outage, over]
    ticks = play(rates=rates, events=events(("25m", "resume")))
    assert states(ticks) == ["WARMING", "STEP", "FROZEN", "STEP", *ON]


def test_without_metrics_nothing_moves() -> None:
    ticks = play(events=events(("6m", "metricsDown")), until="5h")
    assert states(ticks) == ["WARMING", "STEP"]
    assert all(tick.judgement is None for tick in ticks if tick.time >= 6 * MINUTE)


def test_without_metrics_it_ends_undecided_after_the_longest_time() -> None:
    steps = [{"weight": 10, "soak": "10m", "maxSoak": "1h"}]
    down = events(("6m", "metricsDown"))
    ticks = play(rollout={"steps": steps}, events=down, until="5h")
    assert states(ticks) == ["WARMING", "STEP", "INCONCLUSIVE", "PAUSED"]
    undecided, over = first(ticks, "INCONCLUSIVE"), first(ticks, "PAUSED")
    assert (undecided.rollout.weight, over.rollout.weight) == (10, 0)
    assert over.time - undecided.time == 60 * MINUTE


def test_without_argo_cd_nothing_moves_and_it_goes_on_when_it_is_back() -> None:
    for_a_while = events(("8m", "argoDown"), ("50m", "argoUp"))
    ticks = play(events=for_a_while)
    assert states(ticks) == ["WARMING", "STEP", *ON]
    assert first(ticks, "PROMOTING").time >= 50 * MINUTE


def test_a_pull_request_that_nobody_merges_changes_nothing() -> None:
    ticks = play(world={"merge": "never"}, until="3h")
    assert states(ticks) == ["WARMING"]


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("revert", ["WARMING", "STEP", *BACK]),
        ("abort", ["WARMING", "STEP", *BACK]),
        ("edit", ["WARMING", "STEP", "PAUSED"]),
        ("pause", ["WARMING", "STEP", "PAUSED"]),
        ("drift", ["WARMING", "STEP"]),
    ],
)
def test_what_people_do_in_the_middle(what: str, expected: list[str]) -> None:
    assert states(play(events=events(("9m", what)))) == expected


def test_two_restarts_roll_back() -> None:
    assert states(play(events=events(("7m", "restart")))) == ["WARMING", "STEP", *ON]
    twice = events(("7m", "restart"), ("8m", "restart"))
    assert states(play(events=twice)) == ["WARMING", "STEP", *BACK]


def test_a_candidate_that_is_gone_warms_up_again() -> None:
    ticks = play(events=events(("7m", "unready"), ("12m", "ready")))
    assert states(ticks) == ["WARMING", "STEP", "WARMING", "STEP", *ON]


def test_a_manual_step_waits_for_approval() -> None:
    steps = [{"weight": 10, "soak": "10m", "approval": "manual"}]
    ticks = play(rollout={"steps": steps}, until="2h")
    assert states(ticks) == ["WARMING", "STEP", "GATED"]
    approved = play(rollout={"steps": steps}, events=events(("1h", "approve")), until="4h")
    assert states(approved) == ["WARMING", "STEP", "GATED", *ON]


def test_recorded_counts_are_replayed() -> None:
    recorded = {"errors": [[100, 0, 900, 1]] * 2 + [[100, 20, 900, 1]] * 4}
    ticks = play(recorded=recorded)
    assert states(ticks) == ["WARMING", "STEP", *BACK]
    assert states(play(recorded={"errors": []})) == ["WARMING", "STEP"]


def test_two_runs_are_the_same() -> None:
    assert play() == play()


def test_the_schema_is_valid() -> None:
    jsonschema.Draft202012Validator.check_schema(resources.read_schema(SCHEMA))


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
@pytest.mark.parametrize("form", ["text", "json"])
def test_the_command_prints_every_example(
    path: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.run(file=str(path), form=form) == 0
    out = capsys.readouterr().out
    if form == "json":
        ticks = json.loads(out)["ticks"]
        assert ticks[-1]["rollout"]["state"] == "STABLE"
        assert next(t["write"]["kind"] for t in ticks if t["write"]) == "raise"
    else:
        assert "-> raise by pull request" in out


def test_the_format_that_the_module_documents_is_accepted() -> None:
    from sluice.core.rollout import scenario  # noqa: PLC0415  # for its docstring only

    text = "\n".join(
        line[4:] for line in (scenario.__doc__ or "").splitlines() if line[:4] == "    "
    )
    assert read("x.yaml", text.encode(), resources.read_schema(SCHEMA)).until == 3 * 3600


def test_the_format_that_help_shows_is_accepted() -> None:
    text = cli.commands["simulate"].help or ""
    shown = textwrap.dedent(text.partition("\b\n")[2])
    assert list(simulate(read("x.yaml", shown.encode(), resources.read_schema(SCHEMA))))


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("weight: 10", "weight: 100", "SIM001"),
        ("soak: 10m", "soak: soon", "SIM001"),
        ("kind: Scenario", "kind: Rollout", "SIM001"),
        ("candidate: {errors", "candidate: {latency", "SIM002"),
        ("rates:", "recorded: {errors: [[10, 11, 90, 0]]}\n  rates:", "SIM003"),
        ("- weight: 10", "- {weight: 50, soak: 1m}\n      - weight: 10", "SIM003"),
        ("p0: 0.002", "p0: 0.02", "SIM003"),
        ("spec:", "spec: [", "YAML"),
    ],
)
def test_a_broken_scenario_is_a_finding(
    old: str, new: str, rule: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(HEALTHY.read_text().replace(old, new))
    assert command.run(file=str(path), form="text") == 1
    assert rule in capsys.readouterr().out
    with pytest.raises(FindingsError):
        read("x.yaml", path.read_bytes(), resources.read_schema(SCHEMA))
