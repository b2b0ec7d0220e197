"""Names that Kubernetes accepts, from any version, and the suggestions for misspelt words."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sluice.core.names import distance, nearest, slug, some, workload
from support import hostile

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
TEXTS = st.text(min_size=1, max_size=100) | st.sampled_from([t for t in hostile.TEXTS if t])
RELEASES = st.from_regex(r"[a-z]([-a-z0-9]{0,46}[a-z0-9])?", fullmatch=True)
VERSIONS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", fullmatch=True)


@given(TEXTS)
def test_any_text_becomes_a_dns_label(text: str) -> None:
    assert LABEL.fullmatch(slug(text))


@given(TEXTS, TEXTS)
def test_different_texts_become_different_labels(left: str, right: str) -> None:
    assert (slug(left) == slug(right)) == (left == right)


@pytest.mark.parametrize("label", ["7", "v1", "a-b", "2026-10-06", "a" * 63])
def test_what_is_a_label_already_is_kept(label: str) -> None:
    assert slug(label) == label


@settings(max_examples=500)
@given(RELEASES, VERSIONS)
@example("c" * 48, "2026.10.06-RC1_" + "x" * 48)
@example("c" * 48, "A")
def test_a_workload_name_leaves_room_for_what_kubernetes_appends(
    release: str, version: str
) -> None:
    name = workload(release, version)
    assert LABEL.fullmatch(name)
    assert len(name) <= 63
    assert name.startswith(f"{release}-v")


@given(RELEASES, VERSIONS, VERSIONS)
def test_two_versions_of_a_release_have_different_workloads(
    release: str, one: str, other: str
) -> None:
    assert (workload(release, one) == workload(release, other)) == (one == other)


WORDS = ("model", "engine", "serving", "scaling", "traffic", "gates", "cpu", "min")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        *[("modle", "model"), ("Engine", "engine"), ("servng", "serving"), ("scalling", "scaling")],
        *[("trafic", "traffic"), ("gate", "gates"), ("cup", "cpu"), ("minn", "min")],
        *[("colour", None), ("x", None), ("", None), ("replicas", None)],
    ],
)
def test_the_word_that_was_probably_meant(typed: str, meant: str | None) -> None:
    assert nearest(typed, WORDS) == meant


def test_without_known_words_there_is_no_suggestion() -> None:
    assert nearest("model", ()) is None


SHORT = st.text("abc", max_size=6)


@given(SHORT, SHORT)
def test_a_distance_is_the_same_both_ways(left: str, right: str) -> None:
    assert distance(left, right) == distance(right, left)
    assert (distance(left, right) == 0) == (left == right)


@given(SHORT, st.integers(0, 5), st.sampled_from("abc"))
def test_one_edit_is_a_distance_of_at_most_one(word: str, at: int, letter: str) -> None:
    assert distance(word, word[:at] + letter + word[at:]) == 1
    assert distance(word, word[:at] + letter + word[at + 1 :]) <= 1
    assert (
        distance(word, word[:at] + word[at + 1 : at + 2] + word[at : at + 1] + word[at + 2 :]) <= 1
    )


def test_of_many_names_the_first_few_are_listed() -> None:
    assert some([]) == ""
    assert some(["a", "b"]) == "a, b"
    assert some([f"n{n}" for n in range(1000)]) == "n0, n1, n2, n3, n4 and 995 more"
