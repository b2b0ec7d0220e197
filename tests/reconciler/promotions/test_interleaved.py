"""Two at once, at every moment: what a pull request says is about the commit that it has."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sluice.core.forge import PullRequest
from sluice.core.promotion.message import is_about, read_marker
from sluice.reconciler.promotions.cycle import cycle
from support.effects import Executioner, assert_consistent
from support.forge_harness import FAKES
from support.loop import SPEC
from support.remote_loop import RemoteLoop, remote_loop

pytestmark = pytest.mark.server
KINDS = sorted(set(FAKES) - {"forgejo"})
WRITE = r"(PATCH|PUT) .*/(pulls|merge_requests)/1$"
COMMENT = r"(POST) .*/(comments|notes)$"


def another(loop: RemoteLoop) -> None:
    """Another reconciler has a newer version, and does all that there is to do."""
    loop.register(4)
    list(cycle(loop.world("another")))


def a_merge(loop: RemoteLoop) -> None:
    """A person presses the button."""
    if loop.fake.state.pulls[1].state == "open":
        loop.merge(1)


def agrees(loop: RemoteLoop, pull: PullRequest) -> bool:
    """Whether title, body and comment tell of the version that the head has."""
    said, spec = read_marker(pull.body), loop.file(SPEC, pull.head)
    version = said[0] if said else ""
    notes = [note.text for note in loop.fake.state.notes if note.number == pull.number]
    told = [text for text in notes if "This is about version" in text]
    return (
        is_about(pull.body, pull.head)
        and f'version: "{version}"' in spec
        and pull.title.endswith(f"-> {version}")
        and all(f"about version `{version}` now" in text for text in told)
    )


def assert_agree(loop: RemoteLoop) -> None:
    for pull in loop.pulls():
        if pull.state != "closed":
            assert agrees(loop, pull), (pull, loop.fake.state.notes)


def proposed(loop: RemoteLoop) -> None:
    loop.register(1)
    loop.register(2)
    loop.chat()
    loop.register(3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("moment", [WRITE, COMMENT])
def test_who_is_slower_does_not_have_the_last_word(tmp_path: Path, kind: str, moment: str) -> None:
    with remote_loop(tmp_path, kind) as loop:
        proposed(loop)
        loop.fake.before[moment] = lambda: another(loop)
        loop.cycle()
        assert not loop.fake.before
        assert_agree(loop)


def test_what_is_merged_while_its_words_are_written_is_worded_anew_at_once(tmp_path: Path) -> None:
    """It is merged with the commit before ours, which has not come to the forge yet."""
    with remote_loop(tmp_path, "gitea") as loop:
        proposed(loop)
        state = loop.fake.state
        before = state.pulls[1].head

        def merged_as_it_was() -> None:
            pull = state.pulls[1]
            pull.head, pull.state = before, "merged"
            pull.merged_as = before

        loop.fake.before[WRITE] = merged_as_it_was
        loop.cycle()
        pull = next(pull for pull in loop.pulls() if pull.number == 1)
        assert agrees(loop, pull)


@pytest.mark.parametrize("kind", KINDS)
def test_what_another_has_moved_meanwhile_is_not_closed(tmp_path: Path, kind: str) -> None:
    with remote_loop(tmp_path, kind) as loop:
        proposed(loop)
        loop.register(3, metrics={"mmlu/acc": 0.1})
        loop.fake.before[r"POST .*/statuses/"] = lambda: another(loop)
        assert loop.chat().what == "refused"
        (pull,) = loop.pulls()
        assert (pull.state, agrees(loop, pull)) == ("open", True)


@pytest.mark.slow
@pytest.mark.parametrize("act", [another, a_merge])
@pytest.mark.parametrize("kind", KINDS)
def test_at_every_moment_of_a_turn(
    tmp_path: Path,
    kind: str,
    act: Callable[[RemoteLoop], None],
) -> None:
    moment, crossed = 0, 1
    with pytest.MonkeyPatch.context() as patch:
        executioner = Executioner(patch)
        while moment < crossed:
            moment += 1
            with remote_loop(tmp_path / str(moment), kind) as loop:
                proposed(loop)
                executioner.act = lambda loop=loop: act(loop)  # type: ignore[misc]
                executioner.arm(moment, after=False)
                loop.cycle()
                crossed = executioner.disarm()
                assert_agree(loop)
                loop.cycle()
                assert_agree(loop)
                assert_consistent(loop)
