"""A real MLflow server for tests, and how to fill it through its REST API."""

import itertools
import json
import math
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from sluice.registries.server import serve_registry

_API = "/api/2.0/mlflow"
_EXPERIMENT = "0"
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
# Milliseconds; rising, so that the order of calls is the order of times.
_clock = itertools.count(1_800_000_000_000, 1000)


class RefusedError(Exception):
    """What the server answered instead."""


def mlflow_server(directory: Path) -> AbstractContextManager[str]:
    """Run a server that keeps everything, its log included, under `directory`; give its URL."""
    return serve_registry(directory)


def register(
    url: str,
    name: str,
    *,
    version_source: str = "s3://models/any/1",
    metrics: Mapping[str, float] | None = None,
    params: Mapping[str, str] | None = None,
    stage: str | None = None,
    alias: str | None = None,
    tags: Mapping[str, str] | None = None,
    run_id: str | None = None,
) -> str:
    """Create a version, and its model when there is none; return the version's number.

    With metrics or parameters it gets a finished run of its own, unless `run_id` names one.
    """
    if run_id is None and (metrics or params):
        run_id = log_run(url, metrics or {}, params or {})
    ensure_model(url, name)
    body = {"name": name, "source": version_source, "run_id": run_id or "", "tags": _pairs(tags)}
    if version_source.startswith("models:/m-"):
        body["model_id"] = version_source.removeprefix("models:/")
    version = str(post(url, "model-versions/create", body)["model_version"]["version"])
    if stage:
        move(url, name, version, stage)
    if alias:
        set_alias(url, name, version, alias)
    return version


def ensure_model(url: str, name: str) -> None:
    try:
        post(url, "registered-models/create", {"name": name})
    except RefusedError as error:
        if "RESOURCE_ALREADY_EXISTS" not in str(error):
            raise


def move(url: str, name: str, version: str, stage: str) -> None:
    body = {"name": name, "version": version, "stage": stage, "archive_existing_versions": False}
    post(url, "model-versions/transition-stage", body)


def set_alias(url: str, name: str, version: str, alias: str) -> None:
    post(url, "registered-models/alias", {"name": name, "alias": alias, "version": version})


def log_run(
    url: str,
    metrics: Mapping[str, float],
    params: Mapping[str, str] | None = None,
    *,
    status: str = "FINISHED",
) -> str:
    """Create a run with these and bring it to `status`; return its id."""
    run: dict[str, Any] = post(url, "runs/create", {"experiment_id": _EXPERIMENT})["run"]
    run_id = str(run["info"]["run_id"])
    post(url, "runs/log-batch", {"run_id": run_id, "params": _pairs(params)})
    for key, value in metrics.items():
        log_metric(url, run_id, key, value)
    post(url, "runs/update", {"run_id": run_id, "status": status})
    return run_id


def log_metric(url: str, run_id: str, key: str, value: float, **more: str | int) -> None:
    """Log one point, later than all before; `more` are further fields of the request."""
    shown = value if math.isfinite(value) else str(value).replace("inf", "Infinity")
    body = {"run_id": run_id, "key": key, "value": "NaN" if math.isnan(value) else shown}
    post(url, "runs/log-metric", {**body, "timestamp": next(_clock), "step": 0, **more})


def log_model(url: str, run_id: str) -> str:
    """Create a logged model as the output of a run; return its id."""
    body = {"experiment_id": _EXPERIMENT, "name": "model", "source_run_id": run_id}
    model: dict[str, Any] = post(url, "logged-models", body)["model"]
    model_id = str(model["info"]["model_id"])
    post(url, "runs/outputs", {"run_id": run_id, "models": [{"model_id": model_id, "step": 0}]})
    return model_id


def post(url: str, path: str, body: Mapping[str, Any], method: str = "POST") -> Any:  # noqa: ANN401 - JSON
    """Call the REST API; RefusedError when it refuses."""
    request = urllib.request.Request(  # noqa: S310 - the address is our own server's
        f"{url}{_API}/{path}",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
        method=method,
    )
    try:
        with _OPENER.open(request, timeout=30) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            raise RefusedError(f"{error.code}: {error.read().decode()}") from None


def _pairs(mapping: Mapping[str, str] | None) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in (mapping or {}).items()]
