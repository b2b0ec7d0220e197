"""A base that moved is read where it changed; what the cycle says is what it would say anew."""

from dataclasses import replace
from pathlib import Path

import pytest

from shells.loop import ENVIRONMENT, GOOD, KEY, SPEC, Loop
from sluice import git
from sluice.commands import cycle as cycles
from sluice.commands.cycle import World, cycle
from sluice.core.finding import UsageError
from sluice.core.specs import load


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
    world = World(git.Direct(loop.repository), loop.registry, loop.forge, lambda: 2_000)
    outcomes = {o.release: o for o in cycle(world)}
    assert outcomes[KEY].what == "proposed"
    loop.merge(outcomes[KEY].pull)
    reads = Reads(monkeypatch)
    cycles.base_of(world)
    assert reads.taken() == [SPEC]
    cycles.base_of(world)
    assert reads.taken() == []


def test_what_all_have_in_common_is_read_again(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(git.Direct(loop.repository), loop.registry, loop.forge, lambda: 2_000)
    before = cycles.base_of(world)
    loop.edit(ENVIRONMENT, ("quota: 16", "quota: 17"))
    reads = Reads(monkeypatch)
    after = cycles.base_of(world)
    assert len([path for path in reads.taken() if path.endswith("release.yaml")]) == 5
    assert before.commit != after.commit


def test_a_release_that_breaks_and_heals_is_told_as_if_all_were_read(loop: Loop) -> None:
    world = World(git.Direct(loop.repository), loop.registry, loop.forge, lambda: 2_000)
    list(cycle(world))
    raw = loop.file(SPEC).encode()
    for content in (raw.replace(b"engine:", b"engin:"), None, b"no: [", raw):
        loop.commit({SPEC: content})
        again = World(git.Direct(loop.repository), loop.registry, loop.forge, lambda: 2_000)
        assert list(cycle(world)) == list(cycle(again)), content
    loop.register(3, metrics=GOOD)
    assert {o.release: o.version for o in cycle(world)}[KEY] == "3"


def test_a_base_that_was_taken_back_is_read_too(loop: Loop) -> None:
    world = World(git.Direct(loop.repository), loop.registry, loop.forge, lambda: 2_000)
    first = git.resolve(loop.repository, cycles.MAIN)
    before = cycles.base_of(world)
    moved = loop.edit(SPEC, ("max: 4", "max: 3"))
    assert cycles.base_of(world).sound.specs.releases.keys() == before.sound.specs.releases.keys()
    git.update_ref(loop.repository, cycles.MAIN, first, moved)
    spec = next(r for k, r in cycles.base_of(world).sound.specs.releases.items() if str(k) == KEY)
    assert spec.value("scaling.max") == 4


def test_the_last_commit_may_be_gone(loop: Loop) -> None:
    """The branch was rewritten, and what it held before was tidied away."""
    world = World(git.Direct(loop.repository), loop.registry, loop.forge, lambda: 2_000)
    base = cycles.base_of(world)
    world.memory.base = replace(base, commit="1" * 40)
    with pytest.raises(UsageError):
        git.resolve(loop.repository, "1" * 40)
    assert cycles.base_of(world).sound.specs.releases.keys() == base.sound.specs.releases.keys()
