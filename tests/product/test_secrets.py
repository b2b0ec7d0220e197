"""What somebody wrote into the registry or a spec that is nobody's business gets nowhere."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice import files, git
from sluice.cli import main
from support import trees
from support.loop import BRANCH, KEY, SPEC, Loop

CANARY = "s3cr3t"
PARAMETERS = {
    "hf_token": f"hf_{CANARY}",
    "database_url": f"postgres://trainer:{CANARY}@db.example.com/runs",
    "PGPASSWORD": CANARY,
    "apiKey": CANARY,
    "dsn": f"host=db user=trainer password={CANARY}",
    "config": json.dumps({"client_secret": CANARY, "headers": {"Cookie": CANARY}}),
    "data": f"https://store.example.com/train?X-Amz-Signature={CANARY}&X-Amz-Date=20260101",
    "command": f"train --token={CANARY} --lr=1e-5",
}
HARMLESS = {
    "max_tokens": "512",
    "tokens_per_second": "91.5",
    "tokenizer": "bpe",
    "pad_token": "<p>",
}
TAGS = {
    "digest": f"sha256:{'a' * 64}",
    "webhook": f"https://hooks.example.com/?access_token={CANARY}",
    "secret": CANARY,
}
DATASET = f"https://reader:{CANARY}@data.example.com/mmlu"
METRICS = {"mmlu/acc": {"value": 0.7, "dataset": DATASET}, "tokens_per_second": 91.5}


@pytest.fixture
def loop(tmp_path: Path) -> Loop:
    made = Loop(tmp_path)
    parameters = {**PARAMETERS, **HARMLESS}
    for version in (1, 2):
        made.register(version, metrics=METRICS, tags=TAGS, parameters=parameters)
    return made


def objects(repository: git.Repository) -> Iterator[bytes]:
    """Everything that Git has: files, commits and the embedded forge's own."""
    for identity in repository:
        yield repository[identity].read_raw()


def test_no_secret_of_the_registry_comes_into_git_or_a_pull_request(loop: Loop) -> None:
    assert loop.chat().what == "proposed"
    (pull,) = loop.pulls()
    assert CANARY not in pull.title + pull.body
    assert not [raw for raw in objects(loop.repository) if CANARY.encode() in raw]
    frozen = loop.file(f"environments/{KEY}/evidence/v2.json", BRANCH)
    for name, value in HARMLESS.items():
        assert json.loads(frozen)["parameters"][name] == value
    assert json.loads(frozen)["tags"]["digest"] == TAGS["digest"]
    assert json.loads(frozen)["measurements"]["tokens_per_second"]["value"] == 91.5
    assert "data.example.com" in frozen


def test_no_verb_prints_a_secret(loop: Loop, capfd: pytest.CaptureFixture[str]) -> None:
    registry = f"file:{loop.folder / 'registry.json'}"
    here = ["--repository", str(loop.bare)]
    main(["reconcile", "--once", "--registry", registry, *here, "--format", "json"])
    main(["pulls", "show", "1", *here])
    main(["pulls", "close", "1", *here, "--reason", f"its token={CANARY} is bad"])
    main(["pulls", "list", *here, "--state", "all", "--format", "json"])
    for verb in (["status"], ["board"], ["history", "chat"]):
        main([*verb, *here])
    said = capfd.readouterr()
    assert "chat" in said.out
    assert CANARY not in said.out + said.err


def test_what_looks_like_a_credential_is_not_committed(loop: Loop) -> None:
    source = f"pvc://model-pvc/qwen2.5-7b-instruct/hf_{'a1B2' * 8}"
    loop.register(3, source=source, metrics=METRICS)
    outcome = loop.chat()
    assert outcome.what == "refused"
    assert "a token of a service" in outcome.reasons[0]
    assert "waiver" in outcome.reasons[0]
    assert not [raw for raw in objects(loop.repository) if b"a1B2a1B2" in raw]


def test_a_person_may_let_it_through(loop: Loop) -> None:
    """By writing it into the spec, which is reviewed."""
    source = f"pvc://model-pvc/qwen2.5-7b-instruct/hf_{'a1B2' * 8}"
    loop.register(3, source=source, metrics=METRICS)
    loop.edit(SPEC, ("    name: qwen", f"    # {source}\n    name: qwen"))
    assert loop.chat().what == "proposed"


@pytest.mark.parametrize("form", ["text", "json", "github", "gitlab", "junit", "sarif"])
@pytest.mark.parametrize("verb", ["check", "validate"])
def test_a_credential_in_a_spec_is_a_finding_with_its_place(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], verb: str, form: str
) -> None:
    spec = trees.base()[trees.RELEASE].decode() + f"# curl https://x:{CANARY}@example.com\n"
    files.write(tmp_path, {**trees.base(), trees.RELEASE: spec.encode()})
    assert main([verb, "--root", str(tmp_path), "--format", form]) == 1
    said = capfd.readouterr().out
    assert "SEC001" in said
    assert CANARY not in said


def test_a_waiver_lets_it_through(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    spec = trees.base()[trees.RELEASE].decode() + f"# curl https://x:{CANARY}@example.com\n"
    waiver = (
        "waivers:\n  - {rule: SEC001, path: environments, owner: ann, reason: an example, "
        "expires: 2999-01-01}\n"
    )
    changes = {trees.RELEASE: spec.encode(), "policies/waivers.yaml": waiver.encode()}
    files.write(tmp_path, {**trees.base(), **changes})
    assert main(["validate", "--root", str(tmp_path)]) == 0
    assert "waived" in capfd.readouterr().out
