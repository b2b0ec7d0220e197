"""Reading specs: what is read means the same to every reader, and every part has its place."""

from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sluice.core.documents.limits import SPEC
from sluice.core.documents.load import Document, load, load_each
from sluice.core.finding import Finding, FindingsError, Place
from support import hostile, trees
from support.layouts import Layout, layouts

FRAGMENTS = st.sampled_from(
    [*hostile.TEXTS, *"abc:-?#{}[]&*!|>'\"%@`,", "a: ", "\n", "\n  ", "\n- ", ": ", ", ", "# x\n"]
)
SOUP = st.lists(FRAGMENTS, max_size=12).map("".join)


def read(raw: bytes) -> tuple[Document | None, list[Finding]]:
    """The document, or what is wrong with it."""
    findings: list[Finding] = []
    return next(iter(load_each({"x.yaml": raw}, findings)), None), findings


def rules(raw: bytes) -> list[str]:
    with pytest.raises(FindingsError) as caught:
        load("x.yaml", raw)
    return [finding.rule for finding in caught.value.findings]


@settings(max_examples=3000)
@given(SOUP)
@example("a: 08")
@example("1_0001e3")
@example("1.5_1e3_0")
@example("a: .nan")
@example("a: 1\n---\n")
@example("? [a]\n: b")
@example("yes\r...")
def test_any_text_is_read_alike_by_old_and_new_readers_or_refused(soup: str) -> None:
    raw = f"key: {soup}".encode(errors="surrogatepass")
    document, findings = read(raw)
    assert bool(findings) != bool(document)
    assert all(finding.help for finding in findings)
    if document:
        assert document.data == _without_clip(yaml.load(raw, Loader=yaml.CSafeLoader), document)


@settings(max_examples=2000)
@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused_and_never_crash(raw: bytes) -> None:
    document, findings = read(raw)
    assert bool(findings) != bool(document)
    assert {finding.rule[:4] for finding in findings} <= {"YAML"}


@settings(max_examples=300)
@given(layouts())
def test_every_layout_of_a_spec_is_read_and_every_value_placed(layout: Layout) -> None:
    document = load("x.yaml", layout.raw)
    lines = layout.raw.decode("utf-8-sig").splitlines()
    for key, value in document.data["spec"]["model"].items():
        place = document.place(("spec", "model", key))
        rest = lines[place.line - 1][place.column - 1 :]
        assert rest.startswith(("|", ">", '"', "'", str(value)[0]))
        name = document.place(("spec", "model", key), key=True)
        assert lines[name.line - 1][name.column - 1 :].lstrip("\"'").startswith(key)


def test_a_place_that_does_not_exist_is_that_of_the_nearest_ancestor() -> None:
    document = load("x.yaml", b"a:\n  b: 1\n")
    assert document.place(("a", "b")) == Place("x.yaml", 2, 6)
    assert document.place(("a", "b"), key=True) == Place("x.yaml", 2, 3)
    assert document.place(("a", "missing")) == Place("x.yaml", 1, 1)
    assert document.place(("z",)) == Place("x.yaml", 1, 1)


def test_the_items_of_a_list_have_places() -> None:
    document = load("x.yaml", b"a:\n  - b: 1\n  - [2, 3]\n")
    assert document.place(("a", 0, "b")) == Place("x.yaml", 2, 8)
    assert document.place(("a", 1, 1)) == Place("x.yaml", 3, 9)


def test_a_column_counts_characters_and_not_bytes() -> None:
    document = load("x.yaml", "a: {é: 1, b: 2}\n".encode())
    assert document.place(("a", "b")) == Place("x.yaml", 1, 14)


def test_a_byte_order_mark_does_not_shift_places() -> None:
    assert load("x.yaml", b"\xef\xbb\xbfa: 1\n").place(("a",)) == Place("x.yaml", 1, 4)


def test_the_size_limit_is_exact() -> None:
    fits = b"a: 1\n#" + b"x" * (SPEC.size - 6)
    assert load("x.yaml", fits).data == {"a": 1}
    assert rules(fits + b"x") == ["YAML001"]


@pytest.mark.parametrize("depth", [70, 500, 5_000, 100_000])
@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_deep_nesting_ends_in_a_finding_and_not_at_the_end_of_the_stack(
    opening: str, depth: int
) -> None:
    raw = f"a:\n  {opening * depth}".encode()
    assert set(rules(raw)) <= {"YAML003", "YAML009"}


def test_a_bomb_of_aliases_is_refused_before_it_is_built() -> None:
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 64)]
    assert rules("\n".join(lines).encode()) == ["YAML005"]


def test_all_duplicate_keys_are_found_at_once() -> None:
    assert rules(b"a: 1\na: 2\nb:\n  c: 1\n  c: 2\n") == ["YAML008", "YAML008"]


def test_all_ambiguous_values_are_found_at_once() -> None:
    assert rules(b"a: yes\nb: [0o7, 1:30]\n") == ["YAML006"] * 3


@pytest.mark.parametrize(
    "value", ["yesterday", "on-call", "1.2.3", "a:b", "10m", "x1e3", "-a", "0"]
)
def test_values_that_only_resemble_ambiguous_ones_are_read(value: str) -> None:
    assert str(load("x.yaml", f"a: {value}\n".encode()).data["a"]) == value


def test_what_is_wrong_with_some_files_does_not_hide_the_others() -> None:
    findings: list[Finding] = []
    read = list(load_each({"b.yaml": b"a: [", "a.yaml": b"a: 1", "c.yaml": b"- a"}, findings))
    assert [document.path for document in read] == ["a.yaml"]
    assert [(finding.place.file, finding.rule) for finding in findings] == [
        ("b.yaml", "YAML003"),
        ("c.yaml", "YAML007"),
    ]


def test_every_reference_spec_is_read_without_the_slow_reader() -> None:
    for path, raw in trees.reference().files.items():
        assert "_root" not in vars(load(path, raw))


def _without_clip(data: Any, document: Any) -> Any:  # noqa: ANN401  # any YAML
    """The old reader forgets the line break that ends a block text at the end of a file."""
    value = document.data.get("key")
    if isinstance(value, str) and value.endswith("\n") and data.get("key") == value[:-1]:
        return {**data, "key": value}
    return data
