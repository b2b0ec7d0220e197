"""A pull request and its branch tell the same, and people's words in its text stay."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice import git
from sluice.core.promotion.message import is_about, read_marker
from sluice.forges.local import LocalForge
from sluice.reconciler.promotions.cycle import cycle
from support.git_fixtures import put
from support.loop import BRANCH, KEY, OTHER, SPEC, Loop
from support.remote_loop import RemoteLoop, remote_loop

pytestmark = pytest.mark.server
LOOK = r"GET .*/pulls/main/"  # the last look before words are written


@pytest.fixture(params=["local", "github", "gitlab", "gitea"])
def loop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Loop]:
    if request.param == "local":
        made = Loop(tmp_path)
        made.register(1)
        yield made
        return
    with remote_loop(tmp_path, str(request.param)) as remote:
        remote.register(1)
        yield remote


@pytest.fixture
def one(tmp_path: Path) -> Iterator[RemoteLoop]:
    with remote_loop(tmp_path, "gitea") as made:
        made.register(1)
        made.register(2)
        made.chat()
        yield made


def assert_agrees(loop: Loop, number: int) -> None:
    """The text is about the very commit, and names the version that it has."""
    pull = next(pull for pull in loop.pulls() if pull.number == number)
    assert is_about(pull.body, pull.head)
    said, spec = read_marker(pull.body), loop.file(SPEC, pull.head)
    assert said is not None
    assert f'version: "{said[0]}"' in spec
    assert pull.title.endswith(f"-> {said[0]}")


def reword(loop: Loop, text: str) -> None:
    if isinstance(loop, RemoteLoop):
        loop.fake.state.pulls[1].body = text
    else:
        words = loop.pulls()[0]
        loop.reviewer.ensure(
            branch=words.branch, base="main", title=words.title, body=text, labels=words.labels
        )


def test_notes_of_people_and_bots_outlive_a_newer_version(loop: Loop) -> None:
    loop.register(2)
    loop.chat()
    there = loop.pulls()[0].body.strip()
    box = "- [ ] The accelerators that the plan asks for are free."
    ticked = there.replace(box, box.replace("[ ]", "[x]"))
    reword(loop, f"Ada: I asked the team.\n\n{ticked}\n\n## Summary of a bot\n\nTwo lines change.")
    assert loop.chat().what == "unchanged"
    body = loop.pulls()[0].body
    assert box.replace("[ ]", "[x]") in body
    loop.register(3)
    assert loop.chat().what == "updated"
    body = loop.pulls()[0].body
    assert body.startswith("Ada: I asked the team.\n\n<!-- sluice:begin -->")
    assert body.rstrip().endswith("## Summary of a bot\n\nTwo lines change.")
    assert (box in body, read_marker(body)) == (True, ("3", ("2",)))
    assert_agrees(loop, 1)


@pytest.mark.parametrize("text", ["{}\n\nSummary of a bot.", "{}Summary.", "", "Not now."])
def test_a_closing_is_understood_whatever_became_of_the_text(loop: Loop, text: str) -> None:
    loop.register(2)
    loop.chat()
    reword(loop, text.format(loop.pulls()[0].body.strip()))
    if isinstance(loop, RemoteLoop):
        loop.fake.state.close(loop.fake.state.get(1))
    else:
        loop.reviewer.close(1, "no")
    assert loop.chat().what == "rejected"


def test_what_is_withdrawn_keeps_the_words_of_people(loop: Loop) -> None:
    loop.register(2)
    loop.chat()
    reword(loop, f"Ada was here.\n\n{loop.pulls()[0].body.strip()}\n\nSummary of a bot.")
    loop.archive(2)
    loop.cycle()
    (pull,) = loop.pulls()
    assert (pull.state, read_marker(pull.body)) == ("closed", None)
    assert pull.body.startswith("Ada was here.")
    assert "*Withdrawn by sluice.*" in pull.body
    assert pull.body.rstrip().endswith("Summary of a bot.")
    loop.register(2, updated=9_000)
    assert loop.chat().what == "proposed"


def test_what_is_merged_before_its_words_are_written_is_worded_anew(one: RemoteLoop) -> None:
    one.register(3)
    one.fake.before[LOOK] = lambda: one.merge(1)
    said = [o.what for o in cycle(one.world()) if o.release == KEY]
    assert said == ["worded anew", "nothing to do"]
    assert 'version: "3"' in one.file(SPEC)
    assert_agrees(one, 1)
    before = one.fake.writes()
    one.cycle()
    assert one.fake.writes() == before


def test_the_embedded_forge_words_a_merge_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = Loop(tmp_path)
    loop.register(1)
    loop.register(2)
    loop.chat()
    loop.register(3)
    late = LocalForge.ensure

    def slow(self: LocalForge, **words: str) -> object:
        monkeypatch.setattr(LocalForge, "ensure", late)
        loop.merge(1)
        return self.ensure(**words)

    monkeypatch.setattr(LocalForge, "ensure", slow)
    assert loop.chat().what == "nothing to do"
    loop.cycle()
    assert_agrees(loop, 1)
    refs = loop.refs()
    loop.cycle()
    assert loop.refs() == refs


def test_a_shared_one_that_is_merged_early_is_worded_anew(tmp_path: Path) -> None:
    with remote_loop(tmp_path, "gitea") as loop:
        loop.group("environment")
        loop.add_other()
        loop.register_both(1)
        loop.register_both(2)
        loop.cycle()
        loop.register_both(3)
        loop.fake.before[LOOK] = lambda: loop.merge(1)
        loop.cycle()
        loop.cycle()
        (pull,) = loop.pulls()
        assert is_about(pull.body, pull.head)
        assert re.findall(r'"(platform/chat|search/assistant)": \["3"\]', pull.body) == [
            "platform/chat",
            "search/assistant",
        ]
        assert OTHER in loop.cycle()


def test_another_reconciler_that_moves_the_branch_leaves_no_words_of_another_version(
    one: RemoteLoop,
) -> None:
    one.register(3)

    def other() -> None:
        one.register(4)
        list(cycle(one.world("another")))

    one.fake.before[LOOK] = other
    one.cycle()
    assert_agrees(one, 1)
    one.cycle()
    assert_agrees(one, 1)
    assert 'version: "4"' in one.file(SPEC, BRANCH)


def test_words_of_another_commit_are_mended_in_the_next_cycle(one: RemoteLoop) -> None:
    pull = one.fake.state.pulls[1]
    before = pull.body
    one.register(3)
    one.chat()
    after, pull.body = pull.body, before  # somebody slower wrote theirs last
    assert one.chat().what == "updated"
    assert pull.body == after
    assert_agrees(one, 1)


def test_a_persons_branch_that_was_merged_keeps_its_words(one: RemoteLoop) -> None:
    put(one.repository, {"notes.txt": b"mine"}, BRANCH)
    said = one.fake.state.pulls[1].body
    one.merge(1)
    one.cycle()
    assert one.fake.state.pulls[1].body == said
    assert git.tip(one.repository, BRANCH) is None
