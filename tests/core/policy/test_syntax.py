"""Syntax trees, as the engine writes them and as they are given back to it."""

import subprocess
import sys
from pathlib import Path

import pytest

from sluice.core.cel.engine import Engine
from sluice.core.cel.syntax import FALSE, NULL, TRUE, Kind, Node, constant, ident, value_of
from sluice.core.cel.syntax_wire import levels, write

VERSION = (1, 34)

EXPRESSIONS = (
    "1 + 2 == 3",
    "-9223372036854775808 < 9223372036854775807",
    "18446744073709551615u > 0u",
    '1.5 < 2.5 && "ä\\U0001f600" != "" && b"\\xff" != b""',
    'has({"a": 1}.a) && !has({"a": 1}.b)',
    '{?"a": optional.of(1), "b": 2} == {"a": 1, "b": 2}',
    "[?optional.none(), 1, ?optional.of(2)] == [1, 2]",
    'type("x") == string && type(google.protobuf.Duration) == type',
    "[1, 2, 3].all(x, x > 0) && {1: 2}.exists(k, v, k < v)",
    '"a.b".split(".").size() == 2 && size([]) == 0',
    "null == dyn(null) && true != false",
)


def run(node: Node) -> object:
    engine = Engine(VERSION)
    return engine.program(node).run(engine.activation({}))


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_what_was_read_means_the_same_when_it_is_written(text: str) -> None:
    checked = Engine(VERSION).checker({}, params=False).check(text)
    assert run(checked.tree.root) is True


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_every_node_has_a_number_and_a_place_of_its_own(text: str) -> None:
    tree = Engine(VERSION).checker({}, params=False).check(text).tree
    numbers = [node.identity for node in tree.root.walk()]
    assert len(set(numbers)) == len(numbers)
    assert all(0 <= tree.offsets.get(number, 0) < len(text) for number in numbers)


def test_constants_written_out_are_what_the_library_writes() -> None:
    assert constant("bool", value=True) == TRUE
    assert constant("bool", value=False) == FALSE
    assert constant("null", 0) == NULL
    assert value_of(constant("int", -1)) == ("int", -1)
    assert value_of(constant("string", "")) == ("string", "")
    assert value_of(ident("x")) == ("", None)


def test_a_tree_deeper_than_protobuf_reads_at_once_is_written() -> None:
    node = constant("int", 1)
    for _ in range(200):
        node = Node(Kind.CALL, name="-_", operands=(node,))
    assert levels(node) == 402
    assert len(write(node)) > 400


def test_no_library_is_loaded_before_an_expression_is_compiled() -> None:
    program = "import sluice.core.policy.layer, sys; sys.exit('google.protobuf' in sys.modules)"
    folder = Path(__file__).parents[3] / "generator"
    subprocess.run([sys.executable, "-c", program], cwd=folder, check=True)
