"""Which numbers count for a version, read from a real MLflow server."""

import math
from dataclasses import replace

import pytest

from sluice.core.finding import UsageError
from sluice.core.model import Evaluation, Measurement, ModelVersion
from sluice.registries.mlflow import MlflowRegistry
from support.mlflow_server import log_metric, log_model, log_run, post, register

pytestmark = pytest.mark.server


def evaluation(url: str, name: str) -> Evaluation:
    registry = MlflowRegistry(url)
    return registry.evaluation(registry.versions([name])[name][0])


def acc(url: str, name: str) -> Measurement:
    return evaluation(url, name).measurements["acc"]


def register_logged(url: str, name: str, run_id: str) -> str:
    """Register a logged model made by a run; return the logged model's id."""
    model_id = log_model(url, run_id)
    register(url, name, version_source=f"models:/{model_id}", run_id=run_id)
    return model_id


def test_metrics_and_parameters_of_the_run(mlflow_url: str) -> None:
    register(mlflow_url, "run", metrics={"mmlu/acc": 0.7, "loss": 2}, params={"lr": "1e-5"})
    found = evaluation(mlflow_url, "run")
    assert {key: m.value for key, m in found.measurements.items()} == {"mmlu/acc": 0.7, "loss": 2}
    assert found.parameters == {"lr": "1e-5"}
    measured = found.measurements["mmlu/acc"]
    assert measured.doubt == ""
    assert len(measured.run_id) == 32
    assert measured.recorded > 1_700_000_000_000


def test_a_version_without_a_run_has_no_evaluation(mlflow_url: str) -> None:
    register(mlflow_url, "runless")
    assert evaluation(mlflow_url, "runless") == Evaluation()


def test_nan_stays_nan(mlflow_url: str) -> None:
    register(mlflow_url, "nan", metrics={"acc": math.nan})
    assert math.isnan(acc(mlflow_url, "nan").value)


@pytest.mark.parametrize("value", [math.inf, -math.inf])
def test_infinity_is_doubted(mlflow_url: str, value: float) -> None:
    name = f"infinity{value}"
    register(mlflow_url, name, metrics={"acc": value})
    measured = acc(mlflow_url, name)
    assert measured.value * value > 0
    assert measured.doubt == "the value is infinite"


def test_a_metric_overwritten_after_the_end_shows_its_last_value(mlflow_url: str) -> None:
    run = log_run(mlflow_url, {"acc": 0.4})
    register(mlflow_url, "overwritten", run_id=run)
    log_metric(mlflow_url, run, "acc", 0.9)
    assert acc(mlflow_url, "overwritten").value == 0.9


def test_the_highest_step_wins_over_a_later_time(mlflow_url: str) -> None:
    run = log_run(mlflow_url, {})
    log_metric(mlflow_url, run, "acc", 0.8, step=10)
    log_metric(mlflow_url, run, "acc", 0.2, step=5)
    register(mlflow_url, "steps", run_id=run)
    assert acc(mlflow_url, "steps").value == 0.8


def test_the_highest_step_wins_on_a_logged_model_too(mlflow_url: str) -> None:
    run = log_run(mlflow_url, {})
    model = register_logged(mlflow_url, "logged-steps", run)
    log_metric(mlflow_url, run, "acc", 0.8, step=10, model_id=model)
    log_metric(mlflow_url, run, "acc", 0.2, step=5, model_id=model)
    assert acc(mlflow_url, "logged-steps").value == 0.8


@pytest.mark.parametrize("status", ["RUNNING", "FAILED", "KILLED"])
def test_a_run_that_did_not_finish_is_doubted(mlflow_url: str, status: str) -> None:
    run = log_run(mlflow_url, {"acc": 0.9}, status=status)
    register(mlflow_url, f"unfinished-{status}", run_id=run)
    assert (
        acc(mlflow_url, f"unfinished-{status}").doubt == f"the run {run} is {status}, not FINISHED"
    )


def test_a_deleted_run_is_doubted(mlflow_url: str) -> None:
    run = log_run(mlflow_url, {"acc": 0.9})
    register(mlflow_url, "deleted-run", run_id=run)
    post(mlflow_url, "runs/delete", {"run_id": run})
    assert acc(mlflow_url, "deleted-run").doubt == f"the run {run} is deleted"


def test_a_run_that_does_not_exist_measured_nothing(mlflow_url: str) -> None:
    register(mlflow_url, "missing-run", run_id="0" * 32)
    found = evaluation(mlflow_url, "missing-run")
    assert found == Evaluation(gaps=(f"the run {'0' * 32} does not exist",))


def test_an_evaluation_in_a_later_run_with_its_dataset(mlflow_url: str) -> None:
    training = log_run(mlflow_url, {"loss": 1.5}, {"epochs": "3"})
    model = register_logged(mlflow_url, "later", training)
    judging = log_run(mlflow_url, {})
    of_set = {"dataset_name": "mmlu-subset", "dataset_digest": "76a479d3"}
    log_metric(mlflow_url, judging, "acc", 0.55, model_id=model, **of_set)
    found = evaluation(mlflow_url, "later")
    assert found.measurements["acc"].value == 0.55
    assert found.measurements["acc"].run_id == judging
    assert found.measurements["acc"].dataset == "mmlu-subset@76a479d3"
    assert found.measurements["acc"].doubt == ""
    assert found.measurements["loss"].run_id == training
    assert found.parameters == {"epochs": "3"}


def test_the_only_dataset_of_a_run_is_the_dataset_of_its_metrics(mlflow_url: str) -> None:
    run = log_run(mlflow_url, {"acc": 0.5})
    log_dataset(mlflow_url, run, "train", "11111111", context="training")
    log_dataset(mlflow_url, run, "mmlu", "76a479d3", context="eval")
    register(mlflow_url, "run-dataset", run_id=run)
    assert acc(mlflow_url, "run-dataset").dataset == "mmlu@76a479d3"
    log_dataset(mlflow_url, run, "other", "22222222", context="eval")
    assert acc(mlflow_url, "run-dataset").dataset == ""


def log_dataset(url: str, run_id: str, name: str, digest: str, *, context: str) -> None:
    dataset = {"name": name, "digest": digest, "source_type": "local", "source": "{}"}
    tags = [{"key": "mlflow.data.context", "value": context}]
    body = {"run_id": run_id, "datasets": [{"dataset": dataset, "tags": tags}]}
    post(url, "runs/log-inputs", body)


def test_nan_that_a_logged_model_shows_as_zero_is_nan(mlflow_url: str) -> None:
    run = log_run(mlflow_url, {})
    model = register_logged(mlflow_url, "logged-nan", run)
    log_metric(mlflow_url, run, "acc", math.nan, model_id=model)
    log_metric(mlflow_url, run, "loss", 0.0, model_id=model)
    shown = MlflowRegistry(mlflow_url)._clients.public.get_logged_model(model).metrics or []
    assert {metric.key: metric.value for metric in shown} == {"acc": 0.0, "loss": 0.0}
    found = evaluation(mlflow_url, "logged-nan").measurements
    assert math.isnan(found["acc"].value)
    assert (found["loss"].value, found["loss"].doubt) == (0.0, "")


def test_nan_is_found_also_when_the_run_went_on(mlflow_url: str) -> None:
    run = log_run(mlflow_url, {})
    model = register_logged(mlflow_url, "logged-nan-then", run)
    log_metric(mlflow_url, run, "acc", math.nan, model_id=model)
    log_metric(mlflow_url, run, "acc", 0.9, step=1)
    assert math.isnan(acc(mlflow_url, "logged-nan-then").value)


def test_a_run_changed_behind_its_logged_model_is_doubted(mlflow_url: str) -> None:
    run = log_run(mlflow_url, {})
    model = register_logged(mlflow_url, "disagreeing", run)
    log_metric(mlflow_url, run, "acc", 0.4, model_id=model)
    assert acc(mlflow_url, "disagreeing").doubt == ""
    log_metric(mlflow_url, run, "acc", 0.9)
    measured = acc(mlflow_url, "disagreeing")
    assert measured.value == 0.4
    assert measured.doubt == f"the run {run} was changed to 0.9 later"


def test_checkpoints_of_one_run_are_not_confused(mlflow_url: str) -> None:
    run = log_run(mlflow_url, {})
    first = register_logged(mlflow_url, "checkpoints", run)
    second = log_model(mlflow_url, run)
    log_metric(mlflow_url, run, "acc", 0.4, model_id=first)
    log_metric(mlflow_url, run, "acc", 0.9, model_id=second)
    measured = acc(mlflow_url, "checkpoints")
    assert (measured.value, measured.doubt) == (0.4, "")


def test_later_training_steps_do_not_cast_doubt_on_a_checkpoint(mlflow_url: str) -> None:
    run = log_run(mlflow_url, {})
    model = register_logged(mlflow_url, "best", run)
    log_metric(mlflow_url, run, "acc", 0.8, step=7, model_id=model)
    log_metric(mlflow_url, run, "acc", 0.6, step=9)
    measured = acc(mlflow_url, "best")
    assert (measured.value, measured.doubt) == (0.8, "")


def test_the_judging_run_is_doubted_even_if_the_training_run_is_fine(mlflow_url: str) -> None:
    training = log_run(mlflow_url, {"loss": 1.0})
    model = register_logged(mlflow_url, "judge-deleted", training)
    judging = log_run(mlflow_url, {})
    log_metric(mlflow_url, judging, "acc", 0.9, model_id=model)
    post(mlflow_url, "runs/delete", {"run_id": judging})
    found = evaluation(mlflow_url, "judge-deleted").measurements
    assert found["acc"].doubt == f"the run {judging} is deleted"
    assert found["loss"].doubt == ""


def test_a_copied_version_leads_to_the_same_logged_model(mlflow_url: str) -> None:
    run = log_run(mlflow_url, {})
    model = register_logged(mlflow_url, "original", run)
    log_metric(mlflow_url, run, "acc", 0.5, model_id=model, dataset_name="d", dataset_digest="1")
    client = MlflowRegistry(mlflow_url)._clients.public
    client.copy_model_version("models:/original/1", "copy")
    assert acc(mlflow_url, "copy").dataset == "d@1"


def test_copies_in_a_circle_end(mlflow_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = MlflowRegistry(mlflow_url)
    version = ModelVersion("circle", "1", source="models:/circle/1", created=0, updated=0)
    asked: list[tuple[str, str]] = []

    def itself(name: str, number: str) -> ModelVersion:
        asked.append((name, number))
        return version

    monkeypatch.setattr(registry._clients.public, "get_model_version", itself)
    assert registry.evaluation(version).gaps == ("it is a copy of itself",)
    assert 1 < len(asked) < 10


def test_a_logged_model_that_is_gone_leaves_the_run(mlflow_url: str) -> None:
    run = log_run(mlflow_url, {"acc": 0.5})
    model = register_logged(mlflow_url, "model-gone", run)
    post(mlflow_url, f"logged-models/{model}", {}, "DELETE")
    assert acc(mlflow_url, "model-gone").value == 0.5


def test_an_evaluation_run_that_the_version_names(mlflow_url: str) -> None:
    training, judging = log_run(mlflow_url, {"loss": 1.5}), log_run(mlflow_url, {"acc": 0.6})
    tags = {"sluice.evaluation-runs": f"{judging}, {'0' * 32} nonsense"}
    register(mlflow_url, "named-run", run_id=training, tags=tags)
    found = evaluation(mlflow_url, "named-run")
    assert found.measurements["acc"].run_id == judging
    assert found.measurements["loss"].run_id == training
    assert found.gaps == (f"the run {'0' * 32} does not exist", "the run nonsense does not exist")


def test_what_scored_the_answers(mlflow_url: str) -> None:
    run = log_run(mlflow_url, {"acc": 0.6})
    body = {"run_id": run, "key": "mlflow.genaiEvaluate.scorersDigest", "value": "5c04e4"}
    post(mlflow_url, "runs/set-tag", body)
    register(mlflow_url, "scored", run_id=run)
    assert acc(mlflow_url, "scored").scorers == "5c04e4"


def test_a_version_read_anew_has_its_tags_of_now(mlflow_url: str) -> None:
    register(mlflow_url, "read anew", alias="champion")
    registry = MlflowRegistry(mlflow_url)
    (before,) = registry.versions(["read anew"])["read anew"]
    tag = {"name": "read anew", "version": "1", "key": "approved-by", "value": "ada"}
    post(mlflow_url, "model-versions/set-tag", tag)
    now = registry.fresh(before)
    assert (before.tags, dict(now.tags)) == ({}, {"approved-by": "ada"})
    assert now.aliases == before.aliases == ("champion",)


def test_a_version_that_is_gone_or_another_is_not_read_anew(mlflow_url: str) -> None:
    register(mlflow_url, "short life")
    registry = MlflowRegistry(mlflow_url)
    (version,) = registry.versions(["short life"])["short life"]
    with pytest.raises(UsageError, match="is gone from the registry"):
        registry.fresh(replace(version, created=version.created - 1))
    post(mlflow_url, "model-versions/delete", {"name": "short life", "version": "1"}, "DELETE")
    with pytest.raises(UsageError, match="version 1 of 'short life' is gone"):
        registry.fresh(version)
