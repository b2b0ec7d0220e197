"""The emitter: whatever it writes is read back as it was, by old and new readers of YAML."""

import io
from typing import Any

import pytest
import ruamel.yaml
import yaml
import yaml_rs
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.core.documents import emit
from support import hostile

DOCUMENTS = 20_000
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=20)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
TREES = st.recursive(
    SCALARS | NUMBERS.filter(lambda value: abs(value) < 2**63),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=12,
)


def read_1_1(raw: bytes) -> Any:  # noqa: ANN401  # any YAML
    return yaml.load(raw, Loader=yaml.CSafeLoader)


def read_1_2(raw: bytes) -> Any:  # noqa: ANN401  # any YAML
    return yaml_rs.loads(raw.decode(), parse_datetime=False)


def same(left: Any, right: Any) -> bool:  # noqa: ANN401  # any YAML
    """Equal with equal types, but for 3.0, which is written as 3: JSON knows one kind of number."""
    if isinstance(left, dict) and isinstance(right, dict):
        pairs = zip(left.items(), right.items(), strict=True)
        return len(left) == len(right) and all(a == b and same(x, y) for (a, x), (b, y) in pairs)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    number = isinstance(left, int | float) and not isinstance(left, bool)
    alike = isinstance(right, int | float) if number else type(left) is type(right)
    return alike and not (number and isinstance(right, bool)) and bool(left == right)


@pytest.mark.parametrize("seed", range(4))
def test_documents_are_read_back_exactly_by_both_kinds_of_reader(seed: int) -> None:
    source = hostile.seeded(seed)
    for _ in range(DOCUMENTS // 4):
        document = hostile.mapping(source, 2, least=1)
        written = emit.emit(document)
        assert same(document, read_1_1(written)), written
        assert same(document, read_1_2(written)), written
        assert emit.emit(read_1_2(written)) == written


@settings(max_examples=300)
@given(st.dictionaries(st.text(max_size=9), TREES, min_size=1, max_size=4))
def test_any_document_is_read_back_exactly(document: dict[str, Any]) -> None:
    written = emit.emit(document)
    assert same(document, read_1_1(written))
    assert same(document, read_1_2(written))
    assert emit.emit(read_1_1(written)) == written


@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from(hostile.TEXTS), TREES, min_size=1, max_size=3))
def test_the_reader_that_edits_specs_agrees(document: dict[str, Any]) -> None:
    reader = ruamel.yaml.YAML(typ="safe", pure=True)
    assert same(document, reader.load(io.BytesIO(emit.emit(document))))


@pytest.mark.parametrize("value", hostile.TEXTS, ids=ascii)
def test_each_nasty_text_survives_as_key_as_value_and_in_a_list(value: str) -> None:
    document = {value: value, "list": [value, [value], {value: value}]}
    written = emit.emit(document)
    assert read_1_1(written) == read_1_2(written) == document
    assert written.isascii() or not set(written.decode()) & set("\u0085\u2028\u2029\ufeff\xa0")


WORDS = ("y", "yes", "no", "on", "off", "true", "null", "~", "1e3", "0o7", "12e5678", "1:30", "")


@pytest.mark.parametrize("value", [*WORDS, *(word.upper() for word in WORDS), "a:", "- a", "a #b"])
def test_what_any_reader_takes_for_something_else_is_quoted(value: str) -> None:
    assert emit.text(value) == f'"{value}"'


@pytest.mark.parametrize("value", ["chat", "nvidia.com/gpu", "--port=8000", "/v1", "a:b", "x=y"])
def test_what_every_reader_takes_for_text_is_plain(value: str) -> None:
    assert emit.text(value) == value


@pytest.mark.parametrize(
    ("value", "spelled"),
    [(1, "1"), (2.0, "2"), (0.85, "0.85"), (1e-05, "0.00001"), (1e16, "10000000000000000")],
)
def test_a_number_has_one_spelling_without_an_exponent(value: float, spelled: str) -> None:
    assert emit.scalar(value) == spelled


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_not_finite_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="infinite"):
        emit.scalar(value)


def test_what_is_not_yaml_is_refused() -> None:
    with pytest.raises(TypeError, match="object"):
        emit.emit({"a": object()})


def test_the_layout_is_canonical() -> None:
    document = {"b": {"z": 1, "a": []}, "a": [{"k": "v", "l": ["x", {}]}, [], "y"]}
    assert emit.emit(document, "where from").decode() == (
        "# where from\n"
        "b:\n  z: 1\n  a: []\n"
        'a:\n  - k: v\n    l:\n      - x\n      - {}\n  - []\n  - "y"\n'
    )


def test_nothing_is_folded_aliased_or_shared() -> None:
    shared = {"long": "word " * 100}
    written = emit.emit({"a": shared, "b": shared})
    assert written.count(b"\n") == 4
    assert b"&" not in written
