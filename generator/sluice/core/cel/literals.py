"""Literals that are wrong whatever the object: the API server refuses them when it compiles."""

from collections.abc import Callable, Iterator
from itertools import pairwise

from sluice.core.cel.runtime import Failed
from sluice.core.cel.syntax import DYN, Kind, Node, Tree, constant, text

_PATTERNS = ("matches", "find", "findAll")
_CONVERSIONS = ("bool", "double", "duration", "int", "timestamp", "uint")

_SCALAR = b"\x18"
"""How the engine begins to write a type such as string or int."""

Run = Callable[[Node], object]
"""Gives the value of an expression without variables, or Failed."""


def mixed_literals(tree: Tree) -> Iterator[tuple[Node, str]]:
    """Each list and map of values whose types do not go together, and why."""
    exempt = {
        argument.identity
        for node in tree.root.walk()
        if node.kind is Kind.CALL and node.name == "format"
        for argument in node.operands[1:]
    }
    for node in tree.root.walk():
        if node.kind is Kind.LIST and node.identity not in exempt and _mixed(tree, node.operands):
            yield node, "a list with elements of different types"
        if node.kind is Kind.STRUCT and not node.name and _mixed_entries(tree, node):
            yield node, "a map with keys or values of different types"


def wrong_literals(tree: Tree, run: Run) -> Iterator[tuple[Node, str]]:
    """Each pattern, duration and timestamp that is none, and why; `run` tells what they come to."""
    for node in tree.root.walk():
        if node.kind is Kind.CALL:
            yield from _call_problems(node, run)


def _call_problems(node: Node, run: Run) -> Iterator[tuple[Node, str]]:
    call = None
    if node.name in _PATTERNS and node.member and text(node.operands[1]) is not None:
        operands = (constant("string", ""), node.operands[1])
        call = Node(Kind.CALL, name="matches", operands=operands, member=True)
    elif node.name in _CONVERSIONS and text(node.operands[0]) is not None:
        call = node
    if call:
        result = run(call)
        if isinstance(result, Failed):
            yield node, result.message


def _mixed_entries(tree: Tree, node: Node) -> bool:
    return _mixed(tree, node.operands[::2]) or _mixed(tree, node.operands[1::2])


def _mixed(tree: Tree, operands: tuple[Node, ...]) -> bool:
    """Whether two neighbours are of types that are both known and not the same."""
    types = [tree.types.get(operand.identity, DYN) for operand in operands]
    if DYN in types and any(kind.startswith(_SCALAR) for kind in types):
        return True
    known = [kind for kind in types if not _open(kind)]
    return any(one != other for one, other in pairwise(known)) and not _open(types[0])


def _open(kind: bytes) -> bool:
    """Dynamic, or with a part that is."""
    return DYN in kind or kind[:1] in (b"\x52", b"\x32\x00") or kind == b"\x32\x02\x52\x00"
