"""The registry in a file, and which registry an address means."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from sluice.core.finding import FindingsError, UsageError
from sluice.core.model import Evaluation, Measurement, ModelVersion
from sluice.registries import open_registry
from sluice.registries.file import FileRegistry
from sluice.registries.mlflow import MlflowRegistry

WHOLE = """\
models:
  chat:
    versions:
      - version: 9
        source: s3://models/chat/9
      - version: "10"
        source: s3://models/chat/10
        stage: Production
        aliases: [champion, blue]
        runId: 3fdd
        created: 1795195803419
        updated: 1795195803500
        ready: false
        tags: {gpu: no, digest: "sha256:00"}
        parameters: {lr: 1e-5}
        metrics:
          mmlu/acc: 0.71
          loss: .nan
          speed: -.inf
          toxicity: {value: 1e-2, dataset: tox@76a4, recorded: 12, run: abc}
  empty:
    versions: []
"""


def write(tmp_path: Path, text: str, name: str = "registry.yaml") -> str:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def findings(tmp_path: Path, text: str) -> list[tuple[int, str]]:
    """The line and message of each finding in a registry file."""
    with pytest.raises(FindingsError) as caught:
        FileRegistry(write(tmp_path, text)).versions(["m"])
    return [(finding.place.line, finding.message) for finding in caught.value.findings]


def test_everything_is_read(tmp_path: Path) -> None:
    registry = FileRegistry(write(tmp_path, WHOLE))
    found = registry.versions(["chat", "empty", "absent"])
    assert set(found) == {"chat", "empty"}
    assert found["empty"] == ()
    newest, older = found["chat"]
    assert newest == ModelVersion(
        name="chat",
        version="10",
        source="s3://models/chat/10",
        created=1795195803419,
        updated=1795195803500,
        run_id="3fdd",
        stage="Production",
        aliases=("blue", "champion"),
        tags={"gpu": "no", "digest": "sha256:00"},
        ready=False,
    )
    assert older == ModelVersion("chat", "9", source="s3://models/chat/9", created=0, updated=0)
    evaluation = registry.evaluation(newest)
    assert evaluation.parameters == {"lr": "1e-5"}
    assert evaluation.measurements["mmlu/acc"] == Measurement(0.71, run_id="3fdd")
    assert evaluation.measurements["toxicity"] == Measurement(0.01, "abc", 12, "tox@76a4")
    assert math.isnan(evaluation.measurements["loss"].value)
    assert evaluation.measurements["speed"].value == -math.inf
    assert registry.evaluation(older) == Evaluation()


def test_an_edit_is_seen_at_the_next_call(tmp_path: Path) -> None:
    registry = FileRegistry(write(tmp_path, WHOLE))
    assert registry.versions(["new"]) == {}
    write(tmp_path, "models: {new: {versions: [{version: 1}]}}")
    assert [version.version for version in registry.versions(["new"])["new"]] == ["1"]


def test_json_with_tabs_escapes_and_nan(tmp_path: Path) -> None:
    metrics = {"acc": math.nan, "speed": math.inf, "f1": 1.5e-3}
    versions = [{"version": 1, "tags": {"note": "🚀\t\n"}, "metrics": metrics}]
    text = json.dumps({"models": {"m🚀": {"versions": versions}}}, indent="\t")
    registry = FileRegistry(write(tmp_path, text, "registry.json"))
    (version,) = registry.versions(["m🚀"])["m🚀"]
    assert version.tags == {"note": "🚀\t\n"}
    measured = registry.evaluation(version).measurements
    assert math.isnan(measured["acc"].value)
    assert (measured["speed"].value, measured["f1"].value) == (math.inf, 0.0015)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", (1, "the key 'models' is missing")),
        ("modles: {}", (1, "unknown key 'modles'")),
        ("models:\n  m: [1]\n", (2, "expected keys and values")),
        ("models:\n  m:\n    versions: 7\n", (3, "expected a list")),
        ("models: {m: {versions: [{source: x}]}}", (1, "a version needs its number, from 1")),
        ("models: {m: {versions:\n [{version: 07}]}}", (2, "expected a whole number, not '07'")),
        ("models: {m: {versions:\n [{version: -1}]}}", (2, "expected a whole number, not '-1'")),
        (
            "models: {m: {versions: [{version: 1},\n{version: 1}]}}",
            (2, "version 1 of 'm' is there"),
        ),
        (
            "models: {m: {versions: [{version: 1, aliases: [a]},\n{version: 2, aliases: [a]}]}}",
            (2, "alias 'a' of 'm' is on two versions"),
        ),
        (
            "models: {m: {versions: [{version: 1,\nmetrics: {acc: high}}]}}",
            (2, "expected a number, not 'high'"),
        ),
        (
            "models: {m: {versions: [{version: 1,\nmetrics: {acc: 1_0}}]}}",
            (2, "expected a number, not '1_0'"),
        ),
        (
            "models: {m: {versions: [{version: 1,\nmetrics: {acc: {dataset: d}}}]}}",
            (2, "a metric needs a value"),
        ),
        (
            "models: {m: {versions: [{version: 1,\nready: yes}]}}",
            (2, "expected true or false, not 'yes'"),
        ),
        ("models: {m: {versions: [{version: 1,\ntags: {a: {}}}]}}", (2, "expected text")),
        ("models:\n  m: {}\n  m: {}\n", (3, "the key 'm' is there twice")),
        ("models:\n  m: [\n", (3, "not YAML: expected the node content, but found '<stream end>'")),
        ("models: {}\n---\nmodels: {}\n", (2, "not YAML: but found another document")),
        ("models: \x00", (1, "not YAML: unacceptable character #x0000")),
    ],
)
def test_a_mistake_has_its_line(tmp_path: Path, text: str, expected: tuple[int, str]) -> None:
    found = findings(tmp_path, text)
    line, start = expected
    assert [number for number, message in found if message.startswith(start)] == [line]


def test_all_mistakes_are_told_at_once_and_with_a_suggestion(tmp_path: Path) -> None:
    text = "models:\n  m:\n    versions:\n      - version: x\n        alias: [a]\n"
    with pytest.raises(FindingsError) as caught:
        FileRegistry(write(tmp_path, text)).describe()
    assert [(f.place.line, f.rule) for f in caught.value.findings] == [(4, "REG002"), (5, "REG002")]
    assert caught.value.findings[1].help == "did you mean 'aliases'?"


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        FileRegistry(str(tmp_path / "none.yaml")).versions([])
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00\x00\xff")
    with pytest.raises(UsageError, match="not UTF-8"):
        FileRegistry(str(tmp_path / "binary.yaml")).versions([])
    with pytest.raises(UsageError, match="directory"):
        FileRegistry(str(tmp_path)).versions([])


def test_it_says_what_it_is_and_has_no_pages(tmp_path: Path) -> None:
    path = write(tmp_path, WHOLE)
    registry = FileRegistry(path)
    assert registry.describe() == f"file {path}, models: 2"
    assert registry.url(registry.versions(["chat"])["chat"][0]) == ""


@pytest.mark.parametrize("form", ["{}", "file:{}", "file://{}"])
def test_an_address_of_a_file(tmp_path: Path, form: str) -> None:
    registry = open_registry(form.format(write(tmp_path, WHOLE)))
    assert isinstance(registry, FileRegistry)
    assert set(registry.versions(["chat"])) == {"chat"}


@pytest.mark.parametrize(
    "address",
    ["http://localhost:5000", "HTTPS://example.com/mlflow", "databricks", "databricks-uc"],
)
def test_an_address_of_a_server_is_not_contacted_yet(address: str) -> None:
    assert isinstance(open_registry(address), MlflowRegistry)


@pytest.mark.parametrize("address", ["", " "])
def test_no_address(address: str) -> None:
    with pytest.raises(UsageError, match="--registry or set MLFLOW_TRACKING_URI"):
        open_registry(address)


@pytest.mark.parametrize(
    "address", ["mlruns", "ftp://u:hunter2@x", "sqlite:///x.db", "http:", "file:"]
)
def test_an_address_of_nothing_known(address: str) -> None:
    with pytest.raises(UsageError, match="is not a registry: give http") as caught:
        open_registry(address)
    assert "hunter2" not in str(caught.value)


def test_a_registry_of_files_needs_no_client() -> None:
    code = (
        "import sys; from sluice.registries import open_registry; open_registry('x.yaml'); "
        "open_registry('http://x'); sys.exit('mlflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
