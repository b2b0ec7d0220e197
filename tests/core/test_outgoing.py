"""What others wrote is shown as it is, and orders nobody about."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sluice.core.confidential import redacted
from sluice.core.outgoing import in_place, lines_of, one_line, printable, visible

SECRETS = [
    "://a:",
    "@b",
    "token=",
    "x\\",
    '"',
    "\n",
    "?sig=",
    "-----BEGIN PRIVATE KEY-----",
    "-----END ",
]
HOSTILE = "a\r\n::error::b\x1b[31m\x9b\u202e\u2028\u2066\ufeff\U000e0041\udc80##[group]c"


def obeyed(text: str) -> list[str]:
    return [c for c in text if not c.isprintable()]


@given(st.text() | st.just(HOSTILE))
def test_what_is_visible_is_on_one_line_and_only_seen(text: str) -> None:
    assert not obeyed(visible(text))
    assert not obeyed(one_line(text))
    assert len(in_place(text)) == len(text)
    assert lines_of([text, text]).count("\n") == 2


@given(st.text() | st.just(HOSTILE))
def test_what_is_printed_keeps_its_lines_and_nothing_else(text: str) -> None:
    shown = printable(text)
    assert set(obeyed(shown)) <= {"\n", "\t"}
    assert shown.count("\n") == text.count("\n")
    assert not any(line.lstrip().startswith("::") for line in shown.split("\n"))
    assert "##[" not in shown
    assert printable(shown) == shown


TEXTS = st.text() | st.lists(st.sampled_from(SECRETS)).map("".join)


@given(st.lists(TEXTS))
@example(["://\r@"])  # as it is written in JSON, the escape could be a user
def test_a_document_of_json_stays_one(data: list[str]) -> None:
    for ascii_only in (True, False):
        written = json.dumps(data, indent=2, ensure_ascii=ascii_only)
        shown = json.loads(printable(written))
        assert len(shown) == len(data)
        for before, after in zip(data, shown, strict=True):
            writings = (before, json.dumps(before, ensure_ascii=ascii_only))
            if all(redacted(writing) == writing for writing in writings):
                assert after == before


@pytest.mark.parametrize(
    "line", ["::error::x", "  ::stop-commands::x", "a ##[error]x", "##vso[x]y"]
)
def test_an_order_is_disarmed_unless_it_is_meant(line: str) -> None:
    assert printable(line) != line
    assert printable(line, orders=True) == line


def test_what_is_harmless_is_left_alone() -> None:
    text = "version 2 of “chat” — 0.7 ± 0.01\n\tfit: 12 GiB → ok ▁▂▃ 模型 a::b\n"
    assert printable(text) == text
