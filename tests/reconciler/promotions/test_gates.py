"""Conditions that need Git, the clock and people, in the whole loop."""

import json
from pathlib import Path
from typing import Any

import pytest

from support.loop import BRANCH, KEY, MODEL, SPEC, Loop

ENVIRONMENT = "environments/production/environment.yaml"
STAGING = SPEC.replace("production", "staging")


@pytest.fixture
def loop(tmp_path: Path) -> Loop:
    loop = Loop(tmp_path)
    loop.register(1, metrics={"mmlu/acc": 0.70})
    return loop


def promotion(loop: Loop, extra: str, review: str = "automatic") -> None:
    indented = "".join(f"\n    {line}" for line in extra.splitlines())
    loop.edit(ENVIRONMENT, ("review: required", f"review: {review}{indented}"))


def gates(loop: Loop, text: str) -> None:
    old = loop.file(SPEC)
    loop.commit({SPEC: (old[: old.index("  gates:")] + f"  gates:\n{text}").encode()})


SOAK = "gates:\n  - soak:\n      environment: staging\n      duration: 10m"


def test_a_version_that_never_soaked_is_proposed_and_does_not_merge_by_itself(loop: Loop) -> None:
    promotion(loop, SOAK)
    loop.register(2)
    outcome = loop.chat()
    assert outcome.what == "proposed"
    assert "has not served there" in outcome.reasons[0]
    (pull,) = loop.pulls()
    assert "**waits**" in pull.body
    assert "- [ ] `soak`" in pull.body


def test_a_version_that_soaked_long_enough_merges(loop: Loop) -> None:
    promotion(loop, SOAK)
    loop.edit(STAGING, ('version: "1"', 'version: "2"'))  # at 1,000 s; the cycle is at 2,000 s
    loop.register(2)
    assert loop.chat().what == "merged"


def test_a_soak_that_goes_on_is_waited_for_without_a_new_push(loop: Loop) -> None:
    promotion(loop, SOAK.replace("10m", "1h"))
    loop.edit(STAGING, ('version: "1"', 'version: "2"'))
    loop.register(2)
    assert "long enough from" in loop.chat().reasons[0]
    before = loop.refs()
    assert loop.chat().what == "unchanged"
    assert loop.refs() == before


def test_an_approval_in_the_registry_lets_it_merge(loop: Loop) -> None:
    promotion(loop, "gates:\n  - approval:\n      tag: approved-by")
    loop.register(2)
    assert "is not approved" in loop.chat().reasons[0]
    loop.register(2, tags={"approved-by": "ada"})
    assert loop.chat().what == "merged"
    evidence = loop.file(f"environments/{KEY}/evidence/v2.json")
    assert json.loads(evidence)["gates"][0]["passed"] is True


FREEZE = 'freezes:\n  - from: "1970-01-01T00:00"\n    to: "2020-01-01T00:00"\n    reason: x'


def test_a_freeze_holds_a_new_version_and_not_a_rollback(loop: Loop) -> None:
    loop.register(2)
    loop.chat()
    loop.merge(1)
    promotion(loop, FREEZE)
    loop.register(3)
    assert "a freeze (x) ends" in loop.chat().reasons[0]
    loop.archive(2, 3)
    assert (loop.chat().what, loop.chat().what) == ("merged", "nothing to do")
    assert 'version: "1"' in loop.file(SPEC)


def test_a_rollback_to_a_worse_version_waits_for_a_person(loop: Loop) -> None:
    loop.register(2, metrics={"mmlu/acc": 0.80})
    loop.chat()
    loop.merge(1)
    loop.edit(ENVIRONMENT, ("review: required", "review: automatic"))
    loop.register(1, metrics={"mmlu/acc": 0.70}, updated=9_000_000)
    outcome = loop.chat()
    assert outcome.what == "proposed"
    assert "a person decides" in outcome.reasons[0]


def test_a_version_that_comes_back_leaves_its_first_evidence_as_it_is(loop: Loop) -> None:
    loop.register(2)
    loop.chat()
    loop.merge(1)
    first = loop.file(f"environments/{KEY}/evidence/v2.json")
    loop.register(1, updated=8_000_000)
    loop.chat()
    loop.merge(2)
    loop.register(2, metrics={"mmlu/acc": 0.75}, updated=9_000_000)
    loop.chat()
    loop.merge(3)
    assert loop.file(f"environments/{KEY}/evidence/v2.json") == first
    assert "0.75" in loop.file(f"environments/{KEY}/evidence/v2.2.json")


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ({"value": 0.7, "dataset": "mmlu@2"}, "another dataset"),
        ({"value": 0.7, "dataset": "mmlu@1", "scorers": "s2"}, "other scorers"),
        ({"value": 0.7, "dataset": "mmlu@1", "scorers": "s1"}, ""),
    ],
)
def test_what_was_measured_otherwise_cannot_be_compared(
    loop: Loop, new: dict[str, Any], said: str
) -> None:
    old = {"value": 0.7, "dataset": "mmlu@1", "scorers": "s1"}
    loop.register(1, metrics={"mmlu/acc": old})
    loop.register(2, metrics={"mmlu/acc": new})
    outcome = loop.chat()
    assert outcome.refused == bool(said)
    assert said in "".join(outcome.reasons)


def test_the_pull_request_tells_everything(loop: Loop) -> None:
    loop.register(1, metrics={"mmlu/acc": 0.70, "mmlu/acc_stderr": 0.01, "loss": 2.0})
    loop.register(2, metrics={"mmlu/acc": 0.77, "mmlu/acc_stderr": 0.01, "loss": 1.5})
    promotion(loop, FREEZE, "required")
    loop.chat()
    (pull,) = loop.pulls()
    headings = [line for line in pull.body.splitlines() if line.startswith("### ")]
    assert headings == [
        *("### What changes", "### Evaluation", "### Memory", "### Cost", "### Rollout"),
        *("### Lineage", "### Before merging", "### Checksum"),
    ]
    assert "| `mmlu/acc` | 0.7 ± 0.01 | 0.77 ± 0.01 | +0.07 |" in pull.body
    assert "| `loss` | 2 | 1.5 | -0.5 |" in pull.body
    assert "```mermaid\nxychart-beta" in pull.body
    assert "bar [10.00]" in pull.body
    assert "`not from 1970-01-01T00:00 to 2020-01-01T00:00 UTC: x`" in pull.body
    assert f"`environments/{KEY}/evidence/v2.json`" in pull.body


def test_the_evidence_holds_what_it_was_compared_with(loop: Loop) -> None:
    loop.register(2, metrics={"mmlu/acc": 0.77})
    loop.chat()
    frozen = json.loads(loop.file(f"environments/{KEY}/evidence/v2.json", BRANCH))
    assert frozen["measurements"]["mmlu/acc"]["value"] == 0.77
    assert frozen["baseline"]["mmlu/acc"]["value"] == 0.70
    assert frozen["model"] == MODEL
