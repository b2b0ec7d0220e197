"""What the registry does not show is not gone: pull requests survive its faults."""

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sluice import git
from sluice.core.finding import UsageError
from sluice.core.promotion.absence import APART
from sluice.core.promotion.outcome import Outcome
from sluice.reconciler.promotions.cycle import cycle
from sluice.reconciler.runtime import RECHECK, Runtime
from sluice.registries.mlflow import MlflowRegistry
from support.loop import ENVIRONMENT, KEY, MODEL, SPEC, Loop
from support.mlflow_fake import RUN, Answer, Fake, run, said, version


class Watcher:
    """A reconciler that goes on: what it saw in one cycle it remembers in the next."""

    def __init__(self, loop: Loop) -> None:
        self.loop, self.now = loop, 2_000
        self.world = Runtime(
            git.Direct(loop.repository), loop.registry, loop.forge, lambda: self.now
        )

    def look(self, *, after: int = 1) -> dict[str, Outcome]:
        self.now += after
        return {outcome.release: outcome for outcome in cycle(self.world)}

    def open(self) -> list[int]:
        return [pull.number for pull in self.loop.pulls() if pull.state == "open"]


@pytest.fixture
def loop(tmp_path: Path) -> Loop:
    loop = Loop(tmp_path)
    loop.register(1)
    loop.register(2)
    return loop


@pytest.fixture
def watcher(loop: Loop) -> Watcher:
    loop.register(1, model="another")
    watcher = Watcher(loop)
    assert watcher.look()[KEY].what == "proposed"
    return watcher


def models(loop: Loop, *names: str) -> None:
    """Let the registry have these models only."""
    loop.models = {name: loop.models.get(name, []) for name in names}
    loop._write()


def test_a_model_that_is_gone_is_believed_the_second_time(loop: Loop, watcher: Watcher) -> None:
    kept = dict(loop.models)
    watcher.world.memory.registered.clear()  # so many are gone that it would be a fault
    models(loop, "another")
    assert watcher.look()[KEY].what == "not confirmed"
    assert watcher.look(after=APART - 2)[KEY].what == "not confirmed"
    assert watcher.open() == [1]
    loop.models = kept
    loop._write()
    assert watcher.look()[KEY].what == "unchanged"
    watcher.world.memory.registered.clear()
    models(loop, "another")
    watcher.look(after=APART)  # what was missing before it was seen again does not count
    assert watcher.open() == [1]
    watcher.look(after=APART)
    assert watcher.open() == []


def test_a_registry_that_shows_nothing_at_all_is_never_believed(
    loop: Loop, watcher: Watcher
) -> None:
    models(loop)
    watcher.world.memory.registered.clear()
    for _ in range(4):
        assert watcher.look(after=APART)[KEY].what == "not confirmed"
    assert watcher.open() == [1]


def test_a_registry_that_forgets_most_of_it_is_a_fault(loop: Loop, watcher: Watcher) -> None:
    loop.models[MODEL] = []
    loop._write()
    for _ in range(3):
        with pytest.raises(UsageError, match="does not list 2 of the 2 versions"):
            watcher.look(after=APART)
    assert watcher.open() == [1]


def test_another_stage_is_a_fact(loop: Loop, watcher: Watcher) -> None:
    loop.archive(2)
    loop.archive(1)
    assert watcher.look()[KEY].what == "nothing to do"
    assert watcher.open() == []


def test_a_version_that_is_missing_needs_two_looks(loop: Loop, watcher: Watcher) -> None:
    loop.models[MODEL] = [v for v in loop.models[MODEL] if v["version"] == 1]
    loop.models[MODEL][0]["stage"] = "Archived"
    loop._write()
    assert watcher.look()[KEY].what == "not confirmed"
    watcher.look(after=APART)
    assert watcher.open() == []


def test_numbers_that_vanish_need_two_looks(loop: Loop, watcher: Watcher) -> None:
    loop.register(2, metrics={})
    assert watcher.look()[KEY].what == "not confirmed"
    loop.register(2)
    assert watcher.look(after=APART)[KEY].what == "unchanged"
    loop.register(2, metrics={})
    assert watcher.look(after=RECHECK)[KEY].what == "not confirmed"
    assert watcher.open() == [1]
    assert watcher.look(after=APART)[KEY].what == "refused"
    assert watcher.open() == []


def test_numbers_that_are_bad_need_one(loop: Loop, watcher: Watcher) -> None:
    loop.register(2, metrics={"mmlu/acc": 0.1})
    assert watcher.look()[KEY].what == "refused"
    assert watcher.open() == []


def test_one_run_by_itself_closes_nothing_that_is_only_missing(loop: Loop) -> None:
    assert loop.chat().what == "proposed"
    models(loop, "another")
    assert loop.chat().what == "not confirmed"
    assert [pull.state for pull in loop.pulls()] == ["open"]


def test_a_shared_pull_request_survives_what_is_missing_of_a_member(loop: Loop) -> None:
    loop.add_other()
    loop.group("environment")
    loop.register_both(1)
    loop.register_both(2)
    watcher = Watcher(loop)
    watcher.look()
    (number,) = watcher.open()
    before = loop.refs()
    kept = loop.models.pop("helper")
    loop.models["another"] = kept
    loop._write()
    watcher.world.memory.registered.clear()
    watcher.look()
    assert (watcher.open(), loop.refs()) == ([number], before)
    models(loop, "another")
    watcher.world.memory.registered.clear()
    watcher.look()
    assert (watcher.open(), loop.refs()) == ([number], before)


MISSING = (404, json.dumps({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "none"}))
SHAPES: dict[str, Answer] = {
    "nothing": (200, ""),
    "empty": (200, "{}"),
    "null": (200, "null"),
    "list": (200, "[]"),
    "other": (200, '{"status": "ok"}'),
    "page": (200, "<html>Please log in</html>"),
    "another": said(
        registered_model={"name": "x"}, model_version=version("x", "9"), run=run("f" * 32)
    ),
    "forbidden": (403, "Permission denied"),
    "forbidden-json": (403, '{"message": "no"}'),
    "missing": MISSING,
    "missing-of-a-proxy": (404, "<h1>Not Found</h1>"),
    "fails": (500, "{}"),
    "gone": (410, "{}"),
    "no-content": (204, ""),
    "accepted": (202, "{}"),
}
ROUTES = (
    "/registered-models/search",
    "/registered-models/get",
    "/model-versions/search",
    "/model-versions/get",
    "/runs/get",
)


def healthy() -> dict[str, Any]:
    listed = [
        version(MODEL, "2", run_id=RUN),
        version(MODEL, "1", current_stage="Archived", run_id=RUN),
    ]
    model = {"name": MODEL, "latest_versions": listed}
    return {
        "/registered-models/search": said(registered_models=[model]),
        "/registered-models/get": said(registered_model=model),
        "/model-versions/search": said(model_versions=listed),
        "/model-versions/get": lambda query: said(
            model_version=next(v for v in listed if [v["version"]] == query["version"])
        ),
        "/runs/get": said(run=run(RUN, **{"mmlu/acc": 0.7})),
        "/experiments/get": said(experiment={"experiment_id": "7", "name": "evals"}),
    }


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Fake, Loop]]:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    fake = Fake(healthy())
    with fake.serving() as address:
        loop = Loop(tmp_path, MlflowRegistry(f"http://{address}"))
        loop.edit(
            SPEC, ("source: pvc://model-pvc/qwen2.5-7b-instruct-awq/1", "source: pvc://c/m/0")
        )
        loop.edit(ENVIRONMENT, ("- pvc://model-pvc/\n    unlisted", "- pvc://c/\n    unlisted"))
        yield fake, loop


def broken(fake: Fake, routes: tuple[str, ...], shape: Answer) -> Callable[[], None]:
    before = dict(fake.answers)
    fake.answers = {**before, **dict.fromkeys(routes, shape)}
    return lambda: fake.answers.update(before)


ALL = [*((route,) for route in ROUTES), ROUTES, ROUTES[:2], ROUTES[:4]]


@pytest.mark.parametrize(
    ("names", "combinations"),
    [
        (("empty", "nothing", "forbidden-json", "missing"), [ROUTES, ROUTES[:2]]),
        pytest.param(tuple(SHAPES), ALL, marks=pytest.mark.slow),
    ],
    ids=["some", "all"],
)
def test_no_answer_of_any_shape_closes_a_pull_request(
    served: tuple[Fake, Loop], names: tuple[str, ...], combinations: list[tuple[str, ...]]
) -> None:
    fake, loop = served
    watcher = Watcher(loop)
    first = watcher.look()[KEY]
    assert first.what == "proposed", first
    for name in names:
        for routes in combinations:
            mend = broken(fake, routes, SHAPES[name])
            with contextlib.suppress(UsageError):
                outcome = watcher.look(after=RECHECK)[KEY]
                assert outcome.reasons or outcome.what == "unchanged"
            mend()
            assert watcher.open() == [1], (name, routes)
    assert watcher.look()[KEY].what == "unchanged"
