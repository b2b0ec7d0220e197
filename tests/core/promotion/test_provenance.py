"""Whose weights a version brings, whether with code, and who wrote the numbers beside it."""

from typing import Any

import pytest

from sluice.core.gates.judge import judge
from sluice.core.gates.table import condition
from sluice.core.layout import Key
from sluice.core.model import Contents, Evaluation, Lineage, Measurement, ModelVersion
from sluice.core.promotion.provenance import code_among, judge_provenance
from sluice.core.specs.reader import read_record
from sluice.core.specs.resolve import Release
from sluice.core.specs.rollout_records import Gate
from support import trees

HERE = Key("production", "platform", "chat")
PIN = "@" + "a" * 40
LOGGED = "models:/m-" + "1" * 32
PLAIN = Contents(("config.json", "model.safetensors"))


def release(source: str = f"hf://acme/chat{PIN}", **sources: list[str]) -> Release:
    found = trees.workspace_of(trees.base()).specs.releases[HERE]
    found.document.data["spec"]["model"]["source"] = source
    found.environment.document.data["spec"]["promotion"] = {"review": "automatic"}
    if sources:
        found.environment.document.data["spec"]["sources"] = sources
    return found


def looked(storage: str = "", *hops: str, contents: Contents = PLAIN) -> Evaluation:
    return Evaluation(lineage=Lineage(storage=storage, hops=hops), contents=contents)


def said(
    source: str,
    *,
    on: Release | None = None,
    now: Evaluation | None = None,
    before: Evaluation | None = None,
    **tags: str,
) -> dict[str, bool]:
    """What is told, by what it is about, and whether a person can let it pass."""
    version = ModelVersion("chat", "8", source, 0, 0, tags=tags)
    found = judge_provenance(on or release(), version, now or looked(), before)
    assert all(result.reason and not result.passed for result in found)
    return {result.metric: result.waiting for result in reversed(found)}


@pytest.mark.parametrize(
    ("deployed", "promoted"),
    [
        (f"hf://acme/chat{PIN}", f"hf://acme/chat-2{PIN}"),
        ("s3://models/chat/1", "s3://models/chat/2"),
        ("pvc://claim/1", "pvc://claim/2"),
        ("models:/chat/1", "models:/chat/2"),
        ("mlflow-artifacts:/4/m-1", "mlflow-artifacts:/4/m-2"),
    ],
)
def test_the_next_version_of_the_same_owner_needs_nobody(deployed: str, promoted: str) -> None:
    assert said(promoted, on=release(deployed)) == {}


@pytest.mark.parametrize(
    ("deployed", "promoted"),
    [
        (f"hf://acme/chat{PIN}", f"hf://acme-evil/chat{PIN}"),
        (f"hf://acme/chat{PIN}", f"hf://Acme/chat{PIN}"),
        ("s3://models/chat/1", "s3://other/chat/2"),
        ("s3://models/chat/1", "gs://models/chat/2"),
        ("pvc://claim/1", "pvc://claim-of-others/1"),
        ("models:/chat/1", "models:/other/2"),
        ("mlflow-artifacts:/4/m-1", "mlflow-artifacts:/5/m-1"),
        (
            f"oci://a.example.com/x/m@sha256:{'0' * 64}",
            f"oci://b.example.com/x/m@sha256:{'0' * 64}",
        ),
        (
            f"oci://a.example.com/x/m@sha256:{'0' * 64}",
            f"oci://a.example.com/y/m@sha256:{'0' * 64}",
        ),
    ],
)
def test_another_owner_is_for_a_person(deployed: str, promoted: str) -> None:
    assert said(promoted, on=release(deployed)) == {"source": True}


def test_where_a_version_of_the_registry_leads_counts_and_not_its_name() -> None:
    on, before = release(LOGGED), looked("s3://models/chat/1")
    other = LOGGED.replace("1", "2")
    assert said(other, on=on, now=looked("s3://models/chat/2"), before=before) == {}
    assert said(other, on=on, now=looked("s3://other/chat/2"), before=before) == {"source": True}
    copied = looked("s3://models/chat/2", "models:/other/1", LOGGED)
    assert said("models:/chat/2", on=on, now=copied, before=before) == {"source": True}


def test_what_is_behind_a_version_must_be_allowed_too() -> None:
    on = release("models:/chat/1", allowed=["models:/chat", "s3://models/chat/"])
    before = looked("s3://models/chat/1")
    assert said("models:/chat/2", on=on, now=looked("s3://models/chat/2"), before=before) == {}
    found = said("models:/chat/2", on=on, now=looked("s3://models/chat-evil/2"), before=before)
    assert found == {"source": False}
    own = looked("mlflow-artifacts:/4/m")
    assert said("models:/chat/2", on=on, now=own, before=own) == {}


@pytest.mark.parametrize("hops", [(), ("mlflow-artifacts://evil.example.com/4/m",)])
def test_a_server_of_its_own_is_refused_wherever_it_is_named(hops: tuple[str, ...]) -> None:
    now = looked("" if hops else "mlflow-artifacts://evil.example.com/4/m", *hops)
    assert said("models:/chat/2", on=release("models:/chat/1"), now=now)["source"] is False


@pytest.mark.parametrize(
    "names",
    [
        ("modeling_x.py",),
        ("deep/inner/Tokenizer.PY",),
        ("pytorch_model.bin",),
        ("model.safetensors", "adapter.pkl"),
        ("kernel.so",),
        ("model.ckpt",),
        ("libkernel.so.1.2",),
        ("Setup.SH",),
        ("__0_0.distcp",),
        ("weights.tar.gz",),
        ("model.nemo",),
        ("tool.llamafile",),
    ],
)
def test_code_among_the_files_is_for_a_person(names: tuple[str, ...]) -> None:
    found = said(f"hf://acme/chat{PIN}", now=looked(contents=Contents(names)))
    assert found == {"code": True}
    assert names[-1] in code_among(names, ())


def test_what_models_usually_hold_is_no_code() -> None:
    usual = (
        "README.md",
        "LICENSE",
        ".gitattributes",
        "config.json",
        "tokenizer.model",
        "vocab.txt",
    )
    weights = ("model-00001-of-00002.safetensors", "model.gguf", "chat_template.jinja", "v1.2")
    assert code_among((*usual, *weights, "MLmodel", "merges.txt"), ()) == ""


def test_a_logged_model_of_which_nobody_knows_where_it_lies_is_somebody_elses() -> None:
    other = LOGGED.replace("1", "2")
    stored = looked("s3://models/chat/1")
    assert said(other, on=release(LOGGED), before=stored) == {"source": True}
    assert said(other, on=release(LOGGED)) == {"source": True}


def test_a_configuration_that_loads_code_is_code() -> None:
    contents = Contents(("config.json",), loaders=("config.json",))
    assert said(f"hf://acme/chat{PIN}", now=looked(contents=contents)) == {"code": True}
    assert "config.json (auto_map)" in code_among((), ("config.json",))


def test_files_that_nobody_knows_wait_where_a_merge_needs_no_person() -> None:
    unknown = looked(contents=Contents(gap="none are listed"))
    source = f"hf://acme/chat{PIN}"
    assert said(source, now=unknown) == {"files": True}
    assert said(source, on=release(unlisted=["hf://acme/"]), now=unknown) == {}
    assert said(source, on=release(unlisted=["hf://acm"]), now=unknown) == {"files": True}
    person = release()
    person.environment.document.data["spec"]["promotion"] = {"review": "required"}
    assert said(source, on=person, now=unknown) == {}


def test_a_file_that_is_named_alone_is_known() -> None:
    unknown = looked(contents=Contents(gap="none are listed"))
    on = release("s3://models/chat/1/model.gguf")
    assert said("s3://models/chat/2/model.gguf", on=on, now=unknown) == {}
    assert said("s3://models/chat/2/model.bin", on=on, now=unknown) == {"code": True}


@pytest.mark.parametrize("name", ["chat.binary", "x.safetensors-2", "chat.gguf-and-more"])
def test_a_folder_that_is_called_like_a_file_is_none(name: str) -> None:
    unknown = looked(contents=Contents(gap="none are listed"))
    assert said(f"hf://acme/{name}{PIN}", now=unknown) == {"files": True}
    on = release("s3://models/chat/1")
    assert said(f"s3://models/chat/{name}", on=on, now=unknown) == {"files": True}


def test_remote_code_is_always_for_a_person() -> None:
    on = release()
    on.document.data["spec"]["serving"]["trustRemoteCode"] = True
    assert said(f"hf://acme/chat{PIN}", on=on) == {"remote code": True}


def test_a_plugin_of_the_engine_is_remote_code() -> None:
    on = release()
    catalog = trees.workspace_of(trees.base()).tools.catalog
    engine = catalog.engine(on.spec.engine.name, on.spec.engine.version)
    assert engine is not None
    version = ModelVersion("chat", "8", f"hf://acme/chat{PIN}", 0, 0)
    assert not judge_provenance(on, version, looked(), None, engine.plugins)
    told = release()
    told.document.data["spec"]["engine"]["args"] = {"tool-parser-plugin": "/models/parser.py"}
    (found,) = judge_provenance(told, version, looked(), None, engine.plugins)
    assert (found.metric, found.waiting) == ("remote code", True)
    assert "engine.args.tool-parser-plugin" in found.reason


def test_a_digest_does_not_go_by_itself() -> None:
    on = release()
    on.document.data["spec"]["model"]["digest"] = "sha256:" + "0" * 64
    assert said(f"hf://acme/chat{PIN}", on=on) == {"digest": True}
    assert said(f"hf://acme/chat{PIN}", on=on, digest="sha256:" + "1" * 64) == {}


OURS = Measurement(0.7, run_id="r1", user="eval-bot", experiment="evals", experiment_id="7")
THEIRS = Measurement(0.99, run_id="r2", user="mallory", experiment="scratch", experiment_id="9")


@pytest.mark.parametrize(
    "by",
    [
        {"experiments": ["evals"]},
        {"experiments": ["7", "other"]},
        {"users": ["eval-bot"]},
        {"runs": ["r1"]},
        {"users": ["eval-bot"], "experiments": ["evals"]},
    ],
)
def test_numbers_of_those_who_may_vouch_count(by: dict[str, Any]) -> None:
    gate = {"metric": "acc", "min": 0.5, "measuredBy": by}
    (ours,) = judge([read_record(Gate, gate)], Evaluation({"acc": OURS}), None)
    (theirs,) = judge([read_record(Gate, gate)], Evaluation({"acc": THEIRS}), None)
    (nobodys,) = judge([read_record(Gate, gate)], Evaluation({"acc": Measurement(0.99)}), None)
    assert (ours.passed, theirs.passed, nobodys.passed) == (True, False, False)
    assert "written by mallory, experiment scratch, run r2" in theirs.reason
    assert theirs.value is None


def test_every_list_that_is_given_must_be_true() -> None:
    gate = {"metric": "acc", "min": 0.5, "measuredBy": {"users": ["eval-bot"], "runs": ["r2"]}}
    assert not judge([read_record(Gate, gate)], Evaluation({"acc": OURS}), None)[0].passed


def test_neither_the_deployed_number_nor_an_error_of_others_counts() -> None:
    by = {"measuredBy": {"users": ["eval-bot"]}}
    gate = {"metric": "acc", "maxRegression": 0.01, "standardErrors": 2, **by}
    low = Measurement(0.1, user="mallory")
    assert not judge(
        [read_record(Gate, gate)], Evaluation({"acc": OURS}), Evaluation({"acc": low})
    )[0].passed
    better = Measurement(0.9, user="eval-bot")
    errors = {"acc_stderr": Measurement(0.5, user="mallory")}
    now, before = Evaluation({"acc": OURS, **errors}), Evaluation({"acc": better, **errors})
    assert not judge([read_record(Gate, gate)], now, before)[0].passed
    mine = {"acc_stderr": Measurement(0.5, user="eval-bot")}
    now, before = Evaluation({"acc": OURS, **mine}), Evaluation({"acc": better, **mine})
    assert judge([read_record(Gate, gate)], now, before)[0].passed


def test_who_must_have_measured_is_said_with_the_condition() -> None:
    by = {"experiments": ["evals"], "evaluators": ["a", "b"]}
    words = condition(read_record(Gate, {"metric": "acc", "min": 1, "measuredBy": by}))
    assert words == "at least 1, in experiment evals, evaluated by a or b"
