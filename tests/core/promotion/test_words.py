"""Our part of a pull request's text: found wherever it is, and never forged by what is in it."""

from dataclasses import replace

import pytest

from sluice.core.forge import PullRequest
from sluice.core.model import Commit, ModelVersion
from sluice.core.promotion.mending import mended, mended_step
from sluice.core.promotion.message import (
    BEGIN,
    framed,
    is_about,
    is_rejection,
    marker,
    merged_by_hand,
    read_marker,
    stamped,
    withdrawn,
    written_in,
)
from sluice.core.promotion.notice import objections

HEAD = "1" * 40
VERSION = ModelVersion("m", "2", "s3://m/2", 5, 5)
OURS = f"### What changes\n\nAll.\n\n{marker('2', ('1',), 5)}\n"
FORGED = framed({"version": "9", "superseded": []})


def pull(body: str, **more: object) -> PullRequest:
    fields = {"number": 1, "branch": "sluice/prod/a/chat", "base": "main", "title": "t"}
    return PullRequest(**{**fields, "body": body, "head": HEAD, **more})  # type: ignore[arg-type]  # mixed


def commit(version: str, release: str = "prod/a/chat") -> Commit:
    trailers = {"Release": release, "Model-Version": version, "Registered-At": "7"}
    said = f"prod/chat: m 1 -> {version}\n\nThe registry has it.\n"
    return Commit("2" * 40, ("0" * 40,), "Sluice", "s@x", 1, said, trailers)


@pytest.mark.parametrize(
    "around",
    [
        "{}",
        "{}A bot that begins no line.",
        "Note.\n\n{}",
        "{}\n\nSummary of a bot.",
        "Note.\r\n\r\n{}\r\n\r\n> quoted\r\n",
    ],
)
def test_the_marker_is_found_wherever_our_part_is(around: str) -> None:
    for ours in (OURS, stamped(OURS, HEAD)):
        assert read_marker(around.format(ours.rstrip())) == ("2", ("1",))


def test_nothing_in_our_part_and_nothing_below_it_is_taken_for_its_end() -> None:
    hostile = stamped(f"A name:\n\n{FORGED}\n\n{BEGIN}\n\n{OURS}", HEAD)
    assert read_marker(hostile) == ("2", ("1",))
    assert hostile.count(BEGIN) == 1
    assert read_marker(f"{hostile}\n\nA copy of another one:\n\n{FORGED}\n") == ("2", ("1",))
    assert read_marker(f"> {FORGED}") is None


def test_a_text_says_which_commit_it_is_about() -> None:
    assert is_about(stamped(OURS, HEAD), HEAD)
    assert not is_about(stamped(OURS, HEAD), "2" * 40)
    assert is_about(OURS, HEAD)  # one of before
    assert stamped(stamped(OURS, HEAD), HEAD).count("sluice:v1") == 1


def test_what_is_withdrawn_rejects_nothing_and_keeps_the_rest() -> None:
    said = withdrawn(f"Ada.\n\n{stamped(OURS, HEAD)}\n\nBot.")
    assert said.startswith("Ada.")
    assert said.endswith("Bot.")
    assert not is_rejection(pull(said, state="closed"), VERSION)
    assert "*Withdrawn by sluice.*" in said


def test_what_was_merged_by_hand_rejects_nothing_and_stays_about_its_version() -> None:
    body = stamped(OURS, HEAD)
    assert is_rejection(pull(body, state="closed"), VERSION)
    assert not is_rejection(pull(body), VERSION)
    told = merged_by_hand(body, "3" * 40)
    assert not is_rejection(pull(told, state="closed"), VERSION)
    assert written_in(told) == {**written_in(body), "merged": "3" * 40}


def test_people_object_by_a_draft_or_in_a_review() -> None:
    assert objections(pull(OURS), ()) == ()
    said = objections(pull(OURS, draft=True), ("ada",))
    assert said == ("it is a draft: mark it as ready, or merge it yourself", "ada asks for changes")


def test_words_of_another_version_are_mended_by_what_was_merged() -> None:
    wrong = pull(stamped(OURS, HEAD), state="merged")
    found = mended(wrong, [commit("3"), commit("2")])
    assert found is not None
    title, body = found
    assert title == "prod/chat: m 1 -> 3"
    assert read_marker(body) == ("3", ())
    assert (is_about(body, "2" * 40), written_in(body)["registered"]) == (True, 7)


@pytest.mark.parametrize(
    ("body", "commits"),
    [
        (stamped(OURS, HEAD), [commit("2")]),
        (stamped(OURS, HEAD), []),
        ("words of a person", [commit("3")]),
        (stamped(marker("rollout:2:STEP:1:10:abc", ()), HEAD), [commit("3")]),
    ],
)
def test_right_words_and_those_of_others_are_not_mended(body: str, commits: list[Commit]) -> None:
    assert mended(pull(body, state="merged"), commits) is None


def step(weight: str, state: str = "STEP") -> Commit:
    trailers = {"Model-Version": "2", "Rollout-State": state}
    trailers |= {"Rollout-Step": "1", "Rollout-Weight": weight} if weight else {}
    return replace(commit("2"), message=f"prod/chat: now {weight}\n\nWhy.\n", trailers=trailers)


@pytest.mark.parametrize(
    ("merged", "told"),
    [(step("50"), "rollout:2:STEP:1:50:abc"), (step("", "SETTLE"), "rollout:2:settle:abc")],
)
def test_words_of_another_step_are_mended_by_what_was_merged(merged: Commit, told: str) -> None:
    body = stamped(marker("rollout:2:STEP:0:10:abc", ()), HEAD)
    words = mended_step(pull(body, state="merged"), merged)
    assert words is not None
    assert words[0].startswith("prod/chat: now")
    assert read_marker(words[1]) == (told, ())
    assert "Why." in words[1]
    assert mended_step(pull(words[1], state="merged"), merged) is None
    assert mended_step(pull(body, state="merged"), commit("2")) is None
    assert mended_step(pull(stamped(OURS, HEAD), state="merged"), merged) is None
