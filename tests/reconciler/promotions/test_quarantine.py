"""A person reverts a promotion: its version goes into quarantine and is not proposed again."""

from pathlib import Path
from typing import NoReturn

import pytest

from sluice import git
from sluice.workspace.revisions import read_workspace
from support.git_fixtures import MAIN, put
from support.loop import KEY, Loop
from support.repository_acts import quarantine, revert
from support.stage import Stage


@pytest.fixture
def promoted(tmp_path: Path) -> Loop:
    """A repository whose release was promoted from version 1 to 2."""
    loop = Loop(tmp_path)
    loop.register(1)
    loop.register(2)
    loop.merge(loop.chat().pull)
    assert loop.chat().what == "nothing to do"
    return loop


def test_a_reverted_promotion_puts_its_version_in_quarantine(promoted: Loop) -> None:
    revert(promoted.repository, git.resolve(promoted.repository, MAIN))
    taken = promoted.chat()
    assert (taken.what, taken.version) == ("quarantined", "2")
    assert quarantine(promoted) == ["2"]
    told = git.commit_of(promoted.repository, MAIN)
    assert (told.trailers["Quarantine"], told.trailers["Model-Version"]) == ("2", "1")
    refs = promoted.refs()
    again = promoted.chat()
    assert (again.what, again.reasons) == ("nothing to do", ("version 2 is in quarantine",))
    assert promoted.refs() == refs
    assert read_workspace(promoted.repository, MAIN).check() == []


def test_a_dry_run_says_so_and_writes_nothing(promoted: Loop) -> None:
    revert(promoted.repository, git.resolve(promoted.repository, MAIN))
    refs = promoted.refs()
    assert promoted.chat(dry_run=True).what == "would quarantine"
    assert promoted.refs() == refs


def test_where_main_takes_no_pushes_it_says_what_a_person_has_to_write(
    promoted: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    revert(promoted.repository, git.resolve(promoted.repository, MAIN))

    def refused(*_: object) -> NoReturn:
        raise git.PushRefusedError("the server refused refs/heads/main")

    monkeypatch.setattr(git.Direct, "move", refused)
    refs = promoted.refs()
    held = promoted.chat()
    assert (held.what, held.version, held.refused) == ("held", "2", True)
    assert "add '2' to spec.model.quarantine" in held.reasons[0]
    assert promoted.refs() == refs


def test_a_newer_version_is_proposed_after_the_revert(promoted: Loop) -> None:
    revert(promoted.repository, git.resolve(promoted.repository, MAIN))
    promoted.chat()
    promoted.register(3)
    assert promoted.chat().version == "3"


def test_a_person_lifts_the_quarantine_and_the_version_comes_again(promoted: Loop) -> None:
    revert(promoted.repository, git.resolve(promoted.repository, MAIN))
    promoted.chat()
    revert(promoted.repository, git.resolve(promoted.repository, MAIN), "lift it")
    assert quarantine(promoted) == []
    again = promoted.chat()
    assert (again.what, again.version) == ("proposed", "2")


def test_a_version_that_the_registry_took_back_may_come_again(promoted: Loop) -> None:
    promoted.archive(2)
    promoted.register(1)
    promoted.merge(promoted.chat().pull)
    promoted.archive(1)
    promoted.register(2)
    assert promoted.chat().what == "proposed"
    assert quarantine(promoted) == []


def test_a_merge_whose_message_a_forge_wrote_anew_is_no_revert(promoted: Loop) -> None:
    promoted.archive(2)
    promoted.register(1)
    pull = promoted.chat().pull
    branch = git.tip(promoted.repository, f"refs/heads/sluice/{KEY}") or ""
    parent = git.commit_of(promoted.repository, branch).parents[0]
    paths = git.changed_paths(promoted.repository, parent, branch)
    files = git.read_tree(promoted.repository, branch, paths).files
    put(promoted.repository, {p: files.get(p) for p in paths}, message=f"Squashed (#{pull})")
    promoted.chat()
    promoted.archive(1)
    promoted.register(2)
    assert promoted.chat().what in ("proposed", "updated")
    assert quarantine(promoted) == []


def test_a_reverted_promotion_ends_its_rollout(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.begin()
    revert(stage.loop.repository, git.resolve(stage.loop.repository, MAIN))
    assert (stage.state(), stage.version()) == (("STABLE", 0), "1")
    stage.run(3)
    assert (stage.state(), stage.version()) == (("STABLE", 0), "1")
    assert stage.loop.chat().what == "quarantined"
    assert stage.quarantine() == ["2"]
    stage.run(3)
    assert stage.loop.chat().what == "nothing to do"
