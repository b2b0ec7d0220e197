"""Where a version comes from, read from a real MLflow server."""

import pytest

from sluice.core.model import Lineage
from sluice.registries.mlflow import MlflowRegistry
from support.mlflow_server import log_model, log_run, post, register

pytestmark = pytest.mark.server

COMMIT = "3fddb86c1e0d4c1b9a0e6f6d1e1f2a3b4c5d6e7f"


def lineage(url: str, name: str) -> Lineage:
    registry = MlflowRegistry(url)
    return registry.evaluation(registry.versions([name])[name][0]).lineage


def tagged_run(url: str) -> str:
    run = log_run(url, {"acc": 0.5}, {"base_model": "org/base", "base_model_revision": "abc"})
    for key, value in {
        "mlflow.source.git.commit": COMMIT,
        "mlflow.source.git.repoURL": "https://bot:hunter2@git.example.com/train.git",
        "mlflow.runName": "brave-fox",
    }.items():
        post(url, "runs/set-tag", {"run_id": run, "key": key, "value": value})
    datasets = [
        {"dataset": {"name": name, "digest": digest, "source_type": "local", "source": "{}"}}
        for name, digest in (("train", "11aa"), ("eval", "22bb"))
    ]
    post(url, "runs/log-inputs", {"run_id": run, "datasets": datasets})
    return run


def test_code_data_and_base_of_the_run(mlflow_url: str) -> None:
    register(mlflow_url, "origin", run_id=tagged_run(mlflow_url))
    assert lineage(mlflow_url, "origin") == Lineage(
        run_name="brave-fox",
        code=COMMIT,
        repository="https://git.example.com/train.git",
        datasets=("eval@22bb", "train@11aa"),
        base="org/base",
        base_revision="abc",
    )


def test_a_logged_model_is_followed_to_its_storage_through_copies(mlflow_url: str) -> None:
    run = log_run(mlflow_url, {})
    model = log_model(mlflow_url, run)
    register(mlflow_url, "origin-logged", version_source=f"models:/{model}", run_id=run)
    MlflowRegistry(mlflow_url)._clients.public.copy_model_version(
        "models:/origin-logged/1", "origin-copy"
    )
    found = lineage(mlflow_url, "origin-copy")
    assert found.logged_model == model
    assert found.storage.endswith(f"/models/{model}/artifacts")
    assert found.hops == (f"models:/{model}",)


def test_the_tags_of_the_version_say_what_nothing_else_does(mlflow_url: str) -> None:
    tags = {"base_model": "org/other", "peft_type": "LORA"}
    register(mlflow_url, "origin-tags", run_id=tagged_run(mlflow_url), tags=tags)
    found = lineage(mlflow_url, "origin-tags")
    assert (found.base, found.adapter) == ("org/other", "LORA")


def test_the_card_of_a_model_that_the_server_hands_out(mlflow_url: str) -> None:
    card = (
        "flavors:\n  transformers:\n    source_model_name: org/hub\n"
        f"    source_model_revision: {COMMIT}\n    peft_adaptor: peft\n"
    )
    run = log_run(mlflow_url, {})
    model = log_model(mlflow_url, run)
    client = MlflowRegistry(mlflow_url)._clients.public
    put_artifact(client.get_logged_model(model).artifact_location, mlflow_url, card)
    register(mlflow_url, "origin-card", version_source=f"models:/{model}", run_id=run)
    registry = MlflowRegistry(mlflow_url)
    evaluated = registry.evaluation(registry.versions(["origin-card"])["origin-card"][0])
    assert (evaluated.contents.files, evaluated.contents.gap) == (("MLmodel",), "")
    found = evaluated.lineage
    assert (found.base, found.base_revision, found.adapter) == ("org/hub", COMMIT, "peft")


def put_artifact(location: str, url: str, text: str) -> None:
    from urllib.request import Request, build_opener  # noqa: PLC0415  # here only

    path = location.removeprefix("mlflow-artifacts:/")
    request = Request(  # noqa: S310  # our own server
        f"{url}/api/2.0/mlflow-artifacts/artifacts/{path}/MLmodel", text.encode(), method="PUT"
    )
    with build_opener().open(request, timeout=30) as answer:
        assert answer.status == 200
