"""Texts are cut where sections begin, and the marker at the end always stays."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.forges.bodies import clean, fit, is_same, shorten
from support.forge_harness import faked

MARKER = '<!-- sluice:v1 {"version": "7"} -->'
SECTIONS = ("Summary first.", "### Plan\n\n" + "p" * 300, "### Memory\n\nshort", "### Lineage\n\nl")
BODY = "\n\n".join((*SECTIONS, MARKER)) + "\n"


def test_what_fits_stays() -> None:
    assert fit(BODY, len(BODY)) == BODY


def test_the_long_section_goes_the_others_stay() -> None:
    cut = fit(BODY, len(BODY) - 1)
    assert len(cut) < len(BODY)
    assert "ppp" not in cut
    assert "### Plan\n\n_Too long" in cut
    assert "### Memory\n\nshort" in cut
    assert "### Lineage\n\nl" in cut
    assert cut.startswith("Summary first.")
    assert cut.rstrip().endswith(MARKER)


def test_a_heading_in_code_is_no_section() -> None:
    code = "### Plan\n\n```diff\n### not a heading\n" + "x\n" * 200 + "```\n\n"
    cut = fit(f"Summary.\n\n{code}### End\n\ne\n\n{MARKER}", 200)
    assert "not a heading" not in cut
    assert cut.count("```") == 0
    assert "### End\n\ne" in cut


def test_a_long_beginning_is_cut_between_lines_outside_of_code() -> None:
    text = "First line.\n\n```\n" + "x\n" * 500 + f"```\n\n### End\n\ne\n\n{MARKER}"
    cut = fit(text, 300)
    assert cut.startswith("First line.")
    assert "```" not in cut
    assert cut.endswith(MARKER)


@given(
    st.lists(st.text(alphabet="a`~#\n é🚀", max_size=200), min_size=1, max_size=6),
    st.integers(min_value=400, max_value=1200),
)
def test_it_fits_keeps_the_marker_and_closes_its_code(parts: list[str], limit: int) -> None:
    text = "\n\n### S\n\n".join(parts) + f"\n\n{MARKER}\n"
    cut = fit(text, limit)
    assert len(cut) <= limit
    assert cut.rstrip().endswith(MARKER)
    assert fit(cut, limit) == cut


@pytest.mark.parametrize(
    "filler", ["- a line of a plan\n", "\n", "```\nx\n```\n", "### S\n\nx\n\n"]
)
def test_megabytes_are_cut_as_they_are_read(filler: str) -> None:
    """A look back for each line or line end would not come to an end here."""
    body = f"Summary.\n\n### Plan\n\n{filler * (3_000_000 // len(filler))}\nend\n\n{MARKER}"
    cut = fit(body, 1000)
    assert len(cut) <= 1000
    assert cut.startswith("Summary.")
    assert cut.endswith(MARKER)


@pytest.mark.parametrize(
    "ending", [f"{MARKER} {MARKER}", f"{MARKER}\n\n \t\n", f"text {MARKER}", MARKER]
)
def test_all_of_the_last_line_from_its_first_marker_on_stays(ending: str) -> None:
    cut = fit(f"First.\n\n### Plan\n\n{'p' * 500}\n\n{ending}", 300)
    assert cut.rstrip().endswith(ending[ending.index(MARKER) :].rstrip())


def test_each_forge_has_its_limit_and_saying_it_again_writes_nothing(tmp_path: Path) -> None:
    with faked("github", tmp_path) as at:
        long = BODY.replace("p" * 300, "p" * 70_000)
        pull = at.propose("t", long)
        assert len(pull.body) <= 58_000
        assert pull.body.rstrip().endswith(MARKER)
        before = at.fake.writes()
        at.propose("t", long)
        assert at.fake.writes() == before


def test_titles_are_one_line(tmp_path: Path) -> None:
    with faked("gitlab", tmp_path) as at:
        pull = at.propose("a\nb\t" + "c" * 500)
        assert pull.title.startswith("a b ccc")
        assert len(pull.title) == 250
        before = at.fake.writes()
        at.propose("a\nb\t" + "c" * 500)
        assert at.fake.writes() == before


@pytest.mark.parametrize("kind", ["github", "gitlab", "gitea"])
def test_what_no_database_holds_is_taken_out(kind: str, tmp_path: Path) -> None:
    with faked(kind, tmp_path) as at:
        pull = at.propose("a\0b\ud800", "c\0d\udfff", "sluice/\0,x")
        assert (pull.title, pull.body, pull.labels) == ("ab?", "cd?", ("sluice/ x",))


def test_small_things() -> None:
    assert clean("a\0\ud800é") == "a?é"
    assert shorten(" a \n b ", 10) == "a b"
    assert shorten("abcdef", 4) == "abc…"
    assert is_same("a\r\nb\n", "a\nb")
    assert not is_same("a b", "a\nb")
