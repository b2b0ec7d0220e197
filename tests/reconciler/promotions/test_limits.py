"""Where a forge leaves room for few new pull requests, releases share them, and stay so."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice.forges.http import PATIENCE
from sluice.forges.limits import RateLimitedError
from sluice.reconciler.promotions.cycle import cycle
from sluice.reconciler.runtime import Runtime
from support.forge_fake import Fault, Reply
from support.git_fixtures import put
from support.loop import KEY, OTHER
from support.remote_loop import RemoteLoop, remote_loop

pytestmark = pytest.mark.server
THIRD = "production/search/summary"
WHOLE = "sluice/production/_all"
SEARCH = "sluice/production/search/_all"


@pytest.fixture(params=["gitea", "github", "gitlab"])
def every(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RemoteLoop]:
    yield from _loop(tmp_path, str(request.param))


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[RemoteLoop]:
    yield from _loop(tmp_path, "gitea")


def _loop(folder: Path, kind: str) -> Iterator[RemoteLoop]:
    with remote_loop(folder, kind) as loop:
        loop.add_other()
        loop.add(THIRD)
        loop.register_both(1)
        loop.register_both(2)
        yield loop


def _scarce(loop: RemoteLoop, pulls: int) -> Runtime:
    """A reconciler that knows of a limit that leaves room for so many."""
    loop.fake.limit, loop.fake.reset = 15 * pulls, loop.time.now + 3000
    world = loop.world()
    world.forge.list()
    return world


def _whats(world: Runtime) -> set[str]:
    """What became of the releases that want something."""
    return {outcome.what for outcome in cycle(world)} - {"nothing to do"}


def _open(loop: RemoteLoop) -> list[str]:
    return sorted(pull.branch for pull in loop.pulls() if pull.state == "open")


def test_too_many_for_what_the_forge_says_is_left_share_one_and_stay_there(
    every: RemoteLoop,
) -> None:
    outcomes = [o for o in cycle(_scarce(every, 1)) if o.version]
    assert {(o.what, o.pull) for o in outcomes} == {("proposed", 1)}
    assert outcomes[0].reasons[-1].startswith("3 pull requests were wanted")
    assert "room for 1" in outcomes[0].reasons[-1]
    (pull,) = every.pulls()
    assert (pull.branch, "### Why they share it" in pull.body) == (WHOLE, True)
    every.fake.limit = None
    before = every.fake.writes()
    assert _whats(every.world()) == {"unchanged"}
    assert (every.fake.writes(), every.pushes()) == (before, 1)
    every.register(3)
    assert _whats(every.world()) == {"updated"}
    assert _open(every) == [WHOLE]
    every.merge(1)
    every.register(4)
    outcomes = list(cycle(every.world()))
    assert _open(every) == [f"sluice/{KEY}", f"sluice/{THIRD}"]


def test_by_team_where_that_is_enough(loop: RemoteLoop) -> None:
    list(cycle(_scarce(loop, 2)))
    assert _open(loop) == [f"sluice/{KEY}", SEARCH]


def test_what_has_its_own_keeps_it(loop: RemoteLoop) -> None:
    loop.register(1, model="helper", source="pvc://model-pvc/x/1")
    for entry in loop.models["helper"]:
        entry["stage"] = "Production" if entry["version"] == 1 else "None"
    loop._write()
    loop.cycle()
    own = [f"sluice/{KEY}", f"sluice/{THIRD}"]
    assert _open(loop) == own
    loop.register(2, model="helper", source="pvc://model-pvc/x/2")
    loop.register(3)
    list(cycle(_scarce(loop, 0)))
    assert _open(loop) == sorted([*own, f"sluice/{OTHER}"])


def test_nobody_shares_where_that_is_forbidden(loop: RemoteLoop) -> None:
    loop.group("never")
    list(cycle(_scarce(loop, 1)))
    assert _open(loop) == sorted(f"sluice/{key}" for key in (KEY, OTHER, THIRD))


def test_forbidding_it_later_takes_it_apart(loop: RemoteLoop) -> None:
    list(cycle(_scarce(loop, 1)))
    loop.group("never")
    loop.cycle()
    assert _open(loop) == sorted(f"sluice/{key}" for key in (KEY, OTHER, THIRD))


def test_after_a_server_asked_for_a_long_pause_the_others_share(every: RemoteLoop) -> None:
    creation = "POST .*/(pulls|merge_requests)$"

    def limited() -> None:
        said = Reply(429, {"message": "slow down"}, headers={"Retry-After": "1800"})
        every.fake.faults.append(Fault(creation, said))

    every.fake.before["(statuses|notes|status)"] = limited  # of the first one
    world = every.world()
    with pytest.raises(RateLimitedError) as raised:
        list(cycle(world))
    assert raised.value.seconds > PATIENCE
    assert len(_open(every)) == 1
    every.time.now += 1900
    list(cycle(world))
    (alone,) = [branch for branch in _open(every) if not branch.endswith("_all")]
    assert sorted([alone, WHOLE]) == _open(every)
    every.time.now += 4000
    assert _whats(world) == {"unchanged"}


def test_what_was_rejected_together_stays_so_alone(loop: RemoteLoop) -> None:
    list(cycle(_scarce(loop, 1)))
    loop.fake.limit = None
    loop.fake.state.close(loop.fake.state.get(1))
    assert _whats(loop.world()) == {"rejected"}
    listed = loop.world()
    object.__setattr__(listed.forge, "list", list)  # it was long ago
    assert _whats(listed) == {"rejected"}


def test_a_shared_branch_of_a_person_keeps_what_it_holds(loop: RemoteLoop) -> None:
    loop.group("team")
    loop.cycle()
    put(loop.repository, {"notes.txt": b"mine"}, f"refs/heads/{SEARCH}")
    loop.group("")
    loop.register_both(3)
    outcomes = loop.cycle()
    assert {o.what for key, o in outcomes.items() if "search" in key} == {"left alone"}
    assert _open(loop) == [f"sluice/{KEY}", SEARCH]
    loop.add("production/search/new")
    outcomes = loop.cycle()
    assert outcomes["production/search/new"].what == "proposed"
    assert loop.cycle()[OTHER].what == "left alone"
    loop.merge(2)
    loop.cycle()
    assert SEARCH not in _open(loop)
    assert f"sluice/{OTHER}" in _open(loop)


def test_only_what_will_be_proposed_counts(loop: RemoteLoop) -> None:
    loop.register(2, metrics={"mmlu/acc": 0.1})
    outcomes = {o.release: o for o in cycle(_scarce(loop, 1))}
    assert outcomes[KEY].what == outcomes[THIRD].what == "refused"
    assert _open(loop) == [f"sluice/{OTHER}"]
