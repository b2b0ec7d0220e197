"""Whatever a registry answers: one clear line, or what it really said about what was asked."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sluice.core.finding import UsageError
from sluice.core.model import ModelVersion
from sluice.registries.mlflow import MlflowRegistry
from support.mlflow_fake import RUN, Answer, Fake, run, said, version

VERSION = ModelVersion("m", "1", f"models:/m-{'1' * 32}", 1, 1, run_id=RUN)
WORDS = st.sampled_from(
    (
        "model_version model_versions registered_model registered_models run model info data m 1 "
        "metrics name version aliases latest_versions run_id creation_timestamp current_stage "
        f"status READY {RUN} next_page_token"
    ).split()
)
LEAVES = st.none() | st.booleans() | st.integers(-2, 3) | st.floats(allow_nan=False) | WORDS
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=12,
)
ANSWERS = st.tuples(st.sampled_from([200, 200, 200, 204, 400, 401, 403, 404, 500]), JSON)
ROUTES = ["/search", "/get", "/runs/get", "/logged-models/m-" + "1" * 32, "/experiments/get"]


@pytest.fixture(scope="module")
def fake() -> Iterator[tuple[Fake, MlflowRegistry]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        server = Fake({})
        with server.serving() as address:
            yield server, MlflowRegistry(f"http://{address}")


def good() -> dict[str, Answer]:
    listed = [version("m", "1", run_id=RUN)]
    return {
        "/registered-models/search": said(registered_models=[{"name": "m"}]),
        "/registered-models/get": said(registered_model={"name": "m"}),
        "/model-versions/search": said(model_versions=listed),
        "/model-versions/get": said(model_version=listed[0]),
        "/runs/get": said(run=run(acc=0.5)),
        "/experiments/get": said(experiment={"experiment_id": "7", "name": "evals"}),
    }


def with_answer(route: str, answer: Answer) -> dict[str, Any]:
    """What a good server says, but for one route, or for all that end like it."""
    return {route: answer, **{path: kept for path, kept in good().items() if path != route}}


@pytest.mark.slow
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(answer=ANSWERS, route=st.sampled_from(ROUTES))
def test_it_is_one_line_or_about_what_was_asked(
    fake: tuple[Fake, MlflowRegistry], answer: tuple[int, object], route: str
) -> None:
    server, registry = fake
    server.answers = with_answer(route, (answer[0], json.dumps(answer[1])))
    for ask in (_list, _read, _evaluate, _gone):
        with contextlib.suppress(UsageError):
            ask(registry)


def _list(registry: MlflowRegistry) -> None:
    found = registry.versions(["m"])
    assert found.keys() <= {"m"}
    assert all((v.name, v.version) == ("m", "1") for v in found.get("m", ()))


def _read(registry: MlflowRegistry) -> None:
    found = registry.fresh(VERSION)
    assert (found.name, found.version, found.created) == ("m", "1", 1)


def _evaluate(registry: MlflowRegistry) -> None:
    measured = registry.evaluation(VERSION).measurements
    assert all(each.run_id == RUN or each.doubt for each in measured.values())


def _gone(registry: MlflowRegistry) -> None:
    assert not registry.is_gone("m")


@pytest.mark.parametrize("route", ["/registered-models/search", "/model-versions/search"])
def test_pages_without_end_are_no_answer(fake: tuple[Fake, MlflowRegistry], route: str) -> None:
    server, registry = fake
    server.answers = with_answer(route, said(next_page_token="again"))  # noqa: S106  # of a page
    with pytest.raises(UsageError, match="asked for the next page"):
        registry.versions(["m"])
    if route.startswith("/registered"):
        with pytest.raises(UsageError, match="asked for the next page"):
            registry.changes(0)
