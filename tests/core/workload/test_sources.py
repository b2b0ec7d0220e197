"""Where weights are: pinned, on a claim or a hub, and never outside the mount."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sluice.core.workload.sources import MOUNT, SourceError, beside, mounts, parse
from support import trees

COMMIT = "a09a35458c702b33eeacc393d103063234e8bc28"
PATHS = st.from_regex(
    r"[A-Za-z0-9][A-Za-z0-9._~@:=+-]{0,9}(/[A-Za-z0-9_~@:=+-]{1,9}){0,3}", fullmatch=True
)


def test_a_claim_is_mounted_and_nothing_is_fetched() -> None:
    source = parse("pvc://models/support-chat/7")
    assert (source.claim, source.location, source.staged) == (
        "models",
        "/models/support-chat/7",
        True,
    )


def test_a_claim_alone_is_the_mount_itself() -> None:
    assert parse("pvc://models").location == parse("pvc://models/").location == MOUNT


def test_a_repository_is_pinned_to_a_commit() -> None:
    source = parse(f"hf://Qwen/Qwen2.5-7B-Instruct@{COMMIT}")
    assert source.location == "Qwen/Qwen2.5-7B-Instruct"
    assert (source.revision, source.claim, source.staged) == (COMMIT, "", False)


@pytest.mark.parametrize("revision", ["", "@main", "@v1.0", f"@{COMMIT[:7]}", f"@{COMMIT.upper()}"])
def test_a_repository_at_a_name_that_moves_is_refused(revision: str) -> None:
    with pytest.raises(SourceError, match="not pinned") as caught:
        parse(f"hf://Qwen/Qwen2.5-7B-Instruct{revision}")
    assert "40 digits" in caught.value.remedy


@pytest.mark.parametrize(
    "source",
    ["pvc://models/chat/latest", "pvc://models/Production/", "s3://models/chat/production"],
)
def test_a_folder_that_somebody_moves_is_refused(source: str) -> None:
    with pytest.raises(SourceError, match="not pinned"):
        parse(source)


@pytest.mark.parametrize(
    "source",
    ["", "s3://a/b", "PVC://a/b", "pvc:/a/b", "pvc:///b", "/models/a", "hf://a", "a\npvc://b"],
)
def test_another_scheme_is_refused_with_those_that_are_known(source: str) -> None:
    with pytest.raises(SourceError, match="cannot be served") as caught:
        parse(source)
    assert "pvc://" in caught.value.remedy


@given(PATHS)
def test_a_path_stays_below_the_mount(path: str) -> None:
    assert parse(f"pvc://models/{path}").location == f"{MOUNT}/{path}"


def test_a_second_claim_has_a_mount_of_its_own() -> None:
    main = parse("pvc://models/chat")
    draft = beside("pvc://drafts/small", main)
    assert draft.location == "/mounts/drafts/small"
    assert mounts(main, [draft]) == {"models": MOUNT, "drafts": "/mounts/drafts"}


def test_a_model_on_the_same_claim_shares_its_mount() -> None:
    main = parse("pvc://models/chat")
    assert beside("pvc://models/small", main).location == "/models/small"
    assert mounts(main, [parse("pvc://models/small")]) == {"models": MOUNT}


SERVER, OTHER = "https://mlflow.example.com", "https://other.example.com"


@pytest.mark.parametrize(
    ("source", "environment", "weights", "refused"),
    [
        ("models:/chat/7", {"endpoint": SERVER}, {"endpoint": OTHER}, True),
        ("models:/chat/7", {"endpoint": SERVER}, {"endpoint": f"{SERVER}.evil.example"}, True),
        ("models:/chat/7", {"endpoint": SERVER}, {"endpoint": f"{SERVER}/"}, False),
        ("models:/chat/7", {"tokenSecret": {"name": "a", "key": "b"}}, {"endpoint": OTHER}, True),
        ("s3://models/7", {"credentialsSecret": "a"}, {"endpoint": OTHER}, True),
        ("s3://models/7", {}, {"endpoint": OTHER, "credentialsSecret": "mine"}, False),
        (
            "s3://models/7",
            {"credentialsSecret": "a"},
            {"endpoint": OTHER, "credentialsSecret": "mine"},
            False,
        ),
    ],
)
def test_a_token_stays_with_the_server_of_its_environment(
    source: str,
    environment: dict[str, Any],
    weights: dict[str, Any],
    refused: bool,  # noqa: FBT001  # a case
) -> None:
    files = trees.base()
    release, place = (yaml.safe_load(files[path]) for path in (trees.RELEASE, trees.ENVIRONMENT))
    release["spec"]["model"]["source"] = source
    release["spec"]["weights"] = weights
    scheme = source.partition(":")[0]
    place["spec"]["storage"] = {"sources": {scheme: environment}}
    written = {trees.RELEASE: release, trees.ENVIRONMENT: place}
    files |= {path: yaml.safe_dump(data).encode() for path, data in written.items()}
    findings, _ = trees.outcome(files)
    assert ("REF097" in {finding.rule for finding in findings}) == refused


@pytest.mark.parametrize(
    ("argument", "value", "refused"),
    [
        ("tokenizer", "evil/tokenizer", True),
        ("tokenizer", "acme-evil/tokenizer", True),
        ("hf-config-path", "evil/config", True),
        ("tokenizer", "acme/tokenizer", False),
        ("tokenizer", "/models/tokenizer", False),
        ("generation-config", "auto", False),
        ("max-num-seqs", "8", False),
    ],
)
def test_what_an_engine_would_get_from_a_hub_must_be_listed_too(
    argument: str,
    value: str,
    refused: bool,  # noqa: FBT001  # a case
) -> None:
    files = trees.base()
    release, place = (yaml.safe_load(files[path]) for path in (trees.RELEASE, trees.ENVIRONMENT))
    release["spec"]["engine"]["args"] = {argument: value}
    place["spec"]["sources"] = {"allowed": ["pvc://", "hf://acme/"]}
    written = {trees.RELEASE: release, trees.ENVIRONMENT: place}
    files |= {path: yaml.safe_dump(data).encode() for path, data in written.items()}
    findings, _ = trees.outcome(files)
    assert ("REF096" in {finding.rule for finding in findings}) == refused
