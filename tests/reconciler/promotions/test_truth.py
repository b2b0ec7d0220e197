"""What the reconciler makes of merges by hand, reverts, deleted branches and a main moved back."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice import git
from sluice.reconciler.promotions.cycle import cycle
from sluice.workspace.connection import connect
from support.forge_fake import TOKEN
from support.forge_harness import FAKES
from support.git_fixtures import AUTHOR, MAIN, put, run_git
from support.loop import BRANCH, ENVIRONMENT, KEY, OTHER, SPEC, Loop
from support.remote_loop import RemoteLoop, remote_loop
from support.repository_acts import by_hand, changes, quarantine, revert

pytestmark = pytest.mark.server

REMOTE = sorted(set(FAKES) - {"forgejo"})


@pytest.fixture(
    params=["local", "gitea", *(pytest.param(k, marks=pytest.mark.slow) for k in REMOTE[1:])]
)
def loop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Loop]:
    """Version 2 is proposed, on a forge that notices no merge by hand."""
    if request.param == "local":
        made = Loop(tmp_path)
        made.register(1)
        made.register(2)
        assert made.chat().what == "proposed"
        yield made
        return
    with remote_loop(tmp_path, str(request.param)) as remote:
        remote.fake.state.detects = False
        remote.register(1)
        remote.register(2)
        assert remote.chat().what == "proposed"
        yield remote


@pytest.fixture
def remote(loop: Loop) -> RemoteLoop:
    if not isinstance(loop, RemoteLoop):
        pytest.skip("the embedded forge sees for itself")
    return loop


def shown(loop: Loop) -> list[str]:
    """The states of pull requests as the forge alone has them."""
    if isinstance(loop, RemoteLoop):
        return [pull.state for pull in loop.fake.state.pulls.values()]
    return [pull.state for pull in loop.pulls()]


HOWS = ["merge", "fast-forward", "squash"]


def test_a_merge_by_hand_that_leaves_manifests_out_is_told(remote: RemoteLoop) -> None:
    put(remote.repository, {SPEC: changes(remote)[SPEC]}, message="Only the version")
    outcomes = list(cycle(remote.world()))
    (told,) = [o for o in outcomes if o.what == "merged by hand"]
    assert ", but not " in told.reasons[0]
    assert "`sluice check`" in told.reasons[0]
    assert shown(remote) == ["closed"]


@pytest.mark.parametrize("how", HOWS)
def test_a_merge_by_hand_is_one_and_nothing_is_left_of_it(loop: Loop, how: str) -> None:
    by_hand(loop, how)
    assert loop.chat().what == "nothing to do"
    assert 'version: "2"' in loop.file(SPEC)
    assert "open" not in shown(loop)
    assert BRANCH not in loop.refs()
    refs = loop.refs()
    assert loop.chat().what == "nothing to do"
    assert loop.refs() == refs


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("seen", [True, False])
def test_a_version_that_was_merged_by_hand_and_reverted_does_not_come_again(
    loop: Loop,
    how: str,
    seen: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    merged = by_hand(loop, how)
    if seen:
        loop.chat()
    revert(loop.repository, merged)
    assert (loop.chat().what, quarantine(loop)) == ("quarantined", ["2"])
    assert loop.chat().reasons == ("version 2 is in quarantine",)
    assert "open" not in shown(loop)


@pytest.mark.parametrize("review", ["required", "automatic"])
def test_a_part_that_was_merged_by_hand_and_reverted_unseen_does_not_come_again(
    loop: Loop, review: str
) -> None:
    loop.edit(ENVIRONMENT, ("review: required", f"review: {review}"))
    revert(loop.repository, put(loop.repository, {SPEC: changes(loop)[SPEC]}, message="By hand"))
    assert (loop.chat().what, quarantine(loop)) == ("quarantined", ["2"])
    assert loop.chat().reasons == ("version 2 is in quarantine",)
    assert "open" not in shown(loop)
    assert 'version: "1"' in loop.file(SPEC)


@pytest.mark.parametrize("review", ["required", "automatic"])
def test_one_of_a_group_that_was_picked_and_reverted_does_not_come_again(
    tmp_path: Path, review: str
) -> None:
    loop = Loop(tmp_path)
    loop.add_other()
    loop.group("environment")
    loop.register_both(1)
    loop.register_both(2)
    assert loop.chat().what == "proposed"
    shared = "refs/heads/sluice/production/_all"
    commits = list(git.file_history(loop.repository, shared, SPEC))
    picked = git.read_tree(loop.repository, commits[0].id, [SPEC]).files[SPEC]
    merged = put(loop.repository, {SPEC: picked}, message=commits[0].message)
    assert loop.chat().what == "nothing to do"
    revert(loop.repository, merged)
    if review == "automatic":
        loop.edit(ENVIRONMENT, ("review: required", "review: automatic"))
    assert loop.chat().what == "quarantined"
    assert quarantine(loop) == ["2"]
    assert loop.cycle()[OTHER].what in ("unchanged", "updated", "merged", "nothing to do")
    assert 'version: "1"' in loop.file(SPEC)


@pytest.mark.parametrize("how", HOWS)
def test_a_branch_that_is_deleted_after_a_merge_by_hand_changes_nothing_of_that(
    loop: Loop, how: str
) -> None:
    merged = by_hand(loop, how)
    git.update_ref(loop.repository, BRANCH, None, git.tip(loop.repository, BRANCH))
    revert(loop.repository, merged)
    assert (loop.chat().what, quarantine(loop)) == ("quarantined", ["2"])


def test_a_version_that_was_taken_out_by_moving_main_back_does_not_come_again(loop: Loop) -> None:
    before = git.resolve(loop.repository, MAIN)
    loop.merge(1)
    assert loop.chat().what == "nothing to do"
    git.update_ref(loop.repository, MAIN, before, git.resolve(loop.repository, MAIN))
    if isinstance(loop, RemoteLoop):
        assert loop.chat().what == "waits for main"
        loop.time.now += 1_000
    taken = loop.chat()
    assert (taken.what, quarantine(loop)) == ("quarantined", ["2"])
    assert "moved main back before" in taken.reasons[0]
    assert loop.chat().reasons == ("version 2 is in quarantine",)
    revert(loop.repository, git.resolve(loop.repository, MAIN), "lift it")
    assert quarantine(loop) == []
    assert loop.chat().what == "proposed"


def test_a_history_that_was_written_anew_takes_no_version_back(loop: Loop) -> None:
    loop.merge(1)
    loop.register(3)
    loop.merge(loop.chat().pull)
    files = dict(git.read_tree(loop.repository, MAIN).files)
    before = {**files, SPEC: loop.file(SPEC).replace('"3"', '"2"').encode()}
    tip = git.resolve(loop.repository, MAIN)
    git.update_ref(loop.repository, MAIN, None, tip)
    put(loop.repository, before, message="All that was, in one commit")
    put(loop.repository, files, message="Version 3")
    loop.archive(3)
    loop.register(2, updated=9_000_000)
    if isinstance(loop, RemoteLoop):
        loop.time.now += 1_000
    assert loop.chat().what == "proposed"
    assert quarantine(loop) == []


def test_a_deleted_branch_is_handed_back(loop: Loop) -> None:
    git.update_ref(loop.repository, BRANCH, None, git.tip(loop.repository, BRANCH))
    assert loop.chat().what in ("proposed", "updated")
    assert 'version: "2"' in loop.file(SPEC, BRANCH)
    assert "open" in shown(loop)
    assert loop.chat().what == "unchanged"


def test_a_branch_that_a_person_edited_is_handed_back_by_deleting_it(loop: Loop) -> None:
    put(loop.repository, {"notes.txt": b"mine"}, BRANCH)
    assert "delete it to hand it back" in loop.chat().reasons[0]
    git.update_ref(loop.repository, BRANCH, None, git.tip(loop.repository, BRANCH))
    assert loop.chat().what in ("proposed", "updated")
    assert "notes.txt" not in git.read_tree(loop.repository, BRANCH).files


def test_a_closed_one_stays_a_no_when_its_branch_is_deleted_later(remote: RemoteLoop) -> None:
    state = remote.fake.state
    state.close(state.get(1))
    state.wait(60)
    state.drop(f"sluice/{KEY}")
    assert remote.chat().what == "rejected"
    assert BRANCH not in remote.refs()


def test_a_merge_by_hand_in_the_middle_of_a_dry_run_writes_nothing(remote: RemoteLoop) -> None:
    by_hand(remote, "merge")
    refs, writes = remote.refs(), remote.fake.writes()
    assert remote.chat(dry_run=True).what == "nothing to do"
    assert (remote.refs(), remote.fake.writes()) == (refs, writes)


def test_everything_is_sound_at_the_end(loop: Loop) -> None:
    by_hand(loop, "squash")
    loop.chat()
    run_git(loop.bare, "fsck", "--strict")


def test_whoever_connects_to_servers_believes_git(tmp_path: Path) -> None:
    with remote_loop(tmp_path, "gitea") as loop:
        loop.fake.state.detects = False
        loop.register(1)
        loop.register(2)
        loop.chat()
        tokens = {"SLUICE_FORGE_TOKEN": TOKEN, "SLUICE_GIT_TOKEN": TOKEN}
        upstream, forge = connect(
            loop.server.url("models.git"),
            f"gitea:team/models@{loop.fake.place}",
            None,
            str(tmp_path / "mine"),
            AUTHOR,
            environ=tokens,
        )
        upstream.refresh()
        assert forge.get(1).state == "open"
        merged = by_hand(loop, "squash")
        upstream.refresh()
        assert (forge.get(1).state, forge.get(1).merged_as) == ("merged", merged)
