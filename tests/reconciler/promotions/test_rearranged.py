"""People rename main, protect our branches, direct a pull request elsewhere, or bring one back."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice import git
from sluice.core.promotion.outcome import cause_of
from sluice.reconciler.promotions.cycle import cycle
from sluice.reconciler.rollouts.run import move_rollouts
from sluice.reconciler.runtime import NoMainError
from support.forge_harness import FAKES
from support.git_fixtures import MAIN, run_git
from support.loop import BRANCH, ENVIRONMENT, KEY, OTHER, SPEC
from support.remote_loop import RemoteLoop, remote_loop

pytestmark = pytest.mark.server
KINDS = sorted(set(FAKES) - {"forgejo"})
REFUSES = """#!/bin/sh
case "$1" in refs/heads/sluice/*) echo "GH006: Protected branch update failed"; exit 1;; esac
exit 0
"""


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[RemoteLoop]:
    """Version 2 is proposed."""
    with remote_loop(tmp_path, "gitea") as made:
        made.register(1)
        made.register(2)
        assert made.chat().what == "proposed"
        yield made


def test_while_main_has_another_name_nothing_is_touched(loop: RemoteLoop) -> None:
    run_git(loop.bare, "branch", "-m", "main", "trunk")
    writes, refs = loop.fake.writes(), loop.refs()
    loop.register(3)
    for turn in (cycle, move_rollouts):
        with pytest.raises(NoMainError, match="no branch main") as caught:
            list(turn(loop.world()))
        assert cause_of(caught.value) == "no main"
    assert (loop.fake.writes(), loop.refs()) == (writes, refs)
    run_git(loop.bare, "branch", "-m", "trunk", "main")
    assert loop.chat().what == "updated"


def protect(loop: RemoteLoop) -> None:
    hook = loop.bare / "hooks" / "update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(REFUSES)
    hook.chmod(0o755)


def test_protected_branches_say_what_the_account_needs_and_hold_up_nobody(loop: RemoteLoop) -> None:
    protect(loop)
    loop.register(3)
    outcomes = loop.cycle()
    assert (outcomes[KEY].what, outcomes[KEY].cause) == ("failed", "protected branch")
    assert "create, force-push and delete branches under sluice/" in outcomes[KEY].reasons[0]
    assert len(outcomes) > 1
    assert 'version: "2"' in loop.file(SPEC, BRANCH)


def test_a_branch_that_may_not_be_deleted_is_told_and_its_pull_request_closed(
    loop: RemoteLoop,
) -> None:
    protect(loop)
    loop.archive(2)
    outcomes = {o.what: o for o in cycle(loop.world())}
    assert f"the branch sluice/{KEY} is left" in outcomes["closed"].reasons[1]
    assert [pull.state for pull in loop.pulls()] == ["closed"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_person_directs_elsewhere_is_theirs_until_it_comes_back(
    tmp_path: Path, kind: str
) -> None:
    with remote_loop(tmp_path, kind) as loop:
        loop.edit(ENVIRONMENT, ("review: required", "review: automatic"))
        loop.add_other()
        loop.register_both(1)
        loop.register_both(2)
        state = loop.fake.state
        state.waiting = True
        loop.cycle()
        run_git(loop.bare, "branch", "other", "main")
        pull = next(pull for pull in state.pulls.values() if pull.branch == f"sluice/{KEY}")
        pull.base = "other"
        loop.register_both(3)
        outcomes = {o.release: o for o in cycle(loop.world())}
        said = "it goes into other now: change that back to main, or close it"
        assert (outcomes[KEY].what, outcomes[KEY].reasons) == ("left alone", (said,))
        assert outcomes[OTHER].what == "merges when ready"
        state.finish()
        assert (pull.state, pull.base) == ("open", "other")
        loop.archive(2, 3)
        loop.cycle()
        assert (pull.state, git.tip(loop.repository, BRANCH)) == ("open", pull.head)
        loop.register(3)
        pull.base = "main"
        loop.cycle()
        assert 'version: "3"' in loop.file(SPEC)


def test_one_that_was_closed_by_a_deletion_and_brought_back_is_gone_on_with(
    loop: RemoteLoop,
) -> None:
    tip, state = git.tip(loop.repository, BRANCH), loop.fake.state
    git.update_ref(loop.repository, BRANCH, None, tip)
    assert state.get(1).state == "closed"
    git.update_ref(loop.repository, BRANCH, tip, None)
    state.edit(state.pulls[1], state="open")
    assert (loop.chat().what, len(loop.pulls())) == ("unchanged", 1)
    loop.register(3)
    assert (loop.chat().what, len(loop.pulls())) == ("updated", 1)


def test_a_branch_that_somebody_put_back_to_main_is_no_merge(loop: RemoteLoop) -> None:
    """It has nothing of its own then, and nothing of anybody's is lost by moving it."""
    main, tip = git.tip(loop.repository, MAIN), git.tip(loop.repository, BRANCH)
    git.update_ref(loop.repository, BRANCH, main, tip)
    loop.fake.state.detects = False
    outcomes = {o.what for o in cycle(loop.world()) if o.release == KEY}
    assert "merged by hand" not in outcomes
    assert [(pull.number, pull.state) for pull in loop.pulls()] == [(1, "open")]
    assert 'version: "2"' in loop.file(SPEC, BRANCH)
