"""A source names a machine of its own: nobody goes there, and nothing of ours arrives."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from cryptography import x509

from sluice.core.finding import UsageError
from sluice.core.model import Evaluation, ModelVersion
from sluice.registries.mlflow import MlflowRegistry
from support.mlflow_fake import RUN, Answer, Fake, run, said, version
from support.tls import ELSEWHERE, authority

TOKEN = "secret-of-the-tracking-server"  # noqa: S105  # a canary
LISTED = "/mlflow-artifacts/artifacts"


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", TOKEN)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_ALLOW_HTTP_REDIRECTS", "false")


def looked(source: str, answers: Mapping[str, Answer], stored: str = "") -> Evaluation:
    """What a registry says of a version with this source, when it is listed and evaluated."""
    logged = {
        "info": {
            "model_id": f"m-{'1' * 32}",
            "experiment_id": "7",
            "name": "m",
            "artifact_uri": stored,
        }
    }
    server = Fake(
        {
            "/model-versions/get": said(model_version=version("m", "1", source=source, run_id=RUN)),
            "/runs/get": said(run=run(acc=0.5)),
            "/experiments/get": said(experiment={"experiment_id": "7", "name": "evals"}),
            f"/logged-models/m-{'1' * 32}": said(model=logged),
            "/get-download-uri": said(artifact_uri=stored),
            **answers,
        }
    )
    with server.serving() as address:
        registry = MlflowRegistry(f"http://{address}")
        found = registry.fresh(ModelVersion("m", "1", source, 1, 1, run_id=RUN))
        return registry.evaluation(found)


SPELLINGS = (
    "mlflow-artifacts://{}/1/model",
    "mlflow-artifacts://user:pw@{}/1/model",
    "MLFLOW-ARTIFACTS://{}/1/model",
    "http://{}/1/model",
    "mlflow-artifacts://{}%2f/1/model",
    "mlflow-artifacts:////{}/1/model",
    "mlflow-artifacts:/../../{}/1",
)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_nothing_arrives_where_a_source_leads(spelling: str) -> None:
    stranger = Fake({"": said(files=[])})
    with stranger.serving() as elsewhere:
        found = looked(spelling.format(elsewhere), {})
    assert stranger.asked == []
    assert found.contents.gap


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_nothing_arrives_where_the_place_of_a_logged_model_leads(spelling: str) -> None:
    stranger = Fake({"": said(files=[])})
    with stranger.serving() as elsewhere:
        looked(f"models:/m-{'1' * 32}", {}, spelling.format(elsewhere))
        looked("runs:/0/model", {}, spelling.format(elsewhere))
    assert stranger.asked == []


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_the_tracking_server_sends_nobody_elsewhere(status: int) -> None:
    stranger = Fake({"": said(files=[])})
    with stranger.serving() as elsewhere:
        moved = (status, f"http://{elsewhere}/x")
        assert looked("mlflow-artifacts:/1/model", {LISTED: moved}).contents.gap
        assert looked("mlflow-artifacts:/1/model", {LISTED: moved, "/MLmodel": moved})
    assert stranger.asked == []


def test_what_the_server_keeps_itself_is_listed_with_what_loads_code() -> None:
    files = [
        {"path": "config.json", "is_dir": False, "file_size": 10},
        {"path": "modeling_x.py", "is_dir": False, "file_size": 10},
        {"path": "deep", "is_dir": True},
    ]

    def listed(query: Mapping[str, list[str]]) -> Answer:
        inner = [{"path": "w.safetensors", "is_dir": False}]
        return said(files=files if query["path"] == ["1/model"] else inner)

    answers = {"/config.json": said(auto_map={"AutoModel": "modeling_x.X"}), LISTED: listed}
    found = looked("mlflow-artifacts:/1/model", answers)  # type: ignore[arg-type]
    assert found.contents.files == ("config.json", "deep/w.safetensors", "modeling_x.py")
    assert found.contents.loaders == ("config.json",)
    assert found.contents.gap == ""


def listing(*names: str) -> Answer:
    return said(files=[{"path": name, "is_dir": False} for name in names])


@pytest.mark.parametrize(
    "config",
    [
        said(auto_map={"AutoModel": "x.X"}),
        said(text_config={"auto_map": {"AutoModel": "acme/other--x.X"}}),
        said(parts=[{"auto_map": {"AutoModel": "x.X"}}]),
    ],
)
def test_code_that_a_configuration_names_is_found_however_deep_it_stands(config: Answer) -> None:
    answers = {"/tokenizer_config.json": config, LISTED: listing("tokenizer_config.json")}
    assert looked("mlflow-artifacts:/1/model", answers).contents.loaders == (
        "tokenizer_config.json",
    )


def test_files_are_known_beside_a_configuration_that_cannot_be_read() -> None:
    names = ("a_config.json", "config.json", "modeling_x.py")
    answers = {
        "/a_config.json": (200, "["),
        "/config.json": said(auto_map={"AutoModel": "x.X"}),
        LISTED: listing(*names),
    }
    found = looked("mlflow-artifacts:/1/model", answers).contents
    assert (found.files, found.loaders, bool(found.gap)) == (names, ("config.json",), True)


def test_a_configuration_does_not_hide_among_many() -> None:
    names = [f"{number:02}_config.json" for number in range(20)]
    answers = {"config.json": said(x=1), LISTED: listing(*names, "config.json")}
    assert "configurations" in looked("mlflow-artifacts:/1/model", answers).contents.gap


@pytest.mark.parametrize(
    "answer",
    [
        (200, "[" * 100_000),
        (200, "[]"),
        (200, "{}"),
        (200, json.dumps({"files": [{"path": "../x", "is_dir": True}]})),
        (200, json.dumps({"files": [{"path": "x", "is_dir": True}]})),
        (200, json.dumps({"files": [3]})),
        (200, " " * (2 << 20)),
        (500, ""),
        (403, "{}"),
    ],
    ids=["nested", "list", "empty", "outside", "endless", "numbers", "large", "fails", "refused"],
)
def test_a_list_that_is_none_is_a_gap(answer: Answer) -> None:
    found = looked("mlflow-artifacts:/1/model", {LISTED: answer})
    assert (found.contents.files, bool(found.contents.gap)) == ((), True)
    assert found.measurements["acc"].value == 0.5


def test_the_name_of_the_server_itself_is_left_out() -> None:
    server = Fake({})
    with server.serving() as address:
        named = f"mlflow-artifacts://{address.upper()}/1/model"
        server.answers["/get"] = said(model_version=version("m", "1", source=named))
        registry = MlflowRegistry(f"http://{address}")
        found = registry.fresh(ModelVersion("m", "1", named, 1, 1))
    assert found.source == "mlflow-artifacts:/1/model"
    assert server.asked[0][1]["Authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    ("names", "days", "complaint"),
    [
        ((), 1, "has a certificate that has expired: renew it"),
        (ELSEWHERE, 36_500, "has a certificate for another host: give the name that stands in it"),
    ],
)
def test_what_is_wrong_with_a_certificate(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    names: tuple[x509.GeneralName, ...],
    days: int,
    complaint: str,
) -> None:
    trusted = authority(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(trusted.path))
    context = trusted.server(names, days=days) if names else trusted.server(days=days)
    with Fake({}).serving(context) as address, pytest.raises(UsageError, match=complaint):
        MlflowRegistry(f"https://{address}").versions(["m"])


def test_a_run_that_measured_another_model_says_nothing_of_this_one() -> None:
    other = {**run(acc=0.99), "inputs": {"model_inputs": [{"model_id": f"m-{'9' * 32}"}]}}
    server = Fake({"/runs/get": said(run=other)})
    with server.serving() as address:
        named = ModelVersion("m", "1", "pvc://c/1", 1, 1, tags={"sluice.evaluation-runs": RUN})
        found = MlflowRegistry(f"http://{address}").evaluation(named)
    assert found.measurements["acc"].doubt == f"the run {RUN} measured another model"


@pytest.mark.parametrize(
    ("models", "is_doubted"),
    [
        ({"outputs": {"model_outputs": [{"model_id": f"m-{'9' * 32}", "step": "0"}]}}, True),
        ({"inputs": {"model_inputs": [{"model_id": f"m-{'9' * 32}"}]}}, True),
        ({"outputs": {"model_outputs": [{"model_id": f"m-{'1' * 32}", "step": "0"}]}}, False),
        ({}, False),
    ],
)
def test_a_version_cannot_borrow_the_run_of_another_model(
    models: Mapping[str, object],
    is_doubted: bool,  # noqa: FBT001  # a case
) -> None:
    answers = {"/runs/get": said(run={**run(acc=0.99), **models})}
    found = looked(f"models:/m-{'1' * 32}", answers)
    assert bool(found.measurements["acc"].doubt) == is_doubted
