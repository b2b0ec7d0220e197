"""The daemon asked to stop anywhere ends soon and in good order; failures stay with their own."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from sluice import git
from sluice.core.finding import UsageError
from sluice.reconciler.daemon.cycle_log import Diary
from sluice.reconciler.daemon.loop import FORGE, Daemon
from sluice.reconciler.daemon.telemetry import WHATS, Telemetry
from sluice.reconciler.promotions.cycle import cycle
from sluice.reconciler.runtime import Runtime
from sluice.registries.file import FileRegistry
from support.effects import Executioner, assert_consistent, told
from support.forge_fake import Fault, Reply
from support.git_fixtures import MAIN
from support.loop import KEY, OTHER, Loop
from support.remote_loop import RemoteLoop, remote_loop
from support.stage import Stage

pytestmark = pytest.mark.server
# What one release costs at most, from its judgement to its pull request, merged.
ONE = 12


@pytest.fixture
def loop(tmp_path: Path) -> Loop:
    return prepared(Loop(tmp_path))


def prepared(loop: Loop) -> Loop:
    loop.add_other()
    loop.register_both(1)
    loop.register_both(2)
    return loop


def daemon(loop: Loop) -> Daemon:
    world = Runtime(git.Direct(loop.repository), loop.registry, loop.forge, lambda: 2_000)
    return Daemon(world, Diary("json"), 3600, threading.Event())


def _sight(loop: Loop) -> object:
    pulls = [told(p)[1:] for p in loop.pulls()]
    return pulls, git.read_tree(loop.repository, MAIN).files


@pytest.mark.parametrize("step", [6, pytest.param(1, marks=pytest.mark.slow)])
def test_asked_to_stop_at_any_boundary_it_ends_after_the_release_at_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    (tmp_path / "whole").mkdir()
    whole = prepared(Loop(tmp_path / "whole"))
    with monkeypatch.context() as patches:
        executioner = Executioner(patches)
        executioner.arm(-1, after=False)
        daemon(whole).once()
        crossed = executioner.count
    assert crossed > ONE
    for at in range(1, crossed + 1, step):
        (tmp_path / str(at)).mkdir()
        loop = prepared(Loop(tmp_path / str(at)))
        with monkeypatch.context() as patches:
            executioner = Executioner(patches)
            made = daemon(loop)
            executioner.act = made.asked_to_stop
            executioner.arm(at, after=False)
            assert made.run(None, {}) == 0
            assert executioner.count <= at + ONE
        assert_consistent(loop)
        daemon(loop).once()
        assert _sight(loop) == _sight(whole), at


def _whats(loop: Loop) -> dict[str, tuple[str, str]]:
    return {name: (o.what, o.cause) for name, o in loop.cycle().items() if name in (KEY, OTHER)}


def test_a_registry_that_loses_the_numbers_of_one_version_harms_only_its_release(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = FileRegistry.evaluation

    def broken(self: FileRegistry, version: object) -> object:
        if getattr(version, "name", "") == "helper":
            raise UsageError("the registry answers 500")
        return honest(self, version)  # type: ignore[arg-type]

    monkeypatch.setattr(FileRegistry, "evaluation", broken)
    assert _whats(loop) == {KEY: ("proposed", ""), OTHER: ("failed", "other")}


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[RemoteLoop]:
    with remote_loop(tmp_path, "gitea") as loop:
        prepared(loop)
        yield loop


def test_a_forge_that_fails_for_one_pull_request_harms_only_its_release(
    remote: RemoteLoop,
) -> None:
    remote.cycle()
    remote.register_both(3)
    remote.fake.faults.append(Fault("PATCH .*/pulls/1$", Reply(500), 100))
    assert _whats(remote) == {KEY: ("failed", "forge answers 500"), OTHER: ("updated", "")}
    remote.fake.faults.clear()
    assert _whats(remote) == {KEY: ("updated", ""), OTHER: ("unchanged", "")}


def test_an_idle_cycle_writes_nothing_and_reads_no_more_for_more_releases(
    remote: RemoteLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    for name in ("versions", "fresh", "evaluation"):
        honest: Callable[..., object] = getattr(FileRegistry, name)

        def counted(*given: object, name: str = name, honest: object = honest) -> object:
            asked.append(name)
            return honest(*given)  # type: ignore[operator]

        monkeypatch.setattr(FileRegistry, name, counted)

    def idle() -> tuple[list[str], list[str], list[str]]:
        world = remote.world()
        list(cycle(world))
        list(cycle(world))
        remote.fake.seen.clear()
        remote.server.requests.clear()
        asked.clear()
        list(cycle(world))
        return remote.fake.calls(), list(remote.server.requests), list(asked)

    calls, requests, reads = idle()
    assert not [call for call in calls if not call.startswith("GET")]
    assert set(requests) == {"GET refs"}
    assert reads == ["versions"]
    for number in range(3):
        remote.add(f"production/more/release-{number}")
    assert idle() == (calls, requests, reads)


def test_a_rest_is_no_standstill(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    made = daemon(loop)
    now = time.monotonic()
    made.wake.set()
    made.rest(100_000)
    monkeypatch.setattr("time.monotonic", lambda: now + 70_000)
    assert made.is_alive()
    monkeypatch.setattr("time.monotonic", lambda: now + 130_000)
    assert not made.is_alive()


def test_a_delivery_makes_it_forget_and_look(loop: Loop) -> None:
    made = daemon(loop)
    made.once()
    made.once()
    assert made.runtime.memory.settled
    made.woken("registry")
    assert made.runtime.memory.settled  # another thread leaves it alone
    made.rest(3600)
    assert not made.runtime.memory.settled


def test_what_the_forge_lists_tells_its_news_by_itself(loop: Loop) -> None:
    made = daemon(loop)
    made.once()
    made.once()
    made.woken(FORGE)
    made.rest(3600)  # it was woken, or this would not end
    assert made.runtime.memory.settled


def _labels(registry: CollectorRegistry) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for family in registry.collect():
        for sample in family.samples:
            for name, value in sample.labels.items():
                found.setdefault(name, set()).add(value)
    return found


def test_no_label_names_a_release_a_version_or_a_weight(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    telemetry = Telemetry()
    stage.begin()
    for _ in range(40):
        outcome = stage.tick()
        if outcome:
            telemetry.outcome(outcome, stage.now)
    labels = _labels(telemetry.registry)
    assert labels.pop("le")
    assert labels["what"] <= WHATS
    assert len(labels["what"]) > 2
    assert set(labels) == {"what"}


def test_the_metrics_are_those_of_the_readme() -> None:
    text = (Path(__file__).parents[3] / "README.md").read_text()
    names = {f"`{family.name}" for family in Telemetry().registry.collect()}
    missing = {name for name in names if name not in text}
    assert not missing
