"""Watching for long: what changed is found, what did not is not read, and nothing is lost."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from sluice.core.model import Evaluation, ModelVersion
from sluice.registries import open_registry
from sluice.registries.file import FileRegistry
from sluice.registries.watch import RESYNC, Watch, watch_registry
from support import mlflow_server as server


class Fake:
    """A registry of which tests decide what it dates."""

    def __init__(self) -> None:
        self.models: dict[str, list[ModelVersion]] = {}
        self.dates: dict[str, int] = {}
        self.read: list[set[str]] = []
        self.now = 1_000_000

    def put(self, name: str, version: str, *, stage: str = "", dated: bool = True) -> None:
        self.now += 1
        made = ModelVersion(name, version, "s", self.now, self.now, stage=stage)
        kept = [v for v in self.models.get(name, []) if v.version != version]
        self.models[name] = [made, *kept]
        if dated:
            self.dates[name] = self.now

    def alias(self, name: str, **aliases: str) -> None:
        self.models[name] = [
            ModelVersion(
                v.name,
                v.version,
                v.source,
                v.created,
                v.updated,
                aliases=tuple(sorted(a for a, number in aliases.items() if number == v.version)),
            )
            for v in self.models[name]
        ]

    def versions(
        self,
        names: Collection[str],
        aliased: Collection[str] | None = None,  # noqa: ARG002  # all are read
    ) -> Mapping[str, list[ModelVersion]]:
        self.read.append(set(names))
        return {name: self.models[name] for name in names if name in self.models}

    def changes(self, since: int) -> Mapping[str, tuple[int, object]]:
        last = max(self.dates.values(), default=0)
        return {
            name: (when, when) for name, when in self.dates.items() if when >= since or when == last
        }

    def aliases(self, names: Collection[str]) -> Mapping[str, Mapping[str, str]]:
        return {
            name: {alias: v.version for v in self.models[name] for alias in v.aliases}
            for name in names
            if name in self.models
        }

    def is_gone(self, name: str) -> bool:
        return bool(self.models) and name not in self.models

    def fresh(self, version: ModelVersion) -> ModelVersion:
        return next(v for v in self.models[version.name] if v.version == version.version)

    def evaluation(self, version: ModelVersion) -> Evaluation:  # noqa: ARG002  # none has one
        return Evaluation()

    def url(self, version: ModelVersion) -> str:  # noqa: ARG002  # none has one
        return ""

    def describe(self) -> str:
        return "fake"


@pytest.fixture
def fake() -> Fake:
    fake = Fake()
    for name in ("a", "b", "other"):
        fake.put(name, "1")
    return fake


@pytest.fixture
def now() -> list[float]:
    return [10_000.0]


@pytest.fixture
def watch(fake: Fake, now: list[float]) -> Watch:
    made = Watch(fake, lambda: now[0])
    assert set(made.versions({"a", "b"}, ())) == {"a", "b"}
    made.versions({"a", "b"}, ())  # what is near the first look is read once more
    fake.read.clear()
    return made


def seen(watch: Watch, name: str = "a") -> list[str]:
    return [v.version for v in watch.versions({"a", "b"}, ()).get(name, ())]


def test_nothing_new_reads_nothing(fake: Fake, watch: Watch) -> None:
    before = Counter(watch.calls)
    assert seen(watch) == ["1"]
    assert fake.read == []
    assert watch.calls - before == Counter(poll=1)


def test_what_changed_is_read_and_nothing_else(fake: Fake, watch: Watch) -> None:
    fake.put("a", "2", stage="Production")
    fake.put("other", "2")
    assert seen(watch) == ["2", "1"]
    assert fake.read == [{"a"}]


def test_a_change_that_is_dated_a_little_back_is_found(fake: Fake, watch: Watch) -> None:
    fake.now += 500_000
    fake.put("other", "2")
    seen(watch)
    fake.now -= 50_000
    fake.put("a", "2")
    assert seen(watch) == ["2", "1"]


def test_aliases_are_seen_where_they_are_followed(fake: Fake, watch: Watch) -> None:
    fake.alias("a", champion="1")
    fake.alias("b", champion="1")
    found = watch.versions({"a", "b"}, {"a"})
    assert found["a"][0].aliases == ("champion",)
    assert found["b"][0].aliases == ()
    fake.alias("a")
    assert watch.versions({"a", "b"}, {"a"})["a"][0].aliases == ()


def test_what_leaves_no_trace_is_found_by_reading_everything(
    fake: Fake, watch: Watch, now: list[float]
) -> None:
    fake.put("b", "2", dated=False)
    del fake.models["a"]
    del fake.dates["a"]
    assert (seen(watch), seen(watch, "b")) == (["1"], ["1"])
    now[0] += RESYNC
    assert (seen(watch), seen(watch, "b")) == ([], ["2", "1"])


def test_a_deleted_model_that_is_followed_by_alias_is_missed_at_once(
    fake: Fake, watch: Watch
) -> None:
    del fake.models["a"]
    del fake.dates["a"]
    assert set(watch.versions({"a", "b"}, {"a"})) == {"b"}
    fake.put("a", "1")
    assert set(watch.versions({"a", "b"}, {"a"})) == {"a", "b"}


def test_other_names_are_read_at_once(fake: Fake, watch: Watch) -> None:
    assert set(watch.versions({"a", "other"}, ())) == {"a", "other"}
    assert fake.read == [{"a", "other"}]


def test_a_registry_that_dates_nothing_is_read_whole(tmp_path: Path) -> None:
    registry = FileRegistry(str(tmp_path / "registry.yaml"))
    assert watch_registry(registry) is registry


@pytest.mark.server
def test_a_real_server_is_watched(mlflow_url: str, request: pytest.FixtureRequest) -> None:
    name = f"watched {request.node.name}"
    server.register(mlflow_url, name, version_source="pvc://a/1", stage="Production")
    watch = watch_registry(open_registry(mlflow_url))
    assert isinstance(watch, Watch)
    assert [v.version for v in watch.versions({name}, {name})[name]] == ["1"]
    server.register(mlflow_url, name, version_source="pvc://a/2", stage="Production")
    found = watch.versions({name}, ())[name]
    assert [(v.version, v.stage) for v in found] == [("2", "Production"), ("1", "Production")]
    server.move(mlflow_url, name, "2", "Archived")
    assert [v.stage for v in watch.versions({name}, ())[name]] == ["Archived", "Production"]
    server.register(mlflow_url, name, version_source="pvc://a/3", alias="champion")
    watch.versions({name}, ())
    assert watch.versions({name}, {name})[name][0].aliases == ("champion",)


def test_a_tag_that_nothing_dates_is_seen_by_who_reads_the_version_anew(
    fake: Fake, watch: Watch
) -> None:
    (version,) = watch.versions({"a", "b"}, ())["a"]
    fake.models["a"] = [replace(version, tags={"approved-by": "ada"})]
    (known,) = watch.versions({"a", "b"}, ())["a"]
    assert (known.tags, watch.fresh(known).tags) == ({}, {"approved-by": "ada"})
