"""What the doctor says of remotes: of the forge, of Git, and of the registry's webhooks."""

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mlflow.exceptions import MlflowException, RestException

from sluice import cli
from sluice.registries import open_registry
from sluice.registries.hooks import Notifying
from sluice.registries.mlflow_hooks import PATH, judge_hooks
from support.forge_fake import TOKEN
from support.loop import MODEL, Loop
from support.mlflow_server import post, register
from support.remote_loop import remote_loop

ALIASES = ("model_version_alias.created", "model_version_alias.deleted")


def hook(*events: str, url: str = f"https://a.example{PATH}", status: str = "ACTIVE") -> Any:  # noqa: ANN401  # as the client's
    return SimpleNamespace(url=url, status=status, events=events, webhook_id="w")


def delivered(status: int | None, error: str = "") -> Any:  # noqa: ANN401  # as the client's
    success = status is not None and status < 400  # as the server counts
    return SimpleNamespace(success=success, response_status=status, error_message=error)


@pytest.mark.parametrize(
    ("found", "ok", "said"),
    [
        ([], True, "seen by polling"),
        ([hook(*ALIASES, url="https://b.example/other")], True, "none leads to"),
        ([hook(*ALIASES)], True, "aliases wake"),
        ([hook(ALIASES[0]), hook(ALIASES[1])], True, "aliases wake"),
        ([hook(ALIASES[0])], False, "do not tell model_version_alias.deleted"),
        ([hook(*ALIASES, status="DISABLED")], False, "do not tell"),
    ],
)
def test_webhooks_are_judged_by_what_they_tell(
    found: Sequence[Any],
    ok: bool,  # noqa: FBT001  # a parameter of the test
    said: str,
) -> None:
    judged = judge_hooks(lambda: found, lambda _: delivered(202))
    assert (judged.ok, said in judged.summary) == (ok, True)
    assert bool(judged.remedy) != ok


@pytest.mark.parametrize(
    ("result", "said", "remedy"),
    [
        (delivered(401), "answered with 401", "SLUICE_REGISTRY_WEBHOOK_SECRET"),
        (delivered(404), "answered with 404", "--listen with SLUICE"),
        (delivered(503), "answered with 503", "leads from the server"),
        (delivered(None, "x 'a' must not resolve to a non-public IP"), "non-public", "PRIVATE_IPS"),
        (
            delivered(None, "Allowed schemes are: https."),
            "schemes",
            "MLFLOW_WEBHOOK_ALLOWED_SCHEMES",
        ),
        (delivered(None, "Failed to test webhook: MaxRetryError"), "MaxRetry", "leads from"),
    ],
)
def test_a_delivery_that_does_not_arrive_says_what_to_do(
    result: object, said: str, remedy: str
) -> None:
    judged = judge_hooks(lambda: [hook(*ALIASES)], lambda _: result)  # type: ignore[arg-type,return-value]
    assert not judged.ok
    assert said in judged.summary
    assert remedy in judged.remedy


def test_a_server_that_gives_up_on_a_delivery() -> None:
    def given_up(_name: str) -> Any:  # noqa: ANN401  # as the client's
        raise MlflowException("API request to http://user:secret@x timed out")

    judged = judge_hooks(lambda: [hook(*ALIASES)], given_up)
    assert judged.summary == "a test delivery does not arrive: the server gives up on it"


@pytest.mark.parametrize(
    ("code", "ok", "said"),
    [
        ("PERMISSION_DENIED", True, "administrator"),
        ("NOT_FOUND", True, "3.3"),
        ("INTERNAL_ERROR", False, "cannot list"),
    ],
)
def test_webhooks_that_cannot_be_listed_say_why(
    code: str,
    ok: bool,  # noqa: FBT001  # a parameter of the test
    said: str,
) -> None:
    def listed() -> list[Any]:
        raise RestException({"error_code": code, "message": "no"})  # type: ignore[no-untyped-call]

    judged = judge_hooks(listed, lambda _: delivered(202))
    assert (judged.ok, said in judged.summary) == (ok, True)


@pytest.mark.server
def test_a_real_server_has_none(mlflow_url: str) -> None:
    registry = open_registry(mlflow_url)
    assert isinstance(registry, Notifying)
    assert registry.hooks().ok


@pytest.mark.server
def test_models_and_runs_that_cannot_be_read_are_told(
    tmp_path: Path, mlflow_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def registry() -> Any:  # noqa: ANN401  # JSON
        where = ["--root", str(loop.folder / "tree"), "--repository", str(loop.bare)]
        cli.main(["doctor", "--format", "json", *where, "--registry", mlflow_url])
        checks = json.loads(capsys.readouterr().out)["checks"]
        return next(check for check in checks if check["what"] == "registry")

    loop = Loop(tmp_path)
    assert "it shows 0 of 1 models, not 'qwen2.5-7b-instruct'" in registry()["said"]
    version = register(mlflow_url, MODEL, metrics={"mmlu/acc": 0.7})
    said = registry()
    assert (said["ok"], said["said"].endswith(", models that are read: 1")) == (True, True)
    register(mlflow_url, MODEL, run_id="f" * 32)
    said = registry()
    assert (said["ok"], "the run" in said["said"], version) == (False, True, "1")
    post(mlflow_url, "registered-models/delete", {"name": MODEL}, "DELETE")


@pytest.mark.server
def test_remotes_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SLUICE_FORGE_TOKEN", TOKEN)
    with remote_loop(tmp_path, "gitea") as loop:
        loop.register(1)
        where = ["--repository", loop.server.url("models.git"), "--state", str(tmp_path / "state")]
        forge = ["--forge", f"gitea:team/models@{loop.fake.place}"]
        registry = ["--registry", f"file:{tmp_path / 'registry.json'}"]
        command = ["doctor", "--format", "json", "--root", str(tmp_path / "tree")]
        cli.main([*command, *where, *forge, *registry])
        said = capsys.readouterr().out
        checks = {check["what"]: check for check in json.loads(said)["checks"]}
        assert checks["repository"]["said"].startswith("main is at")
        assert checks["forge"]["said"] == "robot sees 0 open pull requests of ours"
        assert checks["signing"]["said"].startswith("commits are not signed")
        assert "itself has none that leads to /api/webhook" in checks["argocd webhook"]["said"]
        assert checks["webhooks"]["ok"]
        monkeypatch.setenv("SLUICE_GIT_SIGNING", "gpg:nobody@example.com")
        loop.fake.token = "another"  # noqa: S105  # of a test
        assert cli.main([*command, *where, *forge, *registry]) == 1
        said = capsys.readouterr().out
        checks = {check["what"]: check for check in json.loads(said)["checks"]}
        assert "401" in checks["forge"]["said"]
        assert (checks["signing"]["ok"], "No secret key" in checks["signing"]["said"]) == (
            False,
            True,
        )
        assert TOKEN not in said
