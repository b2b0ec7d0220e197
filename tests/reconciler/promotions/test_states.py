"""States of the registry that leave a choice: each decided once, and told."""

from pathlib import Path

import pytest

from support.loop import BRANCH, KEY, MODEL, SPEC, Loop

ENVIRONMENT = "environments/production/environment.yaml"


@pytest.fixture
def loop(tmp_path: Path) -> Loop:
    loop = Loop(tmp_path)
    loop.register(1)
    return loop


def merged(loop: Loop, version: int) -> None:
    loop.register(version)
    loop.merge(loop.chat().pull)


def automatic(loop: Loop) -> None:
    loop.edit(ENVIRONMENT, ("review: required", "review: automatic"))


def test_a_new_version_beside_the_deployed_one_merges_and_the_choice_is_told(loop: Loop) -> None:
    automatic(loop)
    loop.register(2)
    assert loop.chat().what == "merged"
    assert "versions 1, 2 are all in stage Production" in loop.pulls()[0].body


def test_an_older_version_that_was_touched_in_the_stage_waits_for_a_person(loop: Loop) -> None:
    merged(loop, 2)
    automatic(loop)
    loop.register(1, updated=9_000_000)
    outcome = loop.chat()
    assert (outcome.what, outcome.version) == ("proposed", "1")
    assert "a person decides whether stage Production means version 1" in outcome.reasons


def test_an_alias_that_went_and_came_back_leaves_nothing_behind(loop: Loop) -> None:
    loop.edit(ENVIRONMENT, ("stage: Production", "alias: champion"))
    loop.register(1, aliases=["champion"])
    loop.register(2)
    assert loop.chat().what == "nothing to do"
    loop.register(1)
    loop.register(2, aliases=["champion"])
    assert loop.chat().what == "proposed"
    loop.register(2)
    loop.register(1, aliases=["champion"])
    assert loop.chat().what == "nothing to do"
    assert [pull.state for pull in loop.pulls()] == ["closed"]
    loop.register(1)
    loop.register(2, aliases=["champion"])
    assert loop.chat().what == "proposed"


def test_a_release_may_follow_something_else_than_its_environment(loop: Loop) -> None:
    loop.edit(SPEC, ("spec:\n", "spec:\n  follows: {alias: eu}\n"))
    loop.register(2)
    loop.register(3, stage="", aliases=["eu"])
    outcomes = loop.cycle()
    assert (outcomes[KEY].what, outcomes[KEY].version) == ("proposed", "3")
    assert "is in `alias eu` of the registry" in loop.pulls()[0].body
    assert "follows: {alias: eu}" in loop.file(SPEC, BRANCH)
    loop.register(3, stage="Production")
    outcome = loop.chat()
    assert outcome.reasons[0] == "no version is in alias eu"
    assert (outcome.what, outcome.pull) == ("not confirmed", 1)


def test_a_model_that_was_created_again_is_not_taken_for_the_deployed_one(loop: Loop) -> None:
    merged(loop, 2)
    loop.register(2, created=5_000_000)
    outcome = loop.chat()
    assert outcome.refused
    assert "version 2 in the registry is not the one that is deployed" in outcome.reasons[0]
    assert "one more version" in outcome.reasons[0]


def test_another_version_of_a_model_that_was_created_again_has_no_baseline(loop: Loop) -> None:
    merged(loop, 2)
    loop.register(2, created=5_000_000, stage="")
    loop.register(3, created=6_000_000)
    outcome = loop.chat()
    assert outcome.refused
    assert "was not recorded for the deployed version" in outcome.reasons[0]


def test_a_number_that_served_before_is_no_rollback_when_it_is_another_version(loop: Loop) -> None:
    merged(loop, 2)
    automatic(loop)
    freeze = '\n    freezes:\n      - {from: "1970-01-01T00:00", to: "2020-01-01T00:00"}'
    loop.edit(ENVIRONMENT, ("review: automatic", f"review: automatic{freeze}"))
    loop.archive(2)
    loop.register(1, created=1_900_000)
    assert "a freeze ends at" in loop.chat().reasons[-1]


@pytest.mark.parametrize("group", ["", "\n    group: team"])
def test_a_number_that_was_rejected_is_open_again_when_it_is_another_version(
    loop: Loop, group: str
) -> None:
    loop.edit(ENVIRONMENT, ("review: required", f"review: required{group}"))
    loop.register(2)
    loop.reviewer.close(loop.chat().pull, "no")
    assert loop.chat().what == "rejected"
    loop.register(2, created=1_900_000)
    assert loop.chat().what == "proposed"


def test_a_model_that_is_renamed_or_hidden_is_told_with_the_remedy(loop: Loop) -> None:
    loop.models = {"renamed": loop.models[MODEL]}
    loop._write()
    outcome = loop.chat()
    assert outcome.refused
    assert "correct spec.model.name; else grant READ" in outcome.reasons[0]
    loop.edit(SPEC, (f"name: {MODEL}\n    version", "name: renamed\n    version"))
    assert loop.chat().what == "nothing to do"


def test_a_deployed_version_that_the_registry_lost_is_told(loop: Loop) -> None:
    environment = loop.file(SPEC)
    gates = environment[environment.index("  gates:") :]
    loop.edit(SPEC, (gates, ""))
    merged(loop, 2)
    loop.models[MODEL] = [v for v in loop.models[MODEL] if v["version"] != 2]
    loop.register(3)
    assert loop.chat().what == "proposed"
    assert "the deployed version 2 is no longer in the registry" in loop.pulls()[0].body


def test_no_version_in_the_stage_leaves_what_is_deployed(loop: Loop) -> None:
    loop.archive(1)
    outcome = loop.chat()
    assert (outcome.what, outcome.reasons) == (
        "nothing to do",
        ("no version is in stage Production",),
    )
    assert 'version: "1"' in loop.file(f"environments/{KEY}/release.yaml")


def test_a_first_version_that_the_registry_never_had_leaves_no_doubt(loop: Loop) -> None:
    gates = loop.file(SPEC)[loop.file(SPEC).index("  gates:") :]
    loop.edit(SPEC, (gates, ""))
    automatic(loop)
    loop.models.clear()
    loop.register(2)
    assert loop.chat().what == "merged"
    assert "the deployed version 1 is not in the registry" in loop.pulls()[0].body


def test_going_back_with_nothing_else_in_the_stage_leaves_no_doubt(loop: Loop) -> None:
    merged(loop, 2)
    automatic(loop)
    loop.archive(2)
    loop.register(1, updated=9_000_000)
    assert loop.chat().what == "merged"
