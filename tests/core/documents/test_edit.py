"""Editing a spec: one value changes, and not a byte beside it."""

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.core.documents.edit import append_text, remove, set_text, set_texts
from sluice.core.documents.load import load
from sluice.core.finding import FindingsError, UsageError
from support import hostile
from support.layouts import KEYS, Layout, data, layouts

MODEL = ("spec", "model")
MANY = settings(max_examples=400)
TEXTS = st.sampled_from(hostile.TEXTS) | st.text(max_size=8)


def key_of(layout: Layout) -> str:
    return next(key for key in KEYS if layout.before.rstrip(" '\":").endswith(key))


@MANY
@given(layouts(), TEXTS)
def test_setting_a_value_changes_its_bytes_only(layout: Layout, value: str) -> None:
    changed = set_text(layout.raw, (*MODEL, key_of(layout)), value)
    assert changed.startswith(layout.bytes_of(layout.before))
    assert changed.endswith(layout.after.replace("\n", layout.newline).encode())
    expected = copy.deepcopy(data(layout.raw))
    expected["spec"]["model"][key_of(layout)] = value
    assert data(changed) == expected


@MANY
@given(layouts(), TEXTS)
def test_setting_a_value_to_what_it_is_changes_nothing_the_second_time(
    layout: Layout, value: str
) -> None:
    path = (*MODEL, key_of(layout))
    once = set_text(layout.raw, path, value)
    assert set_text(once, path, value) == once


@MANY
@given(layouts(), TEXTS)
def test_a_new_key_is_inserted_and_every_byte_that_was_there_stays(
    layout: Layout, value: str
) -> None:
    changed = set_text(layout.raw, (*MODEL, "digest"), value)
    expected = copy.deepcopy(data(layout.raw))
    expected["spec"]["model"]["digest"] = value
    assert data(changed) == expected
    assert _is_subsequence(layout.raw, changed)


@MANY
@given(layouts())
def test_removing_a_key_leaves_every_other_value(layout: Layout) -> None:
    changed = remove(layout.raw, (*MODEL, key_of(layout)))
    expected = copy.deepcopy(data(layout.raw))
    del expected["spec"]["model"][key_of(layout)]
    assert data(changed) == expected
    lone = b"{}" + layout.newline.encode()
    assert _is_subsequence(
        changed.replace(lone, b"", 1) if not expected["spec"]["model"] else changed, layout.raw
    )


@MANY
@given(layouts())
def test_removing_what_was_inserted_gives_the_text_back(layout: Layout) -> None:
    if not layout.raw.endswith(b"\n"):
        return  # the inserted line needs an end for the line before it
    path = (*MODEL, "digest")
    there_and_back = remove(set_text(layout.raw, path, "sha256:0"), path)
    assert there_and_back.replace(b",}", b"}") == layout.raw.replace(b",}", b"}")


def test_a_key_that_is_absent_is_not_removed() -> None:
    raw = b"spec:\n  model: {name: a}\n"
    assert remove(raw, (*MODEL, "digest")) is raw


def test_comments_around_a_removed_key_stay() -> None:
    raw = b"a:\n  # of b\n  b:\n    c: 1  # goes\n  # of d\n  d: 2\n"
    assert remove(raw, ("a", "b")) == b"a:\n  # of b\n  # of d\n  d: 2\n"


def test_the_last_key_of_a_text_without_a_final_line_break_is_removed() -> None:
    assert remove(b"a: 1\nb: 2", ("b",)) == b"a: 1\n"


def test_a_mapping_that_loses_its_only_key_is_an_empty_mapping() -> None:
    assert remove(b"a:\n  b: 1\nc: 2\n", ("a", "b")) == b"a:\n  {}\nc: 2\n"


def test_a_key_without_a_value_gets_one() -> None:
    assert set_text(b"a:\n  b:\n  c: 1\n", ("a", "b"), "x") == b"a:\n  b: x\n  c: 1\n"


def test_keys_without_values_keep_to_their_lines() -> None:
    raw = b"a:\n  b:\n  c:\n# of d\nd: 1\n"
    assert remove(raw, ("a", "b")) == b"a:\n  c:\n# of d\nd: 1\n"
    assert remove(raw, ("a", "c")) == b"a:\n  b:\n# of d\nd: 1\n"
    assert set_text(raw, ("a", "x"), "y") == b'a:\n  b:\n  c:\n  x: "y"\n# of d\nd: 1\n'


@MANY
@given(layouts(), st.lists(st.tuples(st.sampled_from([*KEYS, "digest"]), TEXTS), max_size=3))
def test_setting_several_values_is_setting_one_after_the_other(
    layout: Layout, values: list[tuple[str, str]]
) -> None:
    lines = [((*MODEL, key), value) for key, value in dict(values).items()]
    expected = layout.raw
    for path, value in lines:
        expected = set_text(expected, path, value)
    assert set_texts(layout.raw, lines) == expected


def test_a_promotion_is_a_diff_of_two_lines() -> None:
    raw = b'spec:\n  model:\n    version: "7"  # prod\n    source: s3://m/7\n'
    changed = set_texts(raw, [((*MODEL, "version"), "8"), ((*MODEL, "source"), "s3://m/8")])
    assert changed == b'spec:\n  model:\n    version: "8"  # prod\n    source: s3://m/8\n'


def test_a_mapping_is_not_replaced_by_a_text() -> None:
    with pytest.raises(TypeError, match="single value"):
        set_text(b"a: {b: 1}\n", ("a",), "x")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"a:\t'1'\t# note\n", b'a:\t"2"\t# note\n'),
        (b"a:\t/v1\nb: 1\n", b'a:\t"2"\nb: 1\n'),
        (b"\xef\xbb\xbfa: 1\t# x\r\nb: z", b'\xef\xbb\xbfa: "2"\t# x\r\nb: z'),
        (b"{a, b: c}\n", b'{a: "2", b: c}\n'),
    ],
)
def test_what_the_reader_accepts_is_edited(before: bytes, after: bytes) -> None:
    load("x.yaml", before)
    assert set_text(before, ("a",), "2") == after


MUTATIONS = st.sampled_from(
    [
        *("\t", " ", "\r\n", "\n\n", "\t# x", " # x", ": ", ", ", "- ", "{", "}", "[]", "'", '"'),
        *(
            "...\n",
            "---\n",
            "|",
            "&a ",
            "*a",
            "<<: ",
            "~",
            "? ",
            "\\",
            "é",
            "\u2028",
            "\ufeff",
            "\x85",
        ),
    ]
)


@settings(max_examples=1500)
@given(layouts(), st.lists(st.tuples(MUTATIONS, st.integers(0, 400)), min_size=1, max_size=3))
def test_every_mutation_that_is_accepted_is_edited_rightly_or_refused_in_words(
    layout: Layout, mutations: list[tuple[str, int]]
) -> None:
    text = layout.raw.decode()
    for bit, at in mutations:
        text = text[: at % (len(text) + 1)] + bit + text[at % (len(text) + 1) :]
    try:
        document = load("x.yaml", text.encode())
    except FindingsError:
        return
    model = document.data.get("spec")
    model = model.get("model") if isinstance(model, dict) else None
    for key, value in model.items() if isinstance(model, dict) else ():
        if not isinstance(value, dict | list):
            expected: Any = copy.deepcopy(document.data)
            expected["spec"]["model"][key] = "8"
            try:
                changed = set_text(text.encode(), (*MODEL, key), "8")
            except UsageError as error:
                assert "cannot be changed" in str(error)  # noqa: PT017  # either is right
                continue
            assert load("x.yaml", changed).data == expected


def _is_subsequence(part: bytes, whole: bytes) -> bool:
    """Whether the bytes of one text stand in the other in the same order."""
    rest = iter(whole)
    return all(byte in rest for byte in part)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("  model:\n    name: a  # why\n", '  model:\n    name: a  # why\n    quarantine: ["8"]\n'),
        ("  model: {name: a}\n", '  model: {name: a, quarantine: ["8"]}\n'),
        (
            '  model:\n    quarantine: ["7"]  # bad\n',
            '  model:\n    quarantine: ["7", "8"]  # bad\n',
        ),
        ("  model:\n    quarantine: []\n", '  model:\n    quarantine: ["8"]\n'),
        (
            '  model:\n    quarantine:\n      - "7"  # bad\n    name: a\n',
            '  model:\n    quarantine:\n      - "7"  # bad\n      - "8"\n    name: a\n',
        ),
        (
            '  model:\n    quarantine:\n    - "7"',
            '  model:\n    quarantine:\n    - "7"\n    - "8"\n',
        ),
    ],
)
def test_adding_to_a_list_leaves_every_other_byte(before: str, after: str) -> None:
    changed = append_text(f"spec:\n{before}".encode(), (*MODEL, "quarantine"), "8")
    assert changed.decode() == f"spec:\n{after}"
