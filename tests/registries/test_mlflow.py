"""The MLflow registry against a real server: versions, stages, aliases, names."""

from collections.abc import Sequence

import pytest

from sluice.core.model import ModelVersion
from sluice.registries import open_registry
from sluice.registries.mlflow import MlflowRegistry
from support.mlflow_server import ensure_model, move, post, register, set_alias

pytestmark = pytest.mark.server

HOSTILE_NAMES = [
    "sp ace",
    " lead",
    "o'brien",
    'dq"x',
    "both'\"quotes",
    "new\nline",
    "carriage\rreturn",
    "tab\tx",
    "uni-é-模型-🚀",
    "a%2Fb",
    "back\\slash'",
    "per%cent",
    "under_score",
    "') OR name LIKE ('%",
    "IN ('a')",
    "semi;--",
    "{{ x }}",
    "# hash?&=",
    "\u2028separator",
    "n" * 250,
]


@pytest.fixture
def registry(mlflow_url: str) -> MlflowRegistry:
    return MlflowRegistry(mlflow_url)


def only(registry: MlflowRegistry, name: str) -> Sequence[ModelVersion]:
    found = registry.versions([name])
    assert set(found) == {name}
    return found[name]


def test_a_version_is_read_whole(registry: MlflowRegistry, mlflow_url: str) -> None:
    register(
        mlflow_url,
        "whole",
        version_source="s3://models/whole/1",
        metrics={"acc": 0.5},
        stage="Production",
        alias="champion",
        tags={"digest": "sha256:00", "note": "two\nlines"},
    )
    (version,) = only(registry, "whole")
    assert (version.name, version.version) == ("whole", "1")
    assert version.source == "s3://models/whole/1"
    assert (version.stage, version.aliases) == ("Production", ("champion",))
    assert version.tags == {"digest": "sha256:00", "note": "two\nlines"}
    assert version.run_id
    assert version.ready
    assert 1_600_000_000_000 < version.created <= version.updated


def test_newest_number_first_not_last_touched_and_not_by_text(
    registry: MlflowRegistry, mlflow_url: str
) -> None:
    for _ in range(11):
        register(mlflow_url, "eleven")
    move(mlflow_url, "eleven", "3", "Staging")
    numbers = [int(version.version) for version in only(registry, "eleven")]
    assert numbers == list(range(11, 0, -1))


def test_two_versions_can_be_in_production(registry: MlflowRegistry, mlflow_url: str) -> None:
    for stage in ("Production", "Production", None):
        register(mlflow_url, "two", stage=stage)
    stages = [version.stage for version in only(registry, "two")]
    assert stages == ["", "Production", "Production"]


def test_several_aliases_on_one_version_and_a_moved_one(
    registry: MlflowRegistry, mlflow_url: str
) -> None:
    register(mlflow_url, "aliases", alias="champion")
    register(mlflow_url, "aliases", alias="challenger")
    set_alias(mlflow_url, "aliases", "2", "champion")
    newest, oldest = only(registry, "aliases")
    assert newest.aliases == ("challenger", "champion")
    assert oldest.aliases == ()


def test_the_alias_of_a_deleted_version_is_gone(registry: MlflowRegistry, mlflow_url: str) -> None:
    register(mlflow_url, "shrunk", alias="old")
    register(mlflow_url, "shrunk", alias="champion")
    post(mlflow_url, "model-versions/delete", {"name": "shrunk", "version": "2"}, "DELETE")
    (version,) = only(registry, "shrunk")
    assert (version.version, version.aliases) == ("1", ("old",))


def test_a_recreated_model_starts_again_with_another_creation_time(
    registry: MlflowRegistry, mlflow_url: str
) -> None:
    register(mlflow_url, "again", version_source="s3://models/old")
    (before,) = only(registry, "again")
    post(mlflow_url, "registered-models/delete", {"name": "again"}, "DELETE")
    assert registry.versions(["again"]) == {}
    register(mlflow_url, "again", version_source="s3://models/new")
    (after,) = only(registry, "again")
    assert (before.version, after.version) == ("1", "1")
    assert before.created < after.created
    assert after.source == "s3://models/new"


def test_a_renamed_model_is_absent_under_its_old_name(
    registry: MlflowRegistry, mlflow_url: str
) -> None:
    register(mlflow_url, "before", alias="champion")
    post(mlflow_url, "registered-models/rename", {"name": "before", "new_name": "after"})
    found = registry.versions(["before", "after"])
    assert set(found) == {"after"}
    assert found["after"][0].aliases == ("champion",)


def test_absent_is_not_the_same_as_without_versions(
    registry: MlflowRegistry, mlflow_url: str
) -> None:
    ensure_model(mlflow_url, "empty")
    impossible = ["never", "", "with/slash", "with:colon", "\udc80"]
    assert registry.versions(["empty", *impossible]) == {"empty": ()}
    assert registry.versions([]) == {}


@pytest.mark.parametrize("on", ["model", "version", "both"])
def test_a_model_hidden_from_searches_is_still_seen(
    registry: MlflowRegistry, mlflow_url: str, on: str
) -> None:
    name = f"hidden-{on}"
    register(mlflow_url, name, alias="champion")
    register(mlflow_url, name)
    tag = {"name": name, "key": "mlflow.prompt.is_prompt", "value": "true"}
    if on in {"model", "both"}:
        post(mlflow_url, "registered-models/set-tag", tag)
    if on in {"version", "both"}:
        post(mlflow_url, "model-versions/set-tag", {**tag, "version": "1"})
    newest, oldest = only(registry, name)
    assert (newest.version, oldest.version) == ("2", "1")
    assert oldest.aliases == ("champion",)


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_no_name_can_break_a_filter(registry: MlflowRegistry, mlflow_url: str, name: str) -> None:
    register(mlflow_url, name, alias="champion")
    (version,) = only(registry, name)
    assert (version.name, version.aliases) == (name, ("champion",))


def test_names_with_wildcards_find_no_other_models(
    registry: MlflowRegistry, mlflow_url: str
) -> None:
    for name in ("wild'1", "wildx1", "wild%1"):
        register(mlflow_url, name)
    found = registry.versions(["wild'1", "wild%1"])
    assert {name: [v.name for v in found[name]] for name in found} == {
        "wild'1": ["wild'1"],
        "wild%1": ["wild%1"],
    }


def test_a_source_with_a_newline_comes_back_as_it_is(
    registry: MlflowRegistry, mlflow_url: str
) -> None:
    source = "s3://b/m\nfoo: bar; rm -rf"
    register(mlflow_url, "newline-source", version_source=source)
    assert only(registry, "newline-source")[0].source == source


def test_many_names_are_asked_for_in_few_requests(
    registry: MlflowRegistry, mlflow_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"many-{number:03}-{'x' * 40}" for number in range(120)]
    for name in names:
        ensure_model(mlflow_url, name)
    requests: list[str] = []
    client = registry._clients.public
    for method in ("search_registered_models", "search_model_versions", "get_registered_model"):
        original = getattr(client, method)

        def counted(*args: object, _call: object = original, **more: object) -> object:
            requests.append(repr(args))
            return _call(*args, **more)  # type: ignore[operator]

        monkeypatch.setattr(client, method, counted)
    assert set(registry.versions(names)) == set(names)
    assert 3 <= len(requests) <= 9
    assert max(map(len, requests)) < 5000


def test_the_page_of_a_version(registry: MlflowRegistry) -> None:
    version = ModelVersion(name="a b/ü#?", version="7", source="", created=0, updated=0)
    assert registry.url(version).endswith("/#/models/a%20b%2F%C3%BC%23%3F/versions/7")
    secret = MlflowRegistry("https://user:secret@example.com/mlflow/")
    assert secret.url(version).startswith("https://example.com/mlflow/#/models/")


def test_the_server_is_described_with_its_version(mlflow_url: str) -> None:
    said = open_registry(mlflow_url).describe()
    assert said.startswith("MLflow 3.")
    assert said.endswith(f" at {mlflow_url}")
