"""What a person who may write to the registry can and cannot bring about by a promotion."""

from pathlib import Path

import pytest

from support.loop import ENVIRONMENT, KEY, SPEC, Loop

PIN = "@" + "a" * 40
OTHERS = f"hf://attacker/weights{PIN}"


@pytest.fixture
def loop(tmp_path: Path) -> Loop:
    loop = Loop(tmp_path)
    loop.register(1)
    loop.edit(ENVIRONMENT, ("review: required", "review: automatic"))
    return loop


def test_a_place_that_is_not_allowed_is_refused(loop: Loop) -> None:
    loop.register(2, metrics={"mmlu/acc": 0.99}, source=OTHERS)
    outcome = loop.chat()
    assert outcome.what == "refused"
    assert "allows no weights from hf://attacker/weights" in outcome.reasons[0]
    assert f"sources.allowed in {ENVIRONMENT}" in outcome.reasons[0]


def test_another_owner_waits_for_a_person(loop: Loop) -> None:
    allowed = "allowed:\n      - pvc://model-pvc/\n"
    loop.edit(ENVIRONMENT, (allowed, allowed + "      - pvc://other/\n"))
    files = ["config.json", "model.safetensors"]
    loop.register(2, metrics={"mmlu/acc": 0.99}, source="pvc://other/chat/2", files=files)
    outcome = loop.chat()
    assert outcome.what == "proposed"
    assert "come from pvc://other; those that are deployed do not" in outcome.reasons[0]
    (pull,) = loop.pulls()
    assert "**waits**" in pull.body
    assert "- [ ] `source`" in pull.body
    assert "run-2" in pull.body


def test_code_among_the_files_waits_for_a_person(loop: Loop) -> None:
    loop.register(2, files=["model.safetensors", "modeling_evil.py"])
    outcome = loop.chat()
    assert outcome.what == "proposed"
    assert "may run code: modeling_evil.py" in outcome.reasons[0]
    assert "modeling_evil.py" in loop.pulls()[0].body


def test_plain_weights_of_the_same_owner_merge_by_themselves(loop: Loop) -> None:
    raw = loop.file(ENVIRONMENT)
    loop.commit(
        {ENVIRONMENT: raw.replace("    unlisted:\n      - pvc://model-pvc/\n", "").encode()}
    )
    loop.register(2)
    assert "nobody knows whether code is among its files" in loop.chat().reasons[0]
    loop.register(2, files=["model.safetensors"])
    assert loop.chat().what == "merged"


def test_a_number_that_the_promoter_wrote_is_as_if_missing(loop: Loop) -> None:
    raw = loop.file(SPEC)
    gate = "{metric: mmlu/acc, min: 0.5, measuredBy: {users: [bot]}}"
    gates = f"  gates:\n    - {gate}\n"
    loop.commit({SPEC: (raw[: raw.index("  gates:")] + gates).encode()})
    loop.register(2, metrics={"mmlu/acc": {"value": 0.99, "user": "mallory"}})
    outcome = loop.chat()
    assert outcome.what == "refused"
    assert "written by mallory, run run-2, whom this gate does not count" in outcome.reasons[0]
    loop.register(2, metrics={"mmlu/acc": {"value": 0.6, "user": "bot"}})
    assert loop.cycle()[KEY].what == "merged"
