"""What a look costs: each question once, with the credentials from the start, and nobody else's."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice import git
from sluice.core.finding import UsageError
from sluice.core.promotion.outcome import Outcome
from sluice.reconciler.promotions.cycle import cycle
from sluice.reconciler.promotions.write_back import write_back
from sluice.reconciler.rollouts.run import move_rollouts
from sluice.reconciler.runtime import Runtime
from support.forge_fake import TOKEN
from support.forge_harness import FAKES
from support.git_fixtures import MAIN
from support.git_http import GitServer, serving
from support.loop import SPEC
from support.remote_loop import RemoteLoop, remote_loop

pytestmark = pytest.mark.server
LISTS = {"github": 2, "gitea": 2, "forgejo": 2, "gitlab": 3}


class Marker:
    """A registry that takes every tag."""

    def mark(self, version: object, tags: object) -> None:
        del version, tags


@pytest.fixture(params=sorted(FAKES))
def loop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RemoteLoop]:
    with remote_loop(tmp_path, request.param) as loop:
        loop.register(1)
        loop.register(2)
        yield loop


def turn(world: Runtime) -> list[Outcome]:
    """What the daemon does in one turn."""
    outcomes = [*move_rollouts(world), *cycle(world)]
    assert write_back(world, outcomes) == ""
    return outcomes


def asked(loop: RemoteLoop) -> Counter[tuple[str, ...]]:
    """How often each question was asked since, of both servers."""
    calls = [(s.method, s.path, *sorted(map(str, s.query.items()))) for s in loop.fake.seen]
    found = Counter([*calls, *(("git", request) for request in loop.server.requests)])
    loop.fake.seen.clear()
    loop.server.requests.clear()
    return found


def test_an_idle_turn_looks_once_at_each(loop: RemoteLoop) -> None:
    world = loop.world()
    object.__setattr__(world, "marker", Marker())
    turn(world)
    turn(world)
    asked(loop)
    world.memory.marked = (None, 0)  # its time has come, too
    turn(world)
    questions = asked(loop)
    assert questions.pop(("git", "GET refs")) == 1
    assert len(questions) == LISTS[loop.kind]
    assert set(questions.values()) == {1}
    assert loop.server.refused == 0
    assert world.forge.usage
    assert world.forge.usage.unchanged >= LISTS[loop.kind]


def test_a_promotion_asks_for_its_status_once(loop: RemoteLoop) -> None:
    """And looks at Git for itself, before the push, in it, and at main once the branch is there."""
    world = loop.world()
    for version in (2, 3):
        loop.register(version)
        turn(world)
        questions = asked(loop)
        states = [q for q in questions if q[0] == "GET" and "/status" in q[1]]
        assert [questions[state] for state in states] == [1]
        assert questions["git", "GET refs"] - questions["git", "POST git-upload-pack"] == 4


def test_what_is_done_or_moves_in_between_is_seen(loop: RemoteLoop) -> None:
    world = loop.world()
    list(move_rollouts(world))
    before = world.pulls()
    assert before is world.pulls()
    outcomes = {o.release: o for o in cycle(world)}
    number = next(o.pull for o in outcomes.values() if o.pull)
    assert [pull.number for pull in world.pulls()] == [number]
    loop.merge(number)
    list(move_rollouts(world))
    assert [pull.state for pull in world.pulls()] == ["merged"]
    assert git.tip(world.repository, MAIN) == git.tip(loop.repository, MAIN)


def test_a_cycle_that_lost_a_race_looks_again(loop: RemoteLoop) -> None:
    """The look for the turn was made before somebody was faster."""
    world = loop.world()
    list(move_rollouts(world))
    loop.server.before_update = lambda: None
    moved = iter([True])

    def edit() -> None:
        if next(moved, False):
            loop.edit(SPEC, ("max: 4", "max: 3"))

    loop.server.before_update = edit
    outcomes = {o.release: o for o in cycle(world)}
    assert "proposed" in {o.what for o in outcomes.values()}
    number = next(o.pull for o in outcomes.values() if o.pull)
    head = loop.client().get(number).head
    assert b"max: 3" in git.read_tree(loop.repository, head, [SPEC]).files[SPEC]


def test_no_conversation_begins_with_a_refusal(loop: RemoteLoop) -> None:
    """A look is one request; a fetch and a push are one more than Git needs."""
    world = loop.world()
    asked(loop)
    world.upstream.refresh()
    assert dict(asked(loop)) == {("git", "GET refs"): 2, ("git", "POST git-upload-pack"): 1}
    world.upstream.refresh()
    assert dict(asked(loop)) == {("git", "GET refs"): 1}
    commit = git.resolve(world.repository, MAIN)
    world.upstream.move("refs/heads/sluice/a/b/c", commit, None)
    assert dict(asked(loop)) == {("git", "GET refs"): 2, ("git", "POST git-receive-pack"): 1}
    assert loop.server.refused == 0
    assert "" not in loop.server.authorizations


@pytest.fixture
def other(tmp_path: Path) -> Iterator[GitServer]:
    with serving(tmp_path) as server:
        server.token = TOKEN
        yield server


def test_a_server_that_leads_pushes_elsewhere_takes_no_token_there(
    loop: RemoteLoop, other: GitServer
) -> None:
    """As a read-only copy of a forge does: it answers reads by itself."""
    world = loop.world()
    world.upstream.refresh()
    loop.server.redirects_pushes = other.url("").rstrip("/")
    commit = git.resolve(world.repository, MAIN)
    with pytest.raises(UsageError, match="must not see the credentials"):
        world.upstream.move("refs/heads/sluice/a/b/c", commit, None)
    assert set(other.authorizations) == {""}


def test_a_repository_that_has_moved_within_its_server_is_followed(
    loop: RemoteLoop, tmp_path: Path
) -> None:
    moved = git.open_mirror(loop.server.url("old.git"), tmp_path / "moved", loop.client().git_login)
    loop.server.moved = {"/old.git/": "/models.git/"}
    assert moved.refresh()
    assert not moved.refresh()
    commit = git.resolve(moved.repository, MAIN)
    moved.move("refs/heads/sluice/a/b/c", commit, None)
    assert git.tip(loop.repository, "refs/heads/sluice/a/b/c") == commit
