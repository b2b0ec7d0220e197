"""Several releases in one pull request, and the way there and back."""

from pathlib import Path

import pytest

from sluice import git
from sluice.core.promotion.outcome import Outcome
from support.git_fixtures import put, run_git
from support.loop import ENVIRONMENT, KEY, OTHER, SPEC, Loop

TEAM = "refs/heads/sluice/production/platform/_all"
WHOLE = "refs/heads/sluice/production/_all"


@pytest.fixture
def loop(tmp_path: Path) -> Loop:
    """Two teams with a release each, of two models; the first versions are deployed."""
    loop = Loop(tmp_path)
    loop.add_other()
    loop.register_both(1)
    return loop


def _grouped(loop: Loop, by: str, review: str = "required") -> None:
    loop.edit(ENVIRONMENT, ("review: required", f"review: {review}\n    group: {by}"))


def _both(loop: Loop) -> dict[str, Outcome]:
    outcomes = loop.cycle()
    return {key: outcomes[key] for key in (KEY, OTHER)}


def _open(loop: Loop) -> list[str]:
    return [f"refs/heads/{pull.branch}" for pull in loop.pulls() if pull.state == "open"]


def test_all_of_an_environment_share_one_pull_request_with_a_commit_each(loop: Loop) -> None:
    _grouped(loop, "environment")
    loop.register_both(2)
    assert {(o.what, o.pull, o.version) for o in _both(loop).values()} == {("proposed", 1, "2")}
    (pull,) = loop.pulls()
    assert pull.title == "production: 2 releases"
    assert "| `production/platform/chat` |" in pull.body
    assert "#### What changes" in pull.body
    log = run_git(loop.bare, "log", "--format=%(trailers:key=Release,valueonly)", f"main..{WHOLE}")
    assert sorted(log.split()) == [KEY, OTHER]
    refs = loop.refs()
    assert {o.what for o in _both(loop).values()} == {"unchanged"}
    assert loop.refs() == refs
    loop.merge(1)
    assert {o.what for o in _both(loop).values()} == {"nothing to do"}
    assert 'version: "2"' in loop.file(SPEC)
    assert WHOLE not in loop.refs()


def test_teams_have_a_pull_request_each(loop: Loop) -> None:
    _grouped(loop, "team")
    loop.register_both(2)
    assert {o.pull for o in _both(loop).values()} == {1, 2}
    assert sorted(_open(loop)) == [TEAM, TEAM.replace("platform", "search")]


def test_closing_it_rejects_every_version_and_a_newer_one_is_proposed(loop: Loop) -> None:
    _grouped(loop, "environment")
    loop.register_both(2)
    _both(loop)
    loop.reviewer.close(1, "no")
    assert {o.what for o in _both(loop).values()} == {"rejected"}
    loop.register(3)
    outcomes = _both(loop)
    assert (outcomes[KEY].what, outcomes[OTHER].what) == ("proposed", "rejected")
    assert loop.pulls()[0].title.endswith("1 -> 3")


def test_what_is_in_quarantine_leaves_the_others(loop: Loop) -> None:
    _grouped(loop, "environment")
    loop.register_both(2)
    _both(loop)
    loop.edit(SPEC, ("    name: qwen", "    quarantine: ['2']\n    name: qwen"))
    outcomes = _both(loop)
    assert (outcomes[KEY].what, outcomes[OTHER].what) == ("nothing to do", "updated")
    assert KEY not in loop.pulls()[0].body


def test_a_version_that_is_refused_keeps_nobody_waiting(loop: Loop) -> None:
    _grouped(loop, "environment")
    loop.register_both(2)
    loop.register(2, metrics={"mmlu/acc": 0.1})
    outcomes = _both(loop)
    assert (outcomes[KEY].what, outcomes[OTHER].what) == ("refused", "proposed")


def test_a_newer_version_moves_it_and_names_what_it_supersedes(loop: Loop) -> None:
    _grouped(loop, "environment")
    loop.register_both(2)
    _both(loop)
    for version in (3, 4):
        loop.register(version)
        assert _both(loop)[KEY].what == "updated"
    (pull,) = loop.pulls()
    (row,) = [line for line in pull.body.splitlines() if line.startswith(f"| `{KEY}`")]
    assert row.endswith("| `3`, `2` |")


def test_there_and_back_no_release_has_two(loop: Loop) -> None:
    loop.register_both(2)
    _both(loop)
    assert len(_open(loop)) == 2
    _grouped(loop, "environment")
    assert {o.what for o in _both(loop).values()} == {"proposed"}
    assert _open(loop) == [WHOLE]
    loop.edit(ENVIRONMENT, ("group: environment", "group: team"))
    _both(loop)
    assert sorted(_open(loop)) == [TEAM, TEAM.replace("platform", "search")]
    loop.edit(ENVIRONMENT, ("\n    group: team", ""))
    assert {o.what for o in _both(loop).values()} == {"proposed"}
    assert len(_open(loop)) == 2
    assert not [ref for ref in loop.refs() if ref.endswith("/_all")]


def test_what_was_rejected_alone_stays_so_together(loop: Loop) -> None:
    loop.register_both(2)
    outcomes = _both(loop)
    loop.reviewer.close(outcomes[KEY].pull, "no")
    _grouped(loop, "environment")
    outcomes = _both(loop)
    assert (outcomes[KEY].what, outcomes[OTHER].what) == ("rejected", "proposed")


def test_what_a_person_reverts_goes_into_quarantine(loop: Loop) -> None:
    _grouped(loop, "environment")
    loop.register_both(2)
    _both(loop)
    before = loop.file(SPEC)
    loop.merge(1)
    loop.commit({SPEC: before.encode()})
    assert _both(loop)[KEY].what == "quarantined"
    assert _both(loop)[KEY].what == "nothing to do"
    assert 'version: "2"' in loop.file(f"environments/{OTHER}/release.yaml")


def test_it_goes_when_nothing_is_left_in_it(loop: Loop) -> None:
    _grouped(loop, "environment")
    loop.register_both(2)
    _both(loop)
    for entries in loop.models.values():
        for entry in entries:
            entry["stage"] = "Archived" if entry["version"] == 2 else entry["stage"]
    loop._write()
    _both(loop)
    assert (_open(loop), WHOLE in loop.refs()) == ([], False)


def test_one_that_a_person_edited_is_left_alone(loop: Loop) -> None:
    _grouped(loop, "environment")
    loop.register_both(2)
    _both(loop)
    edited = put(loop.repository, {"notes.txt": b"mine"}, WHOLE)
    loop.register(3)
    assert {o.what for o in _both(loop).values()} == {"left alone"}
    assert git.tip(loop.repository, WHOLE) == edited


def test_it_merges_by_itself_when_each_of_them_may(loop: Loop) -> None:
    _grouped(loop, "environment", "automatic")
    loop.register_both(2)
    assert {o.what for o in _both(loop).values()} == {"merged"}
    assert {o.what for o in _both(loop).values()} == {"nothing to do"}


def test_closing_one_whose_text_was_emptied_rejects_what_its_commits_bring(loop: Loop) -> None:
    _grouped(loop, "environment")
    loop.register_both(2)
    loop.cycle()
    (pull,) = loop.pulls()
    loop.reviewer.ensure(branch=pull.branch, base="main", title=pull.title, body="Not now.")
    loop.reviewer.close(pull.number, "no")
    assert {outcome.what for outcome in _both(loop).values()} == {"rejected"}
    loop.register_both(3)
    assert loop.chat().what == "proposed"
