"""What a rollout comes to, story by story: each is a scenario, and its course is told exactly."""

from pathlib import Path

import pytest

from sluice.commands import simulate as command
from sluice.core.rollout.scenario import SCHEMA, read
from sluice.core.rollout.simulation import Tick, simulate
from sluice.system import resources

FOLDER = Path(__file__).parents[2] / "scenarios" / "stories"
BACK = "ROLLING_BACK 0, ROLLED_BACK 0, STABLE 0"
ON = "PROMOTING 100, FINALIZING 100, STABLE 100"
SECOND = "WARMING 0, STEP 10, STEP 50"
COURSES = {
    "crash-loop": f"WARMING 0, STEP 10, {BACK}",
    "crashes-without-errors": f"WARMING 0, STEP 10, {BACK}",
    "answers-nobody": "WARMING 0, STEP 10, PAUSED 0",
    "refuses-requests": f"WARMING 0, STEP 10, {BACK}",
    "broken-prefix-cache": f"WARMING 0, STEP 10, {BACK}",
    "cold-cache": f"{SECOND}, {ON}",
    "too-few-replicas": "WARMING 0, STEP 10, INCONCLUSIVE 10, PAUSED 0",
    "scaled-before-the-weight": f"{SECOND}, {ON}",
    "queue-grows": f"{SECOND}, PAUSED 10",
    "shared-fault": f"WARMING 0, STEP 10, FROZEN 10, STEP 10, STEP 50, {ON}",
    "shared-fault-at-everything": f"{SECOND}, {ON}",
    "node-loss": f"WARMING 0, STEP 10, WARMING 0, STEP 10, STEP 50, {ON}",
    "nodes-come-and-go": "WARMING 0, STEP 10, WARMING 0, STEP 10, WARMING 0, STEP 10, PAUSED 0",
    "nodes-come-and-go-at-everything": (
        f"{SECOND}, PROMOTING 100, WARMING 0, STEP 50, PROMOTING 100, WARMING 0, STEP 50, "
        "PROMOTING 100, PAUSED 0"
    ),
    "one-request-a-minute": f"WARMING 0, STEP 10, {BACK}",
    "answers-some": "WARMING 0, STEP 10, PAUSED 0",
    "slow-leak": f"{SECOND}, PROMOTING 100, {BACK}",
    "late-errors": f"WARMING 0, STEP 10, GATED 10, {BACK}",
    "refuses-at-everything": f"{SECOND}, PROMOTING 100, PAUSED 50, {BACK}",
    "clients-change-at-everything": f"{SECOND}, PROMOTING 100, PAUSED 50",
    "errors-under-load": f"{SECOND}, {BACK}",
    "better-and-slower": f"WARMING 0, STEP 10, {BACK}",
    "one-bad-minute": f"{SECOND}, {ON}",
    "metrics-end-halfway": f"{SECOND}, INCONCLUSIVE 50, PAUSED 0",
    "resumed-after-hours": f"WARMING 0, STEP 10, PAUSED 10, STEP 10, STEP 50, {ON}",
    "full-at-everything": f"{SECOND}, PROMOTING 100, PAUSED 50, PAUSED 10, PAUSED 0",
    "nobody-to-go-back-to": f"WARMING 0, STEP 10, {BACK}",
    "first-weight-not-merged": f"WARMING 0, {BACK}",
    "one-restart": f"{SECOND}, {ON}",
    "silent-prometheus": f"WARMING 0, STEP 10, {ON}",
    "silent-for-ever": "WARMING 0, STEP 10, INCONCLUSIVE 10, PAUSED 0",
}
LATEST = {
    "crash-loop": 15,
    "crashes-without-errors": 40,
    "answers-nobody": 20,
    "refuses-requests": 15,
    "broken-prefix-cache": 35,
    "slow-leak": 80,
    "refuses-at-everything": 80,
    "errors-under-load": 25,
    "better-and-slower": 15,
    "full-at-everything": 47,
    "nobody-to-go-back-to": 26,
    "late-errors": 330,
    "queue-grows": 30,
}
"""Minutes after the beginning by which the candidate has less than before."""


def played(name: str, *changes: tuple[str, str]) -> list[Tick]:
    text = (FOLDER / f"{name}.yaml").read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return list(simulate(read(name, text.encode(), resources.read_schema(SCHEMA))))


def course(ticks: list[Tick]) -> str:
    places = [f"{tick.rollout.state} {tick.rollout.weight}" for tick in ticks]
    return ", ".join(p for i, p in enumerate(places) if i == 0 or places[i - 1] != p)


def reasons(ticks: list[Tick]) -> str:
    return "\n".join(tick.decision.reason for tick in ticks)


@pytest.fixture(scope="module")
def stories() -> dict[str, list[Tick]]:
    return {name: played(name) for name in COURSES}


@pytest.mark.parametrize("name", COURSES)
def test_the_course_of_a_story(name: str, stories: dict[str, list[Tick]]) -> None:
    ticks = stories[name]
    assert course(ticks) == COURSES[name]
    quarantined = {w.quarantine for tick in ticks if (w := tick.decision.write) and w.quarantine}
    assert quarantined == ({"2"} if BACK in COURSES[name] else set())


@pytest.mark.parametrize("name", LATEST)
def test_how_soon_a_candidate_loses_weight(name: str, stories: dict[str, list[Tick]]) -> None:
    lowered = next(
        tick.time for tick in stories[name] if (w := tick.decision.write) and w.kind == "lower"
    )
    assert lowered <= LATEST[name] * 60


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("crashes-without-errors", "the candidate restarted 2 times in this step"),
        ("answers-nobody", "the candidate answered 0 of the last"),
        ("refuses-requests", "worse than allowed: refusals: unknown"),
        ("broken-prefix-cache", "worse than allowed: timeToFirstToken"),
        ("too-few-replicas", "waits for replicas: 1 of the 2 that 50 % take are ready"),
        ("queue-grows", "the queue is long"),
        ("shared-fault", "what both versions had is over: the step begins anew"),
        ("shared-fault-at-everything", "the stable version is kept: both versions are bad: errors"),
        ("refuses-at-everything", "refusals: unknown: unlike any step before"),
        ("better-and-slower", "worse than allowed: timeToFirstToken"),
        ("metrics-end-halfway", "there are no metrics"),
        ("nobody-to-go-back-to", "but the stable version has no ready replica"),
        ("first-weight-not-merged", "nobody gave it a first weight"),
        ("nodes-come-and-go", "the candidate has no ready replica, 3 times"),
        ("silent-prometheus", "of which nothing was counted for 1200 s"),
        ("silent-prometheus", "there are no metrics"),
        ("silent-for-ever", "nobody decided: undecided after the longest time of this step"),
    ],
)
def test_a_story_says_why(name: str, words: str, stories: dict[str, list[Tick]]) -> None:
    assert words in reasons(stories[name])


def test_a_person_is_called_while_nobody_can_be_gone_back_to(
    stories: dict[str, list[Tick]],
) -> None:
    ticks = stories["nobody-to-go-back-to"]
    called = [tick.time // 60 for tick in ticks if tick.decision.asks == "rescue"]
    assert called[0] < 15
    assert called[-1] == 24


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_command_plays_a_story(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.run(file=str(FOLDER / "queue-grows.yaml"), form=form) == 0
    out = capsys.readouterr().out
    assert "the queue is long" in out
    assert ("-> lower by push" in out) == (form == "text")


def test_replicas_are_there_before_the_weight(stories: dict[str, list[Tick]]) -> None:
    first = next(w for tick in stories["scaled-before-the-weight"] if (w := tick.decision.write))
    assert first.rollout is not None
    assert (first.kind, first.lane, first.rollout.replicas) == ("hold", "push", 4)


def test_time_that_was_not_scraped_comes_on_top(stories: dict[str, list[Tick]]) -> None:
    ticks = stories["silent-prometheus"]
    begun = next(tick.time for tick in ticks if tick.rollout.state == "STEP")
    promoted = next(tick.time for tick in ticks if tick.rollout.state == "PROMOTING")
    assert promoted - begun >= (40 + 20) * 60


def test_without_others_beside_it_a_fault_at_everything_is_the_candidates() -> None:
    ticks = played("shared-fault-at-everything", (", otherPerMinute: 1000", ""))
    assert course(ticks) == f"{SECOND}, PROMOTING 100, {BACK}"


def test_others_that_are_always_bad_excuse_nothing() -> None:
    always = ("others: {errors: 0.002}", "others: {errors: 0.2}")
    ticks = played("shared-fault-at-everything", always)
    assert course(ticks) == f"{SECOND}, PROMOTING 100, {BACK}"


@pytest.mark.slow
def test_a_fault_that_never_ends_takes_the_weight_away_without_a_quarantine() -> None:
    over = "    - {at: 28m, candidate: {errors: 0.001}, stable: {errors: 0.001}}\n"
    seldom = ("burstCap: 1}", "burstCap: 1, batchSeconds: 600}")
    ticks = played("shared-fault", (over, ""), ("until: 24h", "until: 26h"), seldom)
    assert course(ticks) == "WARMING 0, STEP 10, FROZEN 10, PAUSED 0"


def test_a_candidate_that_is_worse_in_a_shared_fault_fails() -> None:
    worse = ("candidate: {errors: 0.3}, stable: {errors: 0.3}", "candidate: {errors: 0.9}")
    ticks = played("shared-fault", (worse[0], f"{worse[1]}, stable: {{errors: 0.3}}"))
    assert course(ticks).endswith(BACK)


def test_a_hang_after_hours_and_at_everything_is_seen() -> None:
    late = played("answers-nobody", ("soak: 10m", "soak: 3h"), ("at: 7m", "at: 170m"))
    assert course(late) == "WARMING 0, STEP 10, PAUSED 0"
    full = played("answers-nobody", ("at: 7m", "at: 50m"))
    assert course(full) == f"{SECOND}, PROMOTING 100, PAUSED 0"
