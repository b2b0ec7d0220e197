"""The loop with a real registry server: stages, aliases, and metrics that broke on the way."""

from pathlib import Path

import pytest

from sluice.core.finding import UsageError
from sluice.registries import open_registry
from support import mlflow_server as server
from support.loop import BRANCH, KEY, SPEC, Loop
from support.mlflow_loop import add, looped

pytestmark = pytest.mark.server


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A model of the test's own, on a server that all tests share."""
    return f"model of {request.node.name}"


def test_a_stage_is_followed_to_a_merged_release(
    tmp_path: Path, mlflow_url: str, name: str
) -> None:
    loop = looped(tmp_path, mlflow_url, name)
    add(mlflow_url, name, 1, 0.70, stage="Production")
    assert loop.chat().what == "nothing to do"
    add(mlflow_url, name, 2, 0.71, stage="Production")
    assert (loop.chat().what, loop.chat().what) == ("proposed", "unchanged")
    loop.merge(1)
    assert "source: pvc://model-pvc/2" in loop.file(SPEC)
    assert loop.chat().what == "nothing to do"


def test_a_rollback_in_the_registry_is_a_proposal_too(
    tmp_path: Path, mlflow_url: str, name: str
) -> None:
    loop = looped(tmp_path, mlflow_url, name)
    add(mlflow_url, name, 1, 0.70)
    add(mlflow_url, name, 2, 0.70, stage="Production")
    loop.chat()
    loop.merge(1)
    server.move(mlflow_url, name, "1", "Production")
    outcome = loop.chat()
    assert (outcome.what, outcome.version) == ("proposed", "1")


def test_an_alias_that_moves_is_followed(tmp_path: Path, mlflow_url: str, name: str) -> None:
    loop = looped(tmp_path, mlflow_url, name, "alias: champion")
    add(mlflow_url, name, 1, 0.70)
    add(mlflow_url, name, 2, 0.70, alias="champion")
    assert loop.chat().version == "2"
    server.set_alias(mlflow_url, name, "1", "champion")
    assert loop.chat().what == "nothing to do"
    assert [pull.state for pull in loop.pulls()] == ["closed"]


def test_a_metric_that_is_not_a_number_fails_closed(
    tmp_path: Path, mlflow_url: str, name: str
) -> None:
    loop = looped(tmp_path, mlflow_url, name)
    add(mlflow_url, name, 1, 0.70)
    add(mlflow_url, name, 2, float("nan"), stage="Production")
    assert loop.chat().reasons == ("mmlu/acc of this version is nan",)


def test_a_registry_that_is_down_is_one_line_and_nothing_is_half_made(tmp_path: Path) -> None:
    loop = Loop(tmp_path, open_registry("http://127.0.0.1:9"))
    before = loop.refs()
    with pytest.raises(UsageError) as raised:
        loop.cycle()
    assert "\n" not in str(raised.value)
    assert loop.refs() == before


def test_a_copy_of_another_model_is_served_from_where_that_one_lies(
    tmp_path: Path, mlflow_url: str, name: str
) -> None:
    loop = looped(tmp_path, mlflow_url, name)
    add(mlflow_url, name, 1, 0.70)
    add(mlflow_url, f"dev {name}", 1, 0.71)
    ((original,),) = loop.registry.versions([f"dev {name}"]).values()
    run, copied = original.run_id, f"models:/dev {name}/1"
    server.register(mlflow_url, name, version_source=copied, run_id=run, stage="Production")
    assert loop.chat().what == "proposed"
    assert "source: pvc://model-pvc/1" in loop.file(SPEC, BRANCH)
    assert f"| source | `{copied}` |" in loop.pulls()[0].body


def test_what_cannot_be_read_is_noted(tmp_path: Path, mlflow_url: str, name: str) -> None:
    loop = looped(tmp_path, mlflow_url, name)
    loop.edit(SPEC, ("    - metric: mmlu/acc\n      min: 0.65\n      maxRegression: 0.01\n", ""))
    loop.edit(SPEC, ("\n  gates:", "\n  gates: []"))
    add(mlflow_url, name, 1, 0.70)
    source = "pvc://model-pvc/2"
    server.register(mlflow_url, name, version_source=source, run_id="f" * 32, stage="Production")
    loop.chat()
    assert f"- Note: `the run {'f' * 32} does not exist`" in loop.pulls()[0].body


def test_the_lineage_stands_in_the_pull_request(tmp_path: Path, mlflow_url: str, name: str) -> None:
    loop = looped(tmp_path, mlflow_url, name)
    add(mlflow_url, name, 1, 0.70)
    run = server.log_run(mlflow_url, {"mmlu/acc": 0.7}, {"learning_rate": "1e-5"})
    server.register(
        mlflow_url, name, version_source="pvc://model-pvc/2", run_id=run, stage="Production"
    )
    loop.chat()
    (pull,) = loop.pulls()
    assert run in pull.body
    assert "`learning_rate` | `1e-5`" in pull.body
    assert run in loop.file(f"environments/{KEY}/evidence/v2.json", BRANCH)
