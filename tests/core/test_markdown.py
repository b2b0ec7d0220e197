"""Texts of others in Markdown are shown, never obeyed: checked with a real parser."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from sluice.core.markdown import code, fenced, table
from support import hostile

PARSER = MarkdownIt("commonmark").enable("table")
TEXTS = (
    st.sampled_from(hostile.TEXTS) | st.text(max_size=12) | st.text("`|\\ a[]()<>*_\n", max_size=9)
)


def tokens(text: str) -> list[str]:
    return [
        child.type
        for token in PARSER.parse(text)
        for child in (token.children or [token] if token.type == "inline" else [token])
    ]


@settings(max_examples=800)
@given(TEXTS)
def test_a_text_in_code_is_one_code_span_with_that_text(text: str) -> None:
    written = code(text)
    assert "\n" not in written
    if not written:
        return
    (inline,) = [token for token in PARSER.parse(f"a {written} b") if token.type == "inline"]
    assert [child.type for child in inline.children or []] == ["text", "code_inline", "text"]


@settings(max_examples=500)
@given(st.lists(TEXTS, min_size=1, max_size=3))
def test_a_table_has_as_many_cells_as_it_was_given(cells: list[str]) -> None:
    row = tuple(code(cell) or "-" for cell in cells)
    text = table(tuple("head" for _ in cells), [row, row])
    kinds = [token.type for token in PARSER.parse(text)]
    assert kinds.count("td_open") == 2 * len(cells)
    assert kinds.count("tr_open") == 3


@settings(max_examples=500)
@given(st.text("`~ a\n", max_size=20) | TEXTS)
def test_a_block_holds_exactly_the_text_and_nothing_escapes_from_it(text: str) -> None:
    parsed = PARSER.parse(fenced(text, "yaml"))
    assert [token.type for token in parsed] == ["fence"]
    if not re.search(r"[\x00\r]", text):  # the parser itself replaces these
        assert parsed[0].content.rstrip() == text.rstrip()


def test_a_long_text_is_cut_and_says_so() -> None:
    assert code("x" * 300) == f"`{'x' * 199}…`"
    assert len(code("x" * 300, longest=20)) == 22


@pytest.mark.parametrize("text", ["a\u202eb", "a\u200bb", "a\ufeffb", "a\u2066b"])
def test_what_hides_or_reverses_text_is_removed(text: str) -> None:
    assert code(text) == "`ab`"
