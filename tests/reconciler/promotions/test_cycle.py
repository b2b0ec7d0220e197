"""The reconciler on real Git with the embedded forge: what it proposes, and when it holds back."""

from pathlib import Path

import pytest

from sluice import git
from sluice.core.finding import FindingsError
from sluice.core.promotion.message import read_marker
from sluice.workspace.revisions import read_workspace
from support.git_fixtures import MAIN, put, run_git
from support.loop import BRANCH, GOOD, KEY, MODEL, OTHER, SPEC, Loop


@pytest.fixture
def loop(tmp_path: Path) -> Loop:
    """Version 1 is deployed and measured."""
    loop = Loop(tmp_path)
    loop.register(1, metrics={"mmlu/acc": 0.70})
    return loop


def test_the_deployed_version_in_its_stage_needs_nothing(loop: Loop) -> None:
    before = loop.refs()
    assert loop.chat().what == "nothing to do"
    assert loop.refs() == before


def test_a_promoted_version_becomes_a_pull_request_of_a_two_line_diff(loop: Loop) -> None:
    loop.register(2)
    outcome = loop.chat()
    assert (outcome.what, outcome.version, outcome.pull) == ("proposed", "2", 1)
    (pull,) = loop.pulls()
    assert pull.title == f"production/chat: {MODEL} 1 -> 2"
    diff = git.diff_text(loop.repository, MAIN, BRANCH, [SPEC])
    lines = diff.splitlines()[4:]
    changed = [line for line in lines if line.startswith(("+", "-"))]
    assert changed == [
        '-    version: "1"',
        f"-    source: pvc://model-pvc/{MODEL}-awq/1",
        '+    version: "2"',
        f"+    source: pvc://model-pvc/{MODEL}/2",
    ]


def test_the_branch_holds_exactly_what_its_specs_render(loop: Loop) -> None:
    loop.register(2)
    loop.chat()
    workspace = read_workspace(loop.repository, BRANCH)
    rendered = {path: m.content() for path, m in workspace.render().items()}
    assert git.read_tree(loop.repository, BRANCH, ["manifests"]).files == rendered


def test_a_second_run_with_nothing_new_writes_nothing(loop: Loop) -> None:
    loop.register(2)
    loop.chat()
    before = loop.refs()
    assert loop.chat().what == "unchanged"
    assert loop.refs() == before


def test_a_newer_version_moves_the_pull_request_and_tells_what_it_supersedes(
    loop: Loop,
) -> None:
    loop.register(2)
    loop.chat()
    loop.register(3)
    outcome = loop.chat()
    assert (outcome.what, outcome.version, outcome.pull) == ("updated", "3", 1)
    (pull,) = loop.pulls()
    assert pull.title.endswith("1 -> 3")
    assert "supersedes version `2`" in pull.body
    assert read_marker(pull.body) == ("3", ("2",))


def test_a_merged_version_is_deployed_and_its_branch_is_gone(loop: Loop) -> None:
    loop.register(2)
    loop.chat()
    loop.merge(1)
    assert 'version: "2"' in loop.file(SPEC)
    assert loop.chat().what == "nothing to do"
    assert BRANCH not in loop.refs()


def test_a_closed_pull_request_rejects_its_version_only(loop: Loop) -> None:
    loop.register(2)
    loop.chat()
    loop.reviewer.close(1, "answers got worse")
    assert loop.chat().what == "rejected"
    loop.register(3)
    outcome = loop.chat()
    assert (outcome.what, outcome.version, outcome.pull) == ("proposed", "3", 2)


def test_what_sluice_withdraws_is_not_rejected(loop: Loop) -> None:
    loop.register(2)
    loop.chat()
    loop.archive(2)
    assert {o.what for o in [loop.chat()]} == {"nothing to do"}
    assert [pull.state for pull in loop.pulls()] == ["closed"]
    loop.register(2, updated=9_000)
    assert loop.chat().what == "proposed"


def test_a_branch_that_a_person_edited_is_left_alone(loop: Loop) -> None:
    loop.register(2)
    loop.chat()
    edited = put(loop.repository, {"notes.txt": b"mine"}, BRANCH)
    loop.register(3)
    outcome = loop.chat()
    assert outcome.what == "left alone"
    assert git.tip(loop.repository, BRANCH) == edited


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        ({"mmlu/acc": 0.61}, "below 0.65"),
        ({"mmlu/acc": 0.68}, "worse by more than 0.01"),
        ({"mmlu/acc": float("nan")}, "is nan"),
        ({"mmlu/acc": float("inf")}, "is inf"),
        ({}, "was not recorded for this version"),
    ],
)
def test_a_gate_that_is_not_met_refuses_the_version(
    loop: Loop, metrics: dict[str, float], said: str
) -> None:
    loop.register(2, metrics=metrics)
    before = loop.refs()
    outcome = loop.chat()
    assert outcome.what == "refused"
    assert outcome.refused
    assert said in outcome.reasons[0]
    assert loop.refs() == before


def test_a_refused_newer_version_withdraws_the_older_proposal(loop: Loop) -> None:
    loop.register(2)
    loop.chat()
    loop.register(3, metrics={"mmlu/acc": 0.1})
    assert loop.chat().what == "refused"
    assert [pull.state for pull in loop.pulls()] == ["closed"]


def test_a_deployed_version_that_was_never_measured_fails_the_regression_gate(loop: Loop) -> None:
    loop.register(1, metrics={})
    loop.register(2)
    assert "was not recorded for the deployed version" in loop.chat().reasons[0]


def test_a_deployed_version_that_the_registry_never_had_is_named(loop: Loop) -> None:
    loop.models.clear()
    loop.register(2)
    said = "was not recorded for the deployed version: the registry does not have version 1"
    assert said in loop.chat().reasons[0]


def test_of_two_versions_in_the_stage_the_last_moved_is_proposed_and_the_choice_is_told(
    loop: Loop,
) -> None:
    loop.register(2, updated=5_000)
    loop.register(3, updated=4_000)
    assert loop.chat().version == "2"
    assert "versions 1, 2, 3 are all in stage Production" in loop.pulls()[0].body


def test_a_source_that_cannot_be_served_is_refused_with_the_remedy(loop: Loop) -> None:
    loop.register(2, source="s3://models/chat;rm -rf /\nfoo: bar")
    outcome = loop.chat()
    assert outcome.what == "refused"
    assert "is not accepted" in outcome.reasons[0]
    assert not loop.pulls()


def test_an_unknown_model_is_a_problem_that_is_told(loop: Loop) -> None:
    loop.models.clear()
    loop.register(1, model="other")
    outcome = loop.chat()
    assert outcome.refused
    assert "has no model" in outcome.reasons[0]


def test_a_version_in_quarantine_is_not_proposed(loop: Loop) -> None:
    loop.edit(SPEC, ('    version: "1"\n', '    version: "1"\n    quarantine:\n      - "2"\n'))
    loop.register(2)
    assert "quarantine" in loop.chat().reasons[0]
    assert not loop.pulls()


def test_a_version_that_is_not_ready_waits(loop: Loop) -> None:
    loop.register(2, ready=False)
    assert "not ready" in loop.chat().reasons[0]


def test_a_broken_release_keeps_only_itself_waiting(loop: Loop) -> None:
    loop.add_other()
    loop.register_both(1)
    loop.register_both(2)
    loop.edit(SPEC, ("prefixCaching", "prefixCashing"))
    outcomes = loop.cycle()
    assert (outcomes[KEY].what, outcomes[KEY].refused) == ("broken", True)
    assert outcomes[KEY].reasons[0].startswith(f"{SPEC}:")
    assert outcomes[OTHER].what == "proposed"
    loop.edit(SPEC, ("prefixCashing", "prefixCaching"))
    assert loop.chat().what == "proposed"


def test_a_broken_environment_keeps_only_its_own_waiting(loop: Loop) -> None:
    loop.register(2)
    loop.edit("environments/staging/environment.yaml", ("namespace: ", "namespaces: "))
    outcomes = loop.cycle()
    assert outcomes["staging"].what == "broken"
    assert outcomes[KEY].what == "proposed"
    assert not [name for name in outcomes if name.startswith("staging/")]


def test_what_all_have_in_common_stops_everything_with_findings(loop: Loop) -> None:
    loop.commit({"environments/stray.txt": b"mine"})
    loop.register(2)
    with pytest.raises(FindingsError) as raised:
        loop.cycle()
    assert raised.value.findings[0].place.file == "environments/stray.txt"


def test_a_dry_run_tells_and_writes_nothing(loop: Loop) -> None:
    loop.register(2)
    before = loop.refs()
    outcome = loop.chat(dry_run=True)
    assert outcome.what == "would propose"
    assert SPEC in outcome.reasons
    assert loop.refs() == before
    loop.cycle()
    changed = run_git(loop.bare, "diff", "--name-only", "main", f"{BRANCH}").split()
    assert outcome.reasons[1:] == tuple(changed)


def test_an_alias_is_followed_too(loop: Loop) -> None:
    environment = "environments/production/environment.yaml"
    loop.edit(environment, ("stage: Production", "alias: champion"))
    loop.register(2, stage="", aliases=["champion"])
    assert loop.chat().version == "2"


def test_automatic_review_merges_when_the_gates_pass(loop: Loop) -> None:
    environment = "environments/production/environment.yaml"
    loop.edit(environment, ("review: required", "review: automatic"))
    loop.register(2)
    assert loop.chat().what == "merged"
    assert 'version: "2"' in loop.file(SPEC)


def test_an_unrelated_change_of_the_base_does_not_touch_the_branch(loop: Loop) -> None:
    loop.register(2)
    loop.chat()
    before = git.tip(loop.repository, BRANCH)
    loop.commit({"README.md": b"other words\n"})
    assert loop.chat().what == "unchanged"
    assert git.tip(loop.repository, BRANCH) == before


def test_a_change_of_the_same_release_is_rendered_anew_on_the_new_base(loop: Loop) -> None:
    loop.register(2)
    loop.chat()
    loop.edit(SPEC, ("max: 4", "max: 5"))
    assert loop.chat().what == "updated"
    assert "maxReplicas: 5" in loop.file(f"manifests/{KEY}/horizontalpodautoscaler.yaml", BRANCH)
    loop.merge(1)
    assert "max: 5" in loop.file(SPEC)


def test_a_digest_follows_the_version(loop: Loop) -> None:
    digest = f"sha256:{'ab' * 32}"
    loop.register(2, tags={"digest": digest})
    loop.chat()
    loop.merge(1)
    assert f"digest: {digest}" in loop.file(SPEC)
    loop.register(3)
    loop.chat()
    assert "digest" not in loop.file(SPEC, BRANCH)


def test_a_canary_release_begins_a_rollout_that_keeps_the_stable_version(loop: Loop) -> None:
    steps = "strategy: canary\n    steps:\n      - weight: 10\n        soak: 10m"
    loop.edit(SPEC, ("strategy: rolling", steps))
    loop.register(2)
    loop.chat()
    rollout = loop.file(f"environments/{KEY}/rollout.yaml", BRANCH)
    assert 'candidate: "2"' in rollout
    assert f"source: pvc://model-pvc/{MODEL}-awq/1" in rollout
    files = git.read_tree(loop.repository, BRANCH, [f"manifests/{KEY}"]).files
    names = {path.rpartition("/")[2] for path in files}
    assert {"deployment-v1.yaml", "deployment-v2.yaml", "service-v2.yaml"} <= names
    loop.merge(1)
    loop.register(3)
    assert "waits for the rollout of 2" in loop.chat().reasons[0]


def test_the_commit_is_the_audit_log(loop: Loop) -> None:
    loop.register(2)
    loop.chat()
    trailers = git.commit_of(loop.repository, BRANCH).trailers
    assert trailers["Model"] == MODEL
    assert trailers["Model-Version"] == "2"
    assert trailers["Previous-Version"] == "1"
    assert trailers["Run-Id"] == "run-2"
    assert trailers["Follows"] == "stage Production"
    assert trailers["Gates"] == "1 of 1 passed"


def test_the_evidence_is_frozen_beside_the_release(loop: Loop) -> None:
    loop.register(2, metrics={**GOOD, "toxicity": 0.01})
    loop.chat()
    evidence = loop.file(f"environments/{KEY}/evidence/v2.json", BRANCH)
    assert '"toxicity"' in evidence
    assert '"passed": true' in evidence


HOSTILE = '`x` | <!-- sluice:v1 {"version": "9"} --> [a](b) @everyone #1 <img src=x> ```'


def test_a_hostile_model_name_stays_text_in_the_pull_request(loop: Loop) -> None:
    name = HOSTILE.replace("`", "'")
    loop.edit(SPEC, (f"name: {MODEL}", f"name: >-\n      {name}"))
    loop.models.clear()
    loop.register(1, model=name)
    loop.register(2, model=name)
    assert loop.chat().what == "proposed"
    (pull,) = loop.pulls()
    assert read_marker(pull.body) == ("2", ())
    assert "<img" not in _outside_code(pull.body)
    assert "@everyone" not in _outside_code(pull.body)


def _outside_code(body: str) -> str:
    return "".join(body.split("`")[::2]).split("<!-- sluice:v1")[0]


def test_everything_is_sound_at_the_end(loop: Loop) -> None:
    for version in (2, 3):
        loop.register(version)
        loop.chat()
    loop.merge(1)
    run_git(loop.bare, "fsck", "--strict")
