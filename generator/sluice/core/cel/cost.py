"""How much work an expression may make, as far as its text tells."""

from collections.abc import Callable

from sluice.core.cel.syntax import Kind, Node, text

LIMIT = 1_000_000
"""Cost of one expression, as in the API server."""

BINDING_LIMIT = 10_000_000
"""Cost of all expressions of one binding, as in the API server."""

_ENGINE_ROUNDS = 10_000
_MEMORY_LIMIT = 500_000_000
_BUILDING = frozenset({"_+_", "format", "join", "lowerAscii", "quote", "replace", "upperAscii"})
_COPIES_LIMIT = 10_000
_TEXT_UNIT = 64

Lookup = Callable[[str], Node | None]


def extent(value: object) -> tuple[int, int]:
    """The most elements of a list or map and the characters of the longest text, at any depth."""
    if type(value) is str:
        return 0, len(value)
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    elements, characters = len(parts), 0
    for part in parts:
        kind = type(part)
        if kind is dict or kind is list:
            inner = extent(part)
            elements, characters = max(elements, inner[0]), max(characters, inner[1])
        elif kind is str and len(part) > characters:
            characters = len(part)
    return elements, characters


def building_depth(node: Node, depth: int = 0) -> int:
    """How many loops stand around what makes new values; 0 when nothing does in a loop."""
    found = depth if node.name in _BUILDING else 0
    inner = depth + (node.kind is Kind.COMPREHENSION)
    return max([found, *(building_depth(part, inner) for part in node.operands)])


def fills_memory(depth: int, elements: int, characters: int) -> bool:
    """Whether values made in loops of that depth could take more memory than they should.

    Args:
        depth: loops around what makes new values, as `building_depth` counts them.
        elements: of the longest list that they run over.
        characters: of the longest text that is copied in them.
    """
    rounds = min(_ENGINE_ROUNDS, elements ** min(depth, _ENGINE_ROUNDS.bit_length()))
    return bool(depth) and rounds * max(characters, 16 * elements) > _MEMORY_LIMIT


def widest_literal(node: Node) -> int:
    """The elements of the longest list that is written out, or made by `lists.range`."""
    if node.kind is Kind.CALL and node.name == "lists.range":
        return _ENGINE_ROUNDS
    own = len(node.operands) if node.kind in (Kind.LIST, Kind.STRUCT) else 0
    return max([own, *map(widest_literal, node.operands)])


def grows_too_much(node: Node, variable: Lookup) -> bool:
    """Whether values multiply: sums of sums of variables double with each step."""
    return _copies(node, variable, {}) > _COPIES_LIMIT


def longest_text(node: Node, variable: Lookup) -> int:
    """The characters that a text can have which is put together from those written out."""
    return _TEXT_UNIT * _copies(node, variable, {})


def _copies(node: Node, variable: Lookup, known: dict[str, int]) -> int:
    """How many times the size of an input a value can have at most, loops aside."""
    match node.kind:
        case Kind.CONSTANT:
            return 1 + len(text(node) or "") // _TEXT_UNIT
        case Kind.IDENT:
            return _variable_copies(node.name, variable, known)
    parts = [_copies(operand, variable, known) for operand in node.operands]
    if node.kind is Kind.COMPREHENSION or node.name in ("_+_", "_?_:_", "format", "concat"):
        return sum(parts)
    if node.name in ("replace", "join"):
        return _product(parts)
    return sum(parts) if node.kind in (Kind.LIST, Kind.STRUCT) else max([1, *parts])


def _variable_copies(name: str, variable: Lookup, known: dict[str, int]) -> int:
    if name not in known:
        known[name] = 1
        node = variable(name)
        known[name] = _copies(node, variable, known) if node else 1
    return known[name]


def _product(parts: list[int]) -> int:
    result = 1
    for part in parts:
        result *= part
    return result
