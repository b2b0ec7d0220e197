"""Tags that tell the registry what became of its versions: true, written once, never in the way."""

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import pytest

from sluice import git
from sluice.cli import cli
from sluice.core.finding import UsageError
from sluice.core.model import MARK, ModelVersion
from sluice.core.promotion.outcome import Outcome
from sluice.reconciler.promotions.cycle import cycle
from sluice.reconciler.promotions.write_back import write_back
from sluice.reconciler.runtime import Runtime
from sluice.registries.mlflow import MlflowRegistry
from sluice.registries.watch import Watch
from support import mlflow_server as server
from support.loop import BRANCH, KEY, SPEC, Loop
from support.mlflow_loop import add, looped

pytestmark = pytest.mark.server
STATUS, PULL = f"{MARK}{KEY}/status", f"{MARK}{KEY}/pull-request"
REFUSAL = "MLflow at x denies access (403): the account needs EDIT"


class Marker:
    """Writes to the registry, counts it, and refuses or dies when it is told to."""

    def __init__(self, registry: MlflowRegistry) -> None:
        self.registry, self.refuses, self.dies_after = registry, False, 99
        self.written: list[tuple[str, str]] = []

    def mark(self, version: ModelVersion, marks: Mapping[str, str]) -> None:
        if self.refuses:
            raise UsageError(REFUSAL)
        for name, value in marks.items():
            if len(self.written) == self.dies_after:
                raise KeyboardInterrupt
            self.registry.mark(version, {name: value})
            self.written.append((name, value))


class Marked:
    """A loop whose reconciler writes back."""

    def __init__(self, folder: Path, url: str, name: str) -> None:
        self.loop, self.name = looped(folder, url, name), name
        self.registry = cast("MlflowRegistry", self.loop.registry)
        self.marker = Marker(self.registry)
        self.now = 2_000
        self.restart()

    def restart(self) -> None:
        self.world = Runtime(
            *(git.Direct(self.loop.repository), Watch(self.registry), self.loop.forge),
            lambda: self.now,
            marker=self.marker,
        )

    def cycle(self) -> str:
        """Run one cycle; what it warns of."""
        outcomes: list[Outcome] = list(cycle(self.world))
        return write_back(self.world, outcomes)

    def tags(self, number: int) -> tuple[str, str]:
        found = self.registry.versions([self.name])[self.name]
        marks = next(v.marks for v in found if v.version == str(number))
        return marks.get(STATUS, ""), marks.get(PULL, "")


@pytest.fixture
def made(tmp_path: Path, mlflow_url: str, request: pytest.FixtureRequest) -> Marked:
    name = f"marked {request.node.name}"
    made = Marked(tmp_path, mlflow_url, name)
    add(mlflow_url, name, 1, 0.70)
    add(mlflow_url, name, 2, 0.71, stage="Production")
    return made


def test_a_version_is_followed_from_its_proposal_to_its_end(made: Marked, mlflow_url: str) -> None:
    assert made.cycle() == ""
    assert (made.tags(1), made.tags(2)) == (("deployed", ""), ("proposed", "#1"))
    made.loop.merge(1)
    made.cycle()
    assert (made.tags(1), made.tags(2)) == (("replaced", ""), ("deployed", "#1"))
    server.move(mlflow_url, made.name, "1", "Production")
    made.cycle()
    assert (made.tags(1), made.tags(2)) == (("proposed", "#2"), ("deployed", "#1"))
    made.loop.merge(2)
    made.loop.edit(SPEC, ('version: "1"', 'version: "1"\n    quarantine: ["2"]'))
    made.cycle()
    assert (made.tags(1), made.tags(2)) == (("deployed", "#2"), ("rolled back", "#1"))


def test_what_was_rejected_refused_or_withdrawn_says_so(made: Marked, mlflow_url: str) -> None:
    made.cycle()
    add(mlflow_url, made.name, 3, 0.72, stage="Production")
    made.cycle()
    assert (made.tags(2), made.tags(3)) == (("withdrawn", "#1"), ("proposed", "#1"))
    made.loop.reviewer.close(1, "no")
    made.cycle()
    assert made.tags(3) == ("rejected", "#1")
    add(mlflow_url, made.name, 4, float("nan"), stage="Production")
    made.cycle()
    assert made.tags(4) == ("refused", "")


def test_what_is_said_already_is_not_written_again_and_makes_no_other_proposal(
    made: Marked,
) -> None:
    made.cycle()
    written, refs = list(made.marker.written), made.loop.refs()
    assert len(written) == len(set(written)) == 4
    for _ in range(3):
        # As after a delivery, which every one of these tags causes, and after a resync.
        made.world.memory.settled.clear()
        made.world.memory.marked = (None, 0)
        made.cycle()
    made.restart()
    made.cycle()
    assert made.marker.written == written
    assert made.loop.refs() == refs
    assert MARK not in made.loop.file(f"environments/{KEY}/evidence/v2.json", BRANCH)


def test_an_idle_cycle_looks_at_nothing_for_it(made: Marked) -> None:
    made.cycle()
    made.cycle()
    watch = cast("Watch", made.world.registry)
    before = dict(watch.calls)
    list(cycle(made.world))
    alone = watch.calls["poll"] - before["poll"]
    before = dict(watch.calls)
    made.cycle()
    assert watch.calls["poll"] - before["poll"] == alone


def test_a_registry_that_refuses_is_one_warning_and_the_proposal_stands(made: Marked) -> None:
    made.marker.refuses = True
    assert made.cycle() == f"the registry is not told what became of its versions: {REFUSAL}"
    assert [pull.state for pull in made.loop.pulls()] == ["open"]
    made.marker.refuses = False
    made.now += 1_000
    assert made.cycle() == ""
    assert made.tags(2) == ("proposed", "#1")


@pytest.mark.parametrize("after", range(4))
def test_killed_between_two_tags_the_next_run_writes_the_rest(made: Marked, after: int) -> None:
    made.marker.dies_after = after
    with pytest.raises(KeyboardInterrupt):
        made.cycle()
    made.marker.dies_after = 99
    made.restart()
    made.cycle()
    assert (made.tags(1), made.tags(2)) == (("deployed", ""), ("proposed", "#1"))
    assert len(made.marker.written) == len(set(made.marker.written))


def test_a_version_that_is_gone_is_nobodys_problem(made: Marked, mlflow_url: str) -> None:
    (version, *_) = made.registry.versions([made.name])[made.name]
    body = {"name": made.name, "version": version.version}
    server.post(mlflow_url, "model-versions/delete", body, "DELETE")
    made.registry.mark(version, {STATUS: "proposed"})
    assert made.cycle() == ""


def test_only_a_server_can_be_written_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loop = Loop(tmp_path)
    loop.register(1)
    where = f"file:{tmp_path / 'registry.json'}"
    arguments = ["--repository", str(loop.bare), "--registry", where, "--once"]
    with pytest.raises(UsageError, match="tags cannot be written"):
        cli.main(["reconcile", "--write-back", *arguments], standalone_mode=False)
    cli.main(["reconcile", *arguments], standalone_mode=False)
    assert "nothing to do" in capsys.readouterr().out
