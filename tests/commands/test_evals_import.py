"""`sluice evals import` into a real MLflow server, and the gates that read it."""

import json
from pathlib import Path

import pytest

from sluice.commands import evals_import
from sluice.core.finding import UsageError
from sluice.core.gates.judge import judge
from sluice.core.model import Evaluation
from sluice.core.specs.reader import read_record
from sluice.core.specs.rollout_records import Gate
from sluice.registries.mlflow import MlflowRegistry
from support.evaluation_results import FILE
from support.mlflow_server import log_model, log_run, register

pytestmark = pytest.mark.server


def imported(url: str | None, folder: Path, name: str, *renamed: str, version: str = "1") -> None:
    path = folder / "results.json"
    path.write_text(json.dumps(FILE))
    code = evals_import.run(
        file=str(path),
        model=name,
        version=version,
        renamed=renamed,
        registry=url,
        dry_run=url is None,
    )
    assert code == 0


def evaluation(url: str, name: str) -> Evaluation:
    registry = MlflowRegistry(url)
    return registry.evaluation(registry.versions([name])[name][0])


@pytest.mark.parametrize("logged", [True, False])
def test_gates_read_what_was_imported(mlflow_url: str, tmp_path: Path, *, logged: bool) -> None:
    name = f"imported {logged}"
    run = log_run(mlflow_url, {})
    source = f"models:/{log_model(mlflow_url, run)}" if logged else "s3://models/1"
    register(mlflow_url, name, version_source=source, run_id=run)
    imported(mlflow_url, tmp_path, name, "mmlu/acc,none=mmlu")
    found = evaluation(mlflow_url, name)
    measured = found.measurements["mmlu"]
    assert (measured.value, measured.recorded, measured.doubt) == (0.7, 1_731_655_933_500, "")
    assert measured.dataset.startswith("cais/mmlu/all@")
    assert len(measured.scorers) == 8
    gate = {"metric": "mmlu", "min": 0.6, "maxRegression": 0, "dataset": measured.dataset}
    (result,) = judge([read_record(Gate, gate)], found, found)
    assert (result.passed, result.error) == (True, 0.004)


def test_a_second_import_writes_nothing_more(
    mlflow_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    register(mlflow_url, "twice", run_id=log_run(mlflow_url, {}))
    imported(mlflow_url, tmp_path, "twice")
    first = capsys.readouterr().out
    imported(mlflow_url, tmp_path, "twice")
    assert capsys.readouterr().out == first
    assert len(evaluation(mlflow_url, "twice").measurements) == 5


def test_a_dry_run_needs_no_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    imported(None, tmp_path, "any")
    assert "mmlu/acc 0.7" in capsys.readouterr().out


def test_a_version_that_is_not_there(mlflow_url: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no version 7 of 'absent'"):
        imported(mlflow_url, tmp_path, "absent", version="7")


@pytest.mark.parametrize("names", [("mmlu/acc",), ("=x",), ("mmlu/acc=",), ("a=b", "a=c")])
def test_a_name_map_that_is_none(tmp_path: Path, names: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="--name"):
        imported(None, tmp_path, "any", *names)


def test_a_registry_that_is_a_file_takes_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="into an MLflow server"):
        imported("file:registry.yaml", tmp_path, "any")
