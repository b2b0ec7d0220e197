"""A base that moved is read where it changed; what the cycle says is what it would say anew."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from sluice import git
from sluice.core.documents import load
from sluice.core.finding import UsageError
from sluice.core.forge import PullRequest
from sluice.core.promotion.converge import Facts
from sluice.core.promotion.wants import Want
from sluice.reconciler.promotions.base import read_base
from sluice.reconciler.promotions.cycle import cycle
from sluice.reconciler.promotions.snapshot import CycleSnapshot
from sluice.reconciler.runtime import Runtime
from sluice.workspace.identity import MAIN
from support.loop import ENVIRONMENT, GOOD, KEY, MODEL, SPEC, Loop


class Judged:
    """Counts the versions that are judged."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.models: set[str] = set()
        usual = CycleSnapshot.ask_facts

        def watched(
            snapshot: CycleSnapshot, want: Want, pulls: Sequence[PullRequest]
        ) -> tuple[Want, Facts]:
            self.models.add(want.version.name)
            return usual(snapshot, want, pulls)

        monkeypatch.setattr(CycleSnapshot, "ask_facts", watched)

    def taken(self) -> set[str]:
        models, self.models = self.models, set()
        return models


class Reads:
    """Counts the specs that are read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.paths: list[str] = []
        usual = load.load

        def watched(path: str, raw: bytes) -> load.Document:
            self.paths.append(path)
            return usual(path, raw)

        monkeypatch.setattr(load, "load", watched)

    def taken(self) -> list[str]:
        paths, self.paths = self.paths, []
        return [path for path in paths if path.startswith("environments/")]


@pytest.fixture
def loop(tmp_path: Path) -> Loop:
    loop = Loop(tmp_path)
    for name in ("assistant", "coder", "writer"):
        loop.add(f"production/platform/{name}", name)
        loop.register(1, model=name)
    loop.register(1)
    loop.register(2)
    return loop


def test_a_merge_costs_the_release_that_it_changes(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = Runtime(git.Direct(loop.repository), loop.registry, loop.forge, lambda: 2_000)
    outcomes = {o.release: o for o in cycle(world)}
    assert outcomes[KEY].what == "proposed"
    loop.merge(outcomes[KEY].pull)
    reads = Reads(monkeypatch)
    read_base(world)
    assert reads.taken() == [SPEC]
    read_base(world)
    assert reads.taken() == []


def test_what_all_have_in_common_is_read_again(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    world = Runtime(git.Direct(loop.repository), loop.registry, loop.forge, lambda: 2_000)
    before = read_base(world)
    loop.edit(ENVIRONMENT, ("quota: 16", "quota: 17"))
    reads = Reads(monkeypatch)
    after = read_base(world)
    assert len([path for path in reads.taken() if path.endswith("release.yaml")]) == 5
    assert before.commit != after.commit


def test_a_release_that_breaks_and_heals_is_told_as_if_all_were_read(loop: Loop) -> None:
    world = Runtime(git.Direct(loop.repository), loop.registry, loop.forge, lambda: 2_000)
    list(cycle(world))
    raw = loop.file(SPEC).encode()
    for content in (raw.replace(b"engine:", b"engin:"), None, b"no: [", raw):
        loop.commit({SPEC: content})
        again = Runtime(git.Direct(loop.repository), loop.registry, loop.forge, lambda: 2_000)
        assert list(cycle(world)) == list(cycle(again)), content
    loop.register(3, metrics=GOOD)
    assert {o.release: o.version for o in cycle(world)}[KEY] == "3"


def test_a_base_that_was_taken_back_is_read_too(loop: Loop) -> None:
    world = Runtime(git.Direct(loop.repository), loop.registry, loop.forge, lambda: 2_000)
    first = git.resolve(loop.repository, MAIN)
    before = read_base(world)
    moved = loop.edit(SPEC, ("max: 4", "max: 3"))
    assert read_base(world).sound.specs.releases.keys() == before.sound.specs.releases.keys()
    git.update_ref(loop.repository, MAIN, first, moved)
    spec = next(r for k, r in read_base(world).sound.specs.releases.items() if str(k) == KEY)
    assert spec.spec.scaling.max == 4


def test_the_last_commit_may_be_gone(loop: Loop) -> None:
    """The branch was rewritten, and what it held before was tidied away."""
    world = Runtime(git.Direct(loop.repository), loop.registry, loop.forge, lambda: 2_000)
    base = read_base(world)
    world.memory.base = replace(base, commit="1" * 40)
    with pytest.raises(UsageError):
        git.resolve(loop.repository, "1" * 40)
    assert read_base(world).sound.specs.releases.keys() == base.sound.specs.releases.keys()


ALL = {MODEL, "assistant", "coder", "writer"}


@pytest.fixture
def proposed(loop: Loop) -> Runtime:
    """A world in which each of four releases has an open pull request that needs nothing."""
    for name in sorted(ALL - {MODEL}):
        loop.register(2, model=name)
    world = Runtime(git.Direct(loop.repository), loop.registry, loop.forge, lambda: 2_000)
    list(cycle(world))
    assert {o.what for o in cycle(world) if o.release.startswith("production")} == {"unchanged"}
    return world


def test_a_merge_makes_nobody_judge_the_others(
    loop: Loop, proposed: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged = Judged(monkeypatch)
    for left in (3, 2, 1):
        pull = loop.forge.list("open")[0]
        loop.merge(pull.number)
        outcomes = [o.what for o in cycle(proposed) if o.release.startswith("production")]
        assert sorted(outcomes) == ["nothing to do"] * (4 - left) + ["unchanged"] * left
    assert judged.taken() == set()


@pytest.mark.parametrize(
    ("path", "text", "models"),
    [
        (SPEC, ("max: 4", "max: 3"), ALL),  # of all the environment may use more
        (SPEC, ("name: chat\n", "name: chat\n  annotations: {a: b}\n"), {MODEL}),
        (ENVIRONMENT, ("quota: 16", "quota: 17"), ALL),
        (f"manifests/{KEY}/service.yaml", ("kind: Service", "kind:  Service"), {MODEL}),
        ("manifests/staging/platform/chat/service.yaml", ("kind: S", "kind:  S"), set()),
    ],
)
def test_what_a_proposal_is_made_from_makes_it_be_judged_again(
    loop: Loop,
    proposed: Runtime,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    text: tuple[str, str],
    models: set[str],
) -> None:
    judged = Judged(monkeypatch)
    loop.edit(path, text)
    list(cycle(proposed))
    assert judged.taken() == models
